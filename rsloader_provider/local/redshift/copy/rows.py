"""Turns a COPY's objects into rows for PostgreSQL's COPY, and collects the records that are refused.

Runs in threads. A block of text that is beyond doubt goes to PostgreSQL as it is; everything else is decoded and
converted here, record by record.
"""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from rsloader_provider.local.redshift.copy.blocks import Block, blocks, utf8
from rsloader_provider.local.redshift.copy.columns import Column
from rsloader_provider.local.redshift.copy.compression import decompressed
from rsloader_provider.local.redshift.copy.conversions import FieldRefusedError, conversion
from rsloader_provider.local.redshift.copy.dates import Recognise
from rsloader_provider.local.redshift.copy.formats import (
    Record,
    Refusal,
    avro,
    columnar,
    delimited,
    fixed_width,
    json_text,
)
from rsloader_provider.local.redshift.copy.formats.jsonpaths import parse_jsonpaths
from rsloader_provider.local.redshift.copy.load_files import LoadedFile
from rsloader_provider.local.redshift.copy.options import COLUMNAR, CopyOptions
from rsloader_provider.local.redshift.copy.quick_check import QuickCheck
from rsloader_provider.local.redshift.copy.refusals import LoadError
from rsloader_provider.local.redshift.copy.s3_objects import S3Object, S3Source, as_file
from rsloader_provider.local.redshift.errors import load_failed

_CHUNK_CHARACTERS = 512 * 1024
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows for PostgreSQL.

    Attributes:
        data: The rows.
        as_csv: Whether they are still written as the object was; otherwise they are in PostgreSQL's text format.
    """

    data: bytes
    as_csv: bool


class CopyRows:
    """Reads the objects of one COPY.

    Args:
        copy: The COPY.
        columns: The columns that it fills.
        source: Where the objects are.
        recognise: Asked about dates in unusual spellings.

    Attributes:
        errors: The records refused so far.
        files: The objects read so far; the current one joins them when it ends or fails.
    """

    def __init__(self, copy: CopyOptions, columns: list[Column], source: S3Source, recognise: Recognise):
        self._copy = copy
        self._columns = columns
        self._source = source
        self._conversions = [conversion(column, copy, recognise) for column in columns]
        self._quick = QuickCheck(copy, columns)
        self._lines = 0
        self.errors: list[LoadError] = []
        self.files: list[LoadedFile] = []

    def chunks(self, objects: list[S3Object]) -> Generator[Chunk, None, None]:
        """Yield all rows.

        Raises:
            RedshiftError: An object cannot be read, or so many records are refused that the COPY fails.
        """
        for wanted in objects:
            bytes_before, errors_before = self._source.bytes_read, len(self.errors)
            self._lines = 0
            try:
                yield from self._object_chunks(wanted)
            finally:
                size_bytes, errors = self._source.bytes_read - bytes_before, len(self.errors) - errors_before
                self.files.append(LoadedFile(wanted.url, size_bytes, self._lines, errors))

    def _object_chunks(self, wanted: S3Object) -> Iterator[Chunk]:
        if self._copy.format in ("csv", "text", "fixedwidth"):
            yield from self._text_chunks(wanted)
            return
        yield from self._rows(self._records(wanted), wanted)
        if self.errors and self._copy.format in COLUMNAR:
            raise load_failed(self._copy.table_name)

    def _text_chunks(self, wanted: S3Object) -> Iterator[Chunk]:
        for block in blocks(self._pieces(wanted), self._copy, wanted.url):
            self._lines = block.last_line
            if block.whole and self._quick.passes(block.data):
                yield Chunk(block.data if block.data.endswith(b"\n") else block.data + b"\n", as_csv=True)
            else:
                yield from self._rows(self._block_records(block), wanted)

    def _block_records(self, block: Block) -> Iterator[Record]:
        decode = fixed_width.records if self._copy.format == "fixedwidth" else delimited.records
        return decode(block, self._copy, len(self._columns))

    def _pieces(self, wanted: S3Object) -> Iterator[bytes]:
        return decompressed(self._source.pieces(wanted), self._copy.compression, wanted.url)

    def _records(self, wanted: S3Object) -> Iterator[Record]:
        copy, columns = self._copy, self._columns
        if copy.format == "json":
            yield from json_text.records(utf8(self._pieces(wanted), copy, wanted.url), copy, columns, self._jsonpaths)
            return
        with as_file(self._pieces(wanted)) as file:
            if copy.format == "avro":
                yield from avro.records(file, copy, columns, self._jsonpaths)
            else:
                yield from columnar.records(file, copy, columns, wanted.url, query_id=self._source.query_id)

    @cached_property
    def _jsonpaths(self) -> list[str] | None:
        if not self._copy.mapping.startswith("s3://"):
            return None
        return parse_jsonpaths(self._source.content(self._copy.mapping), len(self._columns))

    def _rows(self, records: Iterable[Record], wanted: S3Object) -> Iterator[Chunk]:
        rows: list[str] = []
        size = 0
        for record in records:
            self._lines = max(self._lines, record.line)
            row = self._row(record, wanted)
            if row is None:
                continue
            rows.append(row)
            size += len(row)
            if size > _CHUNK_CHARACTERS:
                yield Chunk("".join(rows).encode(), as_csv=False)
                rows, size = [], 0
        if rows:
            yield Chunk("".join(rows).encode(), as_csv=False)

    def _row(self, record: Record, wanted: S3Object) -> str | None:
        """Write a record as a row of PostgreSQL's text format; a refused one is added to the errors, and gives None."""
        values: list[str] = []
        refusal = record.refusal
        if refusal is None:
            for place, (text, convert) in enumerate(zip(record.fields, self._conversions, strict=True)):
                try:
                    value = convert(text)
                except FieldRefusedError as error:
                    refusal = Refusal(error.code, error.reason, place, text or "", error.position)
                    break
                values.append("\\N" if value is None else value.translate(_ESCAPES))
        if refusal is None:
            return "\t".join(values) + "\n"
        self._refuse(record, refusal, wanted)
        return None

    def _refuse(self, record: Record, refusal: Refusal, wanted: S3Object) -> None:
        column = None if refusal.column is None else self._columns[refusal.column]
        self.errors.append(
            LoadError(
                wanted.url,
                record.line,
                refusal.code,
                refusal.reason,
                record.raw,
                column=column.name if column else "",
                column_type=column.type_name if column else "",
                column_length=str(column.length) if column and column.length is not None else "",
                value=refusal.value,
                position=refusal.position,
            )
        )
        if len(self.errors) >= self._copy.error_limit:
            raise load_failed(self._copy.table_name)
