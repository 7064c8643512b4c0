"""An object's content as records, one module for each format.

Each module has a function `records` that yields every record of one object, bad ones included, in the object's order.
It runs in a thread, works on one piece at a time, and knows nothing of PostgreSQL: `conversions` decides what a field's
text becomes in a column.
"""

from dataclasses import dataclass
from typing import NamedTuple

from rsloader_provider.local.redshift.copy.refusals import LoadErrorCode


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record is refused.

    Attributes:
        code: Redshift's number for it.
        reason: Redshift's words for it.
        column: The place of the column at fault among the COPY's columns, from 0; None when it is the whole record.
        value: The text of the field at fault; empty when it is the whole record.
        position: Where in the field's (or else the record's) text the fault is, from 0.
    """

    code: LoadErrorCode
    reason: str
    column: int | None = None
    value: str = ""
    position: int = 0


class Record(NamedTuple):
    """One record of an object.

    Attributes:
        line: The line in which it ends, starting at 1 and counting header lines; for Avro, Parquet and ORC the
            record's number, starting at 1.
        raw: Its text as it stands in the object, without the line end; for binary formats empty.
        fields: The text of each of the COPY's columns, in their order; None for NULL. Empty for a refused record.
        refusal: Why it is refused, or None.
    """

    line: int
    raw: str
    fields: list[str | None]
    refusal: Refusal | None = None
