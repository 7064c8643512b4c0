"""Names and values never become SQL: every statement is read back by a tokenizer that shares no code with the loader.

A statement made of hostile text has the same tokens as one made of plain words, but for the quoted ones, and those mean
the hostile text, letter by letter.
"""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.objects import a_config

from rsloader_provider.core.config import CopyOptions
from rsloader_provider.core.ledger.manifest import Entry, render_manifest
from rsloader_provider.core.redshift import other_loads, sql
from rsloader_provider.core.redshift.access_key import AccessKey
from rsloader_provider.core.redshift.names import LoadKey, TableName, TemporaryTable
from rsloader_provider.core.redshift.other_loads import FindOtherLoads, GiveRows
from rsloader_provider.core.redshift.render import render
from rsloader_provider.local.redshift.sql.tokens import Kind, split_statements, tokenize

WITH_KEY = CopyOptions(format="csv", aws_conn_id="lake")
BATCH = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

Texts = Callable[[], str]
"""Gives the next text each time; a statement has several."""


def _target(text: Texts) -> TableName:
    return TableName(text(), text())


def _key(text: Texts) -> LoadKey:
    return LoadKey(_target(text), text(), text(), 1)


STATEMENTS: dict[type, Callable[[Texts], sql.Statement]] = {
    sql.BackendPid: lambda text: sql.BackendPid(),
    sql.TerminateSession: lambda text: sql.TerminateSession(1),
    sql.SetStatementTimeout: lambda text: sql.SetStatementTimeout(1),
    sql.Begin: lambda text: sql.Begin(),
    sql.LockHistory: lambda text: sql.LockHistory(_target(text)),
    sql.FindLoaded: lambda text: sql.FindLoaded(_key(text)),
    sql.DeleteAll: lambda text: sql.DeleteAll(_target(text)),
    sql.Truncate: lambda text: sql.Truncate(_target(text)),
    sql.CreateStaging: lambda text: sql.CreateStaging(TemporaryTable(text()), _target(text)),
    sql.DropTable: lambda text: sql.DropTable(_target(text)),
    sql.RenameTable: lambda text: sql.RenameTable(_target(text), text()),
    sql.FindAmbiguousKeys: lambda text: sql.FindAmbiguousKeys(TemporaryTable(text()), (text(), text()), 9),
    sql.Merge: lambda text: sql.Merge(_target(text), TemporaryTable(text()), ("id",), (text(), text())),
    sql.Copy: lambda text: sql.Copy(
        _target(text), (text(), text()), text(), WITH_KEY, AccessKey(text(), text(), text())
    ),
    sql.LastCopy: lambda text: sql.LastCopy(),
    sql.RecordLoaded: lambda text: sql.RecordLoaded(_key(text), 1, 2, 3, None, text()),
    sql.Commit: lambda text: sql.Commit(),
    sql.Rollback: lambda text: sql.Rollback(),
    sql.FindRowErrors: lambda text: sql.FindRowErrors(1, 2),
    sql.FindRowErrorsWithoutValues: lambda text: sql.FindRowErrorsWithoutValues(1, 2),
    sql.FindSkippedRows: lambda text: sql.FindSkippedRows(1, 2),
    sql.ReadHistory: lambda text: sql.ReadHistory(_target(text), text(), text(), 9),
    sql.ReadBatchHistory: lambda text: sql.ReadBatchHistory(_target(text), text(), text()),
    sql.ReadLoadedFiles: lambda text: sql.ReadLoadedFiles((1, 2)),
    sql.ForgetLoaded: lambda text: sql.ForgetLoaded(_key(text)),
    sql.CountSessions: lambda text: sql.CountSessions(1),
    sql.FindTransactionEnd: lambda text: sql.FindTransactionEnd(text(), 1, 2),
    sql.CreateHistorySchema: lambda text: sql.CreateHistorySchema(),
    sql.CreateHistory: lambda text: sql.CreateHistory(_target(text)),
    sql.GiveTable: lambda text: sql.GiveTable(_target(text), text()),
    sql.GrantOnSchema: lambda text: sql.GrantOnSchema(text(), text()),
    sql.GrantOnTable: lambda text: sql.GrantOnTable(_target(text), text(), ("INSERT", "SELECT")),
    sql.FindHistories: lambda text: sql.FindHistories(),
    sql.FindHistoriesWithout: lambda text: sql.FindHistoriesWithout("names_digest"),
    sql.AddHistoryColumn: lambda text: sql.AddHistoryColumn(_target(text), "names_digest"),
    sql.CreateHistoryView: lambda text: sql.CreateHistoryView((text(), text())),
    FindOtherLoads: lambda text: FindOtherLoads(_target(text), text(), text()),
    GiveRows: lambda text: GiveRows(_target(text), text(), text(), text()),
}
"""How each statement is made of texts."""

AS_WRITTEN = {sql.UserStatement}
"""What its author wrote is SQL; below it is checked to be one statement."""

HOSTILE = [
    "'; DROP TABLE orders; --", '"; DROP TABLE orders; --', "\\'; DROP TABLE orders; --",
    "\\", "\\\\'", "''", '""', "'\\",
    "/*", "*/", "--", "$$", "$$; DROP TABLE orders; $$", "$a$", "E'\\''", "U&'\\0027'", "a\nb", "a\rb", "a;b",
    "%s", "{}",
    "\u02bc", "\uff07", "\u2019; DROP TABLE orders", "日本", "\U0001f4a3", "\u202e", "a.b", "?", ":1", "$1",
]  # fmt: skip
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text("'\"\\;$-/* \n\rabE&%?", min_size=1, max_size=30),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30),
)


