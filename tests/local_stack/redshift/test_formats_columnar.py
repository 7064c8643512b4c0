"""Parquet and ORC objects as records: what feeds which column, as which text, and what ends the COPY."""

import io
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc
from support.checkout import TESTS

from rsloader_provider.local.redshift.copy.formats import Record
from rsloader_provider.local.redshift.copy.formats.columnar import records
from rsloader_provider.local.redshift.copy.options import CopyOptions, Format, check_compatible
from rsloader_provider.local.redshift.copy.refusals import LoadErrorCode
from rsloader_provider.local.redshift.errors import RedshiftError
from rsloader_provider.local.redshift.sql.quoting import Fragment

URL = "s3://acme-landing/day=1/a"
HTTPS = "https://s3.us-east-1.amazonaws.com/acme-landing/day%3D1/a"
BERLIN = timezone(timedelta(hours=2))


@dataclass(frozen=True)
class Column:
    type_name: str
    declared_type: str = ""
    length: int | None = None
    name: str = "c1"


def numeric(precision: int, scale: int) -> Column:
    return Column("numeric", f"numeric({precision},{scale})")


def options(fmt: Format = "parquet", **more: Any) -> CopyOptions:
    return CopyOptions(Fragment("t"), "t", "s3://acme-landing/day=1/", format=fmt, **more)


def parquet(*columns: Any, **how: Any) -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.table(list(columns), [f"f{number}" for number in range(len(columns))]), content, **how)
    return content.getvalue()


def as_orc(*columns: Any, **how: Any) -> bytes:
    content = io.BytesIO()
    orc.write_table(pa.table(list(columns), [f"f{number}" for number in range(len(columns))]), content, **how)
    return content.getvalue()


def read(content: bytes, columns: Sequence[Column], copy: CopyOptions | None = None) -> list[Record]:
    return list(records(io.BytesIO(content), copy or options(), columns, URL))


def one_column(content: bytes, column: Column, copy: CopyOptions | None = None) -> list[str | None]:
    found = read(content, [column], copy)
    assert all(record.refusal is None for record in found)
    return [record.fields[0] for record in found]


@dataclass
class Failure:
    """What was yielded before the COPY's end, and how it ended."""

    records: list[Record] = field(default_factory=list)
    error: RedshiftError | None = None

    @property
    def context(self) -> str:
        assert self.error is not None
        assert self.error.detail is not None
        return self.error.detail.partition("context:   ")[2].partition("\n  query:")[0]


def failure(content: bytes, columns: Sequence[Column], copy: CopyOptions | None = None) -> Failure:
    seen = Failure()
    with pytest.raises(RedshiftError) as raised:
        seen.records.extend(records(io.BytesIO(content), copy or options(), columns, URL, query_id=42))
    seen.error = raised.value
    return seen


