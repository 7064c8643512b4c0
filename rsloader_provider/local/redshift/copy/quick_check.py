"""Which blocks PostgreSQL's own CSV parser may read as they are.

A block passes if every field of it is beyond doubt: PostgreSQL and Redshift read it alike. Anything else, good or bad,
is decoded here, some ten times slower, but with Redshift's rules and with the line of every record. Arrow looks through
a block without holding up other threads.
"""

import io
import re

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from rsloader_provider.local.redshift.copy.columns import STRINGS, Column
from rsloader_provider.local.redshift.copy.options import CopyOptions

_DAY = r"[1-9][0-9]{3}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
_SAFE = {
    "int2": r"[+-]?[0-9]{1,4}",
    "int4": r"[+-]?[0-9]{1,9}",
    "int8": r"[+-]?[0-9]{1,18}",
    "float4": r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?",
    "float8": r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?",
    "bool": r"[tfynTFYN01]|true|false|TRUE|FALSE",
    "date": _DAY,
    "timestamp": _DAY + r"( ([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?)?",
}
_PLAIN_FORMATS = {"date_format": {"auto", "yyyy-mm-dd"}, "time_format": {"auto", "yyyy-mm-dd hh:mi:ss"}}


class QuickCheck:
    """Tells for one COPY which blocks are beyond doubt.

    Args:
        copy: The COPY.
        columns: The columns that it fills.
    """

    def __init__(self, copy: CopyOptions, columns: list[Column]):
        self._quote = copy.quote_for_postgres
        self._columns = columns
        self._patterns = [_pattern(column) for column in columns]
        self._possible = _reads_alike(copy, self._quote) and None not in self._patterns
        # A NUL is not text, a lone \. once ended a COPY, and PostgreSQL wants all line ends alike.
        self._doubts = [b"\r", b"\0", b"\\.", copy.null_text.encode()]
        if copy.format != "csv":
            self._doubts.append(self._quote.encode())
        self._stray_quote = _stray_quote(self._quote.encode(), copy.field_delimiter.encode())
        self._parse = csv.ParseOptions(
            delimiter=copy.field_delimiter if self._possible else ",",
            quote_char=copy.quote if self._possible and copy.format == "csv" else False,
            newlines_in_values=True,
            ignore_empty_lines=False,
        )
        names = [str(place) for place in range(len(columns))]
        self._convert = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=True
        )
        self._names = names

    def passes(self, block: bytes) -> bool:
        """Tell whether a block of whole records may be given to PostgreSQL as it is."""
        if not self._possible or any(doubt in block for doubt in self._doubts):
            return False
        if self._quote.encode() in block and self._stray_quote.search(block):
            return False
        try:
            table = csv.read_csv(
                io.BytesIO(block),
                read_options=csv.ReadOptions(column_names=self._names, use_threads=False, block_size=len(block) + 1),
                parse_options=self._parse,
                convert_options=self._convert,
            )
        except pa.ArrowInvalid:
            return False
        return all(
            _is_safe(table.column(place), column, pattern)
            for place, (column, pattern) in enumerate(zip(self._columns, self._patterns, strict=True))
        )


def _reads_alike(copy: CopyOptions, quote: str) -> bool:
    """Whether PostgreSQL can be told to read what these options say."""
    changes_values = copy.trim_blanks or copy.blanks_as_null or copy.empty_as_null
    other_records = copy.escape or copy.remove_quotes or copy.ignore_blank_lines
    plain = all((getattr(copy, name) or "auto").lower() in known for name, known in _PLAIN_FORMATS.items())
    signs = (copy.field_delimiter, quote)
    return (
        copy.format in ("csv", "text")
        and not changes_values
        and not other_records
        and not copy.no_load
        and plain
        and all(len(sign.encode()) == 1 and sign not in "\r\n" for sign in signs)
        and signs[0] != signs[1]
        and bool(copy.null_text)
        and not set(copy.null_text) & {"\r", "\n", *signs}
    )


def _pattern(column: Column) -> str | None:
    """Return what every value must match; empty for a string, None for a type whose values are never beyond doubt."""
    if column.type_name in STRINGS:
        return ""
    if column.type_name == "numeric" and column.precision is not None and column.scale is not None:
        whole = column.precision - column.scale
        return f"[+-]?[0-9]{{1,{whole}}}(\\.[0-9]{{0,{column.scale}}})?" if whole else None
    return _SAFE.get(column.type_name)


def _is_safe(values: pa.ChunkedArray, column: Column, pattern: str | None) -> bool:
    if column.type_name not in STRINGS:
        return bool(pc.all(pc.match_substring_regex(values, f"^({pattern})$")).as_py() is not False)
    if column.type_name == "bpchar" and not pc.all(pc.string_is_ascii(values)).as_py():
        return False
    return column.length is None or (pc.max(pc.binary_length(values)).as_py() or 0) <= column.length


def _stray_quote(quote: bytes, delimiter: bytes) -> re.Pattern[bytes]:
    """A quote that neither opens nor closes a field and is not doubled; PostgreSQL takes it and Redshift does not."""
    inside = b"[^\r\n" + re.escape(quote) + re.escape(delimiter) + b"]"
    return re.compile(b"(?<=" + inside + b")" + re.escape(quote) + inside)
