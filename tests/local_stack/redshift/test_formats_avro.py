"""Avro files as records."""

import contextlib
import json
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from typing import Any

import fastavro
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsloader_provider.local.redshift.copy.formats import Record, Refusal
from rsloader_provider.local.redshift.copy.formats.avro import records
from rsloader_provider.local.redshift.copy.options import CopyOptions
from rsloader_provider.local.redshift.copy.refusals import LoadErrorCode
from rsloader_provider.local.redshift.errors import RedshiftError
from rsloader_provider.local.redshift.sql.quoting import Fragment

MB = 1024 * 1024
SYNC = bytes(range(16))
ENDS_TOO_EARLY = "Invalid AVRO file found. Unexpected end of AVRO file."
DAMAGED = "Invalid AVRO file found. A data block is damaged."
BAD_UTF8 = "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: "
PEOPLE = {
    "type": "record",
    "name": "person",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "Name", "type": ["null", "string"]},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {
            "name": "friends",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "friend",
                    "fields": [{"name": "id", "type": "int"}, {"name": "name", "type": "string"}],
                },
            },
        },
    ],
}
ANNA = {"id": 1, "Name": "Anna", "tags": ["a", "b"], "friends": [{"id": 7, "name": "Zoé"}]}
BORIS = {"id": 2, "Name": None, "tags": [], "friends": []}


@dataclass
class Column:
    name: str
    type_name: str = "varchar"


def encoded(schema: Any, value: object) -> bytes:
    written = BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(schema), value)
    return written.getvalue()


def snappy(content: bytes) -> bytes:
    return pyarrow.Codec("snappy").compress(content, asbytes=True) + zlib.crc32(content).to_bytes(4)


def deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(content) + stream.flush()


CODECS: dict[str, Callable[[bytes], bytes]] = {"null": bytes, "deflate": deflate, "snappy": snappy}


def header(schema: Any, codec: str | None = "null", **metadata: bytes) -> bytes:
    pairs = {"avro.schema": schema if isinstance(schema, bytes) else json.dumps(schema).encode(), **metadata}
    if codec is not None:
        pairs["avro.codec"] = codec.encode()
    return b"Obj\x01" + encoded({"type": "map", "values": "bytes"}, pairs) + SYNC


def block(content: bytes, count: int, sync: bytes = SYNC) -> bytes:
    return encoded("long", count) + encoded("bytes", content) + sync


def container(schema: Any, *blocks: Sequence[object], codec: str = "null") -> bytes:
    contents = (b"".join(encoded(schema, value) for value in values) for values in blocks)
    return header(schema, codec) + b"".join(
        block(CODECS[codec](content), len(values)) for values, content in zip(blocks, contents, strict=True)
    )


def one_field(type_: Any) -> dict[str, Any]:
    return {"type": "record", "name": "r", "fields": [{"name": "a", "type": type_}]}


def read(
    content: bytes, *columns: str | Column, mapping: str = "auto", jsonpaths: list[str] | None = None, **options: Any
) -> list[Record]:
    copy = CopyOptions(Fragment("t"), "t", "s3://bucket/", format="avro", mapping=mapping, **options)
    named = [column if isinstance(column, Column) else Column(column) for column in columns]
    return list(records(BytesIO(content), copy, named, jsonpaths))


def fields(found: list[Record]) -> list[list[str | None] | str]:
    return [record.refusal.reason if record.refusal else record.fields for record in found]


@pytest.mark.parametrize(
    ("type_", "value", "text", "super_text"),
    [
        ("null", None, None, None),
        ("boolean", True, "true", "true"),
        ("int", -5, "-5", "-5"),
        ("long", 2**60, "1152921504606846976", "1152921504606846976"),
        ("float", 0.5, "0.5", "0.5"),
        ("double", 1.1, "1.1", "1.1"),
        ("double", 1e300, "1e+300", "1e+300"),
        ("double", float("nan"), "NaN", '"NaN"'),
        ("double", float("-inf"), "-Infinity", '"-Infinity"'),
        ("string", "Zoé 😀\n", "Zoé 😀\n", '"Zoé 😀\\n"'),
        ("bytes", b"ab\xe9", "abé", '"abé"'),
        ({"type": "fixed", "name": "f", "size": 2}, b"xy", "xy", '"xy"'),
        ({"type": "enum", "name": "e", "symbols": ["RED", "BLUE"]}, "BLUE", "BLUE", '"BLUE"'),
        ({"type": "array", "items": ["null", "double"]}, [None, 1.5], "[null,1.5]", "[null,1.5]"),
        ({"type": "map", "values": "bytes"}, {"k": b"\xe9"}, '{"k":"é"}', '{"k":"é"}'),
        (["null", "string"], None, None, None),
        (["null", "string"], "x", "x", '"x"'),
        (["null", one_field("int") | {"name": "inner"}], {"a": 1}, '{"a":1}', '{"a":1}'),
        # What is stored counts, and not what a logical type would make of it.
        ({"type": "int", "logicalType": "date"}, 19_000, "19000", "19000"),
        ({"type": "long", "logicalType": "timestamp-millis"}, 1_700_000_000_123, "1700000000123", "1700000000123"),
        ({"type": "string", "logicalType": "uuid"}, "x", "x", '"x"'),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, Decimal("16.70"), "\x06\x86", None),
        (["null", {"type": "int", "logicalType": "date"}], 1, "1", "1"),
        ({"type": "array", "items": {"type": "int", "logicalType": "date"}}, [1], "[1]", "[1]"),
    ],
)
def test_a_value_becomes_its_text(type_: Any, value: object, text: str | None, super_text: str | None) -> None:
    schema = one_field(type_)
    # fastavro writes dates only from dates, so that the logical types are left to the header.
    plain = {"type": type_["type"]} if isinstance(type_, dict) and type_.get("logicalType") != "decimal" else None
    written = encoded(one_field(plain if plain and "logicalType" in type_ else type_), {"a": value})
    found = read(header(schema) + block(written, 1), "a", Column("a", "jsonb"))
    assert fields(found) == [[text, super_text if super_text is not None or text is None else json_text(text)]]


