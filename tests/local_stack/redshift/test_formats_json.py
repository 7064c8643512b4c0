"""JSON objects as records, and jsonpaths files."""

import json
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsloader_provider.local.redshift.copy.formats import Record, Refusal
from rsloader_provider.local.redshift.copy.formats.json_text import records
from rsloader_provider.local.redshift.copy.formats.jsonpaths import parse_jsonpaths, parse_path
from rsloader_provider.local.redshift.copy.options import CopyOptions
from rsloader_provider.local.redshift.copy.refusals import LoadErrorCode
from rsloader_provider.local.redshift.errors import RedshiftError
from rsloader_provider.local.redshift.sql.quoting import Fragment

LIMIT = 4_194_304
BAD_UTF8 = "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: "
NOT_AN_OBJECT = "Invalid JSONPath format: Member is not an object."
NOT_AN_ELEMENT = "Invalid JSONPath format: Not an array or index out of range."


@dataclass
class Column:
    name: str
    type_name: str = "varchar"


def copy_of(mapping: str = "auto", **options: Any) -> CopyOptions:
    return CopyOptions(Fragment("t"), "t", "s3://bucket/", format="json", mapping=mapping, **options)


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def read(
    content: str | bytes,
    columns: Iterable[str | Column] = ("a", "b"),
    *,
    mapping: str = "auto",
    jsonpaths: list[str] | None = None,
    size: int = 7,
    **options: Any,
) -> list[Record]:
    data = content.encode() if isinstance(content, str) else content
    named = [column if isinstance(column, Column) else Column(column) for column in columns]
    return list(records(cut(data, size), copy_of(mapping, **options), named, jsonpaths))


def rows(found: list[Record]) -> list[list[str | None] | str]:
    """Each record's fields, or why it is refused."""
    return [record.refusal.reason if record.refusal else record.fields for record in found]


@pytest.mark.parametrize(
    ("value", "text", "super_text"),
    [
        ('"abc"', "abc", '"abc"'),
        ('""', "", '""'),
        (r'"line\n\ttab \\ \/ \" \u00e9"', 'line\n\ttab \\ / " é', r'"line\n\ttab \\ / \" é"'),
        (r'"\ud83d\ude00"', "😀", '"😀"'),
        ('"é€😀"', "é€😀", '"é€😀"'),
        ("1.50", "1.50", "1.50"),
        ("-0", "-0", "-0"),
        ("1E400", "1E400", "1E400"),
        ("1" * 5000, "1" * 5000, "1" * 5000),
        ("12345678901234567890.10", "12345678901234567890.10", "12345678901234567890.10"),
        ("true", "true", "true"),
        ("false", "false", "false"),
        ("null", None, None),
        ('[ 1.50 , "a b" , null, true,\n {} ]', '[1.50,"a b",null,true,{}]', '[1.50,"a b",null,true,{}]'),
        ('{ "id" : 1E2, "x": [ ] }', '{"id":1E2,"x":[]}', '{"id":1E2,"x":[]}'),
        (r'{"\u00e9\n": "\u0007"}', r'{"é\n":"\u0007"}', r'{"é\n":"\u0007"}'),
    ],
)
def test_a_value_becomes_its_text(value: str, text: str | None, super_text: str | None) -> None:
    """Numbers keep their spelling; a SUPER column gets JSON, in which a string has its quotes."""
    (record,) = read(f'{{"a": {value}, "b": {value}}}', ["a", Column("b", "jsonb")])
    assert record.fields == [text, super_text]


