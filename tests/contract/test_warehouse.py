"""What every warehouse keeps to, in memory as over the wire."""

import json
import threading
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from support.house import CSV, House

from rsloader_provider.core.config import CopyOptions
from rsloader_provider.core.errors import (
    AccessDeniedError,
    BadDataError,
    ConfigurationError,
    ConnectionLostError,
    NotSetUpError,
    ObjectsMissingError,
    RowError,
    StatementError,
)
from rsloader_provider.core.ledger.manifest import digest_of_names
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import LoadKey, TableName, TemporaryTable
from rsloader_provider.core.redshift.other_loads import FindOtherLoads, GiveRows
from rsloader_provider.core.redshift.rows import (
    Committed,
    CopiedFile,
    HistoryAnswer,
    HistoryRow,
    OtherLoad,
    SkippedRow,
)
from rsloader_provider.loader.ports.warehouse import Session

NOT_LOADED = HistoryAnswer(committed=None, newest=None)


def found(session: Session, key: LoadKey) -> HistoryAnswer:
    (answer,) = session.execute(sql.FindLoaded(key))
    return answer


def test_a_committed_load_is_in_the_table_and_in_the_history(house: House):
    with house.connect() as session:
        (pid,) = session.execute(sql.BackendPid())
        assert pid > 0
        session.execute(sql.SetStatementTimeout(60_000))
        session.execute(sql.Begin())
        session.execute(sql.LockHistory(house.table))
        assert found(session, house.key) == NOT_LOADED
        session.execute(house.copy(("1.csv", "1\n2\n"), ("2 +%2B.csv", "3\n")))
        (copied,) = session.execute(sql.LastCopy())
        assert copied.rows == 3
        session.execute(house.recorded(copied.rows, copied.query_id))
        session.execute(sql.Commit())
    with house.connect() as session:
        committed = Committed(3, copied.query_id, files=2)
        assert found(session, house.key) == HistoryAnswer(committed, newest=house.key.batch)
    assert house.count_rows() == 3


def test_a_closed_session_takes_back_what_it_did_not_commit(house: House):
    with house.connect() as session:
        session.execute(sql.Begin())
        session.execute(sql.LockHistory(house.table))
        session.execute(house.copy(("1.csv", "1\n")))
        session.execute(house.recorded())
    with house.connect() as session:
        assert found(session, house.key) == NOT_LOADED
    assert house.count_rows() == 0


def test_emptying_and_copying_are_undone_together(house: House):
    with house.connect() as session:
        for end in (sql.Commit(), sql.Rollback()):
            session.execute(sql.Begin())
            session.execute(sql.DeleteAll(house.table))
            session.execute(house.copy(("1.csv", "1\n2\n")))
            session.execute(end)
    assert house.count_rows() == 2


def test_the_newest_batch_of_the_load_is_known(house: House):
    with house.connect() as session:
        session.execute(sql.Begin())
        session.execute(house.recorded(query_id=None))
        session.execute(sql.Commit())
        older = LoadKey(house.table, "orders", "01ARZ3NDEKTSV4RRFFQ69G5FAA", 1)
        assert found(session, older) == HistoryAnswer(committed=None, newest=house.key.batch)
        newer = LoadKey(house.table, "orders", "01ARZ3NDEKTSV4RRFFQ69G5FAZ", 1)
        assert found(session, newer) == HistoryAnswer(committed=None, newest=house.key.batch)
        assert found(session, replace(newer, load="other")) == NOT_LOADED


def test_another_generation_of_a_batch_is_not_taken_for_this_one(house: House):
    """A person asked for the batch once more: that it was loaded before is no reason not to."""
    with house.connect() as session:
        session.execute(sql.Begin())
        session.execute(house.recorded(query_id=None))
        session.execute(sql.Commit())
        assert found(session, replace(house.key, generation=2)).committed is None
        assert found(session, house.key).committed is not None


def test_the_digest_of_the_names_comes_back_as_it_was_written(house: House):
    digest = digest_of_names(["landing/1.csv"])
    with house.connect() as session:
        session.execute(sql.Begin())
        session.execute(house.recorded(names_digest=digest))
        session.execute(sql.Commit())
        answer = found(session, house.key)
        assert answer == HistoryAnswer(Committed(3, 7, 2, digest), house.key.batch, newest_digest=digest)
        other = found(session, replace(house.key, batch="01ARZ3NDEKTSV4RRFFQ69G5FAA"))
        assert other == HistoryAnswer(None, house.key.batch, newest_digest=digest)
        (row,) = session.execute(sql.ReadBatchHistory(house.table, "orders", house.key.batch))
        assert row.names_digest == digest
        assert [row] == session.execute(sql.ReadHistory(house.table, "orders", "", 9))


