"""The SQL around a COPY as Redshift has it: MERGE, APPEND, temporary tables, SUPER, LOCK, and what is refused."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import redshift_connector
from local_stack.redshift.test_session import waits_for_a_lock
from support.redshift_fixtures import Client, Landing, copy_sql, new_table, server_error

if TYPE_CHECKING:
    import psycopg


@pytest.fixture
def autocommit(connect: Callable[..., Client]) -> Client:
    client = connect()
    client.connection.autocommit = True
    return client


def refusal(client: Client, sql: str) -> tuple[str, str]:
    """The code and the message with which a statement is refused."""
    with pytest.raises(redshift_connector.ProgrammingError) as raised:
        client.run(sql)
    client.rollback()
    error = server_error(raised.value)
    return error["C"], error["M"]


def rows(client: Client, table: str) -> list[list[Any]]:
    return client.run(f"SELECT * FROM {table} ORDER BY 1, 2")


class TestMerge:
    @pytest.fixture
    def target(self, client: Client) -> str:
        table = new_table(client, "id int, name varchar(10)")
        client.run(
            f"INSERT INTO {table} VALUES (30, 'Tony'), (30, 'Daisy'), (11, 'Alice'), (23, 'Bill'), (23, 'Nikki')"
        )
        return table

    @pytest.fixture
    def source(self, client: Client) -> str:
        table = new_table(client, "id int, name varchar(10)")
        client.run(f"INSERT INTO {table} VALUES (23, 'David'), (22, 'Clarence')")
        return table

    @pytest.mark.parametrize(
        ("matched", "expected"),
        [
            ("UPDATE SET name = CASE WHEN s.id = 23 THEN s.name END", [[23, "David"], [23, "David"]]),
            ("DELETE", []),
        ],
    )
    def test_it_updates_or_deletes_and_inserts(
        self, client: Client, target: str, source: str, matched: str, expected: list[Any]
    ) -> None:
        client.run(
            f"MERGE INTO {target} USING {source} AS s ON {target}.id = s.id WHEN MATCHED THEN {matched} "
            "WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name)"
        )
        assert rows(client, target) == [
            [11, "Alice"],
            [22, "Clarence"],
            *expected,
            [30, "Daisy"],
            [30, "Tony"],
        ]

    def test_remove_duplicates_replaces_what_matches(self, client: Client, target: str, source: str) -> None:
        """AWS's own example: of two rows that match one is left, and two that match nothing stay."""
        client.run(f"MERGE INTO {target} USING {source} ON {target}.id = {source}.id REMOVE DUPLICATES")
        assert rows(client, target) == [[11, "Alice"], [22, "Clarence"], [23, "David"], [30, "Daisy"], [30, "Tony"]]
        client.rollback()
        client.run(f"MERGE INTO public.{target} USING {source} s ON {target}.id = s.id REMOVE DUPLICATES")
        assert len(rows(client, source)) == 0, "the source was created in the transaction that has been rolled back"

    @pytest.mark.parametrize(
        "clauses",
        [
            "WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name)",
            "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name)",
            "REMOVE DUPLICATES",
        ],
    )
    def test_a_row_that_two_rows_of_the_source_match_is_an_error(
        self, client: Client, target: str, source: str, clauses: str
    ) -> None:
        client.run(f"INSERT INTO {source} VALUES (11, 'x'), (11, 'y')")
        client.commit()
        assert refusal(client, f"MERGE INTO {target} USING {source} s ON {target}.id = s.id {clauses}") == (
            "XX000",
            "Found multiple matches to update the same tuple.",
        )

    @pytest.mark.parametrize("columns", ["id int", "id int, name varchar(10), more int"])
    def test_remove_duplicates_needs_as_many_columns(self, client: Client, target: str, columns: str) -> None:
        """Even of an empty source: a loader would else only fail once there is something to load."""
        other = new_table(client, columns)
        code, _ = refusal(client, f"MERGE INTO {target} USING {other} ON {target}.id = {other}.id REMOVE DUPLICATES")
        assert code == "42601"

    @pytest.mark.parametrize(
        ("merge", "code"),
        [
            ("MERGE INTO {t} AS x USING {s} s ON x.id = s.id {both}", "42601"),
            ("MERGE INTO {t} USING {s} s ON {t}.id = s.id WHEN MATCHED THEN DELETE", "42601"),
            ("MERGE INTO {t} USING {s} s ON {t}.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (1, '')", "42601"),
            ("MERGE INTO {t} USING {s} s ON {t}.id = s.id WHEN MATCHED AND true THEN DELETE {insert}", "42601"),
            ("MERGE INTO {t} USING {s} s ON {t}.id = s.id WHEN MATCHED THEN DO NOTHING {insert}", "42601"),
            ("MERGE INTO {t} USING {s} s ON {t}.id = s.id {both} RETURNING 1", "42601"),
            ("WITH s AS (SELECT * FROM {s}) MERGE INTO {t} USING s ON {t}.id = s.id {both}", "42601"),
            ("MERGE INTO {t} USING {t} s ON {t}.id = s.id {both}", "0A000"),
            ("MERGE INTO {t} USING (SELECT * FROM {s}) s ON {t}.id = s.id REMOVE DUPLICATES", "0A000"),
        ],
    )
    def test_what_only_postgresql_merges_is_refused(
        self, client: Client, target: str, source: str, merge: str, code: str
    ) -> None:
        insert = "WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name)"
        client.commit()
        sql = merge.format(t=target, s=source, insert=insert, both=f"WHEN MATCHED THEN DELETE {insert}")
        assert refusal(client, sql)[0] == code

    @pytest.mark.parametrize(
        "clauses", ["REMOVE DUPLICATES", "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name)"]
    )
    def test_a_second_merge_waits_for_the_first(
        self, client: Client, autocommit: Client, connect: Callable[..., Client], target: str, source: str, clauses: str
    ) -> None:
        merge = f"MERGE INTO {target} USING {source} s ON {target}.id = s.id {clauses}"
        client.commit()
        client.run(merge)
        pid = autocommit.value("SELECT pg_backend_pid()")
        thread = threading.Thread(target=lambda: autocommit.run(merge))
        thread.start()
        assert waits_for_a_lock(connect(), pid)
        client.commit()
        thread.join(10)
        assert not thread.is_alive()


