"""When a load's DAG runs: a cron expression, a preset, `@continuous`, or a duration."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from rsloader_provider.core.config.mistakes import mistake, shown
from rsloader_provider.core.config.quantities import format_duration, parse_duration

CONTINUOUS = "@continuous"
PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
"""Airflow's own names for cron expressions, all except `@once`."""

_EXAMPLES = 'Write for example "*/5 * * * *", @hourly, "@continuous" or a duration such as 30s or 5m.'
_FIELD = re.compile(r"[0-9A-Za-z*/,#?-]+")
# croniter's H (hashed) and R (random) would change the schedule from one parse of the DAG to the next.
_UNSTEADY = re.compile(r"(?<![A-Z])[HR](?![A-Z])", re.IGNORECASE)
_LEAP_YEAR_BEFORE = datetime(2024, 1, 1, tzinfo=UTC)


def schedule_text(value: object) -> str:
    """Return a schedule in the form that is kept: the given text, or a duration's usual form.

    Args:
        value: Text, seconds as a number, or a timedelta.

    Raises:
        ValueError: Airflow could not run it, or it names a time that never comes.
    """
    text = value.strip() if isinstance(value, str) else format_duration(parse_duration(value))
    airflow_schedule(text)
    return text


@lru_cache(maxsize=1024)
def airflow_schedule(text: str) -> str | timedelta:
    """Return what Airflow's `schedule=` takes: a timedelta for a duration, otherwise the text.

    Raises:
        ValueError: As `schedule_text` does.
    """
    if text == CONTINUOUS or text in PRESETS:
        return text
    fields = text.split()
    if (text[:1].isdigit() and len(fields) == 1) or text[:1] in {"P", "p"}:
        return parse_duration(text)
    if len(fields) in {6, 7} and all(map(_FIELD.fullmatch, fields)):
        raise mistake(
            f"the cron expression {shown(text)} has {len(fields)} fields.",
            "Write five; for seconds write a duration: 30s.",
        )
    if len(fields) != 5 or not all(map(_FIELD.fullmatch, fields)) or _UNSTEADY.search(text):
        raise mistake(f"{shown(text)} is not a valid schedule.", _EXAMPLES)
    _check_cron(text)
    return text


def _check_cron(text: str) -> None:
    from croniter import CroniterBadDateError, croniter  # noqa: PLC0415 (slow; other schedules need none of it)

    try:
        croniter(text, _LEAP_YEAR_BEFORE).get_next()
    except CroniterBadDateError as error:
        raise mistake(f"the cron expression {shown(text)} names a day that never comes.", _EXAMPLES) from error
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise mistake(f"{shown(text)} is not a valid cron expression: {str(error).rstrip('.')}.", _EXAMPLES) from error


Schedule = Annotated[
    str,
    BeforeValidator(schedule_text),
    WithJsonSchema({"type": ["string", "number"], "examples": ["*/5 * * * *", "@continuous", "30s", "5m"]}),
]
"""A schedule as it was written, checked; `airflow_schedule` turns it into Airflow's."""