TIMESTAMP = datetime(2024, 2, 29, 12, 30, 15, 123456)
FEEDS = [
    pytest.param(pa.array([-32768, None, 7], pa.int16()), Column("int2"), ["-32768", None, "7"], id="int16 int2"),
    pytest.param(pa.array([1], pa.int8()), Column("int2"), ["1"], id="int8 int2"),
    pytest.param(pa.array([2**31 - 1], pa.int32()), Column("int4"), ["2147483647"], id="int32 int4"),
    pytest.param(pa.array([-(2**63)]), Column("int8"), ["-9223372036854775808"], id="int64 int8"),
    # A number too large for the column is refused by the column's conversion, as in every format.
    pytest.param(pa.array([70_000], pa.int32()), Column("int2"), ["70000"], id="int32 int2"),
    pytest.param(pa.array([2**64 - 1], pa.uint64()), Column("int8"), ["18446744073709551615"], id="uint64 int8"),
    pytest.param(pa.array([None], pa.null()), Column("int4"), [None], id="null int4"),
    pytest.param(pa.array([0.1, None], pa.float32()), Column("float4"), ["0.1", None], id="float float4"),
    pytest.param(
        pa.array([0.1 + 0.2, 1e300, float("nan"), float("-inf")]),
        Column("float8"),
        ["0.30000000000000004", "1e+300", "NaN", "-Infinity"],
        id="double float8",
    ),
    pytest.param(pa.array([True, False, None]), Column("bool"), ["t", "f", None], id="boolean bool"),
    pytest.param(
        pa.array([date(1969, 12, 31), date(1, 1, 1), date(9999, 12, 31), None]),
        Column("date"),
        ["1969-12-31", "0001-01-01", "9999-12-31", None],
        id="date date",
    ),
    pytest.param(
        pa.array([Decimal("12345678901234567.89"), Decimal("-0.10"), None], pa.decimal128(19, 2)),
        numeric(19, 2),
        ["12345678901234567.89", "-0.10", None],
        id="decimal numeric",
    ),
    pytest.param(pa.array([Decimal(7)], pa.decimal128(18, 0)), Column("numeric"), ["7"], id="decimal without modifier"),
    pytest.param(
        pa.array([TIMESTAMP, None], pa.timestamp("us")),
        Column("timestamp"),
        ["2024-02-29 12:30:15.123456", None],
        id="timestamp us",
    ),
    pytest.param(
        pa.array([1_709_209_815_123], pa.timestamp("ms")),
        Column("timestamp"),
        ["2024-02-29 12:30:15.123000"],
        id="timestamp ms",
    ),
    pytest.param(
        pa.array([1_999, -1], pa.timestamp("ns")),
        Column("timestamp"),
        ["1970-01-01 00:00:00.000001", "1969-12-31 23:59:59.999999"],
        id="timestamp ns is rounded down",
    ),
    pytest.param(
        pa.array([TIMESTAMP.replace(tzinfo=BERLIN)], pa.timestamp("us", "Europe/Berlin")),
        Column("timestamp"),
        ["2024-02-29 10:30:15.123456"],
        id="a zoned timestamp becomes UTC",
    ),
    pytest.param(
        pa.array([TIMESTAMP.replace(tzinfo=BERLIN), None], pa.timestamp("us", "Europe/Berlin")),
        Column("timestamptz"),
        ["2024-02-29 10:30:15.123456+00", None],
        id="timestamptz",
    ),
    pytest.param(pa.array([time(1, 2, 3, 4)]), Column("time"), ["01:02:03.000004"], id="time us"),
    pytest.param(pa.array([time(1, 2, 3)], pa.time32("ms")), Column("time"), ["01:02:03.000000"], id="time ms"),
    pytest.param(pa.array([time(1, 2, 3), None]), Column("timetz"), ["01:02:03.000000+00", None], id="timetz"),
    pytest.param(
        pa.array(["ä\n\\N", "", None]), Column("varchar", length=9), ["ä\n\\N", "", None], id="string varchar"
    ),
    pytest.param(pa.array(["x"], pa.large_string()), Column("text"), ["x"], id="large string text"),
    pytest.param(pa.array(["x "]), Column("bpchar", length=2), ["x "], id="string char"),
    pytest.param(pa.array(["ä".encode()]), Column("varchar", length=9), ["ä"], id="binary varchar"),
    pytest.param(pa.array(["a", "b", "a"]).dictionary_encode(), Column("varchar"), ["a", "b", "a"], id="dictionary"),
    pytest.param(pa.array([b"\x00\xff", None]), Column("bytea", length=2), ["\\x00ff", None], id="binary varbyte"),
]


@pytest.mark.parametrize(("values", "column", "expected"), FEEDS)
def test_parquet_values_become_the_text_of_the_columns_type(values: Any, column: Column, expected: list[str]) -> None:
    assert one_column(parquet(values), column) == expected


ORC_REFUSES = ("int32 int2", "uint64", "null", "timestamp ms", "time", "large string", "binary varchar", "dictionary")
ORC_FEEDS = [case for case in FEEDS if not str(case.id).startswith(ORC_REFUSES)]


@pytest.mark.parametrize(("values", "column", "expected"), [*ORC_FEEDS])
def test_orc_values_become_the_text_of_the_columns_type(values: Any, column: Column, expected: list[str]) -> None:
    assert one_column(as_orc(values), column, options("orc")) == expected


