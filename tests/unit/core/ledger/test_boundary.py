"""What a load leaves alone: what load files name, and for a time what they named."""

from datetime import timedelta

from support.objects import NOON, a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.ledger.boundary import AWAY, Boundary, boundary

ORDERS = "s3://landing/orders/new/"
CONFIG = a_config()


def nested() -> LoadConfig:
    return a_config(exclude=[ORDERS])


def leaves(found: Boundary) -> list[str]:
    return [str(each) for each in found.config.exclude]


def test_what_a_file_names_is_left_alone_and_remembered():
    found = boundary(nested(), None, (), NOON)
    assert (leaves(found), found.left_alone, found.sentences()) == ([ORDERS], {ORDERS: None}, [])


def test_what_vanished_is_left_alone_until_it_has_been_away_for_ten_minutes():
    first = boundary(CONFIG, {ORDERS: None}, (), NOON)
    assert (leaves(first), first.left_alone) == ([ORDERS], {ORDERS: NOON})
    assert (
        f"still leaves s3://landing/orders/new/ alone: no load file has named it since {NOON:%Y-%m-%d} 12:00:00"
        in "".join(first.sentences())
    )
    just_before = boundary(CONFIG, first.left_alone, (), NOON + AWAY - timedelta(seconds=1))
    assert (leaves(just_before), just_before.left_alone) == ([ORDERS], {ORDERS: NOON})
    after = boundary(CONFIG, first.left_alone, (), NOON + AWAY)
    assert (leaves(after), after.left_alone, after.sentences()) == ([], {}, [])


def test_what_comes_back_in_time_starts_from_the_beginning():
    away = boundary(CONFIG, {ORDERS: None}, (), NOON).left_alone
    back = boundary(nested(), away, (), NOON + timedelta(minutes=9)).left_alone
    assert back == {ORDERS: None}
    again = boundary(CONFIG, back, (), NOON + timedelta(minutes=12))
    assert leaves(again) == [ORDERS]


def test_while_a_file_cannot_be_read_nothing_is_given_up_however_long_that_lasts():
    found = boundary(CONFIG, {ORDERS: NOON}, ("orders.yaml",), NOON + timedelta(days=9))
    assert (leaves(found), found.left_alone) == ([ORDERS], {ORDERS: None})
    assert found.sentences() == [
        "load orders still leaves s3://landing/orders/new/ alone: which prefixes belong to orders.yaml cannot be read. "
        "Correct or delete it."
    ]


def test_a_load_that_never_looked_before_holds_still_while_a_file_cannot_be_read():
    found = boundary(CONFIG, None, ("a.yaml", "b.yaml"), NOON)
    assert found.holds_still
    assert found.sentences() == [
        "load orders claims nothing for now: which prefixes belong to a.yaml, b.yaml cannot be read. Correct or delete "
        "it."
    ]


def test_a_load_that_left_nothing_alone_before_goes_on_beside_a_broken_file():
    """One person's typo must not stop everybody's loads."""
    found = boundary(CONFIG, {}, ("new.yaml",), NOON)
    assert (found.holds_still, found.config, found.sentences()) == (False, CONFIG, [])


def test_what_the_load_no_longer_reaches_is_forgotten():
    found = boundary(CONFIG, {"s3://other/orders/": None, "not a prefix": None}, (), NOON)
    assert (leaves(found), found.left_alone) == ([], {})
