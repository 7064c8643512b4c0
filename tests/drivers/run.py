"""Runs strangers' programs against the local Redshift: each driver in an environment of its own.

`python tests/drivers/run.py [--environments DIRECTORY] [--uv PROGRAM] [NAME…]` prints a table of driver and result; the
exit code is 1 if a driver failed or could not be tried. The environments are kept, and made again when their list of
packages has changed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from rich.console import Console
from rich.table import Table

from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

HERE = Path(__file__).parent
BUCKET = "strangers"
LARGE_ROWS = 200_000


@dataclass(frozen=True)
class Driver:
    """One way for a program to talk to Redshift.

    Attributes:
        name: What the table calls it.
        script: The program.
        environment: The list of its packages, without `.txt`; None for this very environment.
        arguments: The program's.
        tls: Whether it encrypts and verifies the server's certificate.
        needs: The program that has to be on the machine, or None.
    """

    name: str
    script: str
    environment: str | None
    arguments: tuple[str, ...] = ()
    tls: bool = False
    needs: str | None = None


DRIVERS = [
    *(
        Driver(f"redshift_connector {version}{' (TLS)' if tls else ''}", "with_redshift_connector.py",
               f"redshift_connector-{version}", tls=tls)
        for version in ("2.1.6", "2.1.16", "2.2.0")
        for tls in (False, True)
    ),
    Driver("psycopg 3", "with_psycopg.py", "psycopg"),
    Driver("psycopg 3 (TLS)", "with_psycopg.py", "psycopg", tls=True),
    Driver("SQLAlchemy on redshift_connector", "with_sqlalchemy.py", "sqlalchemy-redshift", ("redshift_connector",)),
    Driver("SQLAlchemy on psycopg2", "with_sqlalchemy.py", "sqlalchemy-redshift", ("psycopg2",)),
    Driver("SQLAlchemy on psycopg2 (TLS)", "with_sqlalchemy.py", "sqlalchemy-redshift", ("psycopg2",), tls=True),
    Driver("psql", "with_psql.py", None, needs="psql"),
    Driver("psql (TLS)", "with_psql.py", None, tls=True, needs="psql"),
]  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What became of one driver.

    Attributes:
        shown: What it has done, in order.
        failure: Why it failed, in a line; None if it did not.
        trace: All of what it said then.
    """

    shown: list[str]
    failure: str | None = None
    trace: str = ""


def main() -> int:
    """Try every driver, or those named; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, default=Path(".venv/drivers"), metavar="DIRECTORY")
    parser.add_argument("--uv", default=str(Path(sys.executable).parent / "uv"), metavar="PROGRAM")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only drivers whose name contains this")
    arguments = parser.parse_args()
    chosen = [
        driver
        for driver in DRIVERS
        if not arguments.names or any(name.lower() in driver.name.lower() for name in arguments.names)
    ]
    environments = Environments(arguments.environments, arguments.uv)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as places:
        results = {driver: attempt(driver, environments, places[driver.tls]) for driver in chosen}
    report(results)
    return 1 if not results or any(result.failure for result in results.values()) else 0


class Environments:
    """Virtual environments below a directory, one for each list of packages."""

    def __init__(self, directory: Path, uv: str):
        self._directory = directory
        self._uv = uv

    def python(self, name: str) -> Path:
        """Return the interpreter of the environment with exactly the packages of a list; make it if need be."""
        packages = HERE / f"{name}.txt"
        environment = self._directory / name
        made_from = environment / "made-from.txt"
        if not (made_from.exists() and made_from.read_text() == packages.read_text()):
            self._call("venv", "--clear", "--python", sys.executable, str(environment))
            python = environment / "bin" / "python"
            self._call("pip", "install", "--no-deps", "--python", str(python), "--requirement", str(packages))
            self._call("pip", "check", "--python", str(python))
            shutil.copyfile(packages, made_from)
        return environment / "bin" / "python"

    def _call(self, *arguments: str) -> None:
        subprocess.run([self._uv, "--quiet", *arguments], check=True)


@contextmanager
def running(folder: Path) -> Iterator[dict[bool, dict[str, Any]]]:
    """Start a local AWS and a local Redshift without and with TLS; gives what a program is told about either."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-out", certificate, "-keyout", key],
        check=True, capture_output=True,
    )  # fmt: skip
    with (
        LocalAws() as aws,
        LocalRedshift(s3_endpoint=aws.endpoint_url) as plain,
        LocalRedshift(s3_endpoint=aws.endpoint_url, tls=(certificate, key), authentication="md5") as encrypted,
    ):
        shared = put_objects(aws) | issue_access_key(aws) | {"ca": str(certificate)}
        yield {
            redshift is encrypted: shared
            | {
                "host": "localhost",
                "port": redshift.port,
                "database": redshift.database,
                "user": redshift.user,
                "password": redshift.password,
                "tls": redshift is encrypted,
            }
            for redshift in (plain, encrypted)
        }