@pytest.mark.parametrize(
    ("values", "column", "expected"),
    [
        pytest.param(pa.array([5], pa.int8()), Column("int8"), "5", id="tinyint bigint"),
        pytest.param(pa.array([5], pa.int32()), Column("int8"), "5", id="int bigint"),
        pytest.param(pa.array([0.5], pa.float32()), Column("float8"), "0.5", id="float double"),
        pytest.param(
            pa.array([TIMESTAMP], pa.timestamp("us")), Column("timestamp"), "2024-02-29 12:30:15.123456", id="timestamp"
        ),
    ],
)
def test_orc_widens_numbers(values: Any, column: Column, expected: str) -> None:
    assert one_column(as_orc(values), column, options("orc")) == [expected]


@pytest.mark.parametrize(
    ("how", "values", "column", "expected"),
    [
        pytest.param(
            {"store_decimal_as_integer": True},
            pa.array([Decimal("-1.25")], pa.decimal128(18, 2)),
            numeric(18, 2),
            "-1.25",
            id="decimal in int64",
        ),
        pytest.param(
            {"store_decimal_as_integer": True},
            pa.array([Decimal("1.25")], pa.decimal128(5, 2)),
            numeric(18, 2),
            "1.25",
            id="decimal in int32, of a smaller precision",
        ),
        pytest.param(
            {"use_deprecated_int96_timestamps": True},
            pa.array([datetime(1600, 1, 1), datetime(9999, 12, 31)], pa.timestamp("us")),
            Column("timestamp"),
            "1600-01-01 00:00:00.000000",
            id="int96, before what nanoseconds hold",
        ),
        pytest.param(
            {"compression": "zstd", "data_page_version": "2.0"}, pa.array([1]), Column("int8"), "1", id="zstd, v2"
        ),
        pytest.param({"version": "1.0"}, pa.array([1], pa.int16()), Column("int2"), "1", id="version 1"),
    ],
)
def test_parquet_values_are_the_same_however_they_are_stored(
    how: dict[str, Any], values: Any, column: Column, expected: str
) -> None:
    assert one_column(parquet(values, **how), column)[0] == expected


PARQUET_MISMATCHES = [
    pytest.param(pa.array([1]), Column("int4"), "INT", "optional int64 f0 [i:0 d:1 r:0]", id="int64 in int"),
    pytest.param(
        pa.array([1], pa.int32()), Column("int8"), "BIGINT", "optional int32 f0 [i:0 d:1 r:0]", id="int32 in bigint"
    ),
    pytest.param(
        pa.array([1.0]), numeric(20, 10), "DECIMAL(20, 10)", "optional double f0 [i:0 d:1 r:0]", id="double in decimal"
    ),
    pytest.param(
        pa.array([1]), numeric(18, 0), "DECIMAL(18, 0)", "optional int64 f0 [i:0 d:1 r:0]", id="int64 in decimal"
    ),
    pytest.param(pa.array([1.0]), Column("float4"), "FLOAT", "optional double f0 [i:0 d:1 r:0]", id="double in real"),
    pytest.param(
        pa.array([1], pa.int32()), Column("varchar"), "VARCHAR", "optional int32 f0 [i:0 d:1 r:0]", id="int in varchar"
    ),
    pytest.param(pa.array(["1"]), Column("int4"), "INT", "optional byte_array f0 [i:0 d:1 r:0]", id="string in int"),
    pytest.param(
        pa.array(["2024-01-01"]), Column("date"), "DATE", "optional byte_array f0 [i:0 d:1 r:0]", id="string in date"
    ),
    pytest.param(
        pa.array([1], pa.int32()), Column("date"), "DATE", "optional int32 f0 [i:0 d:1 r:0]", id="plain int32 in date"
    ),
    pytest.param(
        pa.array([1]),
        Column("timestamp"),
        "TIMESTAMP",
        "optional int64 f0 [i:0 d:1 r:0]",
        id="plain int64 in timestamp",
    ),
    pytest.param(
        pa.array([TIMESTAMP]), Column("int8"), "BIGINT", "optional int64 f0 [i:0 d:1 r:0]", id="timestamp in bigint"
    ),
    pytest.param(
        pa.array([b"ab"], pa.binary(2)),
        Column("bytea"),
        "VARBYTE",
        "optional fixed_len_byte_array f0 [i:0 d:1 r:0]",
        id="fixed in varbyte",
    ),
    pytest.param(pa.array([[1]]), Column("int8"), "BIGINT", "optional struct f0 [i:0 d:1 r:0]", id="list in bigint"),
]


