"""Serves the local AWS in the foreground until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

from werkzeug.serving import make_server

from rsloader_provider.local.aws.app import RequestHandler, create_app

if TYPE_CHECKING:
    from types import FrameType


def _exit(_signal: int, _frame: FrameType | None) -> None:
    # At once: request threads hold nothing that outlives the process.
    os._exit(0)


def main() -> None:
    """Serve until told to stop; print `{"port": …, "pid": …}` when requests are answered."""
    parser = argparse.ArgumentParser(prog="python -m rsloader_provider.local.aws")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    parser.add_argument("--enforce-iam", action="store_true", help="IAM users and roles may do what policies allow")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    app = create_app(enforce_iam=arguments.enforce_iam)
    server = make_server(arguments.host, arguments.port, app, threaded=True, request_handler=RequestHandler)
    sys.stdout.write(json.dumps({"port": server.server_port, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
