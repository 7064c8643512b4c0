"""What can be looked up: loads, load errors, queries, sessions, locks and tables, and who sees whose."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import redshift_connector
from local_stack.redshift.test_session import waits_for_a_lock
from support.redshift_fixtures import Client, Landing, connect_psycopg, copy_sql, new_table, server_error

from rsloader_provider.local.redshift import LocalRedshift

LOADER = {"user": "loader", "password": "loader's secret"}

# Names and types as AWS documents them, in that order.
COLUMNS = {
    "stl_load_errors": "userid int4, slice int4, tbl int4, starttime timestamp, session int4, query int4, "
    "filename bpchar256, line_number int8, colname bpchar127, type bpchar10, col_length bpchar10, position int4, "
    "raw_line bpchar1024, raw_field_value bpchar1024, err_code int4, err_reason bpchar100, is_partial int4, "
    "start_offset int8, copy_job_id int8",
    "stl_loaderror_detail": "userid int4, slice int4, session int4, query int4, filename bpchar256, line_number int8, "
    "field int4, colname bpchar1024, value bpchar1024, is_null int4, type bpchar10, col_length bpchar10",
    "stl_load_commits": "userid int4, query int4, slice int4, name bpchar256, filename bpchar256, byte_offset int4, "
    "lines_scanned int4, errors int4, curtime timestamp, status int4, file_format bpchar16, is_partial int4, "
    "start_offset int8, copy_job_id int8",
    "sys_load_history": "user_id int4, query_id int8, transaction_id int8, session_id int4, database_name text, "
    "status text, table_name text, start_time timestamp, end_time timestamp, duration int8, data_source text, "
    "file_format text, loaded_rows int8, loaded_bytes int8, source_file_count int4, source_file_bytes int8, "
    "file_count_scanned int4, file_bytes_scanned int8, error_count int8, copy_job_id int8",
    "sys_transaction_history": "user_id int4, transaction_id int8, isolation_level text, status text, "
    "transaction_start_time timestamp, commit_start_time timestamp, commit_end_time timestamp, blocks_committed int8, "
    "undo_transaction_id int8",
    "sys_load_detail": "user_id int4, query_id int4, file_name bpchar256, bytes_scanned int4, lines_scanned int4, "
    "record_time timestamp, splits_scanned int4, start_time timestamp, end_time timestamp, file_etag bpchar256, "
    "file_last_modified timestamp",
    "sys_load_error_detail": "user_id int4, query_id int8, transaction_id int8, session_id int4, "
    "database_name bpchar64, table_id int4, start_time timestamp, file_name bpchar256, line_number int8, "
    "column_name bpchar127, column_type bpchar10, column_length bpchar10, position int4, error_code int4, "
    "error_message bpchar512, copy_job_id int8",
    "sys_query_history": "user_id int4, query_id int8, query_label bpchar320, transaction_id int8, session_id int4, "
    "database_name bpchar128, query_type bpchar32, status bpchar10, result_cache_hit bool, start_time timestamp, "
    "end_time timestamp, elapsed_time int8, queue_time int8, execution_time int8, error_message bpchar512, "
    "returned_rows int8, returned_bytes int8, query_text bpchar4000, redshift_version bpchar256, "
    "usage_limit bpchar150, compute_type varchar32",
    "stl_query": "userid int4, query int4, label bpchar320, xid int8, pid int4, database bpchar32, "
    "querytxt bpchar4000, starttime timestamp, endtime timestamp, aborted int4, insert_pristine int4, "
    "concurrency_scaling_status int4",
    "stv_sessions": "starttime timestamp, process int4, user_name bpchar50, db_name bpchar50, timeout_sec int4",
    "stv_locks": "table_id int8, last_commit timestamp, last_update timestamp, lock_owner int8, lock_owner_pid int8, "
    "lock_owner_start_ts timestamp, lock_owner_end_ts timestamp, lock_status bpchar22",
    "svv_table_info": "database text, schema text, table_id oid, table text, encoded text, diststyle text, "
    "sortkey1 text, max_varchar int4, sortkey1_enc bpchar32, sortkey_num int4, size int8, pct_used numeric10.4, "
    "empty int8, unsorted numeric5.2, stats_off numeric5.2, tbl_rows numeric38.0, skew_sortkey1 numeric19.2, "
    "skew_rows numeric19.2, estimated_visible_rows numeric38.0, risk_event text, vacuum_sort_benefit numeric12.2, "
    "create_time timestamp",
    "pg_table_def": "schemaname name, tablename name, column name, type text, encoding bpchar32, distkey bool, "
    "sortkey int4, notnull bool",
    "svv_tables": "table_catalog text, table_schema text, table_name text, table_type text, remarks text",
}


@pytest.mark.parametrize("view", COLUMNS)
def test_a_view_has_the_documented_columns(client: Client, view: str) -> None:
    """A stranger's program selects them by name and reads them by type."""
    found = client.run(
        "SELECT a.attname || ' ' || t.typname || coalesce(CASE "
        "WHEN t.typname IN ('bpchar', 'varchar') THEN (a.atttypmod - 4)::text "
        "WHEN t.typname = 'numeric' THEN ((a.atttypmod - 4) >> 16) || '.' || ((a.atttypmod - 4) & 2047) END, '') "
        "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE a.attrelid = ('pg_catalog.' || %s)::regclass AND a.attnum > 0 ORDER BY a.attnum",
        view,
    )
    assert ", ".join(row[0] for row in found) == COLUMNS[view]
    client.run(f"SELECT * FROM {view}")