@pytest.mark.parametrize(("values", "column", "type_name", "schema"), PARQUET_MISMATCHES)
def test_a_parquet_column_of_another_type_ends_the_copy(
    values: Any, column: Column, type_name: str, schema: str
) -> None:
    failed = failure(parquet(values), [column])

    message = (
        f"File '{HTTPS}' has an incompatible Parquet schema for column 's3://acme-landing/day=1/.c1'. "
        f"Column type: {type_name}, Parquet schema:\n{schema}"
    )
    assert failed.context == message[:256]
    [record] = failed.records
    assert record.refusal is not None
    assert (record.line, record.refusal.code, record.refusal.column) == (0, LoadErrorCode.SPECTRUM, 0)
    assert record.refusal.reason == f"Spectrum Scan Error. {message}"


@pytest.mark.parametrize(
    ("values", "column", "type_name", "file_type"),
    [
        pytest.param(pa.array(["1"]), Column("int4"), "INT", "string", id="string in int"),
        pytest.param(pa.array([1]), Column("int4"), "INT", "bigint", id="bigint in int"),
        pytest.param(pa.array([1]), Column("varchar"), "VARCHAR", "bigint", id="bigint in varchar"),
        pytest.param(pa.array([1.5]), Column("float4"), "FLOAT", "double", id="double in real"),
        pytest.param(pa.array([[1]]), Column("int8"), "BIGINT", "list", id="list in bigint"),
        pytest.param(pa.array([1]), numeric(18, 0), "DECIMAL(18, 0)", "bigint", id="bigint in decimal"),
        pytest.param(pa.array([Decimal("1.0")]), Column("int8"), "BIGINT", "decimal", id="decimal in bigint"),
    ],
)
def test_an_orc_column_of_another_type_ends_the_copy(
    values: Any, column: Column, type_name: str, file_type: str
) -> None:
    failed = failure(as_orc(values), [column], options("orc"))

    expected = f"declared column type {type_name} for column c1 incompatible with ORC file column type {file_type}"
    assert failed.context.endswith(expected)


def test_the_error_is_redshifts_whole_block() -> None:
    failed = failure(parquet(pa.array([1])), [Column("int8"), Column("int8")])

    assert failed.error is not None
    assert (failed.error.code, failed.error.message) == ("XX000", "Spectrum Scan Error")
    rule = "-----------------------------------------------"
    assert failed.error.detail == (
        f"\n  {rule}\n  error:  Spectrum Scan Error\n  code:      15007\n"
        "  context:   Unmatched number of columns between table and file. Table columns: 2, Data columns: 1, "
        f"File name: {HTTPS}\n"
        f"  query:     42\n  location:  dory_util.cpp:1777\n  process:   worker_thread [pid=1]\n  {rule}\n"
    )


@pytest.mark.parametrize("fill_record", [False, True])
@pytest.mark.parametrize(("write", "fmt"), [(parquet, "parquet"), (as_orc, "orc")])
def test_a_file_with_too_many_columns_ends_the_copy(write: Any, fmt: Format, fill_record: bool) -> None:
    failed = failure(write(pa.array([1]), pa.array([2])), [Column("int8")], options(fmt, fill_record=fill_record))

    assert "Table columns: 1, Data columns: 2" in failed.context


@pytest.mark.parametrize(("write", "fmt"), [(parquet, "parquet"), (as_orc, "orc")])
def test_fillrecord_takes_missing_columns_as_null(write: Any, fmt: Format) -> None:
    columns = [Column("int8"), Column("varchar"), Column("date")]

    found = read(write(pa.array([1, 2])), columns, options(fmt, fill_record=True))

    assert [(record.line, record.raw, record.fields) for record in found] == [
        (1, "", ["1", None, None]),
        (2, "", ["2", None, None]),
    ]