class TestAppend:
    COLUMNS = "id int NOT NULL, name varchar(10), at timestamp DEFAULT '2024-01-02'"

    def test_it_moves_every_row(self, autocommit: Client) -> None:
        """Columns find each other by name."""
        target, source = (
            new_table(autocommit, "name varchar(10), id int"),
            new_table(autocommit, "id int, name varchar(10)"),
        )
        autocommit.run(f"INSERT INTO {source} VALUES (1, 'a'), (2, 'b')")
        autocommit.run(f"ALTER TABLE {target} APPEND FROM {source}")
        assert rows(autocommit, target) == [["a", 1], ["b", 2]]
        assert rows(autocommit, source) == []

    @pytest.mark.parametrize(
        ("target", "source", "option", "expected"),
        [
            ("id int, n int", "id int, n int, x int", "IGNOREEXTRA", [[1, 2]]),
            ("id int, n int DEFAULT 7", "id int", "FILLTARGET", [[1, 7]]),
            ("id int, n int", "id int", "FILLTARGET", [[1, None]]),
            ("n int IDENTITY(5,1), id int", "id int", "FILLTARGET", [[5, 1]]),
            ("id int, n int", "n int, id int, i int IDENTITY(1,1)", "IGNOREEXTRA", [[2, 1]]),
            ("id int, n int", "id int, n int, x int", "", "42703"),
            ("id int, n int", "id int", "", "42703"),
            ("id int, n int", "id int", "IGNOREEXTRA", "42703"),
            ("id int, n int", "id int, x int", "FILLTARGET", "42703"),
            ("id int, n int", "id int, n bigint", "", "42804"),
            ("id int, n varchar(3)", "id int, n varchar(4)", "", "42804"),
            ("id int, n int NOT NULL", "id int, n int", "", "42804"),
            ("id int, i int IDENTITY(1,1)", "id int, i int IDENTITY(1,1)", "", "0A000"),
            ("id int", "id int", "FILLTARGET IGNOREEXTRA", "42601"),
        ],
    )
    def test_columns_that_only_one_table_has_need_an_option(
        self, autocommit: Client, target: str, source: str, option: str, expected: Any
    ) -> None:
        into, emptied = new_table(autocommit, target), new_table(autocommit, source)
        count = sum("IDENTITY" not in column for column in source.split(", "))
        autocommit.run(f"INSERT INTO {emptied} VALUES ({', '.join(str(n + 1) for n in range(count))})")
        append = f"ALTER TABLE {into} APPEND FROM {emptied} {option}"
        if isinstance(expected, str):
            assert refusal(autocommit, append)[0] == expected
            assert autocommit.value(f"SELECT count(*) FROM {emptied}") == 1
        else:
            autocommit.run(append)
            assert autocommit.run(f"SELECT * FROM {into}") == expected

    def test_it_cannot_run_in_a_transaction(self, client: Client) -> None:
        """It commits by itself, so a loader must not believe that it could roll it back."""
        target, source = new_table(client, "id int"), new_table(client, "id int")
        assert refusal(client, f"ALTER TABLE {target} APPEND FROM {source}") == (
            "25001",
            "ALTER TABLE APPEND cannot run inside a transaction block",
        )

    def test_it_is_for_the_owner_and_permanent_tables(self, autocommit: Client, connect: Callable[..., Client]) -> None:
        target, source = new_table(autocommit, "id int"), new_table(autocommit, "id int")
        autocommit.run(f"GRANT ALL ON {target}, {source} TO loader")
        loader = connect(user="loader", password="loader's secret")
        loader.connection.autocommit = True
        assert refusal(loader, f"ALTER TABLE {target} APPEND FROM {source}") == (
            "42501",
            f"must be owner of relation {target}",
        )
        autocommit.run("CREATE TABLE #source (id int)")
        assert refusal(autocommit, f"ALTER TABLE {target} APPEND FROM #source")[0] == "42809"

    def test_both_tables_are_locked_against_other_writers(
        self, client: Client, autocommit: Client, connect: Callable[..., Client]
    ) -> None:
        target, source = new_table(client, "id int"), new_table(client, "id int")
        client.run(f"INSERT INTO {source} VALUES (1)")
        pid = autocommit.value("SELECT pg_backend_pid()")
        thread = threading.Thread(target=lambda: autocommit.run(f"ALTER TABLE {target} APPEND FROM {source}"))
        thread.start()
        assert waits_for_a_lock(connect(), pid)
        client.commit()
        thread.join(10)
        assert rows(client, f"(SELECT id, 0 FROM {target})") == [[1, 0]], "what it waited for has been moved, too"