def test_a_history_of_an_earlier_release_says_so_and_is_written_and_read_as_it_is(house: House):
    """In the same statements: it is found out by the question that is asked anyway, also when it has no rows yet."""
    house.make_history_old()
    with house.connect() as session:
        old = {"keeps_digests": False, "keeps_sources": False}
        assert found(session, house.key) == HistoryAnswer(None, newest=None, **old)
        with pytest.raises(NotSetUpError, match="names_digest"):
            session.execute(house.recorded(names_digest="abc"))
        with pytest.raises(NotSetUpError, match="source"):
            session.execute(replace(house.recorded(), source="s3://landing/"))
        session.execute(sql.Begin())
        session.execute(house.recorded())
        session.execute(sql.Commit())
        assert found(session, house.key) == HistoryAnswer(Committed(3, 7, 2), house.key.batch, **old)
        (row,) = session.execute(sql.ReadBatchHistory(house.table, "orders", house.key.batch))
        assert (row.rows, row.names_digest) == (3, None)
        assert [row] == session.execute(sql.ReadHistory(house.table, "orders", "", 9))


def test_other_loads_with_the_same_source_are_found_and_give_their_rows_to_a_load(house: House):
    one, two = "01ARZ3NDEKTSV4RRFFQ69G5FAA", "01ARZ3NDEKTSV4RRFFQ69G5FAB"
    with house.connect() as session:
        session.execute(sql.Begin())
        for load, batch, generation, source in [
            ("old", one, 1, "s3://landing/"), ("old", two, 1, "s3://landing/"), ("old", two, 2, "s3://landing/"),
            ("older", one, 1, "s3://landing/"), ("elsewhere", one, 1, "s3://other/"), ("before", one, 1, None),
            ("orders", one, 1, "s3://landing/"),
        ]:  # fmt: skip
            key = LoadKey(house.table, load, batch, generation)
            session.execute(sql.RecordLoaded(key, 1, rows=3, files=2, query_id=None, run="dag/run", source=source))
        session.execute(sql.Commit())
        asked = FindOtherLoads(house.table, "orders", "s3://landing/")
        assert session.execute(asked) == [OtherLoad("old", 2, two), OtherLoad("older", 1, one)]
        for last in (sql.Rollback(), sql.Commit(), sql.Commit()):
            for statement in (sql.Begin(), sql.LockHistory(house.table)):
                session.execute(statement)
            session.execute(GiveRows(house.table, "old", "new", "s3://new/"))
            session.execute(last)
            given = {LoadKey(house.table, load, two, 2): found(session, LoadKey(house.table, load, two, 2)).committed
                     for load in ("old", "new")}  # fmt: skip
            assert [each is not None for each in given.values()] == [last == sql.Rollback(), last == sql.Commit()]
        assert session.execute(asked) == [OtherLoad("older", 1, one)]
        assert session.execute(replace(asked, source="s3://new/")) == [OtherLoad("new", 2, two)]


def test_the_history_is_read_page_by_page_and_batch_by_batch(house: House):
    batches = [f"01ARZ3NDEKTSV4RRFFQ69G5FA{letter}" for letter in "ABC"]
    with house.connect() as session:
        session.execute(sql.Begin())
        for batch, generation in [(batches[2], 1), (batches[0], 2), (batches[0], 1), (batches[1], 1)]:
            key = LoadKey(house.table, "orders", batch, generation)
            session.execute(sql.RecordLoaded(key, attempt=1, rows=3, files=2, query_id=None, run="dag/run"))
        session.execute(sql.Commit())
        page = session.execute(sql.ReadHistory(house.table, "orders", "", 3))
        assert [(row.batch, row.generation) for row in page] == [(batches[0], 1), (batches[0], 2), (batches[1], 1)]
        assert page[0] == HistoryRow(batches[0], 1, 1, 3, 2, None, "dag/run", page[0].loaded_at)
        assert page[0].loaded_at is not None
        assert page[0].loaded_at.year >= 2026
        assert page[0].loaded_at.tzinfo is UTC
        rest = session.execute(sql.ReadHistory(house.table, "orders", batches[1], 3))
        assert [row.batch for row in rest] == [batches[2]]
        of_one = session.execute(sql.ReadBatchHistory(house.table, "orders", batches[0]))
        assert [row.generation for row in of_one] == [1, 2]
        assert session.execute(sql.ReadHistory(house.table, "returns", "", 3)) == []


def test_the_files_that_a_copy_read_can_be_asked_for(house: House):
    with house.connect() as session:
        session.execute(sql.Begin())
        session.execute(house.copy(("1.csv", "1\n"), ("2 +%2B.csv", "2\n")))
        query_id = session.execute(sql.LastCopy())[0].query_id
        session.execute(sql.Commit())
        files = session.execute(sql.ReadLoadedFiles((query_id, query_id + 1000)))
    urls = (f"s3://{house.bucket}/1.csv", f"s3://{house.bucket}/2 +%2B.csv")
    assert sorted(files, key=lambda file: file.url) == [CopiedFile(query_id, url) for url in urls]