@pytest.mark.parametrize(("write", "fmt"), [(parquet, "parquet"), (as_orc, "orc")])
def test_columns_are_matched_by_place_and_not_by_name(write: Any, fmt: Format) -> None:
    columns = [Column("int8", name="f1"), Column("varchar", name="f0")]

    assert read(write(pa.array([1]), pa.array(["x"])), columns, options(fmt))[0].fields == ["1", "x"]


def test_records_are_numbered_through_all_row_groups() -> None:
    numbers = list(range(10_000))

    found = read(parquet(pa.array(numbers), row_group_size=999), [Column("int8")])

    assert [record.line for record in found] == [number + 1 for number in numbers]
    assert [record.fields for record in found] == [[str(number)] for number in numbers]


def test_records_are_numbered_through_all_stripes() -> None:
    numbers = list(range(100_000))
    content = as_orc(pa.array(numbers), pa.array([f"{n * 7919:x}" * 9 for n in numbers]), stripe_size=65536)
    assert orc.ORCFile(io.BytesIO(content)).nstripes > 1

    found = read(content, [Column("int8"), Column("varchar")], options("orc"))

    assert [record.line for record in found] == [number + 1 for number in numbers]
    assert [record.fields[0] for record in found] == [str(number) for number in numbers]


@pytest.mark.parametrize(("write", "fmt"), [(parquet, "parquet"), (as_orc, "orc")])
def test_a_file_without_rows_has_no_records(write: Any, fmt: Format) -> None:
    assert read(write(pa.array([], pa.int64())), [Column("int8")], options(fmt)) == []


@pytest.mark.parametrize(("write", "fmt"), [(parquet, "parquet"), (as_orc, "orc")])
@pytest.mark.parametrize(
    ("column", "value"), [(Column("varchar", length=4), "ääx"), (Column("bpchar", length=4), "12345")]
)
def test_a_string_of_too_many_bytes_ends_the_copy(write: Any, fmt: Format, column: Column, value: str) -> None:
    failed = failure(write(pa.array([1, 2, 3]), pa.array(["ok", None, value])), [Column("int8"), column], options(fmt))

    message = (
        "The length of the data column c1 is longer than the length defined in the table. "
        f"Table: 4, Data: 5, File name: {HTTPS}"
    )
    assert failed.context == message
    refusal = failed.records[-1].refusal
    assert refusal is not None
    assert (failed.records[-1].line, refusal.column, refusal.value) == (3, 1, value)
    assert refusal.reason == f"Spectrum Scan Error. {message}"


def test_a_string_too_long_in_a_later_batch_is_found_after_the_records_before_it() -> None:
    strings = ["ok"] * 9_999 + ["too long"]

    failed = failure(parquet(pa.array(strings)), [Column("varchar", length=2)])

    assert failed.records[-1].line == 10_000
    assert failed.records[-2].line < 10_000
    assert failed.records[0].fields == ["ok"]


def test_a_varbyte_of_too_many_bytes_ends_the_copy() -> None:
    failed = failure(parquet(pa.array([b"\x00\xff\x01"])), [Column("bytea", length=2)])

    assert "Table: 2, Data: 3" in failed.context


@pytest.mark.parametrize(
    ("column", "context", "code"),
    [
        pytest.param(
            numeric(18, 2),
            f"File '{HTTPS}' column 'f0' has a scale that does not match the table metadata scale. "
            "File metadata scale: 9 Table metadata scale: 2",
            15007,
            id="scale",
        ),
        pytest.param(
            numeric(29, 9),
            f"File '{HTTPS}' column 'f0' has an invalid type length. Expecting: 13 len in file: 8",
            15001,
            id="precision, hence length",
        ),
    ],
)
def test_a_parquet_decimal_of_another_shape_ends_the_copy(column: Column, context: str, code: int) -> None:
    failed = failure(parquet(pa.array([Decimal(1)], pa.decimal128(18, 9))), [column])

    assert failed.context == context
    assert failed.error is not None
    assert f"code:      {code}\n" in str(failed.error.detail)


def test_an_orc_decimal_of_another_scale_ends_the_copy() -> None:
    content = as_orc(pa.array([Decimal(1)], pa.decimal128(18, 9)))

    assert (
        "File metadata scale: 9 Table metadata scale: 2" in failure(content, [numeric(18, 2)], options("orc")).context
    )


