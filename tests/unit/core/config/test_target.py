"""Targets: tables by name, their columns, and SQL around the load."""

from typing import Any

import pytest
from pydantic import ValidationError
from support.objects import a_config

from rsloader_provider.core.config import Target


def target(**settings: Any) -> Target:
    return Target.model_validate({"table": "public.orders", **settings})


@pytest.mark.parametrize(
    ("table", "schema", "name"),
    [
        ("sales.orders", "sales", "orders"),
        ("orders", "public", "orders"),
        ("My Schema.order lines", "My Schema", "order lines"),
        ("a.; DROP TABLE x --", "a", "; DROP TABLE x --"),
        ("a." + "ä" * 63, "a", "ä" * 63),
    ],
)
def test_a_table_is_a_name_and_perhaps_its_schema(table: str, schema: str, name: str) -> None:
    """Names are quoted wherever they are written, so a name that would be SQL is only an odd name."""
    assert (target(table=table).schema_name, target(table=table).table_name) == (schema, name)
    assert target(table=table, conn_id="wh").name == f"wh/{schema}.{name}"


@pytest.mark.parametrize("table", ["", ".", "a.", ".b", "a.b.c", 'a"b', "a'b", "a\0b", "a\nb", "ä" * 64, "x" * 128])
def test_what_redshift_takes_for_no_name_is_refused(table: str) -> None:
    """127 bytes, not letters, is Redshift's limit; it cuts longer names without a word."""
    with pytest.raises(ValidationError, match="table"):
        target(table=table)


@pytest.mark.parametrize("columns", [[], [""], ["a", "A"], ["a" * 128], ['a"'], "abc", [5]])
def test_columns_are_names_each_of_them_once(columns: object) -> None:
    """A text would be read as one column for each letter."""
    with pytest.raises(ValidationError, match="columns"):
        target(columns=columns)


def test_two_targets_of_one_table_are_refused() -> None:
    """Redshift folds names to small letters: the same batch would be loaded twice into one table."""
    with pytest.raises(ValidationError, match="appears twice"):
        a_config(targets=[{"table": "orders"}, {"table": "Public.ORDERS"}])
    assert a_config(targets=[{"table": "orders"}, {"table": "orders", "conn_id": "other"}])
    assert a_config(targets=[{"table": "orders"}, {"table": "lines"}])


def test_a_load_without_a_target_is_refused() -> None:
    """It would claim objects and load them nowhere."""
    with pytest.raises(ValidationError, match="targets"):
        a_config(targets=[])


def test_sql_around_the_load_is_one_text_or_a_list() -> None:
    """Each text stays as it is written; it is cut into statements once Jinja has had its turn."""
    assert target(pre_sql=" DELETE FROM a; SELECT 1 ").pre_sql == ("DELETE FROM a; SELECT 1",)
    assert target(pre_sql=["SELECT 1", "SELECT ';' -- x; y"]).pre_sql == ("SELECT 1", "SELECT ';' -- x; y")
    procedure = "CREATE PROCEDURE p() AS $$ BEGIN DELETE FROM a; END; $$ LANGUAGE plpgsql"
    assert target(post_sql=procedure).post_sql == (procedure,)


@pytest.mark.parametrize(
    "statement",
    [
        *["BEGIN", "start transaction", "Commit", "END", "ROLLBACK", "ABORT", "TRUNCATE x", "VACUUM x"],
        *["ALTER TABLE a APPEND FROM b", "-- why\nCOMMIT", "/* why */ TRUNCATE x", ";COMMIT", "COMMIT;"],
    ],
)
def test_sql_that_ends_the_transaction_is_refused(statement: str) -> None:
    """Behind a commit a failed load could not be undone, and the history could not tell."""
    with pytest.raises(ValidationError, match=r"would commit or break|cannot run in a transaction"):
        target(pre_sql=statement)


@pytest.mark.parametrize(
    "statement", ['ALTER TABLE "append" ADD COLUMN x int', "SELECT 'COMMIT'", "DELETE FROM truncate_log"]
)
def test_sql_that_only_names_such_words_is_taken(statement: str) -> None:
    """A check that cries wolf is switched off."""
    assert target(post_sql=statement).post_sql == (statement,)


@pytest.mark.parametrize("statement", ["", "  ", "-- only a comment", ";", "{# only a comment #}", ["SELECT 1", ""]])
def test_a_text_without_a_statement_is_refused(statement: object) -> None:
    """Somebody meant to write one."""
    with pytest.raises(ValidationError, match="no statement"):
        target(pre_sql=statement)


@pytest.mark.parametrize(
    ("statement", "mistake"),
    [
        ("SELECT '{{ ds }", "this is not a valid Jinja template"),
        ("SELECT 1 {% if rows %}", "this is not a valid Jinja template"),
        ("{% if a %}{{ b }}; {% endif %}TRUNCATE x", "TRUNCATE would commit"),
        ("SELECT '{{ ds }}", "not closed"),
        ("INSERT INTO a VALUES ({{ rows }})", "'rows' is known after COPY only"),
    ],
)
def test_what_can_be_read_of_a_template_is_checked_before_it_is_rendered(statement: str, mistake: str) -> None:
    """Minutes after writing it, not in the night in which it runs first."""
    with pytest.raises(ValidationError, match=mistake):
        target(pre_sql=statement)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO log VALUES ('{{ batch.id }}', {{ rows }}, '{{ ds }}')",
        "{{ conn.x.extra_dejson.statement }}",
        "{% if ds == '2026-01-01' %}SELECT 'a{% else %}SELECT 'b{% endif %}'",
        "{% set day = ds %}DELETE FROM {{ target }} WHERE day = '{{ day }}'; {% do none %}",
    ],
)
def test_templates_whose_sql_nobody_can_know_yet_are_taken(statement: str) -> None:
    """A check that cries wolf is switched off; all of it is checked again once it is rendered."""
    assert target(post_sql=statement).post_sql == (statement,)


@pytest.mark.parametrize("timeout", ["0s", "25d", "soon"])
def test_a_timeout_outside_redshifts_range_is_refused(timeout: str) -> None:
    """0 means no limit to Redshift, the opposite of what it looks like."""
    with pytest.raises(ValidationError, match="statement_timeout"):
        target(statement_timeout=timeout)


@pytest.mark.parametrize("conn_id", ["", "a b", "a\n", "é" * 251, "a;b"])
def test_what_airflow_takes_for_no_connection_is_refused(conn_id: str) -> None:
    """Airflow says 'not found', which sends people looking in the wrong place."""
    with pytest.raises(ValidationError, match="not the id of an Airflow connection"):
        target(conn_id=conn_id)