class TestTemporaryTables:
    @pytest.mark.parametrize("protocol", ["simple", "extended"])
    def test_a_name_with_a_number_sign_works_in_every_statement(
        self, client: Client, simple: "psycopg.Connection[Any]", landing: Landing, protocol: str
    ) -> None:
        def run(sql: str) -> list[Any]:
            if protocol == "extended":
                return client.run(sql)
            cursor = simple.execute(sql)
            return [list(row) for row in cursor.fetchall()] if cursor.description else []

        table = new_table(client, "id int, name varchar(10)")
        run(f"CREATE TABLE IF NOT EXISTS #Staged (LIKE {table})")
        run(copy_sql("#staged", landing.put("1.csv", "1,a\n2,b\n")))
        run(copy_sql("#staged (id)", landing.put("2.csv", "3\n")))
        run("INSERT INTO #staged VALUES (4, '#no name'), (5, 'x')")
        run("UPDATE #staged SET name = 'c' WHERE #staged.id = 3")
        run("DELETE FROM #staged WHERE id = 2")
        run("DELETE #staged WHERE id = 5")
        run(f"MERGE INTO {table} USING #staged ON {table}.id = #staged.id REMOVE DUPLICATES")
        assert run("SELECT s.* FROM #staged s, #STAGED x WHERE s.id=x.id ORDER BY 1") == [
            [1, "a"],
            [3, "c"],
            [4, "#no name"],
        ]
        assert run(f"SELECT count(*) FROM {table} JOIN #staged USING (id)") == [[3]]
        run("SELECT id INTO #copied FROM #staged")
        run("CREATE TABLE #made DISTSTYLE EVEN AS SELECT * FROM #copied")
        run("ALTER TABLE #made RENAME TO #renamed")
        run("TRUNCATE #renamed")
        assert run("SELECT count(*) FROM #renamed") == [[0]]
        assert run("SELECT tablename FROM pg_table_def WHERE schemaname LIKE 'pg_temp%' GROUP BY 1 ORDER BY 1") == [
            ["#copied"],
            ["#renamed"],
            ["#staged"],
        ]
        run("DROP TABLE #staged, #copied, #renamed")

    def test_it_is_the_sessions_own(self, client: Client, connect: Callable[..., Client]) -> None:
        client.run("CREATE TABLE #mine (id int)")
        client.commit()
        assert refusal(connect(), "SELECT * FROM #mine") == ("42P01", 'relation "#mine" does not exist')

    def test_the_sign_stays_an_operator_between_two_values(self, client: Client) -> None:
        assert client.run("SELECT 5#3, 5 # 3, '#a'") == [[6, 6, "#a"]]

    def test_a_permanent_table_gets_no_such_name(self, client: Client) -> None:
        assert refusal(client, f"ALTER TABLE {new_table(client, 'id int')} RENAME TO #temporary")[0] == "42602"