class TestLoads:
    def test_only_the_end_of_its_transaction_tells_whether_a_completed_load_is_in_the_table(
        self, client: Client, landing: Landing, connect: Callable[..., Client]
    ) -> None:
        table = new_table(client, "id int")
        ends = (
            "SELECT h.status, t.status FROM sys_load_history h "
            "LEFT JOIN sys_transaction_history t USING (transaction_id) WHERE h.table_name = %s ORDER BY h.query_id"
        )
        client.copy(table, landing.put("1.csv", "1\n"))
        other = connect()
        assert other.run(ends, table) == [["completed", None]]
        client.commit()
        client.copy(table, landing.put("2.csv", "2\n"))
        client.rollback()
        other.rollback()
        assert other.run(ends, table) == [["completed", "committed"], ["completed", "rolledback"]]
        with pytest.raises(redshift_connector.ProgrammingError) as refused:
            connect(**LOADER).run("SELECT * FROM sys_transaction_history")
        assert server_error(refused.value)["C"] == "42501"

    def test_a_failed_load_is_told_after_its_rollback(self, client: Client, landing: Landing) -> None:
        table = new_table(client, "id int, name varchar(3)")
        url = landing.put("1.csv", "1,abc\n2,Zoë!\n")
        with pytest.raises(redshift_connector.ProgrammingError):
            client.copy(table, url)
        client.rollback()
        assert client.run(
            "SELECT rtrim(d.filename), d.line_number, d.field, rtrim(d.colname), rtrim(d.value), d.is_null, "
            "rtrim(d.type), rtrim(d.col_length), rtrim(e.raw_line), rtrim(e.err_reason) "
            "FROM stl_loaderror_detail d JOIN stl_load_errors e USING (query, line_number) "
            "WHERE d.query = pg_last_copy_id()"
        ) == [[url, 2, 1, "name", "Zo.!", 0, "varchar", "3", "2,Zo.!", "String length exceeds DDL length"]]
        assert client.run(
            "SELECT h.status, h.error_count, e.transaction_id = h.transaction_id, q.status, q.query_type "
            "FROM sys_load_history h JOIN sys_load_error_detail e USING (query_id) "
            "JOIN sys_query_history q USING (query_id) WHERE query_id = pg_last_copy_id()"
        ) == [["aborted", 1, True, "failed".ljust(10), "COPY".ljust(32)]]

    def test_each_loaded_file_is_told(self, client: Client, landing: Landing) -> None:
        table = new_table(client, "id int")
        first, second = landing.put("in/1.csv", "id\n1\n2\n"), landing.put("in/2.csv", "id\nx\n3")
        client.copy(table, landing.url("in/"), "CSV IGNOREHEADER 1 MAXERROR 2")
        assert client.run(
            "SELECT rtrim(c.filename), c.lines_scanned, c.errors, rtrim(c.file_format), c.curtime = d.record_time, "
            "rtrim(d.file_name), d.bytes_scanned, d.lines_scanned, d.end_time >= d.start_time "
            "FROM stl_load_commits c JOIN sys_load_detail d ON d.query_id = c.query AND d.file_name = c.filename "
            "WHERE c.query = pg_last_copy_id() ORDER BY 1"
        ) == [
            [first, 3, 0, "Text", True, first, 7, 3, True],
            [second, 3, 1, "Text", True, second, 6, 3, True],
        ]


