"""Pre-SQL and post-SQL in the load's transaction: rendered just before they run, split, and checked again."""

from collections.abc import Mapping
from typing import Any

import pytest
from jinja2.nativetypes import NativeEnvironment
from support.fakes.world import World
from support.objects import TARGET, a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.sql_templates import PlainSqlRenderer, render_in
from rsloader_provider.core.errors import ConfigurationError, RsloaderError, StatementError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, load_batch

ASKER = Asker("run-1/load_batch/0/1", "dag/run-1")


def load(world: World, renderer: Any = None, **target: Any) -> tuple[Batch, Outcome]:
    config: LoadConfig = a_config(targets=[{"table": "public.orders", **target}])
    batch = locked(world, config)
    return batch, load_batch(config, world.services, batch.batch, TARGET, ASKER, renderer).outcome


def locked(world: World, config: LoadConfig) -> Batch:
    world.put("orders/1.csv", "orders/2.csv", content="1\n2\n")
    work = buffer_objects(config, world.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    return work[-1].batch


def sent(world: World) -> list[str]:
    """What of the transaction was sent, user statements by their text."""
    kinds = (sql.Copy, sql.UserStatement, sql.Commit, sql.Rollback)
    return [getattr(each, "text", type(each).__name__) for each in world.warehouse.log if isinstance(each, kinds)]


def test_texts_of_several_statements_run_around_the_load_in_its_transaction(world: World):
    batch, _ = load(
        world,
        pre_sql="SELECT ';' /* ; */; DELETE FROM staging;",
        post_sql=[
            "-- all\nINSERT INTO audit VALUES ('{{ batch.id }}', {{ rows }}, '{{ load }}', '{{ run }}')",
            "ANALYZE a",
        ],
    )
    assert sent(world) == [
        "SELECT ';' /* ; */",
        "DELETE FROM staging",
        "Copy",
        f"-- all\nINSERT INTO audit VALUES ('{batch.batch}', 4, 'orders', 'dag/run-1')",
        "ANALYZE a",
        "Commit",
    ]


def test_a_template_knows_the_batch_and_the_target(world: World):
    batch, _ = load(
        world,
        pre_sql="SELECT '{{ batch }}', {{ batch.files }}, {{ batch.size_bytes }}, '{{ batch.opened_at.isoformat() }}', "
        "'{{ batch.reason }}', '{{ batch.manifest }}', '{{ target.name }}', '{{ target.conn_id }}' FROM {{ target }}",
    )
    assert batch.opened_at is not None
    assert sent(world)[0] == (
        f"SELECT '{batch.batch}', 2, 8, '{batch.opened_at.isoformat()}', '{batch.reason}', "
        f"'s3://loader/manifests/orders/{batch.batch}.manifest', '{TARGET}', 'redshift_default' "
        'FROM "public"."orders"'
    )


def test_a_text_that_is_rendered_to_nothing_runs_nothing(world: World):
    _, outcome = load(world, post_sql="{% if rows > 100 %}ANALYZE public.orders{% endif %}")
    assert (outcome, sent(world)) == (Outcome.LOADED, ["Copy", "Commit"])


@pytest.mark.parametrize(
    ("post_sql", "said"),
    [
        ("{{ 'COMM' ~ 'IT' }}", "statement 1 (COMMIT …): COMMIT would commit or break"),
        ("SELECT 1{{ '; TRUNCATE t' }}", "statement 2 (TRUNCATE T …): TRUNCATE would commit or break"),
        ("ALTER {{ 'TABLE a APPEND FROM' }} b", "ALTER TABLE … APPEND FROM cannot run in a transaction"),
        ("SELECT '{{ \"it's\" }}'", "rendered, it holds a quote or a comment that is not closed"),
        ("SELECT {{ nobody }}", "its template is wrong: 'nobody' is undefined"),
        ("SELECT {{ batch.colour }}", "its template is wrong: "),
        ("SELECT {{ rows.__class__.__mro__ }}", "its template is wrong: access to attribute '__class__'"),
        ("SELECT 1; syntax error", "statement 2 (SYNTAX ERROR …): syntax error"),
    ],
)
def test_what_is_wrong_once_rendered_names_the_statement_and_nothing_is_loaded(world: World, post_sql: str, said: str):
    """The first statement of a text does not run either when the second may not."""
    with pytest.raises(StatementError) as raised:
        load(world, post_sql=post_sql)
    (failed,) = [each for each in world.ledger.batches("orders") if each.targets]
    assert f"{failed} into {TARGET}: text 1 of post_sql" in str(raised.value)
    assert said in str(raised.value)
    assert (failed.status, world.warehouse.tables["public.orders"]) == (BatchStatus.ERROR, [])
    assert "Commit" not in sent(world)
    assert sent(world)[-1] == "Rollback"


@pytest.mark.parametrize("setting", ["pre_sql", "post_sql"])
def test_a_procedure_that_commits_fails_in_the_transaction_and_nothing_is_loaded(world: World, setting: str):
    """No word of it shows that it does: Redshift refuses it there. Without it the batch is loaded, once."""
    world.warehouse.procedures_that_commit.add("refresh()")
    with pytest.raises(StatementError, match="COMMIT cannot be invoked from a procedure"):
        load(world, **{setting: "CALL refresh()"})
    (failed,) = [each for each in world.ledger.batches("orders") if each.targets]
    assert (failed.status, failed.targets[TARGET].is_undecided) == (BatchStatus.ERROR, False)
    assert (world.warehouse.tables["public.orders"], world.warehouse.histories["public.orders"]) == ([], [])
    cleared = Asker("run-1/load_batch/0/2", "dag/run-1", cleared=True)
    load_batch(a_config(), world.services, failed.batch, TARGET, cleared)
    assert sorted(world.warehouse.tables["public.orders"]) == ["1", "1", "2", "2"]


def test_rows_before_copy_are_an_error_that_says_so(world: World):
    """A load that somebody built by hand, past the check of the load file: through a name of the template's own."""
    with pytest.raises(StatementError, match="'rows' is known after COPY only: use it in post_sql"):
        load(world, Renamed(), pre_sql="SELECT {{ how_many }}")


class Renamed(PlainSqlRenderer):
    def render(self, text: str, values: Mapping[str, Any]) -> str:
        return super().render(text, {**values, "how_many": values["rows"]})


class Secretive(PlainSqlRenderer):
    """Stands in for Airflow: knows a password, which templates may use and errors may not tell."""

    def render(self, text: str, values: Mapping[str, Any]) -> str:
        def broken() -> str:
            raise KeyError("no variable of planted-Passw0rd")

        return super().render(text, {**values, "password": "planted-Passw0rd", "broken": broken})

    def redacted(self, text: str) -> str:
        return text.replace("planted-Passw0rd", "***")


@pytest.mark.parametrize(
    ("post_sql", "kind", "said"),
    [
        ("syntax error at {{ password }}", StatementError, "syntax error"),
        ("{{ 'TRUNCATE' }} {{ password }}", StatementError, "would commit or break"),
        ("SELECT {{ broken() }}", ConfigurationError, "asks for what is not there: KeyError"),
    ],
)
def test_no_error_tells_what_a_template_took_from_a_connection(
    world: World, post_sql: str, kind: type[RsloaderError], said: str
):
    with pytest.raises(kind, match=said) as raised:
        load(world, Secretive(), post_sql=post_sql)
    (failed,) = [each for each in world.ledger.batches("orders") if each.targets]
    assert "planted" not in str(raised.value)
    assert "planted" not in str(failed.targets[TARGET].error)


def test_the_batch_keeps_the_text_as_it_was_written(world: World):
    """What a template takes from a connection must not get into DynamoDB; and the next attempt renders anew."""
    batch, _ = load(world, post_sql="SELECT {{ rows }}; SELECT 2")
    stored = world.ledger.get("orders", batch.batch).targets[TARGET].settings
    assert stored["post_sql"] == ["SELECT {{ rows }}; SELECT 2"]


def test_an_environment_for_native_types_renders_sql_as_text():
    """Jinja's own rendering would take the quotes off, and make 1.0 of 1.00."""
    assert render_in(NativeEnvironment(), "'{{ a }}'", {"a": 1}) == "'1'"
    assert render_in(NativeEnvironment(), "{{ a }}.00", {"a": 1}) == "1.00"
