"""Fixed-width text: each field has a fixed number of characters."""

from collections.abc import Iterator

from rsloader_provider.local.redshift.copy.blocks import Block
from rsloader_provider.local.redshift.copy.formats import Record, Refusal
from rsloader_provider.local.redshift.copy.formats.lines import Line, decoded_lines
from rsloader_provider.local.redshift.copy.options import CopyOptions
from rsloader_provider.local.redshift.copy.refusals import LoadErrorCode
from rsloader_provider.local.redshift.errors import RedshiftError


def records(block: Block, copy: CopyOptions, columns: int) -> Iterator[Record]:
    """Yield a block's records, bad ones included.

    Fields stand in the columns' order; the labels of the specification do not count.

    Args:
        block: Whole records.
        copy: How they are written.
        columns: How many fields a record must have.

    Raises:
        RedshiftError: The specification has another number of fields than the table.
    """
    if len(copy.widths) != columns:
        raise RedshiftError(
            f"The number of columns in fixedwidth_spec ({len(copy.widths)}) differs from the number of columns to load "
            f"({columns})",
            code="42601",
        )
    for undecided in decoded_lines(block, copy):
        line = undecided.ended()
        if line.refusal is not None:
            yield Record(line.number, line.text, [], line.refusal)
        elif line.text or not copy.ignore_blank_lines:
            yield _record(line, copy)


def _record(line: Line, copy: CopyOptions) -> Record:
    fields: list[str | None] = []
    start = 0
    for _, width in copy.widths:
        if start >= len(line.text) and not copy.fill_record:
            refusal = Refusal(LoadErrorCode.DELIMITER, "Delimiter not found", position=len(line.text))
            return Record(line.number, line.text, [], refusal)
        text = line.text[start : start + width]
        fields.append(None if text.rstrip(" ") == copy.null_text else text)
        start += width
    if line.text[start:].strip(" "):
        return Record(line.number, line.text, [], Refusal(LoadErrorCode.EXTRA_COLUMNS, "Extra column(s) found"))
    return Record(line.number, line.text, fields)