class TestQueries:
    QUERY = (
        "SELECT rtrim(query_type), rtrim(status), returned_rows, rtrim(error_message) FROM sys_query_history "
        "WHERE query_text LIKE %s AND query_text NOT LIKE '%%sys_query_history%%' ORDER BY query_id"
    )

    @pytest.mark.parametrize("protocol", ["simple", "extended"])
    def test_every_statement_is_told(self, client: Client, simple: "psycopg.Connection[Any]", protocol: str) -> None:
        table = new_table(client, "id int")
        statements = [
            (f"INSERT INTO {table} VALUES (1), (2)", "INSERT", "success", 0, ""),
            (f"SELECT * FROM {table}", "SELECT", "success", 2, ""),
            (f"WITH x AS (SELECT 1) SELECT * FROM {table}, x", "SELECT", "success", 2, ""),
            (f"UPDATE {table} SET id = 3", "UPDATE", "success", 0, ""),
            (f"DELETE FROM {table}", "DELETE", "success", 0, ""),
            (f"CREATE TABLE {table}_made AS SELECT * FROM {table}", "CTAS", "success", 0, ""),
            (f"DROP TABLE {table}_made", "DDL", "success", 0, ""),
            (f"ANALYZE {table}", "UTILITY", "success", 0, ""),
            (f"COPY {table} FROM 's3://no-such-bucket/x' IAM_ROLE default", "COPY", "failed", 0, "S3ServiceException:"),
            (f"SELECT 1 / count(*) FROM {table}", "SELECT", "failed", 0, "division by zero"),
        ]
        for sql, *_ in statements:
            try:
                if protocol == "simple":
                    simple.execute(sql)
                else:
                    client.run(sql)
                    client.commit()
            except (psycopg.Error, redshift_connector.Error):
                client.rollback()
        told = client.run(self.QUERY, f"%{table}%")[1:]  # the first one created the table
        assert [[*row[:3], row[3][: len(expected[4])]] for row, expected in zip(told, statements, strict=True)] == [
            list(expected) for _, *expected in statements
        ]

    def test_it_tells_who_and_when_and_in_which_transaction(self, client: Client) -> None:
        client.run("SELECT 'in one', 1")
        client.run("SELECT 'in one', 2")
        client.commit()
        client.run("SELECT 'in one', 3")
        client.commit()
        found = client.run(
            "SELECT transaction_id, session_id = pg_backend_pid(), user_id = current_user_id, rtrim(database_name), "
            "start_time <= end_time AND elapsed_time >= 0 AND end_time BETWEEN getdate() - INTERVAL '1 minute' "
            "AND getdate() FROM sys_query_history WHERE query_text LIKE 'SELECT ''in one''%%' ORDER BY query_id"
        )
        assert [row[1:] for row in found] == [[True, True, "dev", True]] * 3
        assert found[0][0] == found[1][0] != found[2][0]

    def test_a_cancelled_one_is_told_as_such(self, client: Client, connect: Callable[..., Client]) -> None:
        table = new_table(client, "id int")
        client.run("SET statement_timeout = 50")
        connect().run(f"LOCK {table}")
        with pytest.raises(redshift_connector.ProgrammingError):
            client.run(f"SELECT count(*) FROM {table}, pg_sleep(10)")
        client.rollback()
        client.run("SET statement_timeout = 0")
        assert client.run(self.QUERY, f"SELECT count(*) FROM {table}%")[0][:2] == ["SELECT", "canceled"]

    @pytest.mark.parametrize(
        ("sql", "shown"),
        [
            ("COPY x FROM 's3://b/k' CREDENTIALS 'aws_access_key_id=AKIA;k={s}' CSV", "CREDENTIALS '***' CSV"),
            ("COPY x FROM 's3://b/k' WITH CREDENTIALS AS 'k={s}'", "WITH CREDENTIALS AS '***'"),
            (
                "COPY x FROM 's3://b/k' ACCESS_KEY_ID 'AKIA' SECRET_ACCESS_KEY '{s}' SESSION_TOKEN AS '{s}'",
                "ACCESS_KEY_ID '***' SECRET_ACCESS_KEY '***' SESSION_TOKEN AS '***'",
            ),
            ("CREATE USER nobody_else PASSWORD '{s}' NONSENSE", "PASSWORD '***' NONSENSE"),
            ("ALTER USER nobody_else WITH PASSWORD '{s}'", "WITH PASSWORD '***'"),
        ],
    )
    def test_no_secret_is_told(self, client: Client, simple: "psycopg.Connection[Any]", sql: str, shown: str) -> None:
        """Everybody who may look at the history of a user would else have the user's keys."""
        secret = f"hunter{abs(hash(sql))}"
        table = new_table(client, "id int")
        with pytest.raises(psycopg.Error):
            simple.execute(f"{sql.format(s=secret)} ON {table}")
        assert (
            client.value("SELECT count(*) FROM sys_query_history WHERE query_text LIKE %s", f"%{shown} ON {table}%")
            == 1
        )
        assert client.value("SELECT count(*) FROM sys_query_history WHERE query_text LIKE %s", f"%{secret}%") == 0
        assert client.value("SELECT count(*) FROM sys_query_history WHERE error_message LIKE %s", f"%{secret}%") == 0

    def test_a_user_sees_its_own(self, client: Client, connect: Callable[..., Client]) -> None:
        loader = connect(**LOADER)
        for each in (client, loader):
            each.run("SELECT 'whose is this'")
            each.commit()
        query = (
            "SELECT DISTINCT user_id = current_user_id FROM sys_query_history "
            "WHERE query_text = 'SELECT ''whose is this'''"
        )
        assert loader.run(query) == [[True]]
        assert sorted(client.run(query)) == [[False], [True]]
        assert loader.run("SELECT count(*) FROM stl_query WHERE userid <> current_user_id") == [[0]]

    def test_the_last_query_is_the_sessions(self, client: Client, connect: Callable[..., Client]) -> None:
        assert connect().value("SELECT pg_last_query_id()") == -1
        client.run("SELECT 'the last'")
        last = client.value("SELECT pg_last_query_id()")
        client.rollback()
        assert client.value("SELECT pg_last_query_id()") == last, "looking is no query, and nor is a rollback"
        assert client.run("SELECT rtrim(querytxt) FROM stl_query WHERE query = pg_last_query_id()") == [
            ["SELECT 'the last'"]
        ]

    def test_a_thousand_statements_are_written_without_being_asked_for(self, client: Client) -> None:
        """So that a long session's memory stays small."""
        table = new_table(client, "id int")
        sql = f"SELECT * FROM {table}"
        for _ in range(1000):
            client.run(sql)
        client.commit()
        told = client.value("SELECT count(*) FROM local_redshift.query WHERE query_text = %s", sql)
        assert 0 < told <= 1000
        assert len(client.run(self.QUERY, sql + "%")) == 1000