@pytest.mark.parametrize(
    ("values", "column", "kind"),
    [
        (pa.array([2_932_897], pa.int32()).cast(pa.date32()), Column("date"), "date"),
        (pa.array([-719_163], pa.int32()).cast(pa.date32()), Column("date"), "date"),
        (pa.array([253_402_300_800_000_000]).cast(pa.timestamp("us")), Column("timestamp"), "timestamp"),
    ],
)
def test_a_year_beyond_9999_ends_the_copy(values: Any, column: Column, kind: str) -> None:
    assert failure(parquet(values), [column]).context == (
        f"File '{HTTPS}' column 'c1' contains an out of range {kind}. The valid date range is 0001-01-01..9999-12-31."
    )


@pytest.mark.parametrize(
    ("content", "fmt", "context"),
    [
        pytest.param(b"", "parquet", "has an invalid version number: ", id="empty"),
        pytest.param(b"id,name\n1,x\n", "parquet", "has an invalid version number: 1,x\n", id="csv"),
        pytest.param(parquet(pa.array([1]))[:-9], "parquet", "has an invalid version number: ", id="cut off"),
        pytest.param(b"PAR1" + b"\x07" * 40 + b"PAR1", "parquet", "is corrupt: ", id="broken footer"),
        pytest.param(b"", "orc", "is corrupt: ", id="empty orc"),
        pytest.param(as_orc(pa.array([1]))[:-9], "orc", "is corrupt: ", id="orc cut off"),
        pytest.param(parquet(pa.array([1])), "orc", "is corrupt: ", id="parquet read as orc"),
    ],
)
def test_a_file_of_another_or_of_no_format_ends_the_copy(content: bytes, fmt: Format, context: str) -> None:
    failed = failure(content, [Column("int8")], options(fmt))

    assert failed.context.startswith(f"File '{HTTPS}' {context}")
    assert failed.records[-1].line == 0


