"""Statements about other loads in the history of a target table: which there are, and giving their rows to a load."""

from dataclasses import dataclass

from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.rows import OtherLoad
from rsloader_provider.core.redshift.sql import Command, Query


@dataclass(frozen=True, slots=True)
class FindOtherLoads(Query[OtherLoad]):
    """Ask for other loads that have loaded from the same source, the one that has loaded last first.

    Attributes:
        target: The table.
        load: The load that asks.
        source: See `LoadConfig.source_text`. The history has the column.
    """

    target: TableName
    load: str
    source: str

    read = OtherLoad.of


@dataclass(frozen=True, slots=True)
class GiveRows(Command):
    """Give all rows of a load in a history to another load, in the transaction; the history has the column `source`.

    Attributes:
        target: The table.
        old: The load that has them.
        new: The load that gets them.
        source: That load's source.
    """

    target: TableName
    old: str
    new: str
    source: str