class TestSuper:
    def test_json_goes_in_and_comes_out(self, client: Client, simple: "psycopg.Connection[Any]") -> None:
        """A driver takes SUPER for text, as it does on Redshift."""
        table = new_table(client, "id int, data SUPER")
        client.run(f'INSERT INTO {table} VALUES (1, JSON_PARSE(\'{{"a": [10001, "x"]}}\')), (2, NULL)')
        client.commit()
        query = f"SELECT data, JSON_SERIALIZE(data), data['a'][0], JSON_TYPEOF(data) FROM {table} ORDER BY id"
        expected = [['{"a": [10001, "x"]}', '{"a":[10001,"x"]}', "10001", "object"], [None] * 4]
        assert client.run(query) == expected
        assert [list(row) for row in simple.execute(query)] == expected
        assert client.run("SELECT type FROM pg_table_def WHERE tablename = %s", table) == [["integer"], ["super"]]

    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            ("IS_VALID_JSON('{\"a\": 1}')", True),
            ("IS_VALID_JSON('[1, 2]')", False),
            ("IS_VALID_JSON('{a}')", False),
            ("IS_VALID_JSON_ARRAY('[1, 2]')", True),
            ("CAN_JSON_PARSE('1')", True),
            ("CAN_JSON_PARSE('{')", False),
            ("JSON_SERIALIZE('[]'::SUPER)", "[]"),
            ("JSON_SERIALIZE(CAST('{}' AS super))", "{}"),
            ("JSON_SERIALIZE(JSON_PARSE('[\"a, b: c\", null, true, 1.50]'))", '["a, b: c",null,true,1.50]'),
            ("NVL(NULL, 2)", 2),
            ("NVL2(NULL::int, 'a', 'b')", "b"),
            ("length('x'::varchar(max))", 1),
            ("(SELECT usename FROM pg_user WHERE usesysid = current_user_id)", "awsuser"),
        ],
    )
    def test_functions(self, client: Client, expression: str, value: Any) -> None:
        assert client.value(f"SELECT {expression}") == value

    def test_navigation_by_dots_is_refused(self, client: Client) -> None:
        table = new_table(client, "data SUPER")
        assert refusal(client, f"SELECT t.data.a FROM {table} t")[0] == "42P01"