def client(aws: LocalAws, service: str) -> Any:
    """Return a boto3 client for the local AWS."""
    env = aws.env()
    return boto3.client(
        service,
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_DEFAULT_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )


def issue_access_key(aws: LocalAws) -> dict[str, str]:
    """Return an access key as AWS issues them, which some programs insist on."""
    iam = client(aws, "iam")
    iam.create_user(UserName="stranger")
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    return {"key_id": key["AccessKeyId"], "key": key["SecretAccessKey"]}


def put_objects(aws: LocalAws) -> dict[str, Any]:
    """Put what the programs load; returns the objects' URLs and what the large one amounts to."""
    s3 = client(aws, "s3")
    s3.create_bucket(Bucket=BUCKET)
    objects = {
        "orders": 'id,name,price,ordered\n1,tea,1.50,2026-01-01\n2,"a ""big"" pot",20.00,2026-01-02\n3,,,\n',
        "more": "4|ünï\n5|milk\n",
        "broken": "1,tea,1.50,2026-01-01\none,tea,1.50,2026-01-01\n",
        "large": "".join(f"{number},{'words ' * 10}\n" for number in range(LARGE_ROWS)),
    }
    for key, content in objects.items():
        s3.put_object(Bucket=BUCKET, Key=f"{key}.csv", Body=content.encode())
    urls = {key: f"s3://{BUCKET}/{key}.csv" for key in objects}
    return urls | {"large_rows": LARGE_ROWS, "large_sum": sum(range(LARGE_ROWS))}


def attempt(driver: Driver, environments: Environments, place: dict[str, Any]) -> Result:
    """Run a driver's program against a server."""
    if driver.needs is not None and shutil.which(driver.needs) is None:
        return Result([], f"{driver.needs} is not on this machine")
    python = sys.executable if driver.environment is None else environments.python(driver.environment)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "AWS_", "PYTHON"))}
    environment["LOCAL_REDSHIFT"] = json.dumps(place)
    if place["tls"]:
        environment["SSL_CERT_FILE"] = place["ca"]  # what OpenSSL trusts, and redshift_connector with it
    try:
        run = subprocess.run(
            [python, HERE / driver.script, *driver.arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    except subprocess.TimeoutExpired:
        return Result([], "did not end within 300 s")
    shown = run.stdout.splitlines()
    if run.returncode == 0:
        return Result(shown)
    raised = re.findall(r"^[a-z_]*[\w.]*(?:Error|Exception|Interrupt)\b.*", run.stderr, re.MULTILINE)
    return Result(shown, raised[-1] if raised else f"exit code {run.returncode}", run.stderr)


def report(results: dict[Driver, Result]) -> None:
    """Print what each failed driver said, then the table."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table("driver", "result", "steps", "last step or failure")
    for driver, result in results.items():
        if result.failure is not None:
            console.print(f"{driver.name}:\n{result.trace}", markup=False, highlight=False)
        table.add_row(
            driver.name,
            "ok" if result.failure is None else "FAILED",
            str(len(result.shown)),
            result.failure or (result.shown or ["nothing"])[-1].replace("_", " "),
        )
    console.print(table, markup=False)


if __name__ == "__main__":
    sys.exit(main())
