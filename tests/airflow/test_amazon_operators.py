"""The amazon provider's own operators and hooks, which know nothing of us, on the local AWS and Redshift."""

import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redshift_connector
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator
from airflow.providers.common.sql.hooks.handlers import fetch_all_handler

pytestmark = pytest.mark.usefixtures("airflow_database", "connections")

BUCKET = "strangers"
_numbers = count(1)


@pytest.fixture
def hook(connections: None) -> RedshiftSQLHook:
    return RedshiftSQLHook()


@pytest.fixture
def bucket(connections: None) -> str:
    s3 = S3Hook()
    if not s3.check_for_bucket(BUCKET):
        s3.create_bucket(BUCKET)
    return BUCKET


@pytest.fixture
def table(hook: RedshiftSQLHook) -> str:
    """A table with one row, which an upsert meets."""
    name = f"operators_{next(_numbers)}"
    hook.run(f"CREATE TABLE public.{name} (id integer NOT NULL, name varchar(20) DEFAULT 'nobody', PRIMARY KEY (id))")
    hook.run(f"INSERT INTO public.{name} VALUES (1, 'old')", autocommit=True)
    return name


def rows(hook: RedshiftSQLHook, table: str) -> list[tuple[Any, ...]]:
    return sorted(map(tuple, hook.get_records(f"SELECT id, name FROM public.{table}")))


class TestS3ToRedshiftOperator:
    APPENDED = [(1, "new"), (1, "old"), (2, "two")]  # noqa: RUF012
    REPLACED = [(1, "new"), (2, "two")]  # noqa: RUF012

    def copy(self, table: str, **more: Any) -> None:
        S3ToRedshiftOperator(
            task_id="copy",
            schema="public",
            table=table,
            s3_bucket=BUCKET,
            s3_key=f"{table}/",
            copy_options=["CSV", "IGNOREHEADER 1"],
            **more,
        ).execute({})

    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            pytest.param({}, APPENDED, id="append"),
            pytest.param({"autocommit": True, "aws_conn_id": "aws_default"}, APPENDED, id="append in autocommit"),
            pytest.param({"column_list": ["id", "name"]}, APPENDED, id="append to columns"),
            pytest.param({"method": "REPLACE"}, REPLACED, id="replace"),
            pytest.param({"method": "UPSERT", "upsert_keys": ["id"]}, REPLACED, id="upsert"),
            pytest.param({"method": "UPSERT", "upsert_keys": ["id", "name"]}, APPENDED, id="upsert on two columns"),
        ],
    )
    def test_every_method_does_what_its_name_says(
        self,
        hook: RedshiftSQLHook,
        bucket: str,
        table: str,
        more: dict[str, Any],
        expected: list[tuple[int, str]],
    ) -> None:
        S3Hook().load_string("id,name\n1,new\n2,two\n", f"{table}/1.csv", bucket)
        self.copy(table, **more)
        assert rows(hook, table) == expected

    @pytest.mark.parametrize("method", ["APPEND", "REPLACE", "UPSERT"])
    def test_a_bad_row_changes_nothing(self, hook: RedshiftSQLHook, bucket: str, table: str, method: str) -> None:
        S3Hook().load_string("id,name\n1,new\nx,two\n", f"{table}/1.csv", bucket)
        with pytest.raises(redshift_connector.ProgrammingError, match="Check 'stl_load_errors' system table"):
            self.copy(table, method=method, upsert_keys=["id"])
        assert rows(hook, table) == [(1, "old")]

    def test_the_keys_of_an_upsert_can_be_the_tables_own(self, hook: RedshiftSQLHook, bucket: str, table: str) -> None:
        """The operator looks them up in information_schema, where Redshift shows the keys that it does not enforce."""
        S3Hook().load_string("id,name\n1,new\n2,two\n", f"{table}/1.csv", bucket)
        self.copy(table, method="UPSERT")
        assert rows(hook, table) == self.REPLACED


class TestRedshiftSqlHook:
    def test_it_runs_several_statements_in_one_transaction(self, hook: RedshiftSQLHook, table: str) -> None:
        found = hook.run(
            f"DELETE FROM {table}; INSERT INTO {table} VALUES (7, 'x'), (8, 'y'); SELECT count(*) FROM {table};",
            split_statements=True,
            return_last=False,
            handler=fetch_all_handler,
        )
        assert [list(map(list, result)) for result in found if result] == [[[2]]]
        assert rows(hook, table) == [(7, "x"), (8, "y")]

    def test_what_fails_takes_the_statements_before_it_along(self, hook: RedshiftSQLHook, table: str) -> None:
        with pytest.raises(redshift_connector.ProgrammingError, match="nowhere"):
            hook.run([f"DELETE FROM {table}", "SELECT * FROM nowhere"])
        assert rows(hook, table) == [(1, "old")]

    def test_it_passes_parameters(self, hook: RedshiftSQLHook, table: str) -> None:
        hook.run(f"INSERT INTO {table} VALUES (%s, %s)", parameters=(2, "it's 100%"))
        assert list(hook.get_first(f"SELECT name FROM {table} WHERE id = %s", (2,))) == ["it's 100%"]

    @pytest.mark.parametrize("executemany", [False, True])
    def test_it_inserts_rows(self, hook: RedshiftSQLHook, table: str, executemany: bool) -> None:
        hook.insert_rows(table, [(2, "b"), (3, None)], target_fields=["id", "name"], executemany=executemany)
        assert sorted(hook.get_records(f"SELECT id FROM {table}")) == [[1], [2], [3]]

    def test_it_tests_its_connection(self, hook: RedshiftSQLHook) -> None:
        assert hook.test_connection() == (True, "Connection successfully tested")

    def test_its_sqlalchemy_engine_knows_its_address(self, hook: RedshiftSQLHook) -> None:
        assert hook.get_uri().startswith(f"postgresql://{hook.conn.login}:")


class TestDag:
    @pytest.fixture
    def dags_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """Airflow's, with the stranger's DAG in it; our own DAGs there find no load."""
        monkeypatch.setenv("AIRFLOW__RSLOADER__LOADS_FOLDER", str(tmp_path))
        folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
        copied = Path(shutil.copy(Path(__file__).with_name("strangers_dag.py"), folder))
        yield folder
        copied.unlink()

    def test_a_strangers_dag_runs_from_the_first_task_to_the_last(self, dags_folder: Path, bucket: str) -> None:
        run = DagBag(str(dags_folder)).dags["strangers"].test()
        states = {task.task_id: str(task.state) for task in run.get_task_instances()}
        assert states == dict.fromkeys(states, "success")
