"""What drivers and programs look up about the server and its tables."""

import re
from typing import TYPE_CHECKING, Any

import pytest

from local.redshift_fixtures import Client, new_table

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
