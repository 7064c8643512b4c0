"""Arbitrary input at every entry: an answer or one of our errors, never anything else."""

import json
import zlib
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redshift_connector import error as driver
from support.objects import NOON, a_config, an_object

from rsloader_provider.aws.dynamodb.items import batch_from, claim_from, pack_entries, segment_from
from rsloader_provider.aws.redshift.warehouse import RedshiftSession, RedshiftWarehouse
from rsloader_provider.core.config import CopyOptions
from rsloader_provider.core.config.setting_types import is_load_name
from rsloader_provider.core.errors import CorruptLedgerError, RsloaderError
from rsloader_provider.core.ledger.manifest import Entry, render_manifest
from rsloader_provider.core.ledger.objects import LEDGER_KEY_BYTES, ledger_key
from rsloader_provider.core.load_file.reading import (
    LoadFileError,
    load_name_in,
    prefixes_in,
    read_load_file,
    schedule_in,
)
from rsloader_provider.core.load_file.yaml_salvage import top_level_text
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.loader.load_files.one_file import FileContent, read_one_file

GOOD = a_config().model_dump(mode="json", by_alias=True)
KEYS = [*GOOD, "format", "max_files", "table", "mode", "columns", "pre_sql", "success", "options", "iam_role"]

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates() | st.binary(max_size=9)
)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


def reported(content: bytes) -> None:
    """Whatever it is, it is read or reported: with a name for its DAG, and lines that exist."""
    found = read_one_file(FileContent("a.yaml", content))
    assert (found.config is None) == bool(found.mistakes)
    assert is_load_name(found.guessed)
    lines = content.count(b"\n") + 1
    for mistake in found.mistakes:
        assert 1 <= mistake.line <= lines
        assert mistake.message
        assert str(mistake).isprintable()


@given(st.binary(max_size=300))
@example(b"\xff\xfe\x00")
@example(b"\xef\xbb\xbf")
@example(b"%YAML 9.9\n---\na: 1")
@example(b"load: !!python/object/apply:os.system [echo]")
@example(b"? " * 300)
@example(b"- " * 300)
@example(b"&a [*a, *b]")
@example(b"a: &a\n  <<: *a")
@example(b"[" * 100_000)
def test_any_bytes_are_a_load_or_a_report(content: bytes):
    reported(content)


@given(st.text("load:sourcetargsbchpy[]{}&*!|>'\"#%@`,?-:~ \n\t\r\0\x85\u2028\ufeff0129\\", max_size=120))
def test_any_text_of_yamls_signs_is_a_load_or_a_report(text: str):
    reported(text.encode())


@given(trees)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_tree_of_yaml_is_a_load_or_a_report(tree: Any):
    reported(yaml.safe_dump(tree, allow_unicode=True).encode(errors="replace"))


@given(st.sampled_from([*GOOD]), trees)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_good_file_with_any_tree_at_one_place_is_a_load_or_a_report(key: str, tree: Any):
    reported(yaml.safe_dump(GOOD | {key: tree}).encode(errors="replace"))
    for part in ("copy", "batch", "notify"):
        if isinstance(tree, dict):
            reported(yaml.safe_dump(GOOD | {part: GOOD[part] | tree}).encode(errors="replace"))


@given(st.text(max_size=200))
def test_what_looks_into_broken_files_looks_into_any(text: str):
    """By hand too, where halves of surrogate pairs get in."""
    for look in (
        schedule_in,
        prefixes_in,
        lambda each: load_name_in(each, each),
        lambda each: top_level_text(each, "a"),
    ):
        look(text)
    with pytest.raises(LoadFileError):
        read_load_file("{" + text, "a.yaml")


def key_of(text: str) -> str:
    """S3 has keys of 1,024 bytes at most."""
    return text.encode()[:1024].decode(errors="ignore")


keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=300).map(key_of) | st.sampled_from(
    ["\n", "a\r\nb", "/", "//", "..", "é" * 512, "日" * 341, "\U0001f4a3" * 256, "x" * 1024, "%2F", "+", "\0", "\u2028"]
)


@given(keys, st.sampled_from([None, r"\.csv$", "^[^/]+$", "é", "(?i)X", r"\s"]))
def test_any_key_is_matched_claimed_and_listed_as_it_is(key: str, file_filter: str | None):
    config = a_config(source="s3://landing", file_filter=file_filter)
    if file_filter is None:
        assert config.matches("landing", key)
    name = f"landing/{key}"
    assert len(ledger_key(name).encode()) <= LEDGER_KEY_BYTES
    segment = segment_from({"batch": "#segment#B#1", "entries": pack_entries([an_object(key, 3)])})
    assert segment.entries == (Entry(name, 3),)
    content = render_manifest([Entry(name, 3), Entry(name, 3)])
    assert content is not None
    (listed,) = json.loads(content)["entries"]
    assert listed["url"] == f"s3://{name}"
    assert content == render_manifest([Entry(name, 3)])