def test_no_statement_is_left_out():
    kinds = (sql.Command, sql.Query)
    assert {*STATEMENTS} | AS_WRITTEN == {
        each
        for each in {**vars(sql), **vars(other_loads)}.values()
        if isinstance(each, type) and issubclass(each, kinds) and each not in kinds
    }


QUOTED = {Kind.QUOTED, Kind.LITERAL}


@pytest.mark.parametrize("kind", STATEMENTS)
@given(data=st.data())
def test_hostile_texts_stay_texts_in_every_statement(kind: type, data: st.DataObject):
    used: list[str] = []

    def hostile() -> str:
        used.append(data.draw(texts))
        return used[-1]

    tokens = tokenize(render(STATEMENTS[kind](hostile)))
    plain = tokenize(render(STATEMENTS[kind](lambda: "plain")))
    assert [each.kind for each in tokens] == [each.kind for each in plain]
    for token, like in zip(tokens, plain, strict=True):
        if token.kind not in QUOTED:
            assert token.text == like.text
    said = " ".join(each.name if each.kind is Kind.QUOTED else each.value for each in tokens if each.kind in QUOTED)
    # A history's name is cut and told apart by a digest when it is too long; each text stands there otherwise.
    assert len(said) > 500 or all(text in said for text in used)


PIECES = ["'", '"', ";", "\\", "$$", "$a$", "--", "/*", "*/", "\n", "\r", "\0", " ", "GZIP", "NULL", "AS", "a", "é"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("NULL AS '\\'; DROP TABLE orders; --'")
@example("$$;$$")
@example("NULL AS '\0'")
def test_copy_options_never_hold_a_second_statement(options: str):
    try:
        checked = CopyOptions(format="csv", options=options)
    except ValidationError:
        return
    rendered = render(sql.Copy(TableName("s", "t"), None, "s3://l/m", checked))
    assert split_statements(rendered) == [rendered]
    tokens = tokenize(rendered)
    assert not {"'", '"', "$", ";", "\0"} & {each.text for each in tokens}, (
        "every quote is closed, and none is a dollar's"
    )
    between = [rendered[left.end : right.start] for left, right in pairwise(tokens)]
    assert not "".join(between).strip(), "and nothing is a comment"


@given(st.text("'\";|-/*$ \t1\\t", min_size=1, max_size=5))
def test_a_delimiter_is_one_literal_whatever_it_is_made_of(delimiter: str):
    try:
        checked = CopyOptions(format="text", delimiter=delimiter)
    except ValidationError:
        return
    tokens = tokenize(render(sql.Copy(TableName("s", "t"), None, "s3://l/m", checked)))
    means = delimiter.replace("\\t", "\t")
    assert [each.value for each in tokens if each.kind is Kind.LITERAL] == ["s3://l/m", means]


@given(texts)
def test_a_jsonpaths_file_may_have_any_key(key: str):
    try:
        checked = CopyOptions(format="json", jsonpaths=f"s3://acme/{key}")
    except ValidationError:
        return
    tokens = tokenize(render(sql.Copy(TableName("s", "t"), None, "s3://l/m", checked)))
    assert [each.value for each in tokens if each.kind is Kind.LITERAL] == ["s3://l/m", f"s3://acme/{key}"]


@given(st.lists(st.sampled_from([*PIECES, "id:3", ",", ":"]), max_size=8).map("".join))
def test_widths_are_one_literal_whatever_their_labels(widths: str):
    try:
        checked = CopyOptions(format="fixedwidth", fixed_width=widths)
    except ValidationError:
        return
    tokens = tokenize(render(sql.Copy(TableName("s", "t"), None, "s3://l/m", checked)))
    assert [each.value for each in tokens if each.kind is Kind.LITERAL] == ["s3://l/m", checked.fixed_width]


@pytest.mark.parametrize("word", ["COMMIT", "ROLLBACK", "TRUNCATE t", "BEGIN", "ABORT", "END"])
@pytest.mark.parametrize(
    "hidden",
    [
        "{}", "-- a\n{}", "--\r{}", "--\r{}\nWORK", "/* a */{}", "/*/**/*/ {}", "/* /* */ a */ {}", "/*\n*/\t{};",
        ";{}", "{}; SELECT 1", "SELECT ';'; {}", "SELECT $$;$$; {}", "SELECT 'it\\'s'; {}", "{{# {{}} #}}{}",
    ],
)  # fmt: skip
def test_pre_sql_cannot_end_the_transaction_behind_a_comment(hidden: str, word: str):
    """Redshift's comments nest, and end at a carriage return too."""
    with pytest.raises(ValidationError):
        a_config(targets=[{"table": "t", "pre_sql": hidden.format(word)}])


@given(st.text(st.characters(codec="utf-8"), max_size=1024), st.integers(1, 2**40))
@example('"}], "entries": [{"url": "s3://other/x', 1)
@example("a\nb\r\u2028\0'\"\\", 1)
def test_keys_stand_in_manifests_as_json_and_nowhere_else(key: str, size_bytes: int):
    content = render_manifest([Entry(f"landing/{key}", size_bytes)])
    entry: dict[str, Any] = {"url": f"s3://landing/{key}", "mandatory": True, "meta": {"content_length": size_bytes}}
    assert content is not None
    assert json.loads(content) == {"entries": [entry]}


@given(texts)
def test_a_table_that_a_load_file_may_name_is_quoted_as_it_stands(name: str):
    try:
        target = a_config(targets=[{"table": name}]).targets[0]
    except ValidationError:
        return
    tokens = tokenize(render(sql.DeleteAll(TableName(target.schema_name, target.table_name))))
    assert [each.name for each in tokens if each.kind is Kind.QUOTED] == [target.schema_name, target.table_name]
