"""The server as a process: ready soon, gone without a trace, whatever ended it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil
import pytest
from support.redshift_fixtures import Client

from rsloader_provider.local.leash import ProcessFailedError
from rsloader_provider.local.redshift import LocalRedshift


def temporary_directories() -> set[Path]:
    return set(Path("/tmp").glob("redshift-*"))


def runs(process: psutil.Process) -> bool:
    """Whether it does; a zombie that nobody has collected yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def named_by(processes: Iterable[psutil.Process]) -> set[Path]:
    """The paths that processes were given, as a server's watchdog is given the server's directory."""
    named: set[Path] = set()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            named.update(map(Path, process.cmdline()))
    return named


def until(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    """Wait for something that another process does; tells whether it came."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_behind(end: signal.Signals) -> None:
    """Open transactions do not delay the end, and not even SIGKILL leaves PostgreSQL or its files."""
    redshift = LocalRedshift()
    client = Client(redshift)
    client.run("CREATE TABLE t (id int)")
    client.run("LOCK t")
    processes = descendants(redshift.pid)
    created = temporary_directories() & named_by(processes)
    assert created
    assert any(process.name() == "postgres" for process in processes)
    os.kill(redshift.pid, end)
    assert until(lambda: not any(map(runs, processes)))
    assert until(lambda: not any(path.exists() for path in created))
    redshift.stop()
    redshift.stop()  # which does no harm


def test_another_interpreter_may_be_the_one_that_has_what_it_needs(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ntouch {tmp_path}/used\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with LocalRedshift(python=str(python)) as redshift:
        assert Client(redshift).value("SELECT 1") == 1
    assert (tmp_path / "used").exists()


def test_it_dies_with_whoever_started_it() -> None:
    """A test run that is killed must not leave a database behind."""
    starter = (
        "import os, signal; from rsloader_provider.local.redshift import LocalRedshift; "
        "print(LocalRedshift().pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", starter], check=False, stdout=subprocess.PIPE, text=True, timeout=30
    )
    proxy = int(finished.stdout)
    assert until(lambda: not psutil.pid_exists(proxy) or not runs(psutil.Process(proxy)))


def test_the_command_line_says_when_it_is_ready(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rsloader_provider.local.redshift", "--port", "0", "--user", "me:my:secret"]
    command += ["--database", "sales", "--isolation", "serializable", "--data-dir", str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["pid"] == process.pid
        assert ready["port"] > 0
        process.terminate()
        assert process.stdout.read() == "", "one line and nothing else"
        assert process.wait(15) == 0


def test_a_data_directory_keeps_the_data() -> None:
    with tempfile.TemporaryDirectory() as directory:  # readable by its owner only, who may not be PostgreSQL's user
        for expected in (1, 2):
            with LocalRedshift(data_dir=Path(directory) / "data") as redshift:
                client = Client(redshift)
                client.run("CREATE TABLE IF NOT EXISTS t (id int)")
                client.run("INSERT INTO t VALUES (1)")
                client.commit()
                assert client.value("SELECT count(*) FROM t") == expected
                client.close()


def test_a_start_that_fails_says_so(snapshot_redshift: LocalRedshift) -> None:
    before = temporary_directories()
    with pytest.raises(ProcessFailedError, match="local Redshift ended"):
        LocalRedshift(port=snapshot_redshift.port)
    assert until(lambda: temporary_directories() - before <= named_by(psutil.process_iter()))
