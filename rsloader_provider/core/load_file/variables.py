"""`${env:NAME}` in a load file stands for an environment variable of the process that reads the file.

Resolved here, where the file becomes settings, so that DAGs and commands see the same. Everything else that looks like
a template is text: a folder called `{{tenant}}` is a folder.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from rsloader_provider.core.config.mistakes import holds_secret

Place = tuple[str | int, ...]
"""Keys and positions from the top of a load file."""

Problem = tuple[str, str]
"""What is wrong, and what to write instead."""

_REFERENCE = re.compile(r"\$\{(env|var):([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SECRET_NAME = re.compile(
    r"SECRET|PASS|PWD|TOKEN|KEY|CRED|AUTH|CONN|DSN|WEBHOOK|CERT|PRIVATE|SALT|COOKIE|SESSION|\AAIRFLOW", re.IGNORECASE
)
_FIXED: dict[Place, str] = {
    ("load",): "DynamoDB and the load history keep the load's name",
    ("schedule",): "Airflow must see the same schedule everywhere",
    ("copy", "secret_access_key"): "it is a secret",
    ("copy", "access_key_id"): "it belongs to a secret",
}
_SQL = frozenset({"pre_sql", "post_sql"})
_DIGEST_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Resolved:
    """The data of a load file with the values in the places of the variables.

    Attributes:
        data: The data. A text with a problem stands there as it is written.
        variables: A digest of the value of each variable that was used, by its name.
        problems: What is wrong, each with its place.
    """

    data: Any
    variables: Mapping[str, str]
    problems: tuple[tuple[Place, Problem], ...]


def resolved(data: Any, environment: Mapping[str, str] = os.environ) -> Resolved:
    """Put the values of environment variables into the data of a load file.

    Args:
        data: What YAML made of the file.
        environment: The variables.
    """
    used: dict[str, str] = {}
    problems: list[tuple[Place, Problem]] = []
    found = _resolve(data, (), environment, used, problems)
    return Resolved(found, {name: _digest(name, value) for name, value in used.items()}, tuple(problems))


def resolved_text(text: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Put the values of variables into one text; None if one of them has no value that may stand there."""
    found = resolved(text, environment)
    return None if found.problems else str(found.data)


def differing(variables: Mapping[str, str], recorded: Mapping[str, str] | None) -> list[str]:
    """Name the variables that had another value where a resolution was recorded."""
    return sorted(name for name, digest in variables.items() if (recorded or {}).get(name, digest) != digest)


def _resolve(
    data: Any,
    place: Place,
    environment: Mapping[str, str],
    used: dict[str, str],
    problems: list[tuple[Place, Problem]],
) -> Any:
    resolve = partial(_resolve, environment=environment, used=used, problems=problems)
    if isinstance(data, dict):
        return {name: resolve(each, (*place, name)) for name, each in data.items()}
    if isinstance(data, list):
        return [resolve(each, (*place, number)) for number, each in enumerate(data)]
    if not isinstance(data, str) or "${" not in data:
        return data
    found = [*_problems(data, place, environment)]
    if found:
        problems += [(place, each) for each in found]
        return data
    used.update((match[2], environment[match[2]]) for match in _REFERENCE.finditer(data))
    return _REFERENCE.sub(lambda match: environment[match[2]], data)


def _problems(text: str, place: Place, environment: Mapping[str, str]) -> Iterator[Problem]:
    for match in _REFERENCE.finditer(text):
        kind, name = match.groups()
        if kind == "var":
            yield (
                f"'{match[0]}' is an Airflow variable, which is not known where load files are read.",
                "Write ${env:NAME}, and set that environment variable wherever load files are read.",
            )
        elif reason := _FIXED.get(place):
            yield f"no variable may stand in {place[-1]!r}: {reason}.", "Write the value."
        elif _SQL.intersection(map(str, place)):
            yield (
                "no variable of a load file may stand in SQL.",
                "SQL is a template, which knows {{ var.value.NAME }} and {{ load }}.",
            )
        elif not _NAME.fullmatch(name):
            yield f"{name!r} is not the name of an environment variable.", "Write for example ${env:STAGE}."
        elif _SECRET_NAME.search(name):
            yield (
                f"the environment variable {name} may hold a secret, by its name.",
                "Load files hold no secrets. If it holds none, give it a name without SECRET, KEY, TOKEN and the like.",
            )
        elif not environment.get(name):
            what = "is empty" if name in environment else "is not set"
            yield (
                f"the environment variable {name} {what} where this file was read.",
                "Set it for schedulers, DAG processors, workers and triggerers, and where `rsloader` runs.",
            )
        elif holds_secret(environment[name]):
            yield f"the environment variable {name} holds what looks like a secret.", "Load files hold no secrets."
        elif not environment[name].isprintable() or "${" in environment[name]:
            yield f"the environment variable {name} holds what no setting may hold.", "Give it a plain value."


def _digest(name: str, value: str) -> str:
    return hashlib.sha256(f"{name}={value}".encode(errors="surrogateescape")).hexdigest()[:_DIGEST_CHARACTERS]
