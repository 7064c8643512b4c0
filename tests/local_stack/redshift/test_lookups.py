"""What drivers and programs look up about the server and its tables."""

import re
from typing import TYPE_CHECKING, Any

import pytest
from support.redshift_fixtures import Client, new_table

if TYPE_CHECKING:
    import psycopg

_PRIMARY_KEY = (
    "SELECT constraint_name, column_name, ordinal_position FROM information_schema.table_constraints "
    "JOIN information_schema.key_column_usage USING (constraint_schema, constraint_name, table_name) "
    "WHERE constraint_type = 'PRIMARY KEY' AND constraint_schema = 'public' AND table_name = %s ORDER BY 3"
)


def test_the_version_is_redshifts_sentence(client: Client) -> None:
    assert re.fullmatch(r"PostgreSQL 8\.0\.2 on .+, Redshift 1\.0\.\d+", client.value("SELECT version()"))


def test_only_the_settings_of_its_version_are_reported(simple: "psycopg.Connection[Any]") -> None:
    """Told of standard_conforming_strings, psycopg2 would write literals that COPY does not take."""
    reported = simple.pgconn.parameter_status
    assert (reported(b"server_version"), reported(b"client_encoding")) == (b"8.0.2", b"UTF8")
    assert reported(b"standard_conforming_strings") is None


def test_a_semicolon_may_follow_a_prepared_statement(client: Client) -> None:
    client.run("CREATE TEMP TABLE followed (id integer) SORTKEY AUTO;")
    assert client.run("SELECT count(*) FROM followed ; -- and a comment") == [[0]]


@pytest.mark.parametrize(
    ("definition", "name", "columns"),
    [
        ("id integer PRIMARY KEY", None, ["id"]),
        ("id integer NOT NULL ENCODE az64 PRIMARY KEY, b integer UNIQUE", None, ["id"]),
        ("a integer, b varchar(9), PRIMARY KEY (b, a)", None, ["b", "a"]),
        ('"A b" integer, c integer, CONSTRAINT chosen PRIMARY KEY ("A b"), UNIQUE (c)', "chosen", ["A b"]),
        ("id integer, UNIQUE (id)", None, []),
        ("id integer NOT NULL", None, []),
    ],
)
def test_a_declared_primary_key_is_shown(client: Client, definition: str, name: str | None, columns: list[str]) -> None:
    table = new_table(client, definition)
    expected = [[name or f"{table}_pkey", column, number + 1] for number, column in enumerate(columns)]
    assert client.run(_PRIMARY_KEY, table) == expected


def test_a_declared_primary_key_is_not_enforced(client: Client) -> None:
    table = new_table(client, "id integer PRIMARY KEY")
    client.run(f"INSERT INTO {table} VALUES (1), (1)")
    assert client.value(f"SELECT count(*) FROM {table}") == 2


def test_a_key_goes_with_its_column(client: Client) -> None:
    table = new_table(client, "id integer PRIMARY KEY, b integer")
    client.run(f"ALTER TABLE {table} DROP COLUMN id CASCADE")
    assert client.run(_PRIMARY_KEY, table) == []
    client.rollback()


def test_a_table_like_another_has_no_key_of_its_own(client: Client) -> None:
    table = new_table(client, "id integer PRIMARY KEY")
    client.run(f"CREATE TEMP TABLE copied (LIKE {table} INCLUDING DEFAULTS)")
    assert client.run(_PRIMARY_KEY.replace("= 'public'", "LIKE 'pg_temp%%'"), "copied") == []
    client.rollback()


class TestQueriesOfTheSystemCatalog:
    """Queries that work in Redshift only, most of them as sqlalchemy-redshift puts them."""

    def test_its_relations_have_redshifts_columns(self, client: Client) -> None:
        table = new_table(client, "id integer DEFAULT 7 PRIMARY KEY")
        found = client.run(
            "SELECT reldiststyle, attisdistkey, attsortkeyord, format_encoding(attencodingtype::integer), adsrc "
            "FROM pg_catalog.pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
            "LEFT JOIN pg_catalog.pg_attrdef ON adrelid = c.oid AND adnum = attnum WHERE c.relname = %s",
            table,
        )
        assert found == [[None, False, 0, "none", "7"]]
        found = client.run(
            "SELECT contype, pg_catalog.pg_get_constraintdef(t.oid, true) FROM pg_constraint t "
            "JOIN pg_class ON pg_class.oid = t.conrelid WHERE pg_class.relname = %s",
            table,
        )
        assert found == [["p", "PRIMARY KEY (id)"]]

    @pytest.mark.parametrize(
        "sql",
        [
            'SELECT n.nspname AS "schema" FROM pg_namespace n WHERE schema = %s',
            "SELECT pg_catalog.pg_namespace.nspname AS s FROM pg_catalog.pg_namespace WHERE 1 AND s = %s ORDER BY s",
            "SELECT x FROM (SELECT upper(nspname) AS loud, nspname AS x FROM pg_namespace WHERE (loud = upper(%s))) q",
            "SELECT t.schemaname AS x FROM svv_external_tables t WHERE 1 AND x = 'none' "
            "UNION SELECT c.view_schema AS x FROM pg_get_late_binding_view_cols() "
            "c(view_schema name, view_name name, col_name name, col_type varchar, col_num int) WHERE x = 'none' "
            "UNION SELECT nspname AS x FROM pg_namespace WHERE x = %s",
        ],
    )
    def test_where_may_name_an_expression_of_the_select_list(self, client: Client, sql: str) -> None:
        assert client.run(sql, "public") == [["public"]]

    def test_a_column_of_a_users_table_goes_before_an_expression_of_that_name(self, client: Client) -> None:
        table = new_table(client, "name varchar(9)")
        client.run(f"INSERT INTO {table} VALUES ('a')")
        assert client.run(f"SELECT upper(name) AS name FROM {table} WHERE name = 'a'") == [["A"]]
        found = client.run(
            f"SELECT upper(t.name) AS name FROM pg_class c JOIN {table} t ON true WHERE name = 'a' AND c.relname = %s",
            table,
        )
        assert found == [["A"]]

    def test_a_users_own_table_may_have_a_catalogs_name(self, client: Client) -> None:
        client.run("CREATE SCHEMA own_catalog")
        client.run("CREATE TABLE own_catalog.pg_class (relname integer)")
        assert client.run("SELECT relname FROM own_catalog.pg_class") == []
        client.rollback()
