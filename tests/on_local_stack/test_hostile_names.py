"""Hostile names really exist on the local Redshift: a load among them touches what it names and nothing else."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import redshift_connector
from psycopg import sql as psycopg_sql
from support.redshift_fixtures import Client, Landing, connect_psycopg

from rsloader_provider.aws.redshift.warehouse import RedshiftSession
from rsloader_provider.core.config import CopyOptions
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import LoadKey, TableName, history_table
from rsloader_provider.core.redshift.rows import Committed, HistoryAnswer
from rsloader_provider.local.redshift import LocalRedshift

NAMES = [
    "'; DROP TABLE canary; --", '"; DROP TABLE canary; --', "\\'; DROP TABLE canary; --", "a\\",
    "$$; DROP TABLE canary; $$",
    "/* a", "*/ --", "a\nb", "100 %s", "日本", "\u2019; drop table canary",
]  # fmt: skip
"""In small letters where it matters: Redshift folds quoted names too."""

_numbers = count(1)


@pytest.fixture
def session(snapshot_redshift: LocalRedshift) -> Iterator[RedshiftSession]:
    client = Client(snapshot_redshift)
    yield RedshiftSession(client.connection)
    client.close()


@pytest.fixture
def everything(snapshot_redshift: LocalRedshift) -> Iterator[Any]:
    """Gives all tables there are, by somebody else's hand, with the canary among them."""
    with connect_psycopg(snapshot_redshift) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS canary (id int)")

        def tables() -> set[tuple[Any, ...]]:
            query = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('local_redshift')"
            return {tuple(row) for row in connection.execute(query).fetchall()}

        yield connection, tables


@pytest.mark.parametrize("name", [each.lower() for each in NAMES])
def test_a_load_into_a_table_of_a_hostile_name_changes_that_table_only(
    session: RedshiftSession, everything: Any, landing: Landing, name: str
):
    connection, tables = everything
    number = next(_numbers)
    schema, table, user = (f"{name}{what}{number}" for what in "stu")
    mine = psycopg_sql.Identifier(schema, table)
    target = TableName(schema, table)
    history = history_table(target)
    session.execute(sql.CreateHistorySchema())
    before = tables()
    connection.execute(psycopg_sql.SQL("CREATE SCHEMA {}").format(psycopg_sql.Identifier(schema)))
    connection.execute(psycopg_sql.SQL("CREATE TABLE {} ({} int)").format(mine, psycopg_sql.Identifier(name)))
    connection.execute(psycopg_sql.SQL("CREATE USER {} PASSWORD DISABLE").format(psycopg_sql.Identifier(user)))
    session.execute(sql.CreateHistory(target))

    manifest = landing.manifest(landing.put(f"{name}.csv", "1\n2\n"))
    key = LoadKey(target, name, "01ARZ3NDEKTSV4RRFFQ69G5FAV", 1)
    session.execute(sql.Begin())
    session.execute(sql.LockHistory(target))
    assert session.execute(sql.FindLoaded(key)) == [HistoryAnswer(None, newest=None)]
    session.execute(sql.DeleteAll(target))
    session.execute(sql.Copy(target, (name,), manifest, CopyOptions(format="csv")))
    session.execute(sql.RecordLoaded(key, 1, 2, 1, None, run=name))
    session.execute(sql.Commit())
    assert session.execute(sql.FindLoaded(key)) == [
        HistoryAnswer(Committed(rows=2, query_id=None, files=1), newest=key.batch)
    ]
    for grant in (
        sql.GrantOnSchema(schema, user, creating=True),
        sql.GrantOnSchema(None, user),
        sql.GrantOnTable(target, user, ("INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE")),
        sql.GiveTable(history_table(target), user),
        sql.CreateHistoryView((history.table,)),
    ):
        session.execute(grant)

    assert connection.execute(psycopg_sql.SQL("SELECT count(*) FROM {}").format(mine)).fetchone() == (2,)
    told = psycopg_sql.SQL("SELECT target, load, run FROM {}").format(
        psycopg_sql.Identifier(history.schema, history.table)
    )
    assert connection.execute(told).fetchall() == [(f"{schema}.{table}", name, name)]
    assert tables() - before == {(schema, table), (history.schema, history.table)}
    assert before <= tables()
    named = psycopg_sql.Identifier(history.schema, history.table)
    connection.execute(psycopg_sql.SQL("DROP TABLE {} CASCADE").format(named))


def test_two_statements_in_one_text_are_refused_by_the_protocol(snapshot_redshift: LocalRedshift, session: Any):
    """The last line of defence: whatever came through, one text is one statement."""
    client = Client(snapshot_redshift)
    with pytest.raises(redshift_connector.ProgrammingError, match="42601"):
        client.run("SELECT 1; SELECT 2")
    client.close()
