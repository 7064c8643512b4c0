"""Avro records as records.

Source: https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-format.html#copy-avro
"""

import math
from typing import IO, TYPE_CHECKING

from rsloader_provider.local.redshift.copy.formats import Record, Refusal
from rsloader_provider.local.redshift.copy.formats.avro_container import DAMAGED, BrokenError, Container, decode
from rsloader_provider.local.redshift.copy.formats.characters import printable
from rsloader_provider.local.redshift.copy.formats.json_values import Json, Number, compact
from rsloader_provider.local.redshift.copy.formats.shredding import MALFORMED, NamedColumn, Shredder
from rsloader_provider.local.redshift.copy.refusals import LoadErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rsloader_provider.local.redshift.copy.options import CopyOptions

_RAW_CHARACTERS = 1024  # as many as the load-error views show


def records(
    file: IO[bytes],
    copy: "CopyOptions",
    columns: "Sequence[NamedColumn]",
    jsonpaths: "Sequence[str] | None" = None,
) -> "Iterator[Record]":
    """Yield a file's records, each numbered, and with the start of its JSON as its text.

    Values are loaded as they are stored, without their logical type: a date is the number of its day. Arrays, maps
    and records become compact JSON, an enum its symbol, and bytes the text in which each byte is a character. Where the
    file is broken, a refused record ends it.

    Args:
        file: The whole object, seekable.
        copy: The COPY.
        columns: The columns that it fills.
        jsonpaths: The expressions of its jsonpaths file, one for each column; None for `auto` and its like.

    Raises:
        RedshiftError: The file is one that Redshift does not take, such as one with a block of more than 4 MB, or the
            mapping does not fit the columns.
    """
    shredder = Shredder(copy, columns, jsonpaths)
    number = 0
    try:
        container = Container(file)
        for count, block in container.blocks():
            for _ in range(count):
                value = decode(block, container.schema)
                number += 1
                yield _record(number, value, shredder)
            if block.read(1):
                raise BrokenError(DAMAGED)
    except BrokenError as error:
        yield Record(number + 1, "", [], Refusal(LoadErrorCode.VALUE, str(error)))


def _record(number: int, value: object, shredder: Shredder) -> Record:
    try:
        document = _json(value)
        return shredder.record(number, printable(compact(document)[:_RAW_CHARACTERS]), document)
    except RecursionError:
        return Record(number, "", [], Refusal(LoadErrorCode.VALUE, MALFORMED))


def _json(value: object) -> Json:
    """Return what Avro stores as the JSON value that stands for it."""
    if isinstance(value, dict):
        return {key: _json(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_json(member) for member in value]
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    return Number(value)