@pytest.mark.parametrize(
    ("mapping", "columns", "content", "expected"),
    [
        ("auto", ["a", "b"], '{"b": 2, "a": 1}', [["1", "2"]]),
        ("auto", ["a", "b"], '{"a": 1, "c": 3}', [["1", None]]),
        ("auto", ["a", "b"], '{"A": 1, "B": 2}', [[None, None]]),
        ("auto", ["a", "b"], "{}", [[None, None]]),
        ("auto", ["a", "b"], "[1, 2]", [NOT_AN_OBJECT]),
        ("auto", ["a", "b"], '[{"a": 1}, {"a": 2}]', [NOT_AN_OBJECT]),
        ("auto ignorecase", ["a", "b"], '{"A": 1, "b": 2}', [["1", "2"]]),
        ("noshred", [Column("doc", "jsonb")], '{"b": 2, "a": 1.0}', [['{"b":2,"a":1.0}']]),
        ("noshred", [Column("doc", "jsonb")], "[1, 2]", [["[1,2]"]]),
        # A jsonpaths file without the key "jsonpaths" makes the COPY an 'auto' one.
        ("s3://bucket/paths.json", ["a", "b"], '{"a": 1, "b": 2}', [["1", "2"]]),
    ],
)
def test_a_document_is_mapped_to_the_columns(
    mapping: str, columns: list[str | Column], content: str, expected: list[object]
) -> None:
    assert rows(read(content, columns, mapping=mapping)) == expected


@pytest.mark.parametrize("columns", [["a"], [Column("a", "jsonb"), Column("b", "jsonb")]])
def test_noshred_needs_one_super_column(columns: list[str | Column]) -> None:
    with pytest.raises(RedshiftError, match="noshred"):
        read("{}", columns, mapping="noshred")


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        ("$.a", '{"a": 1}', ["1"]),
        ("$['a']", '{"a": 1}', ["1"]),
        ("$.a.b.c", '{"a": {"b": {"c": 1}}}', ["1"]),
        ("$['a']['b'][1]['c']", '{"a": {"b": [0, {"c": 1}]}}', ["1"]),
        ("$.a.b[1].c", '{"a": {"b": [0, {"c": 1}]}}', ["1"]),
        ("$[1]", '["x", "y"]', ["y"]),
        ("$[1][0]", '["x", ["y"]]', ["y"]),
        ("$.A", '{"a": 1, "A": 2}', ["2"]),
        ("$['a.b']", '{"a.b": 1}', ["1"]),
        ("$.user agent", '{"user agent": 1}', ["1"]),
        ("$.where", '{"where": 1}', ["1"]),
        ("$.@type", '{"@type": 1}', ["1"]),
        ("$.é", '{"é": 1}', ["1"]),
        ("$", '{"a": [1]}', ['{"a":[1]}']),
        ("$.a", '{"a": {"b": 1}}', ['{"b":1}']),
        ("$.a", "{}", [None]),
        ("$.a.b", "{}", [None]),
        ("$.a.b", '{"a": null}', [None]),
        ("$.a.b", '{"a": 1}', NOT_AN_OBJECT),
        ("$.a", "[1]", NOT_AN_OBJECT),
        ("$.a[0]", "{}", NOT_AN_ELEMENT),
        ("$.a[0]", '{"a": []}', NOT_AN_ELEMENT),
        ("$.a[0]", '{"a": {"0": 1}}', NOT_AN_ELEMENT),
        ("$.a[0]", '{"a": "x"}', NOT_AN_ELEMENT),
    ],
)
def test_a_jsonpath_names_a_value(path: str, content: str, expected: object) -> None:
    """A missing member is NULL, a missing array element is an error: so says Redshift's documentation."""
    assert rows(read(content, ["x"], mapping="s3://bucket/paths.json", jsonpaths=[path])) == [expected]