class TestLock:
    def test_several_tables_are_locked_for_everybody(self, client: Client, connect: Callable[..., Client]) -> None:
        """LOCK takes ACCESS EXCLUSIVE, so that even a reader waits."""
        first, second = new_table(client, "id int"), new_table(client, "id int")
        client.run(f"LOCK {first}, public.{second}")
        reader = connect()
        pid = reader.value("SELECT pg_backend_pid()")
        thread = threading.Thread(target=lambda: reader.run(f"SELECT * FROM {second}"))
        thread.start()
        assert waits_for_a_lock(connect(), pid)
        client.commit()
        thread.join(10)
        assert not thread.is_alive()

    @pytest.mark.parametrize("privilege", ["UPDATE", "DELETE", "TRUNCATE"])
    def test_a_user_who_may_change_rows_may_lock(
        self, client: Client, connect: Callable[..., Client], privilege: str
    ) -> None:
        table = new_table(client, "id int")
        client.run(f"GRANT {privilege} ON {table} TO loader")
        client.commit()
        connect(user="loader", password="loader's secret").run(f"LOCK TABLE {table}")

    @pytest.mark.parametrize("privilege", ["SELECT", "INSERT"])
    def test_a_user_who_may_not_change_rows_may_not_lock(
        self, client: Client, connect: Callable[..., Client], privilege: str
    ) -> None:
        """Although it may insert, for which the local Redshift takes a lock on its behalf."""
        table = new_table(client, "id int")
        client.run(f"GRANT {privilege} ON {table} TO loader")
        client.commit()
        loader = connect(user="loader", password="loader's secret")
        assert refusal(loader, f"LOCK {table}") == ("42501", f"permission denied for relation {table}")
        client.run(f"LOCK {table}")  # nothing of the refused one is left

    def test_a_table_of_the_same_transaction_can_be_locked(self, connect: Callable[..., Client]) -> None:
        loader = connect(user="loader", password="loader's secret")
        loader.run("CREATE TABLE of_this_transaction (id int)")
        loader.run("LOCK of_this_transaction")
        loader.rollback()

    def test_outside_a_transaction_it_is_no_error(self, autocommit: Client, simple: "psycopg.Connection[Any]") -> None:
        table = new_table(autocommit, "id int")
        autocommit.run(f"LOCK {table}")
        simple.execute(f"LOCK {table}")

    @pytest.mark.parametrize("more", ["IN SHARE MODE", "NOWAIT", ",", "*"])
    def test_it_takes_no_mode(self, client: Client, more: str) -> None:
        assert refusal(client, f"LOCK {new_table(client, 'id int')} {more}")[0] == "42601"


class TestTables:
    def test_only_the_owner_truncates(self, client: Client, connect: Callable[..., Client]) -> None:
        table = new_table(client, "id int")
        client.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO loader")
        client.commit()
        loader = connect(user="loader", password="loader's secret")
        assert refusal(loader, f"TRUNCATE {table}") == ("42501", f"permission denied for relation {table}")

    @pytest.mark.parametrize(
        ("option", "default"), [("", None), ("EXCLUDING DEFAULTS", None), ("INCLUDING DEFAULTS", 7)]
    )
    def test_like_copies_columns_and_only_if_asked_their_defaults(
        self, client: Client, option: str, default: int | None
    ) -> None:
        parent = new_table(client, "id int NOT NULL DISTKEY, n int DEFAULT 7, PRIMARY KEY (id)")
        client.run(f"CREATE TEMP TABLE liked (LIKE {parent} {option}) BACKUP NO DISTSTYLE ALL")
        client.run("INSERT INTO liked (id) VALUES (1), (1)")
        assert client.run("SELECT * FROM liked") == [[1, default]] * 2
        assert refusal(client, "INSERT INTO liked (n) VALUES (1)")[0] in ("23502", "42P01")

    def test_a_table_is_made_from_a_query_with_storage_hints(self, client: Client) -> None:
        client.run("CREATE TEMP TABLE made BACKUP NO DISTKEY(n) COMPOUND SORTKEY(n, m) AS (SELECT 1 AS n, 2 AS m)")
        client.run("CREATE TEMP TABLE named (a, b) DISTSTYLE KEY DISTKEY(a) AS SELECT * FROM made")
        assert client.run("SELECT a, b FROM named") == [[1, 2]]

    def test_rows_are_changed_by_another_table(self, client: Client) -> None:
        table, other = new_table(client, "id int, n int"), new_table(client, "id int, n int")
        client.run(f"INSERT INTO {table} VALUES (1, 0), (2, 0), (3, 0)")
        client.run(f"INSERT INTO {other} VALUES (1, 10), (2, 20)")
        client.run(f"UPDATE {table} SET n = o.n FROM {other} o WHERE {table}.id = o.id")
        client.run(f"DELETE FROM {table} USING {other} WHERE {table}.id = {other}.id AND {other}.n = 20")
        client.run(f"DELETE {table} WHERE id = 3")
        assert rows(client, table) == [[1, 10]]

    @pytest.mark.parametrize(
        ("type_", "length"),
        [
            ("varbyte(4)", 4),
            ("VARBINARY (4)", 4),
            ("binary varying(4)", 4),
            ("varbyte", 64000),
            ("character varying", 256),
        ],
    )
    def test_a_length_is_kept(self, client: Client, type_: str, length: int) -> None:
        table = new_table(client, f"value {type_} NOT NULL ENCODE raw, id int")
        value = "repeat('x', {})" if "char" in type_ else "decode(repeat('00', {}), 'hex')"
        client.run(f"INSERT INTO {table} VALUES ({value.format(length)})")
        client.commit()
        assert refusal(client, f"INSERT INTO {table} VALUES ({value.format(length + 1)})")[0] in ("22001", "23514")
        assert client.value(f"SELECT octet_length(value) FROM {table}") == length

    def test_names_and_lengths_change(self, autocommit: Client) -> None:
        table = new_table(autocommit, "id int, name varchar(3)")
        autocommit.run(f"ALTER TABLE {table} ALTER COLUMN name TYPE varchar(max)")
        autocommit.run(f"ALTER TABLE {table} RENAME COLUMN name TO label")
        autocommit.run(f"ALTER TABLE {table} RENAME TO {table}_renamed")
        autocommit.run(f"INSERT INTO {table}_renamed (label) VALUES ('abcdef')")
        assert autocommit.run(f"SELECT label FROM {table}_renamed") == [["abcdef"]]
        assert refusal(autocommit, f"ALTER TABLE {table}_renamed ALTER COLUMN label TYPE varchar(5)")[0] == "22001"
        assert refusal(autocommit, f"ALTER TABLE {table}_renamed ALTER COLUMN id TYPE bigint")[0] == "0A000"

    def test_a_column_is_not_altered_in_a_transaction(self, client: Client) -> None:
        table = new_table(client, "name varchar(3)")
        assert refusal(client, f"ALTER TABLE {table} ALTER COLUMN name TYPE varchar(5)") == (
            "25001",
            "ALTER TABLE ALTER COLUMN cannot run inside a transaction block",
        )

    @pytest.mark.parametrize(
        "hint",
        [
            "ALTER SORTKEY (id, name)",
            "ALTER COMPOUND SORTKEY (id)",
            "ALTER DISTSTYLE KEY DISTKEY id",
            "ALTER SORTKEY NONE, ALTER DISTSTYLE EVEN",
            "ALTER ENCODE AUTO",
            "ALTER COLUMN name ENCODE zstd",
            "ALTER COLUMN name ENCODE zstd, ALTER COLUMN id ENCODE az64",
        ],
    )
    def test_storage_hints_are_taken_from_the_owner(
        self, autocommit: Client, connect: Callable[..., Client], hint: str
    ) -> None:
        table = new_table(autocommit, "id int, name varchar(3)")
        autocommit.run(f"ALTER TABLE {table} {hint}")
        assert refusal(autocommit, f"ALTER TABLE nowhere {hint}")[0] == "42P01"
        loader = connect(user="loader", password="loader's secret")
        loader.connection.autocommit = True
        assert refusal(loader, f"ALTER TABLE {table} {hint}") == ("42501", f"must be owner of relation {table}")