class TestSessionsAndLocks:
    def test_sessions(self, client: Client, connect: Callable[..., Client]) -> None:
        loader = connect(**LOADER)
        mine, theirs = (each.value("SELECT pg_backend_pid()") for each in (client, loader))
        query = "SELECT process FROM stv_sessions WHERE rtrim(db_name) = 'dev' AND starttime <= getdate()"
        assert {mine, theirs} <= {row[0] for row in client.run(query)}
        # A session that the same user has just closed may be there for a moment more.
        seen = {row[0] for row in loader.run(query)}
        assert theirs in seen
        assert mine not in seen

    def test_locks_are_shown_to_a_superuser(self, client: Client, connect: Callable[..., Client]) -> None:
        table = new_table(client, "id int")
        holder, waiter = connect(), connect()
        held_by, awaited_by = (each.value("SELECT pg_backend_pid()") for each in (holder, waiter))
        holder.run(f"INSERT INTO {table} VALUES (1)")
        thread = threading.Thread(target=lambda: waiter.run(f"DELETE FROM {table}"))
        thread.start()
        assert waits_for_a_lock(connect(), awaited_by)
        assert client.run(
            "SELECT lock_owner_pid, rtrim(lock_status), lock_owner_start_ts <= getdate() FROM stv_locks "
            "WHERE table_id = %s::regclass::oid::bigint ORDER BY lock_status",
            table,
        ) == [[held_by, "Holding write lock", True], [awaited_by, "Waiting for write lock", True]]
        holder.commit()
        thread.join(10)
        loader = connect(**LOADER)
        for view in ("stv_locks", "svv_table_info"):
            with pytest.raises(redshift_connector.ProgrammingError) as raised:
                loader.run(f"SELECT * FROM {view}")
            loader.rollback()
            assert server_error(raised.value)["M"] == f"permission denied for relation {view}"