def test_a_session_that_wants_the_history_waits_for_the_one_that_has_it(house: House):
    """The mutex. Without it two loads could both look before either commits."""
    first_has_it, first_may_commit, order = threading.Event(), threading.Event(), []

    def first() -> None:
        with house.connect() as session:
            session.execute(sql.Begin())
            session.execute(sql.LockHistory(house.table))
            first_has_it.set()
            first_may_commit.wait(30)
            session.execute(house.recorded())
            order.append("first commits")
            session.execute(sql.Commit())

    thread = threading.Thread(target=first)
    thread.start()
    first_has_it.wait(30)
    with house.connect() as session:
        session.execute(sql.Begin())
        first_may_commit.set()
        session.execute(sql.LockHistory(house.table))
        order.append("second has the lock")
        assert found(session, house.key).committed
    thread.join()
    assert order == ["first commits", "second has the lock"]


def test_bad_data_is_told_as_such_and_its_rows_can_be_asked_for_after_the_rollback(house: House):
    with house.connect() as session:
        (pid,) = session.execute(sql.BackendPid())
        session.execute(sql.Begin())
        with pytest.raises(BadDataError):
            session.execute(house.copy(("1.csv", "1\nbad\n")))
        session.execute(sql.Rollback())
        (row,) = session.execute(sql.FindRowErrors(pid, 10))
    assert row == RowError(f"s3://{house.bucket}/1.csv", 2, "id", "bad", row.reason, 1207, row.query_id)
    assert row.query_id
    assert row.query_id > 0
    assert house.count_rows() == 0


def test_rows_that_copy_skipped_can_be_asked_for_after_the_commit(house: House):
    options = CopyOptions(format="csv", options="MAXERROR 5")
    with house.connect() as session:
        found = []
        for content in ("1\nbad\n2\nbad\n", "1\n"):
            session.execute(sql.Begin())
            session.execute(replace(house.copy(("1.csv", content)), options=options))
            (copied,) = session.execute(sql.LastCopy())
            session.execute(sql.Commit())
            found.append(session.execute(sql.FindSkippedRows(copied.query_id, 10)))
            if content != "1\n":
                assert [len(found[0]), copied.rows] == [2, 2]
                assert session.execute(sql.FindSkippedRows(copied.query_id, 1)) == found[0][:1]
    first, second = found[0]
    assert (first.counted, first.shown) == (2, 2)
    assert [each.error and (each.error.file, each.error.line, each.error.column) for each in (first, second)] == [
        (f"s3://{house.bucket}/1.csv", 2, "id"),
        (f"s3://{house.bucket}/1.csv", 4, "id"),
    ]
    assert found[1] == [SkippedRow(0, 0, None)]


def test_a_copy_that_the_views_do_not_show_yet_has_no_number(house: House):
    with house.connect() as session:
        assert session.execute(sql.FindSkippedRows(123456789, 10)) == [SkippedRow(None, 0, None)]


@pytest.mark.parametrize("copy_format", ["parquet", "orc"])
def test_a_columnar_object_of_another_size_than_the_manifest_tells_is_bad_data(house: House, copy_format: str):
    copy = replace(house.copy(("1", "1\n")), options=CopyOptions(format=copy_format))
    entry = {"url": f"s3://{house.bucket}/1", "mandatory": True, "meta": {"content_length": 3}}
    house.storage.write(house.bucket, "manifest", json.dumps({"entries": [entry]}).encode())
    with house.connect() as session, pytest.raises(BadDataError, match="content_length"):
        session.execute(copy)


def test_a_missing_object_is_told_as_such(house: House):
    copy = house.copy()
    manifest = {"entries": [{"url": f"s3://{house.bucket}/gone.csv", "mandatory": True}]}
    house.storage.write(house.bucket, "manifest", json.dumps(manifest).encode())
    with house.connect() as session, pytest.raises(ObjectsMissingError):
        session.execute(copy)


def test_a_missing_table_or_history_is_told_as_such(house: House):
    nowhere = TableName("public", "nowhere")
    house.copy(("1.csv", "1\n"))
    with house.connect() as session:
        with pytest.raises(NotSetUpError, match="nowhere"):
            session.execute(sql.Copy(nowhere, None, f"s3://{house.bucket}/manifest", CSV))
        session.execute(sql.Begin())
        with pytest.raises(NotSetUpError, match="nowhere"):
            session.execute(sql.LockHistory(nowhere))