@pytest.mark.parametrize(
    "path",
    [
        *("", "a", "$a", "$.", "$..a", "$.a.", "$.a[", " $.a", "$['']", '$["a"]', "$.a'b", "$.a['b']", "$['a'].b"),
        *("$.*", "$.*.a", "$.a[*]", "$.a[-1]", "$.a[0:2]", "$.a[?(@.b)]"),
    ],
)
def test_a_jsonpath_of_another_kind_is_refused(path: str) -> None:
    with pytest.raises(RedshiftError) as raised:
        parse_path(path)
    assert raised.value.message == (
        f"Invalid JSONPath format. Supported notations are 'dot-notation' and 'bracket-notation': {path}"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"jsonpaths": ["$.a", "$.b[0]"]}', ["$.a", "$.b[0]"]),
        ('\ufeff\n{"jsonpaths":\n["$[\'a\']", "$[0]"]}\n', ["$['a']", "$[0]"]),
        ('{"paths": ["$.a", "$.b"]}', None),
        (
            '{"jsonpaths": ["$.a"]}',
            "Number of jsonpaths and the number of columns should match. JSONPath size: 1, "
            "Number of columns in table or column list: 2",
        ),
        (
            '{"jsonpaths": ["$.a", "$[\'b\']"]}',
            "Invalid JSONPath format. Supported notations are 'dot-notation' and 'bracket-notation': $['b']",
        ),
        (
            '{"jsonpaths": ["$.a", "$.*"]}',
            "Invalid JSONPath format. Supported notations are 'dot-notation' and 'bracket-notation': $.*",
        ),
        (
            '{"jsonpaths": ["$.a", ""]}',
            "Invalid JSONPaths file: jsonpaths must be an array of strings that are not empty",
        ),
        (
            '{"jsonpaths": ["$.a", 1]}',
            "Invalid JSONPaths file: jsonpaths must be an array of strings that are not empty",
        ),
        ('{"jsonpaths": "$.a"}', "Invalid JSONPaths file: jsonpaths must be an array of strings that are not empty"),
        ('["$.a", "$.b"]', "Invalid JSONPaths file: it must contain a single JSON object"),
        ("", "Invalid JSONPaths file: the JSON is malformed: Expecting value: line 1 column 1 (char 0)"),
        (
            '{"jsonpaths": []} {}',
            "Invalid JSONPaths file: the JSON is malformed: Extra data: line 1 column 19 (char 18)",
        ),
    ],
)
def test_a_jsonpaths_file_is_read_or_refused(content: str, expected: list[str] | str | None) -> None:
    if isinstance(expected, str):
        with pytest.raises(RedshiftError) as raised:
            parse_jsonpaths(content.encode(), 2)
        assert raised.value.message == expected
    else:
        assert parse_jsonpaths(content.encode(), 2) == expected


def test_a_jsonpaths_file_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(RedshiftError, match="Invalid JSONPaths file: the JSON is malformed: 'utf-8' codec"):
        parse_jsonpaths(b'{"jsonpaths": ["\xff"]}', 1)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", []),
        (" \r\n\t\n", []),
        ('{"a":1}{"a":2} {"a":3}\n\n{"a":4}', [(1, "1"), (1, "2"), (1, "3"), (3, "4")]),
        ('{"a":1}\r\n{"a":2}\r\n', [(1, "1"), (2, "2")]),
        ('{\n  "a": 1\n}\n{\n  "a":\n  2\n}', [(3, "1"), (7, "2")]),
        ('\ufeff{"a":1}', [(1, "1")]),
        ('{"a":"}{\\"]["}{"a":2}', [(1, '}{"]['), (1, "2")]),
    ],
)
def test_documents_stand_in_white_space(content: str, expected: list[tuple[int, str]]) -> None:
    """A record's line is the one in which it ends."""
    assert [(record.line, record.fields[0]) for record in read(content)] == expected


def test_a_record_keeps_its_text() -> None:
    assert [record.raw for record in read('{"a": 1.0,\n"c": "é"}{}')] == ['{"a": 1.0,\n"c": "é"}', "{}"]


