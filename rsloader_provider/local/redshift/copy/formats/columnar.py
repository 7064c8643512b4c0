"""Parquet and ORC.

Columns are matched by their place, and a file's types must be the table's own: an INT column takes no 64-bit integers,
whatever their values. Nothing is skipped; the first value that does not fit ends the COPY, since MAXERROR is not for
these formats.

Source: https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import IO

import pyarrow as pa

from rsloader_provider.local.redshift.copy.formats import Record, Refusal
from rsloader_provider.local.redshift.copy.formats.columnar_errors import (
    RefusedValueError,
    ScanError,
    ScannedObject,
    Target,
)
from rsloader_provider.local.redshift.copy.formats.columnar_super import super_texts
from rsloader_provider.local.redshift.copy.formats.columnar_text import texts
from rsloader_provider.local.redshift.copy.formats.orc_file import OrcFile
from rsloader_provider.local.redshift.copy.formats.parquet_file import ParquetFile
from rsloader_provider.local.redshift.copy.options import CopyOptions
from rsloader_provider.local.redshift.copy.refusals import LoadErrorCode
from rsloader_provider.local.redshift.errors import RedshiftError, spectrum_error

_DEFAULT_REGION = "us-east-1"


def records(
    file: IO[bytes], copy: CopyOptions, columns: Sequence[Target], url: str, *, query_id: int = 0
) -> Iterator[Record]:
    """Yield an object's records. A refused record is the last; only the error that the client gets may follow it.

    Args:
        file: The object's content, seekable; it is read only as the iterator advances.
        copy: How it is written.
        columns: The COPY's columns.
        url: The object's S3 URL.
        query_id: The COPY's id, which the error's detail names.

    Yields:
        Records, numbered from 1. Before a Spectrum Scan Error comes one refused record with its whole text, as
        SYS_LOAD_ERROR_DETAIL keeps it; its line is 0 if the file as a whole is at fault.

    Raises:
        RedshiftError: A SUPER column without SERIALIZETOJSON; a Spectrum Scan Error: no such file, other columns than
            the COPY's, or a value that is too long; or a type that cannot be loaded from these formats here.
    """
    if any(column.type_name == "jsonb" for column in columns) and not copy.serialize_to_json:
        raise RedshiftError("SUPER column in COPY query requires SERIALIZETOJSON option")
    scanned = ScannedObject(url, copy.source, copy.region or _DEFAULT_REGION)
    line = 0
    try:
        content = ParquetFile(file, scanned) if copy.format == "parquet" else OrcFile(file, scanned)
        _check_columns(content, copy, columns, scanned)
        for batch in content.batches():
            for fields in zip(*_decoded(batch, content, copy, columns, scanned), strict=True):
                line += 1
                yield Record(line, "", list(fields))
    except RefusedValueError as error:
        yield Record(line + 1 + error.row, "", [], error.refusal)
    except ScanError as error:
        reason = f"Spectrum Scan Error. {error}"
        refusal = Refusal(LoadErrorCode.SPECTRUM, reason, column=error.column, value=error.value)
        yield Record(0 if error.row is None else line + 1 + error.row, "", [], refusal)
        raise spectrum_error(str(error), detail_code=error.detail_code, query_id=query_id) from error


def _check_columns(
    content: ParquetFile | OrcFile, copy: CopyOptions, columns: Sequence[Target], scanned: ScannedObject
) -> None:
    if content.columns > len(columns) or (content.columns < len(columns) and not copy.fill_record):
        raise scanned.unmatched_columns(len(columns), content.columns)
    for position, column in enumerate(columns[: content.columns]):
        if column.type_name != "jsonb":
            with _naming(position):
                content.check(position, column)


def _decoded(
    batch: pa.RecordBatch,
    content: ParquetFile | OrcFile,
    copy: CopyOptions,
    columns: Sequence[Target],
    scanned: ScannedObject,
) -> list[list[str | None]]:
    """Return the texts of each of the COPY's columns."""
    decoded: list[list[str | None]] = []
    for position, column in enumerate(columns):
        if position >= content.columns:
            decoded.append([None] * batch.num_rows)
            continue
        with _naming(position):
            if column.type_name == "jsonb":
                decoded.append(super_texts(batch.column(position), documents=content.is_document(position)))
            else:
                decoded.append(texts(batch.column(position), column, scanned, copy.replacement))
    return decoded


@contextmanager
def _naming(position: int) -> Iterator[None]:
    """Add the column to an error that arises in it."""
    try:
        yield
    except ScanError as error:
        error.column = position
        raise
    except RefusedValueError as error:
        error.refusal = replace(error.refusal, column=position)
        raise