def json_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@pytest.mark.parametrize(
    ("mapping", "jsonpaths", "expected"),
    [
        ("auto", None, [["1", None], ["2", None]]),
        ("auto ignorecase", None, [["1", "Anna"], ["2", None]]),
        ("s3://bucket/paths.json", ["$.id", "$.Name"], [["1", "Anna"], ["2", None]]),
        (
            "s3://bucket/paths.json",
            ["$['tags']", "$['friends']"],
            [['["a","b"]', '[{"id":7,"name":"Zoé"}]'], ["[]"] * 2],
        ),
        (
            "s3://bucket/paths.json",
            ["$.id", "$.friends[0].name"],
            [["1", "Zoé"], "Invalid JSONPath format: Not an array or index out of range."],
        ),
        ("s3://bucket/paths.json", None, [["1", None], ["2", None]]),
    ],
)
@pytest.mark.parametrize("codec", CODECS)
def test_a_record_is_mapped_to_the_columns(
    mapping: str, jsonpaths: list[str] | None, expected: list[object], codec: str
) -> None:
    content = container(PEOPLE, [ANNA, BORIS], codec=codec)
    assert fields(read(content, "id", "name", mapping=mapping, jsonpaths=jsonpaths)) == expected


def test_records_are_numbered_over_all_blocks() -> None:
    found = read(container(PEOPLE, [ANNA, BORIS], [], [ANNA]), "id")
    assert [(record.line, record.fields) for record in found] == [(1, ["1"]), (2, ["2"]), (3, ["1"])]
    assert found[0].raw == '{"id":1,"Name":"Anna","tags":["a","b"],"friends":[{"id":7,"name":"Zoé"}]}'


def test_a_record_shows_the_start_of_its_json() -> None:
    assert read(container(one_field("string"), [{"a": "x" * 5000}]), "a")[0].raw == '{"a":"' + "x" * 1018


def test_a_file_of_fastavro_itself_is_read() -> None:
    """Not only what these tests write."""
    written = BytesIO()
    fastavro.writer(written, PEOPLE, [ANNA, BORIS] * 1000, codec="deflate", sync_interval=1000)
    assert fields(read(written.getvalue(), "id")) == [["1"], ["2"]] * 1000


def test_the_codec_may_be_left_out() -> None:
    content = header(one_field("int"), codec=None) + block(encoded("int", 5), 1)
    assert fields(read(content, "a")) == [["5"]]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", [ENDS_TOO_EARLY]),
        (b"Ob", [ENDS_TOO_EARLY]),
        (b'{"a": 1}', ["Invalid AVRO file found. It is not an AVRO data file."]),
        # Redshift takes a file without any record for a broken one.
        (header(one_field("int")), [ENDS_TOO_EARLY]),
        (header(one_field("int")) + block(b"\x02", 1) + b"\x02", [["1"], ENDS_TOO_EARLY]),
        (header(one_field("int")) + block(b"\x02", 1) + block(b"\x02", 1, bytes(16)), [["1"], DAMAGED]),
        (header(one_field("int")) + block(b"\x02\x04", 1), [["1"], DAMAGED]),
        (header(one_field("int")) + block(b"\x02", 2), [["1"], ENDS_TOO_EARLY]),
        (header(one_field("int")) + block(b"\x02", -1), [DAMAGED]),
        (header(one_field("int")) + b"\x02\x01", [DAMAGED]),
        (header(one_field(["null", "int"])) + block(b"\x09\x00", 1), [DAMAGED]),
        (header(one_field("int"), "deflate") + block(b"\xff\xff", 1), [DAMAGED]),
        (header(one_field("int"), "deflate") + block(deflate(b"\x02")[:-1], 1), [ENDS_TOO_EARLY]),
        (header(one_field("int"), "snappy") + block(b"\xff\xff", 1), [DAMAGED]),
        (header(one_field("int"), "snappy") + block(snappy(b"\x02")[:-4] + bytes(4), 1), [DAMAGED]),
    ],
)
def test_where_a_file_is_broken_a_refusal_ends_it(content: bytes, expected: list[object]) -> None:
    found = read(content, "a")
    assert fields(found) == expected
    assert (found[-1].line, found[-1].refusal) == (len(expected), Refusal(LoadErrorCode.VALUE, str(expected[-1])))


