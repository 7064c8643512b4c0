"""Schedules: what Airflow can run is taken as written, what it could never run is refused."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.objects import a_config

from rsloader_provider.core.config.schedules import airflow_schedule, schedule_text


@pytest.mark.parametrize(
    "cron",
    ["*/5 * * * *", "0 0 29 2 *", "0 6 * * mon-fri", "0 0 L * *", "15,45 0-6 1 jan *", "0 0 * * 1#2", "0 0 ? * 5"],
)
def test_a_cron_expression_goes_to_airflow_as_written(cron: str) -> None:
    """The 29th of February comes, if seldom."""
    assert a_config(schedule=cron).airflow_schedule == cron


@pytest.mark.parametrize("preset", ["@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly", "@continuous"])
def test_airflows_presets_go_to_airflow_as_written(preset: str) -> None:
    """They are Airflow's words."""
    assert a_config(schedule=preset).airflow_schedule == preset


@pytest.mark.parametrize(
    ("written", "seconds", "kept"),
    [
        ("30s", 30, "30s"),
        ("5m", 300, "5m"),
        ("PT1H", 3600, "PT1H"),
        (90, 90, "1m30s"),
        (timedelta(hours=2), 7200, "2h"),
    ],
)
def test_a_duration_goes_to_airflow_as_a_timedelta(written: object, seconds: int, kept: str) -> None:
    """The text is kept as its author wrote it."""
    config = a_config(schedule=written)
    assert config.airflow_schedule == timedelta(seconds=seconds)
    assert config.schedule == kept


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("0 0 30 2 *", "a day that never comes"),
        ("0 0 31 4,6,9,11 *", "a day that never comes"),
        ("61 * * * *", "is not a valid cron expression"),
        ("* 24 * * *", "is not a valid cron expression"),
        ("* * * * 8", "is not a valid cron expression"),
        ("*/0 * * * *", "is not a valid cron expression"),
        ("a b c d e", "is not a valid cron expression"),
        ("0 0 * * * *", "has 6 fields"),
        ("* * * *", "is not a valid schedule"),
        ("", "is not a valid schedule"),
        ("hourly", "is not a valid schedule"),
        ("@reboot", "is not a valid schedule"),
        ("@once", "is not a valid schedule"),
        ("R * * * *", "is not a valid schedule"),
        ("H/5 * * * *", "is not a valid schedule"),
        ("5", "is not a duration"),
        ("0s", "is not between 1s and 366d"),
        (0, "is not between 1s and 366d"),
        (None, "is not a duration"),
        (True, "is not a duration"),
    ],
)
def test_a_schedule_that_never_comes_or_never_stays_the_same_is_refused(schedule: object, said: str) -> None:
    """Airflow would accept some of them and then never run the load, without a word; H and R change at every parse."""
    with pytest.raises(ValidationError, match=said):
        a_config(schedule=schedule)


@given(st.text(alphabet="0123456789*/,-#?@LWHRabcmsd ", max_size=14) | st.text(max_size=8))
def test_any_text_is_a_schedule_or_a_value_error(text: str) -> None:
    """Whatever croniter raises must become a line in the report."""
    try:
        kept = schedule_text(text)
    except ValueError:
        return
    assert isinstance(airflow_schedule(kept), str | timedelta)