@pytest.mark.parametrize(("write", "fmt"), [(parquet, "parquet"), (as_orc, "orc")])
def test_broken_pages_end_the_copy(write: Any, fmt: Format) -> None:
    content = bytearray(write(pa.array([f"{number * 7919:x}" for number in range(20_000)]), compression="zstd"))
    content[len(content) // 3 : len(content) // 2] = b"\xa5" * (len(content) // 2 - len(content) // 3)

    assert f"File '{HTTPS}' is corrupt: " in failure(bytes(content), [Column("varchar")], options(fmt)).context


WRONG = [b"fine", b"caf\xe9s", b"a\0b", None]


@pytest.mark.parametrize("as_type", [pa.binary(), pa.string()])
def test_acceptinvchars_replaces_each_wrong_byte(as_type: pa.DataType) -> None:
    content = parquet(pa.array(WRONG).view(as_type))

    assert one_column(content, Column("varchar"), options(replacement="?")) == ["fine", "caf?s", "a?b", None]


@pytest.mark.parametrize(
    ("value", "sequence", "shown"),
    [(b"caf\xe9s", "e9 (error 4)", "caf�s"), (b"x\xff", "ff (error 3)", "x�"), (b"a\0b", "00", "a�b")],
)
def test_a_string_that_is_none_is_refused(value: bytes, sequence: str, shown: str) -> None:
    found = read(parquet(pa.array([b"fine", value]).view(pa.string())), [Column("varchar")])

    [refused] = [record for record in found if record.refusal]
    assert refused is found[-1]
    assert refused.refusal is not None
    assert (refused.line, refused.refusal.code, refused.refusal.column) == (2, LoadErrorCode.UTF8, 0)
    assert refused.refusal.value == shown
    assert refused.refusal.reason == (
        f"String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: {sequence}"
    )


SUPER = Column("jsonb")
NESTED = [
    pytest.param(pa.array([[1, None], [], None]), ["[1,null]", "[]", None], id="list"),
    pytest.param(
        pa.array([{"a": 1, "b": {"c": 'x"y'}}, {"a": None, "b": None}]),
        ['{"a":1,"b":{"c":"x\\"y"}}', '{"a":null,"b":null}'],
        id="struct",
    ),
    pytest.param(
        pa.array([[("k", 1), ("l", None)], []], pa.map_(pa.string(), pa.int32())), ['{"k":1,"l":null}', "{}"], id="map"
    ),
    pytest.param(pa.array([[(1, True)]], pa.map_(pa.int32(), pa.bool_())), ['{"1":true}'], id="map of numbers"),
    pytest.param(pa.array([Decimal("1.10"), None], pa.decimal128(38, 2)), ["1.10", None], id="decimal"),
    pytest.param(pa.array([0.1, None]), ["0.1", None], id="double"),
    pytest.param(pa.array([True]), ["true"], id="boolean"),
    pytest.param(pa.array(["ä", '{"a": 1}']), ['"ä"', '"{\\"a\\": 1}"'], id="a string stays a string"),
    pytest.param(pa.array([[date(2024, 2, 29)]]), ['["2024-02-29"]'], id="date"),
    pytest.param(
        pa.array([{"at": 1_709_209_815_123_456_789}], pa.struct([("at", pa.timestamp("ns"))])),
        ['{"at":"2024-02-29 12:30:15.123456"}'],
        id="timestamp",
    ),
    pytest.param(pa.array([b"\x00\xff"]), ['"00ff"'], id="binary"),
]


@pytest.mark.parametrize(("values", "expected"), NESTED)
@pytest.mark.parametrize(("write", "fmt"), [(parquet, "parquet"), (as_orc, "orc")])
def test_serializetojson_takes_any_type_into_super(
    write: Any, fmt: Format, values: Any, expected: list[str | None]
) -> None:
    found = one_column(write(values), SUPER, options(fmt, serialize_to_json=True))

    assert found == expected
    for text in filter(None, found):
        json.loads(text)


def test_parquet_types_that_arrow_has_names_for_go_into_super_too() -> None:
    identifier = uuid.UUID("12345678-1234-5678-1234-567812345678")
    values = pa.StructArray.from_arrays(
        [
            pa.array([identifier.bytes], pa.uuid()),
            pa.array(["{}"], pa.json_(pa.string())),
            pa.array(["x"]).dictionary_encode(),
        ],
        ["id", "json", "word"],
    )

    found = one_column(parquet(values), SUPER, options(serialize_to_json=True))

    assert found == ['{"id":"12345678123456781234567812345678","json":"{}","word":"x"}']


def test_a_parquet_column_of_json_goes_into_super_as_what_it_says() -> None:
    values = pa.array(['{"a": 1}', None]).cast(pa.json_(pa.string()))

    assert one_column(parquet(values), SUPER, options(serialize_to_json=True)) == ['{"a": 1}', None]


@pytest.mark.parametrize("fmt", ["parquet", "orc"])
def test_a_super_column_needs_serializetojson_whatever_the_file_is(fmt: Format) -> None:
    with pytest.raises(RedshiftError, match=r"^SUPER column in COPY query requires SERIALIZETOJSON option$"):
        read(b"", [Column("int8"), SUPER], options(fmt))


def test_a_string_too_long_for_super_is_refused() -> None:
    content = parquet(pa.array(["x" * 65535, "x" * 65536]))

    found = read(content, [SUPER], options(serialize_to_json=True))

    assert found[-1].refusal is not None
    assert (found[-1].line, found[-1].refusal.code) == (2, 1224)
    assert found[-1].refusal.reason == "String value exceeds the max size of 65535 bytes"


def test_a_wrong_string_within_a_nested_value_is_refused() -> None:
    strings = pa.array([b"fine", b"\xe9"]).view(pa.string())
    content = parquet(pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), strings))

    found = read(content, [SUPER], options(serialize_to_json=True))

    assert found[-1].refusal is not None
    assert (found[-1].line, found[-1].refusal.code) == (2, LoadErrorCode.UTF8)


