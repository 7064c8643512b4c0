"""Tells of settings that look like templates of Airflow's: only pre-SQL and post-SQL are templates.

A folder called `{{tenant}}` is a folder, so this is no mistake.
"""

import re
from collections.abc import Iterator
from typing import Any

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.load_file.reading import LoadFileMistake

_SQL = frozenset({"pre_sql", "post_sql"})
_LIKE_AIRFLOWS = re.compile(
    r"\{\{-?\s*(?:var|conn|macros|params|ds|ds_nodash|ts|ts_nodash|ts_nodash_with_tz|run_id|dag|dag_run|ti|task"
    r"|task_instance|logical_date|execution_date|data_interval_start|data_interval_end|prev_\w+)\b[^{}]*\}\}"
    r"|\{%[^{}]*%\}"
)


def template_notes(file: str, text: str, config: LoadConfig | None) -> Iterator[LoadFileMistake]:
    """Give a note for each setting of a good load file that looks like a template and is taken as it stands.

    Args:
        file: The name that notes give the file.
        text: What is in it.
        config: The load; None if the file has mistakes.
    """
    if config is None or ("{{" not in text and "{%" not in text):
        return
    lines = text.split("\n")
    for value in dict.fromkeys(_texts(config.model_dump(mode="json", by_alias=True, exclude_defaults=True))):
        if found := _LIKE_AIRFLOWS.search(value):
            line = next((number for number, each in enumerate(lines, 1) if found[0] in each), 1)
            yield LoadFileMistake(
                file,
                line,
                f"{value!r} looks like a template, but is taken as it stands, with {found[0]!r} in it.",
                "Only pre_sql and post_sql are templates. Write the value, or ${env:NAME} for an environment variable.",
            )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name not in _SQL:
                yield from _texts(each)
