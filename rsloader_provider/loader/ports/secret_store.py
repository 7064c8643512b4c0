"""Where Airflow looks for its connections: secrets by name, written once."""

from enum import StrEnum
from typing import Protocol


class Stored(StrEnum):
    """What became of a secret that was to be stored."""

    CREATED = "created"
    SAME = "there already"
    OTHER = "left as it is: there is another one under its name"


class SecretStore(Protocol):
    """A store of secrets. It never writes over one that is there, and no error repeats a secret.

    Raises:
        AccessDeniedError, TransientError: As their names say.
    """

    def put(self, name: str, secret: str) -> Stored:
        """Store a secret under a name, unless there is one.

        Args:
            name: Its name in the store.
            secret: Its text.
        """
        ...

    def look(self, name: str, secret: str) -> Stored:
        """Tell what `put` would do, and write nothing."""
        ...