@pytest.mark.parametrize(
    ("skipped", "expected"), [(0, ["Invalid value.", "1", "2"]), (1, ["1", "2"]), (2, ["2"]), (3, []), (9, [])]
)
def test_header_lines_are_left_out_and_counted(skipped: int, expected: list[str]) -> None:
    found = read('head\n{"a":1}\n{"a":2}', ignore_header=skipped)
    assert [record.refusal.reason if record.refusal else record.fields[0] for record in found] == expected
    assert [record.line for record in found] == list(range(skipped + 1, 4))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # Each is (line, raw, position) for what is malformed, or the first field.
        ('{"a":tru}\n{"a":2}', [(1, '{"a":tru}', 5), "2"]),
        ("{'a': 1}\n{\"a\":2}", [(1, "{'a': 1}", 1), "2"]),
        ('{"a":1\n{"a":2}', [(1, '{"a":1', 7), "2"]),
        ('{"a":"x\n{"a":2}', [(1, '{"a":"x', 7), "2"]),
        ('{"a":"x\ty"}\n{"a":2}', [(1, '{"a":"x\ty"}', 7), "2"]),
        ('{"a":1,}\n{"a":2}', [(1, '{"a":1,}', 7), "2"]),
        ('{"a":01}\n{"a":2}', [(1, '{"a":01}', 6), "2"]),
        ('{"a":NaN}\n{"a":2}', [(1, '{"a":NaN}', 5), "2"]),
        ('{"a":-Infinity}\n{"a":2}', [(1, '{"a":-Infinity}', 5), "2"]),
        ('{"a":"\\x"}\n{"a":2}', [(1, '{"a":"\\x"}', 6), "2"]),
        ('{"a":1}}\n{"a":2}', ["1", (1, "}", 0), "2"]),
        ('{"a":1},\n{"a":2},\n{"a":3}', ["1", (1, ",", 0), "2", (2, ",", 0), "3"]),
        ('{"a":1},{"a":2}', ["1", (1, ",", 0), "2"]),
        ('x\n\ny {"a":2}', [(1, "x", 0), (3, "y ", 0), "2"]),
        ("1,2\n3,4\n", [(1, "1,2", 0), (2, "3,4", 0)]),
        ('{"a":1', [(1, '{"a":1', 6)]),
        ('{"a":"1', [(1, '{"a":"1', 5)]),
        ('{"a":2}\n{"a":\n\n', ["2", (2, '{"a":', 7)]),
        ('{\n "a": 1\n "b": 2\n}\n{"a":3}', [(3, '{\n "a": 1\n "b": 2', 11), (4, "}", 0), "3"]),
        # A nested object is no record, even where it is the first thing that is wrong.
        ('{"a":[\n  {"b":1}\n  {"b":2}\n]}\n{"a":3}', [(3, '{"a":[\n  {"b":1}\n  {"b":2}', 19), (4, "]}", 0), "3"]),
        ("[" * 100_000 + '\n{"a":2}', [(1, "[" * 100_000, 0), "2"]),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_what_is_malformed_is_refused_and_the_next_line_is_read(
    content: str, expected: list[tuple[int, str, int] | str], size: int
) -> None:
    """One bad line in a million must not cost the others, and MAXERROR counts each."""
    if len(content) > 1000:
        size *= 1000  # a byte at a time would take minutes
    found = read(content, size=size)
    assert [
        (record.line, record.raw, record.refusal.position) if record.refusal else record.fields[0] for record in found
    ] == [(one[0], one[1].strip(), one[2]) if isinstance(one, tuple) else one for one in expected]
    assert {record.refusal.reason for record in found if record.refusal} == {"Invalid value."}
    assert {record.refusal.code for record in found if record.refusal} == {LoadErrorCode.VALUE}


@pytest.mark.parametrize(
    ("value", "sequence", "position", "shown"),
    [
        (b"ab\xff", "ff (error 3)", 2, "ab�"),
        (b"\xa4", "a4 (error 3)", 0, "�"),
        (b"\xe2\x82", "e2 82 (error 2)", 0, "��"),
        (b"\xc3z", "c3 (error 4)", 0, "�z"),
        (rb"x\ud83d", "ed a0 bd (error 5)", 1, "x�"),
        (rb"\ude00\ud83d", "ed b8 80 (error 5)", 0, "��"),
        (rb"x\u0000y", "00", 1, "x�y"),
    ],
)
@pytest.mark.parametrize("type_name", ["varchar", "jsonb"])
def test_a_character_that_is_none_is_refused(
    value: bytes, sequence: str, position: int, shown: str, type_name: str
) -> None:
    """PostgreSQL would fail the whole COPY on any of these; Redshift refuses the record."""
    (bad, good) = read(b'{"b": "%b"}\n{"b": 1}' % value, ["a", Column("b", type_name)])
    assert bad.refusal == Refusal(LoadErrorCode.UTF8, BAD_UTF8 + sequence, 1, shown, position)
    assert bad.fields == []
    assert good.fields == [None, "1"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b'"a\xffb"', "a?b"),
        (b'"\xe2\x82"', "??"),
        (rb'"\ud83d"', "???"),
        (rb'"a\u0000b"', "a?b"),
        (b'{"\xff": ["\xff"]}', '{"?":["?"]}'),
    ],
)
def test_acceptinvchars_replaces_each_byte(value: bytes, text: str) -> None:
    assert read(b'{"a": %b}' % value, ["a"], replacement="?")[0].fields == [text]


