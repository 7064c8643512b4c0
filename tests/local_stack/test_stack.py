"""The local stack works as one, and whatever ends it leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import psutil
import pytest
import redshift_connector

from rsloader_provider.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator

UP = [sys.executable, "-c", "from rsloader_provider.cli.local import local_app; local_app()", "up"]
MARK = "RSLOADER_TEST_MARK"


class Up:
    """`rsloader local up` as a program, in a temporary folder of its own and with a mark on all its processes."""

    def __init__(self, temporary: Path, *arguments: str) -> None:
        self.temporary = temporary
        self._mark = uuid.uuid4().hex
        environment = os.environ | {"TMPDIR": str(temporary), MARK: self._mark}
        self.process = subprocess.Popen(
            [*UP, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._folders: set[Path] = set()

    def wait_for(self, words: str) -> str:
        """Read the messages for people until one holds these words, and return all of them."""
        assert self.process.stderr is not None
        seen = ""
        for line in self.process.stderr:
            seen += line
            if words in line:
                return seen
        raise AssertionError(f"never said {words!r}: {seen}")

    def processes(self) -> list[psutil.Process]:
        """All processes that it started and those started, wherever they hang by now."""
        found = {each.pid: each for each in psutil.Process(self.process.pid).children(recursive=True)}
        return list(found.values()) + [each for each in self._marked() if each.pid not in found]

    def _marked(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == self._mark:
                    yield process

    def end(self, number: signal.Signals) -> int:
        """Send a signal, wait for the end and assert that neither a process nor a folder is left."""
        processes = self.processes()
        folders = {folder for process in processes if (folder := working_folder(process))}
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        _, left = psutil.wait_procs(processes, timeout=15)
        assert [*left, *self._marked()] == []
        if number != signal.SIGKILL:
            assert list(self.temporary.iterdir()) == []
        assert [folder for folder in folders if folder.exists()] == []
        return self.process.returncode


def working_folder(process: psutil.Process) -> Path | None:
    """The temporary folder that PostgreSQL works in, which is not under TMPDIR; None for other processes."""
    try:
        folder = Path(process.cwd())
    except psutil.Error:
        return None
    return folder if "redshift-" in str(folder) else None


def test_aws_and_redshift_work_together_by_the_environment_alone() -> None:
    told: list[str] = []
    with LocalStack(report=told.append) as stack:
        environment = stack.environment()
        connection = json.loads(environment["AIRFLOW_CONN_REDSHIFT_DEFAULT"])
        aws_connection = json.loads(environment["AIRFLOW_CONN_AWS_DEFAULT"])
        s3 = boto3.client(
            "s3",
            endpoint_url=aws_connection["extra"]["endpoint_url"],
            region_name=aws_connection["extra"]["region_name"],
            aws_access_key_id=aws_connection["login"],
            aws_secret_access_key=aws_connection["password"],
        )
        s3.create_bucket(Bucket="landing")
        s3.put_object(Bucket="landing", Key="orders/1.csv", Body=b"1|open\n2|paid\n")
        with redshift_connector.connect(
            host=connection["host"],
            port=connection["port"],
            user=connection["login"],
            password=connection["password"],
            database=connection["schema"],
            **connection["extra"],
        ) as session:
            cursor = session.cursor()
            cursor.execute("create table orders (id int, status varchar(10))")
            cursor.execute("copy orders from 's3://landing/orders/' iam_role default delimiter '|'")
            cursor.execute("select count(*) from orders")
            assert cursor.fetchone()[0] == 2
            session.commit()
        data_api = boto3.client(
            "redshift-data",
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            region_name=environment["AWS_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )
        counted = data_api.execute_statement(
            WorkgroupName="any", Database="dev", Sql="select count(*) from orders", WaitTimeSeconds=30
        )
        assert data_api.get_statement_result(Id=counted["Id"])["Records"] == [[{"longValue": 2}]]
        folder = stack.folder
    assert told == ["starting the local AWS", "starting the local Redshift"]
    assert not folder.exists()


@pytest.mark.parametrize(
    ("moment", "number", "code"),
    [
        ("starting the local AWS", signal.SIGINT, 130),
        ("starting the local Redshift", signal.SIGTERM, 143),
    ],
)
def test_a_signal_at_any_moment_leaves_nothing(tmp_path: Path, moment: str, number: signal.Signals, code: int) -> None:
    up = Up(tmp_path)
    up.wait_for(moment)
    assert up.end(number) == code


def test_json_is_one_line_on_standard_output_and_sigterm_ends_it_well(tmp_path: Path) -> None:
    up = Up(tmp_path, "--json", "--isolation", "serializable")
    up.wait_for("ready")
    assert up.process.stdout is not None
    environment: dict[str, Any] = json.loads(up.process.stdout.readline())
    assert environment["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert up.end(signal.SIGTERM) == 0


def test_a_shell_can_evaluate_the_exports_and_even_a_killed_stack_leaves_no_process(tmp_path: Path) -> None:
    up = Up(tmp_path)
    up.wait_for("ready")
    assert up.process.stdout is not None
    lines = [up.process.stdout.readline() for _ in range(8)]
    assert all(line.startswith("export ") for line in lines)
    script = "".join(lines) + 'printf %s "$AIRFLOW_CONN_REDSHIFT_DEFAULT"'
    printed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed)["conn_type"] == "redshift"
    assert up.end(signal.SIGKILL) == -signal.SIGKILL


def test_a_taken_port_is_a_clear_failure(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        up = Up(tmp_path, "--port-aws", str(taken.getsockname()[1]))
        _, messages = up.process.communicate(timeout=30)
    assert up.process.returncode == 1
    assert "local AWS ended" in messages
    assert list(tmp_path.iterdir()) == []
