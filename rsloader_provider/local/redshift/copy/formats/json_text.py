"""JSON objects as records.

Source: https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-format.html#copy-json
"""

from typing import TYPE_CHECKING

from rsloader_provider.local.redshift.copy.formats import Record, Refusal
from rsloader_provider.local.redshift.copy.formats.characters import printable
from rsloader_provider.local.redshift.copy.formats.json_documents import documents
from rsloader_provider.local.redshift.copy.formats.shredding import MALFORMED, NamedColumn, Shredder
from rsloader_provider.local.redshift.copy.refusals import LoadErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rsloader_provider.local.redshift.copy.options import CopyOptions


def records(
    pieces: "Iterable[bytes]",
    copy: "CopyOptions",
    columns: "Sequence[NamedColumn]",
    jsonpaths: "Sequence[str] | None" = None,
) -> "Iterator[Record]":
    """Yield an object's records, one for each JSON object or array that stands by itself.

    Strings, numbers and booleans become their text, null and a missing key become NULL, and objects and arrays become
    compact JSON. For a SUPER column every value becomes JSON, so that strings keep their quotes.

    Args:
        pieces: The object's content as UTF-8, cut anywhere.
        copy: The COPY.
        columns: The columns that it fills.
        jsonpaths: The expressions of its jsonpaths file, one for each column; None for `auto` and its like.

    Raises:
        RedshiftError: A JSON object is larger than 4 MB, or the mapping does not fit the columns.
    """
    shredder = Shredder(copy, columns, jsonpaths)
    for document in documents(pieces, copy.ignore_header):
        raw = printable(document.raw)
        if document.fault is None:
            yield shredder.record(document.line, raw, document.value)
        else:
            refusal = Refusal(LoadErrorCode.VALUE, MALFORMED, position=document.fault)
            yield Record(document.line, raw, [], refusal)
