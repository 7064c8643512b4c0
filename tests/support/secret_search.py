"""Searches what a test run leaves behind for the secrets that it used.

Tests say which secrets they use; at the end of the session everything that Airflow kept is searched for all of them.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

USED: dict[str, str] = {}
"""Each secret that this process has used, and what it is."""


def use(**secrets: str) -> tuple[str, ...]:
    """Remember secrets by what they are, for the search at the end, and give them."""
    USED.update({secret: what.replace("_", " ") for what, secret in secrets.items()})
    return tuple(secrets.values())


def secrets_in_texts(texts: Mapping[str, str], secrets: Iterable[str]) -> list[str]:
    """Say which of the texts hold which of the secrets, as they are or written for JSON or a URL."""
    return [
        f"{USED.get(secret, 'a secret')} in {place}"
        for secret in secrets
        for place, text in texts.items()
        if any(form in text for form in _forms(secret))
    ]


def secrets_below(folder: Path, secrets: Iterable[str]) -> list[str]:
    """Say which files below a folder hold which of the secrets; in a database every row of every table is read."""
    return secrets_in_texts({str(path.relative_to(folder)): _text(path) for path in _files(folder)}, secrets)


def _files(folder: Path) -> Iterator[Path]:
    return (each for each in sorted(folder.rglob("*")) if each.is_file() and not each.is_symlink())


def _text(path: Path) -> str:
    content = path.read_bytes()
    text = content.decode(errors="replace")
    if content.startswith(b"SQLite format 3\0"):
        # A long value is cut into pages in the file, and a row that was just written may be in another file.
        connection = sqlite3.connect(path)
        text += "\n".join(connection.iterdump())
        connection.close()
    return text


def _forms(secret: str) -> set[str]:
    # A blob stands in a database's dump as hexadecimal digits.
    return {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), secret.encode().hex().upper()}
