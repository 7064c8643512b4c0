"""Durations and sizes: what people write is read as they mean it, and what is ambiguous is refused."""

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsloader_provider.core.config.quantities import format_duration, parse_duration, parse_size


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(days=7)),
        (" 1 h  30 m ", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        ("5M", timedelta(minutes=5)),
        (90, timedelta(seconds=90)),
        (1.5, timedelta(seconds=1.5)),
        ("PT5M", timedelta(minutes=5)),
        ("P1DT1H", timedelta(hours=25)),
        (timedelta(minutes=5), timedelta(minutes=5)),
    ],
)
def test_a_duration_is_read_as_people_write_it(written: object, meant: timedelta) -> None:
    """Nobody should have to count 300 seconds for five minutes."""
    assert parse_duration(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        *["", "5", "5 minutes", "m", "30m1h", "5m5m", "-5m", "1:30", "0s", "400d", "nan", "inf", "٥m", "9" * 400 + "d"],
        *["P", "PT", "P5", "PT0S", "-PT5M", "999999999999w", 0, -1, 1e300, float("nan"), float("inf"), True, None, []],
    ],
)
def test_what_is_no_duration_is_refused_with_examples(written: object) -> None:
    """A guess would become a schedule or a batch's age, which nobody sees until it is late."""
    with pytest.raises(ValueError, match="30s, 5m, 1h30m or 2d"):
        parse_duration(written)


@given(st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=366)))
def test_a_formatted_duration_reads_as_the_same_again(duration: timedelta) -> None:
    """Operators carry a load as JSON: a duration that changed on the way would change the batch."""
    assert parse_duration(format_duration(duration)) == duration


@given(st.text(max_size=12) | st.floats() | st.integers())
def test_any_input_is_a_duration_in_range_or_a_value_error(written: object) -> None:
    """Anything else would be a traceback in place of a line in the report."""
    try:
        duration = parse_duration(written)
    except ValueError:
        return
    assert timedelta(seconds=1) <= duration <= timedelta(days=366)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1GiB", 2**30), ("500 MB", 500_000_000), ("100MiB", 100 * 2**20), ("1.5 KiB", 1536), ("7", 7), (7, 7), ("1b", 1)],
)
def test_a_size_is_read_as_people_write_it(written: object, meant: int) -> None:
    """GiB are powers of two and GB powers of ten, as everywhere else."""
    assert parse_size(written) == meant


@pytest.mark.parametrize(
    "written", ["", "GiB", "-1", "1 XB", "0", 0, -5, True, None, 1.5, [], "1e3", "1 bit", "9" * 5000, "nan GB"]
)
def test_what_is_no_size_is_refused_with_examples(written: object) -> None:
    """A batch limit of zero bytes would never let a file in."""
    with pytest.raises(ValueError, match="1GiB, 500MB"):
        parse_size(written)


@given(st.text(max_size=12) | st.integers())
def test_any_input_is_a_size_of_at_least_a_byte_or_a_value_error(written: object) -> None:
    """As for durations."""
    with suppress(ValueError):
        assert parse_size(written) >= 1
