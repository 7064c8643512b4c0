"""`python -m rsloader_provider.local.redshift`: run a local Redshift until it is told to stop.

Prints one line of JSON when it is ready, `{"port": 54321, "pid": 4711}`, and nothing else on standard output.
SIGTERM and SIGINT stop it; no process and no temporary file stays behind.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from rsloader_provider.local.redshift.session.server import Server, Settings


def main() -> int:
    """Run the server; returns the exit status: 0 if it was told to stop, 1 if PostgreSQL failed."""
    parser = _parser()
    arguments = parser.parse_args()
    users: list[tuple[str, str]] = arguments.user or [("awsuser", "open-sesame")]
    settings = Settings(
        database=arguments.database,
        owner=users[0][0],
        passwords=dict(users),
        host=arguments.host,
        port=arguments.port,
        s3_endpoint=arguments.s3_endpoint,
        isolation=arguments.isolation,
        data_dir=arguments.data_dir,
        authentication=arguments.authentication,
        tls=_tls_files(parser, arguments.tls_certificate, arguments.tls_key),
    )
    return asyncio.run(_serve(settings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rsloader_provider.local.redshift", description="A local Redshift.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5439, help="0 means any free port (default: 5439)")
    parser.add_argument("--database", default="dev")
    parser.add_argument(
        "--user",
        type=_user,
        action="append",
        metavar="NAME:PASSWORD",
        help="repeatable; the first one owns the database and may do anything (default: awsuser:open-sesame); "
        "a user who is in the data directory already keeps their password",
    )
    parser.add_argument("--s3-endpoint", metavar="URL", help="where COPY reads (default: AWS)")
    parser.add_argument("--isolation", choices=("snapshot", "serializable"), default="snapshot")
    parser.add_argument("--data-dir", type=Path, help="keep the data here (default: it goes with the server)")
    parser.add_argument(
        "--authentication",
        choices=("cleartext", "md5"),
        default="cleartext",
        help="how clients are asked for their password (default: cleartext)",
    )
    parser.add_argument("--tls-certificate", type=Path, metavar="FILE", help="offer encryption with this certificate")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="the certificate's key")
    return parser


def _tls_files(parser: argparse.ArgumentParser, certificate: Path | None, key: Path | None) -> tuple[Path, Path] | None:
    if certificate is not None and key is not None:
        return certificate, key
    if certificate is not None or key is not None:
        parser.error("--tls-certificate and --tls-key need each other")
    return None


def _user(text: str) -> tuple[str, str]:
    name, colon, password = text.partition(":")
    if not (name and colon):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:PASSWORD")
    return name, password


async def _serve(settings: Settings) -> int:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    stopping = asyncio.create_task(told_to_stop.wait())
    starting = asyncio.create_task(_run(settings, stopping))
    return await starting


async def _run(settings: Settings, stopping: "asyncio.Task[bool]") -> int:
    async with Server(settings) as server:
        print(json.dumps({"port": server.port, "pid": os.getpid()}), flush=True)
        failing = asyncio.create_task(server.failed())
        await asyncio.wait({stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
        return 0 if stopping.done() else 1


if __name__ == "__main__":
    sys.exit(main())