@given(st.binary(max_size=200) | trees.map(lambda tree: zlib.compress(json.dumps(tree, default=str).encode())) | trees)
@example(zlib.compress(b"[" + b" " * 3_000_000 + b"]"))
@example(zlib.compress(b"[" * 100_000))
@example(zlib.compress(b'[["a", 1e999]]'))
@example(zlib.compress(b"[[null, 1]]"))
@example(10**11)
def test_any_segment_is_read_or_refused(packed: Any):
    try:
        segment = segment_from({"batch": "#segment#B#1", "entries": packed})
    except CorruptLedgerError:
        return
    render_manifest(segment.entries)


@given(trees, trees, trees)
def test_any_item_is_read_or_refused(item: Any, progress: Any, value: Any):
    """Somebody edited the table by hand."""
    for mapping in (item, {"targets": progress}, {"targets": {"t": progress}}, {"status": value, "opened_at": value}):
        if not isinstance(mapping, dict):
            continue
        batch = {"load": "l", "batch": "b", "status": "open", "files": 1, "size_bytes": 1, "version": 0, **mapping}
        claim = {"load": "l", "object": "o", "batch": "b", "size_bytes": 1, "etag": "e", "claimed_at": value, **mapping}
        with suppress(CorruptLedgerError):
            batch_from(batch)
        with suppress(CorruptLedgerError):
            claim_from({"last_modified": NOON.isoformat(), **claim})


SECRET = "hunter2-'\"\\/ é"
KINDS = [each for each in vars(driver).values() if isinstance(each, type) and issubclass(each, driver.Error)]
COPY = sql.Copy(TableName("s", "t"), None, "s3://l/m", CopyOptions(format="csv"))
STATEMENTS = [COPY, sql.LockHistory(TableName("s", "t")), sql.Commit(), sql.UserStatement("SELECT 1")]
words = st.text(max_size=20) | st.sampled_from(
    [
        SECRET, f"user=x password={SECRET}", repr(SECRET), f"say \"it's {SECRET}\"", "1023", f"1023 {SECRET}",
        "42P01", "42501", "57014", "40001", "28000", "3D000",
        f"Check 'stl_load_errors' {SECRET}", f"Mandatory url is not present {SECRET}", f"permission denied {SECRET}",
        f"S3ServiceException:{SECRET},Status 404,Error NoSuchKey", f"S3ServiceException:{SECRET},Status 403",
        f"not authorized to assume {SECRET}", f"S3ServiceException:{SECRET},Status 503",
    ]
)  # fmt: skip
answers = st.dictionaries(st.sampled_from(["C", "M", "D", "S", "H", 5]), words | scalars, max_size=5)
raised = st.builds(
    lambda kind, arguments: kind(*arguments),
    st.sampled_from([*KINDS, OSError, TimeoutError, ConnectionResetError]),
    st.lists(answers | words | scalars, max_size=3),
)


class FailingConnection:
    """A connection of the driver whose every statement fails; it keeps its password, as the driver does."""

    autocommit = False
    password = SECRET.encode()

    def __init__(self, error: Exception):
        self.error = error

    def cursor(self) -> Any:
        return self

    def execute(self, text: str) -> None:
        raise self.error


@given(raised, st.sampled_from(STATEMENTS))
@example(driver.ProgrammingError({"M": None}), COPY)
@example(driver.ProgrammingError({"M": b"bytes", "C": 7}), COPY)
@example(driver.InterfaceError(f"login {SECRET!r} failed"), COPY)
@example(driver.ProgrammingError({"C": SECRET, "M": "x"}), COPY)
def test_any_error_of_the_driver_is_told_without_the_password(error: Exception, statement: sql.Statement):
    def refuse(_: str) -> Any:
        raise error

    with pytest.raises(RsloaderError) as told:
        RedshiftSession(FailingConnection(error)).execute(statement)
    with (
        pytest.raises(RsloaderError) as unconnected,
        RedshiftWarehouse(refuse, secrets=lambda _: [SECRET]).connect("redshift_default"),
    ):
        pass
    for each in (told.value, unconnected.value):
        shown = str(each) + repr(vars(each))
        assert not [form for form in (SECRET, repr(SECRET)[1:-1], json.dumps(SECRET)[1:-1]) if form in shown]