def test_a_bad_character_within_an_object_is_refused() -> None:
    (record,) = read(b'{"a": {"b": "x\xff"}}', ["a"])
    assert record.refusal == Refusal(LoadErrorCode.UTF8, f"{BAD_UTF8}ff (error 3)", 0, '{"b":"x�"}', 0)
    assert record.raw == '{"a": {"b": "x�"}}'


def test_a_bad_character_in_a_field_that_is_not_loaded_does_no_harm() -> None:
    assert rows(read(b'{"a": 1, "c": "\xff", "\xff": "\\u0000"}')) == [["1", None]]


def deep(levels: int) -> str:
    return '{"a": ' + "[" * levels + "]" * levels + "}"


@pytest.mark.parametrize("levels", [600, 5_000, 1_000_000])
def test_a_document_nested_too_deeply_harms_no_other(levels: int) -> None:
    """It may be read or refused, according to Python's version, and must not end the server's thread."""
    found = read(f'{deep(levels)}\n{{"a": 1}}', size=100_000)
    assert [record.fields[0] for record in found if record.refusal is None][-1] == "1"
    assert all(record.refusal.reason == "Invalid value." for record in found if record.refusal)


@pytest.mark.parametrize("character", ["x", "€"])
def test_a_document_of_more_than_4_mb_fails_the_copy(character: str) -> None:
    """The limit is in bytes, and counts the braces."""
    frame = len('{"a":""}')
    width = len(character.encode())
    filler = "y" * ((LIMIT - frame) % width)
    largest = '{"a":"' + character * ((LIMIT - frame) // width) + filler + '"}'
    assert len(largest.encode()) == LIMIT
    assert len(read(largest + largest, ["a"], size=300_000)) == 2
    with pytest.raises(RedshiftError, match="JSON object size exceeds the max limit of 4194304 bytes"):
        read("{}" + largest.replace("}", " }"), ["a"], size=300_000)


@pytest.mark.parametrize("start", [b'{"a":"', b"[", b"x"])
def test_a_document_without_an_end_is_given_up_early(start: bytes) -> None:
    """A terabyte without an end must not be read into the memory."""

    def endless() -> Iterator[bytes]:
        yield start
        while True:
            yield b"1" * 200_000 + b","

    with pytest.raises(RedshiftError, match="exceeds the max limit"):
        list(records(endless(), copy_of(), [Column("a")], None))


def test_a_large_object_of_small_records_takes_little_memory() -> None:
    piece = b'{"a": 1, "b": "abc"}\n' * 1000
    tracemalloc.start()
    try:
        count = sum(1 for _ in records((piece for _ in range(50)), copy_of(), [Column("a")], None))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 50_000
    assert peak < 10 * len(piece)


def json_values() -> st.SearchStrategy[object]:
    text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=8)


@given(
    values=st.lists(json_values(), max_size=5),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
    data=st.data(),
)
def test_any_value_survives_any_cut(
    values: list[object], ascii_only: bool, indent: int | None, data: st.DataObject
) -> None:
    """What was written is what a SUPER column gets, wherever S3 cuts the object."""
    text = "\n".join(json.dumps({"a": value}, ensure_ascii=ascii_only, indent=indent) for value in values)
    found = read(text, [Column("a", "jsonb")], size=data.draw(st.integers(1, 60)))
    assert [None if (field := record.fields[0]) is None else json.loads(field) for record in found] == values
    assert [record.line for record in found][-1:] == [text.count("\n") + 1][: len(values)]


@given(content=st.text("{}[]\",:\\ \n0a'tu", max_size=60), size=st.integers(1, 30))
def test_no_text_is_read_in_two_ways(content: str, size: int) -> None:
    """Whatever is in an object, it neither breaks the decoder nor depends on where the object was cut."""
    whole = read(content, size=1000)
    assert read(content, size=size) == whole
    assert [record.line for record in whole] == sorted(record.line for record in whole)
    joined = "".join(record.raw for record in whole)
    assert joined.replace("\n", "").replace(" ", "") == content.replace("\n", "").replace(" ", "")