@pytest.mark.parametrize(
    "command",
    [
        "VACUUM {table}",
        "VACUUM",
        "VACUUM FULL {table} TO 90 PERCENT BOOST",
        "VACUUM SORT ONLY {table}",
        "VACUUM DELETE ONLY {table} TO 75 PERCENT",
        "VACUUM REINDEX {table}",
        "VACUUM RECLUSTER {table} BOOST",
        "ANALYZE",
        "ANALYZE VERBOSE {table} (id)",
        "ANALYZE {table} PREDICATE COLUMNS",
        "ANALYZE {table} ALL COLUMNS",
    ],
)
def test_maintenance_is_spelled_as_on_redshift(autocommit: Client, command: str) -> None:
    table = new_table(autocommit, "id int")
    autocommit.run(command.format(table=table))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("VACUUM {table} TO 90", "42601"),
        ("VACUUM (ANALYZE) {table}", "42601"),
        ("ANALYZE COMPRESSION {table}", "0A000"),
        ("CREATE TABLE x (a varchar(3) COLLATE CASE_INSENSITIVE)", "0A000"),
        ("ALTER TABLE {table} ADD PRIMARY KEY (id)", "0A000"),
        ("ALTER TABLE {table} ADD COLUMN", "42601"),
    ],
)
def test_what_redshift_or_the_local_one_cannot_do_is_refused(autocommit: Client, command: str, code: str) -> None:
    assert refusal(autocommit, command.format(table=new_table(autocommit, "id int")))[0] == code