def test_an_orc_timestamp_that_pyarrow_cannot_read_is_refused_as_unsupported() -> None:
    content = as_orc(pa.array([253_402_214_400], pa.timestamp("s")))

    with pytest.raises(RedshiftError, match="An ORC timestamp outside the years 1677 to 2262 is not supported"):
        read(content, [Column("timestamp")], options("orc"))


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (pa.array([float("nan")]), "nan"),
        (
            pa.array([[2_932_897]], pa.list_(pa.int32())).cast(pa.list_(pa.date32())),
            "a date outside the years 1 to 9999",
        ),
        (pa.array([5], pa.duration("us")), "duration"),
    ],
)
def test_what_json_cannot_say_is_refused_as_unsupported(values: Any, what: str) -> None:
    with pytest.raises(RedshiftError, match=f"COPY of {what}.* into a SUPER column is not supported"):
        read(parquet(values), [SUPER], options(serialize_to_json=True))


@pytest.mark.parametrize(
    ("write", "fmt", "type_name"),
    [(parquet, "parquet", "interval"), (as_orc, "orc", "interval"), (as_orc, "orc", "time")],
)
def test_a_column_of_a_type_that_no_file_has_is_refused(write: Any, fmt: Format, type_name: str) -> None:
    with pytest.raises(RedshiftError, match=f"column of type {type_name} is not supported by the local Redshift"):
        read(write(pa.array([1])), [Column(type_name, type_name)], options(fmt))


def test_serializetojson_is_an_option_of_columnar_formats() -> None:
    check_compatible(options(), frozenset({"PARQUET", "SERIALIZETOJSON", "MANIFEST"}))
    with pytest.raises(RedshiftError, match="TRUNCATECOLUMNS argument is not supported for PARQUET based COPY"):
        check_compatible(options(), frozenset({"TRUNCATECOLUMNS"}))


DECODE = """
import sys
from pathlib import Path
import psutil
from rsloader_provider.local.redshift.copy.formats.columnar import records
from local_stack.redshift.test_formats_columnar import Column, options

process = psutil.Process()
columns = [Column("varchar", length=400), Column("varchar", length=400)]
before = greatest = process.memory_info().rss
with Path(sys.argv[1]).open("rb") as file:
    for record in records(file, options(sys.argv[2]), columns, "s3://b/k"):
        if record.line % 500 == 0:
            greatest = max(greatest, process.memory_info().rss)
print(record.line, (greatest - before) >> 20)
"""
ROWS, STRING_BYTES, TABLES = 64_000, 400, 4


def strings_that_do_not_compress() -> Any:
    """One array of 25 MB, made without a Python object for each string."""
    offsets = pa.array(range(0, (ROWS + 1) * STRING_BYTES, STRING_BYTES), pa.int32())
    letters = pa.py_buffer(os.urandom(ROWS * STRING_BYTES // 2).hex().encode())
    return pa.StringArray.from_buffers(ROWS, offsets.buffers()[1], letters)


@pytest.mark.parametrize("fmt", ["parquet", "orc"])
def test_memory_does_not_grow_with_the_object(tmp_path: Path, fmt: Format) -> None:
    """200 MB in row groups (or stripes) of 50 MB and more."""
    path = tmp_path / "object"
    schema = pa.schema([("a", pa.string()), ("b", pa.string())])
    table = pa.table([strings_that_do_not_compress(), strings_that_do_not_compress()], schema=schema)
    with pq.ParquetWriter(path, schema) if fmt == "parquet" else orc.ORCWriter(str(path)) as writer:
        for _ in range(TABLES):
            writer.write(table) if fmt == "orc" else writer.write_table(table)
    assert path.stat().st_size > 200_000_000

    decoding = subprocess.run(
        [sys.executable, "-c", DECODE, str(path), fmt],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )

    rows, grown = map(int, decoding.stdout.split())
    assert rows == ROWS * TABLES
    assert grown < 120, f"{grown} MB"


def test_values_that_repeat_do_not_fill_the_memory() -> None:
    """A dictionary makes long strings cost nothing in the file, however many rows have them."""
    content = parquet(pa.array(["x" * 60_000]).take(pa.array([0] * 6_000)))
    assert len(content) < 1_000_000

    before = pa.total_allocated_bytes()
    greatest = 0
    for record in records(io.BytesIO(content), options(), [Column("varchar")], URL):
        if record.line % 512 == 0:
            greatest = max(greatest, pa.total_allocated_bytes() - before)

    assert record.line == 6_000
    assert greatest < 200_000_000