def test_after_an_error_the_transaction_takes_nothing_but_its_rollback(house: House):
    with house.connect() as session:
        session.execute(sql.Begin())
        with pytest.raises(StatementError):
            session.execute(sql.UserStatement("syntax error"))
        with pytest.raises(StatementError):
            session.execute(house.recorded())
        session.execute(sql.Rollback())
        session.execute(sql.UserStatement("SELECT 1 WHERE 'a%s' LIKE '100 %'"))


@pytest.mark.parametrize("text", ["COMMIT", "TRUNCATE {table}"])
def test_sql_of_a_user_that_commits_ends_the_transaction_and_gives_the_lock_away(house: House, text: str):
    """Why the loader refuses it: the history's row and the rows are committed each by itself, and others come in."""
    with house.connect() as session, house.connect() as other:
        session.execute(sql.Begin())
        session.execute(sql.LockHistory(house.table))
        session.execute(house.recorded())
        session.execute(sql.UserStatement(text.format(table=house.table)))
        assert found(other, house.key).committed
        for locks_once_more in (False, True):
            if locks_once_more:
                session.execute(sql.LockHistory(house.table))
            other.execute(sql.Begin())
            other.execute(sql.LockHistory(house.table))
            other.execute(sql.Rollback())
        session.execute(house.copy(("1.csv", "1\n2\n")))
        assert house.count_rows() == 2
        session.execute(sql.Rollback())
        assert house.count_rows() == 2


def test_a_temporary_table_outlives_the_transaction_that_a_user_has_ended(house: House):
    staging = TemporaryTable("staged")
    with house.connect() as session:
        session.execute(sql.Begin())
        session.execute(sql.CreateStaging(staging, house.table))
        session.execute(sql.UserStatement("COMMIT"))
        session.execute(replace(house.copy(("1.csv", "1\n")), target=staging))
        session.execute(sql.Merge(house.table, staging, ("id",), None))
    assert house.count_rows() == 1


def test_a_procedure_that_commits_is_refused_in_a_transaction(house: House):
    name = f"public.commits_{house.table.table}()"
    with house.connect() as session:
        session.execute(sql.UserStatement(f"CREATE PROCEDURE {name} AS $$ BEGIN COMMIT; END; $$ LANGUAGE plpgsql"))
        session.execute(sql.Begin())
        session.execute(house.recorded())
        with pytest.raises(StatementError):
            session.execute(sql.UserStatement(f"CALL {name}"))
        session.execute(sql.Rollback())
        assert found(session, house.key) == NOT_LOADED


def test_a_session_that_was_ended_by_another_does_not_know_the_outcome(house: House):
    with house.connect() as hung, house.connect() as other:
        hung.execute(sql.Begin())
        hung.execute(house.recorded())
        other.execute(sql.TerminateSession(hung.execute(sql.BackendPid())[0]))
        with pytest.raises(ConnectionLostError):
            hung.execute(sql.Commit())
        assert found(other, house.key) == NOT_LOADED


@pytest.mark.parametrize("end", [sql.Commit(), sql.Rollback(), None])
def test_how_the_transaction_of_a_copy_ended_can_be_asked_by_another_session(house: House, end: sql.Statement | None):
    """A session that was just left open, and then ended, has not committed."""
    with house.connect() as session, house.connect() as other:
        (pid,) = session.execute(sql.BackendPid())
        session.execute(sql.Begin())
        session.execute(house.copy(("1.csv", "1\n")))
        query_id = session.execute(sql.LastCopy())[0].query_id
        question = sql.FindTransactionEnd(house.manifest_url, pid, query_id)
        assert other.execute(question) == [], "its transaction is not over"
        if end is not None:
            session.execute(end)
        assert other.execute(sql.CountSessions(pid)) == [1]
        other.execute(sql.TerminateSession(pid))
        while other.execute(sql.CountSessions(pid)) == [1]:
            pass
        assert other.execute(question) == [isinstance(end, sql.Commit)]
        assert other.execute(sql.FindTransactionEnd(house.manifest_url, pid, query_id + 1)) == []


def test_a_connection_that_does_not_exist_is_an_error_that_names_it(house: House):
    with pytest.raises(ConfigurationError, match="elsewhere"), house.warehouse.connect("elsewhere"):
        pass


def test_a_wrong_password_is_an_error_that_names_the_connection(redshift_login: Any):
    """Real only: the fake has no passwords."""
    from rsloader_provider.aws.redshift.warehouse import RedshiftWarehouse  # noqa: PLC0415 (only here)

    warehouse = RedshiftWarehouse(lambda _: redshift_login(password="wrong"))
    with pytest.raises(AccessDeniedError, match="Connection redshift_default"), warehouse.connect("redshift_default"):
        pass
