"""The loser of a race looks again, recognises its own write, and does not go on for ever."""

from dataclasses import dataclass

import pytest

from rsloader_provider.core.errors import ContentionError, NotSetUpError
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.races import RACES, until_won


@dataclass
class Counter:
    """A number with a version, that others add to just before a write, or whose answers get lost."""

    value: int = 0
    version: int = 0
    others: int = 0
    lost_answers: int = 0
    reads: int = 0
    writes: int = 0

    def read(self) -> tuple[int, int]:
        self.reads += 1
        return self.value, self.version

    def replace(self, version: int, value: int) -> int:
        if self.others:
            self.others -= 1
            self._write(self.value + 10)
        if version != self.version:
            raise LostRaceError
        self._write(value)
        self.writes += 1
        if self.lost_answers:
            self.lost_answers -= 1
            raise LostRaceError
        return value

    def add_one(self) -> int:
        value, version = self.read()
        return self.replace(version, value + 1)

    def make_odd(self) -> int:
        """Recognises its own write by what it reads."""
        value, version = self.read()
        return value if value % 2 else self.replace(version, value + 1)

    def _write(self, value: int) -> None:
        self.value = value
        self.version += 1


def test_the_first_to_write_reads_once():
    counter = Counter()
    assert until_won("the counter", counter.add_one) == 1
    assert (counter.reads, counter.writes) == (1, 1)


@pytest.mark.parametrize("others", [1, 2, RACES - 1])
def test_the_loser_decides_on_what_the_others_wrote(others: int):
    """Nobody's write is undone: the loser adds to what it finds."""
    counter = Counter(others=others)
    assert until_won("the counter", counter.add_one) == 10 * others + 1
    assert counter.writes == 1


def test_the_loser_of_every_race_gives_up_and_may_be_called_again():
    counter = Counter(others=RACES)
    with pytest.raises(ContentionError, match=f"^the counter: others wrote to it {RACES} times in a row") as raised:
        until_won("the counter", counter.add_one)
    assert raised.value.retryable
    assert (counter.reads, counter.writes) == (RACES, 0)
    assert until_won("the counter", counter.add_one) == 10 * RACES + 1


def test_a_write_that_was_carried_out_and_whose_answer_was_lost_is_found_by_looking_again():
    counter = Counter(lost_answers=1)
    assert until_won("the counter", counter.make_odd) == 1
    assert (counter.reads, counter.writes) == (2, 1)


def test_a_write_that_does_not_look_for_itself_is_carried_out_twice():
    """The helper cannot tell a lost answer from a lost race; only who writes can. This is what its rule is for."""
    counter = Counter(lost_answers=1)
    assert until_won("the counter", counter.add_one) == 2
    assert counter.writes == 2


def test_a_write_may_look_for_itself_before_it_admits_a_loss():
    counter = Counter(lost_answers=1)

    def looking() -> int:
        value, version = counter.read()
        try:
            return counter.replace(version, value + 1)
        except LostRaceError:
            if counter.read() == (value + 1, version + 1):
                return value + 1
            raise

    assert until_won("the counter", looking) == 1
    assert counter.writes == 1


def test_any_other_error_goes_through_at_once():
    calls = []

    def refused() -> None:
        calls.append("write")
        raise NotSetUpError("no table")

    with pytest.raises(NotSetUpError):
        until_won("the counter", refused)
    assert calls == ["write"]