@pytest.mark.parametrize("codec", CODECS)
def test_a_file_cut_anywhere_is_broken(codec: str) -> None:
    whole = container(PEOPLE, [ANNA], [BORIS], codec=codec)
    first = len(container(PEOPLE, [ANNA], codec=codec))
    for length in range(len(whole)):
        if length != first:
            assert fields(read(whole[:length], "id"))[-1] == ENDS_TOO_EARLY


@given(position=st.integers(0), byte=st.integers(0, 255), codec=st.sampled_from(sorted(CODECS)))
def test_a_changed_byte_never_breaks_the_decoder(position: int, byte: int, codec: str) -> None:
    """It may be noticed or not, but only by what a COPY can report."""
    content = bytearray(container(PEOPLE, [ANNA, BORIS], codec=codec))
    content[position % len(content)] = byte
    with contextlib.suppress(RedshiftError):
        found = read(bytes(content), "id", "name")
        assert [record.line for record in found] == list(range(1, len(found) + 1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header("int"), "Invalid AVRO schema: its type must be record"),
        (header(["null", one_field("int")]), "Invalid AVRO schema: its type must be record"),
        (header(one_field("none")), "Invalid AVRO schema: none"),
        (header({"type": "record", "name": "r", "fields": [{}]}), "Invalid AVRO schema"),
        (header(b"{"), "Invalid AVRO schema: Expecting property name enclosed in double quotes"),
        (header(b"\xff"), "Invalid AVRO schema"),
        (header(one_field("int"), "bzip2"), "AVRO codec bzip2 is not supported by COPY"),
        (header(one_field("int"), note=bytes(MB)), "AVRO file header exceeds the max limit of 1048576 bytes"),
        (
            header(one_field("int")) + block(bytes(4 * MB + 1), 1),
            "AVRO data block size exceeds the max limit of 4194304",
        ),
        *(
            (
                header(one_field("int"), codec) + block(CODECS[codec](bytes(4 * MB + 1)), 1),
                "AVRO data block size exceeds the max limit of 4194304 bytes",
            )
            for codec in ("deflate", "snappy")
        ),
    ],
)
def test_a_file_that_redshift_does_not_take_fails_the_copy(content: bytes, message: str) -> None:
    with pytest.raises(RedshiftError) as raised:
        read(content, "a")
    assert message in raised.value.message


@pytest.mark.parametrize("codec", CODECS)
def test_a_block_of_4_mb_is_read(codec: str) -> None:
    content = header(one_field("int"), codec) + block(CODECS[codec](bytes(4 * MB)), 4 * MB)
    copy = CopyOptions(Fragment("t"), "t", "s3://bucket/", format="avro")
    found = records(BytesIO(content), copy, [Column("a")])
    assert next(found).fields == ["0"]


@pytest.mark.parametrize(
    ("type_", "raw", "sequence", "shown"),
    [
        ("string", b"ab\xff", "ff (error 3)", "ab�"),
        ("string", b"a\0b", "00", "a�b"),
        ("bytes", b"a\0b", "00", "a�b"),
    ],
)
def test_a_character_that_is_none_is_refused_or_replaced(type_: str, raw: bytes, sequence: str, shown: str) -> None:
    content = header(one_field(type_)) + block(encoded("bytes", raw) + encoded("bytes", b"x"), 2)
    (bad, good) = read(content, "a")
    assert bad.refusal == Refusal(LoadErrorCode.UTF8, BAD_UTF8 + sequence, 0, shown, shown.index("�"))
    assert good.fields == ["x"]
    assert read(content, "a", replacement="?")[0].fields == [shown.replace("�", "?")]


def test_a_record_nested_too_deeply_harms_no_other() -> None:
    """A list linked over a thousand records is more than Python's stack holds."""
    schema = {"type": "record", "name": "n", "fields": [{"name": "a", "type": ["null", "n"]}]}
    content = header(schema) + block(b"\x02" * 700 + b"\x00" + b"\x00", 2)
    assert fields(read(content, "a")) == ["Invalid value.", [None]]


def test_a_large_file_takes_little_memory() -> None:
    content = header(one_field("string")) + block(encoded(one_field("string"), {"a": "x" * 5000}) * 20, 20) * 200
    copy = CopyOptions(Fragment("t"), "t", "s3://bucket/", format="avro")
    file = BytesIO(content)
    tracemalloc.start()
    try:
        count = sum(1 for _ in records(file, copy, [Column("a")]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 4000
    assert peak < len(content) / 10