class TestTables:
    def test_a_table_with_rows_is_told(self, client: Client) -> None:
        table = new_table(client, "id int NOT NULL, a varchar(10), b varchar(max)")
        query = 'SELECT schema, table_id = %s::regclass, max_varchar, tbl_rows FROM svv_table_info WHERE "table" = %s'
        assert client.run(query, table, table) == []
        client.run(f"INSERT INTO {table} VALUES (1), (2)")
        assert client.run(query, table, table) == [["public", True, 65535, 2]]

    def test_its_columns_are_told(self, client: Client) -> None:
        table = new_table(client, "id int NOT NULL, name varchar(10), data super")
        assert client.run('SELECT "column", type, "notnull" FROM pg_table_def WHERE tablename = %s', table) == [
            ["id", "integer", True],
            ["name", "character varying(10)", False],
            ["data", "super", False],
        ]
        assert client.run(
            "SELECT c.column_name, c.data_type, c.character_maximum_length, t.table_type FROM svv_columns c "
            "JOIN svv_tables t USING (table_schema, table_name) WHERE table_name = %s ORDER BY ordinal_position",
            table,
        ) == [
            ["id", "integer", None, "BASE TABLE"],
            ["name", "character varying", 10, "BASE TABLE"],
            ["data", "super", None, "BASE TABLE"],
        ]


def test_the_query_history_outlives_the_server(tmp_path: Any) -> None:
    """What is still in memory at the end is written where the data stays, and no query id is given twice."""
    last: list[int] = []
    for _ in range(2):
        with LocalRedshift(data_dir=tmp_path / "data") as redshift, connect_psycopg(redshift) as connection:
            connection.execute("SELECT 'before the end'")
            found = connection.execute("SELECT pg_last_query_id()").fetchone()
            last.append(found[0] if found else 0)
            told = connection.execute(
                "SELECT count(*) FROM sys_query_history WHERE query_text = 'SELECT ''before the end'''"
            ).fetchone()
    assert told == (2,)
    assert last[0] < last[1]


@pytest.mark.parametrize("count", [1, 3])
def test_the_last_copy_is_known_in_every_statement_of_a_message(
    simple: "psycopg.Connection[Any]", client: Client, landing: Landing, count: int
) -> None:
    table = new_table(client, "id int")
    copy = copy_sql(table, landing.put("1.csv", "1\n" * count))
    cursor = simple.execute(f"{copy}; SELECT pg_last_copy_count()")
    assert cursor.nextset()
    assert cursor.fetchone() == (count,)
