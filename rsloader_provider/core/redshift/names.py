"""Tables of Redshift by name: targets, load histories, staging tables."""

import hashlib
from dataclasses import dataclass

HISTORY_SCHEMA = "rsloader"
HISTORY_VIEW = "loads"
_IDENTIFIER_BYTES = 127


@dataclass(frozen=True, slots=True)
class TableName:
    """A table with its schema, unquoted."""

    schema: str
    table: str

    def __str__(self) -> str:
        """Schema and table, as messages name them."""
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True, slots=True)
class TemporaryTable:
    """A table of the session's own, unquoted; it disappears with the session."""

    table: str

    def __str__(self) -> str:
        """Its name, as messages have it."""
        return self.table


def history_table(target: TableName) -> TableName:
    """Name the load history of a target table: one each, because locking it is the mutex of its loads.

    >>> str(history_table(TableName("public", "orders")))
    'rsloader.public__orders'
    """
    return TableName(HISTORY_SCHEMA, _fitting(f"{target.schema}__{target.table}"))


def staging_name(target: TableName) -> str:
    """Name the table in which rows wait before they go to a target table.

    >>> staging_name(TableName("public", "orders"))
    'rsloader_staging__orders'
    """
    return _fitting(f"rsloader_staging__{target.table}")


def _fitting(name: str) -> str:
    """Cut a name that is too long for Redshift, and add its hash to keep it unique."""
    if len(name.encode()) <= _IDENTIFIER_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return name.encode()[: _IDENTIFIER_BYTES - len(digest)].decode(errors="ignore") + digest


@dataclass(frozen=True, slots=True)
class LoadKey:
    """What is loaded at most once: a generation of a batch of a load, into a target table."""

    target: TableName
    load: str
    batch: str
    generation: int
