"""A copy of the package that lacks one of its safeguards, for tests that must notice it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from support.checkout import CHECKOUT, TESTS

PACKAGE = CHECKOUT / "rsloader_provider"


@dataclass(frozen=True, slots=True)
class Replacement:
    """One text, which stands exactly once in a file of the package, and what takes its place."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """The loader without one of its safeguards."""

    name: str
    replacements: tuple[Replacement, ...]


class StaleMutationError(Exception):
    """The package no longer reads as a mutation expects."""


def mutate(mutation: Mutation, folder: Path) -> None:
    """Copy the package into a folder, and replace what the mutation says.

    Raises:
        StaleMutationError: A text does not stand in its file exactly once.
    """
    copy = folder / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for replacement in mutation.replacements:
        file = copy / replacement.file
        content = file.read_text()
        if (count := content.count(replacement.old)) != 1:
            raise StaleMutationError(
                f"Mutation {mutation.name}: this stands {count} times in {replacement.file}, and not once. Bring the "
                f"mutation up to date.\n{replacement.old}"
            )
        file.write_text(content.replace(replacement.old, replacement.new))


def environment(folder: Path | None) -> dict[str, str]:
    """Give the environment of a process that imports the copy in a folder; None for the package that we use.

    Nothing is imported from the working directory, which may hold another rsloader_provider.
    """
    searched = [str(folder)] if folder else []
    searched += [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(searched), "PYTHONSAFEPATH": "1"}
