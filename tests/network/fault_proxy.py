"""A proxy between boto3 and the local AWS that breaks calls as networks and AWS do.

It speaks HTTP over real sockets, so that what botocore makes of a broken connection, of silence and of an answer that
says nothing is botocore's own doing. A fault is ordered for the nth request of an operation; botocore's own retries
count as requests.
"""

import json
import re
import select
import socket
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

HANG_UP_SECONDS = 20
"""How long a held answer waits for its client to give up; a client of a test does within a second."""


class Kind(StrEnum):
    """What happens to a request."""

    DROPPED = "dropped"
    """The connection breaks before the request is carried out."""
    ANSWER_LOST = "answer lost"
    """It is carried out, and the connection breaks before the answer."""
    SLOW = "slow"
    """It is carried out, and the answer comes after the client gave up."""
    LATE = "late"
    """It is carried out after the client gave up, asked again and was answered."""
    THROTTLED = "throttled"
    CANCELED_THROTTLED = "transaction canceled: throttled"
    CANCELED_CONFLICT = "transaction canceled: conflict"
    CONFLICT = "conflict"
    """A transaction is at work on the item."""
    EXPIRED = "credentials expired"
    FAILED_AFTER = "answered 500, carried out"
    GARBLED = "answer garbled"
    """It is carried out, and the answer's body is something else."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        kind: What happens.
        operation: To which of AWS's operations.
        nth: To which request of it, counted from 1.
        times: To so many requests of it in a row.
    """

    kind: Kind
    operation: str
    nth: int = 1
    times: int = 1


@dataclass
class Request:
    """One request that came.

    Attributes:
        operation: AWS's name of it.
        status: The HTTP status with which AWS answered; None when it never got the request.
    """

    operation: str
    status: int | None = None


class FaultProxy:
    """The proxy, listening on a free port for as long as the context lasts.

    Args:
        port: Where the local AWS listens on 127.0.0.1.
    """

    def __init__(self, port: int):
        self.aws_port = port
        self.requests: list[Request] = []
        self._faults: Sequence[Fault] = ()
        self._counts: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()
        self._late = 0
        self._is_over = False
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def order(self, *faults: Fault) -> None:
        """Forget all requests and faults, and take these."""
        with self._changed:
            self.requests = []
            self._counts.clear()
            self._answered.clear()
            self._is_over = False
            self._faults = faults

    def settle(self) -> None:
        """Nobody asks again: let what is late be carried out, and return when it is."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._late == 0, HANG_UP_SECONDS)

    def carried_out(self, operation: str) -> int:
        """Count the requests of an operation that AWS carried out."""
        return sum(each.operation == operation and each.status == 200 for each in self.requests)

    def came(self, operation: str) -> tuple[Request, Kind | None]:
        """Take note of a request, and tell what is to happen to it."""
        with self._changed:
            request = Request(operation)
            self.requests.append(request)
            self._counts[operation] += 1
            nth = self._counts[operation]
            kinds = [f.kind for f in self._faults if f.operation == operation and f.nth <= nth < f.nth + f.times]
            self._late += Kind.LATE in kinds
            return request, kinds[0] if kinds else None

    def answered(self, operation: str) -> None:
        """Take note that a client got its answer."""
        with self._changed:
            self._answered[operation] += 1
            self._changed.notify_all()

    def wait_for_another(self, operation: str) -> None:
        """Wait until another request of an operation has been answered, or nobody asks any more."""
        with self._changed:
            before = self._answered[operation]
            self._changed.wait_for(lambda: self._is_over or self._answered[operation] > before, HANG_UP_SECONDS)

    def late_is_done(self) -> None:
        """Take note that a late request has been carried out."""
        with self._changed:
            self._late -= 1
            self._changed.notify_all()


def _handler_of(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        pass

    Handler.proxy = proxy
    return Handler


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client, and one to the local AWS."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    proxy: FaultProxy

    def setup(self) -> None:
        super().setup()
        self.aws = HTTPConnection("127.0.0.1", self.proxy.aws_port, timeout=60)

    def finish(self) -> None:
        self.aws.close()
        super().finish()

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation = operation_of(self.command, self.path, self.headers, body)
        request, kind = self.proxy.came(operation)
        if kind in _REFUSALS:
            return self._give(*refusal(kind, operation, body))
        if kind is Kind.DROPPED:
            return self._hang_up()
        if kind is Kind.LATE:
            self._wait_for_hang_up()
            self.proxy.wait_for_another(operation)
        status, headers, answer = self._ask_aws(body)
        request.status = status
        match kind:
            case Kind.LATE:
                self.proxy.late_is_done()
                self._hang_up()
            case Kind.ANSWER_LOST:
                self._hang_up()
            case Kind.SLOW:
                self._wait_for_hang_up()
                self._hang_up()
            case Kind.FAILED_AFTER:
                self._give(*refusal(kind, operation, body))
            case Kind.GARBLED:
                self._give(status, headers, b"<html><p>Please log in" if answer else answer)
            case _:
                self._give(status, headers, answer)
                self.proxy.answered(operation)
        return None

    do_GET = do_PUT = do_POST = do_HEAD = _take  # noqa: N815 (the library's names)

    def handle_expect_100(self) -> bool:
        """Let the client send its body at once: what is written here would else wait for the answer."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def _ask_aws(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        self.aws.request(self.command, self.path, body, headers)
        answer = self.aws.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    def _give(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                self.send_header(name, value)
        # The answer to HEAD tells the length of a body that it does not have.
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _wait_for_hang_up(self) -> None:
        readable, _, _ = select.select([self.connection], [], [], HANG_UP_SECONDS)
        assert readable, "the client never gave up"
        assert self.connection.recv(1, socket.MSG_PEEK) == b"", "the client sent something instead of giving up"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the library's name)
        """Stay quiet."""


def operation_of(method: str, path: str, headers: Mapping[str, str], body: bytes) -> str:
    """Name the operation that a request asks for, as far as the loader asks for it."""
    if target := headers.get("X-Amz-Target"):
        return target.rpartition(".")[2]
    if found := re.search(rb"(?:^|&)Action=(\w+)", body if method == "POST" else b""):
        return found[1].decode()
    if "list-type=2" in path:
        return "ListObjectsV2"
    return f"{method.title()}Object"


_REFUSALS: Mapping[Kind, Mapping[str, tuple[int, str]]] = {
    Kind.THROTTLED: {
        "dynamodb": (400, "ProvisionedThroughputExceededException"), "s3": (503, "SlowDown"), "sns": (429, "Throttled"),
        "redshift-data": (400, "ThrottlingException"),
    },
    Kind.CANCELED_THROTTLED: {"dynamodb": (400, "TransactionCanceledException")},
    Kind.CANCELED_CONFLICT: {"dynamodb": (400, "TransactionCanceledException")},
    Kind.CONFLICT: {"dynamodb": (400, "TransactionConflictException")},
    Kind.EXPIRED: {
        "dynamodb": (400, "ExpiredTokenException"), "s3": (400, "ExpiredToken"), "sns": (403, "ExpiredToken"),
        "redshift-data": (400, "ExpiredTokenException"),
    },
}  # fmt: skip
_FAILURES = {
    "dynamodb": (500, "InternalServerError"), "s3": (500, "InternalError"), "sns": (500, "InternalFailure"),
    "redshift-data": (500, "InternalServerException"),
}  # fmt: skip
_REASONS = {Kind.CANCELED_THROTTLED: "ThrottlingError", Kind.CANCELED_CONFLICT: "TransactionConflict"}


def service_of(operation: str) -> str:
    """Name the service of one of the loader's operations."""
    if operation == "Publish":
        return "sns"
    if "Statement" in operation:
        return "redshift-data"
    return "s3" if "Object" in operation else "dynamodb"


def refusal(kind: Kind, operation: str, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Give AWS's answer to a request that it refuses, or says to have failed."""
    service = service_of(operation)
    status, code = _FAILURES[service] if kind is Kind.FAILED_AFTER else _REFUSALS[kind][service]
    if service == "redshift-data":
        body = json.dumps({"__type": code, "Message": str(kind)}).encode()
        return status, {"Content-Type": "application/x-amz-json-1.1"}, body
    if service == "dynamodb":
        answer: dict[str, Any] = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": str(kind)}
        if reason := _REASONS.get(kind):
            actions = json.loads(request)["TransactItems"]
            answer["CancellationReasons"] = [{"Code": "None"} for _ in actions[1:]] + [{"Code": reason}]
        return status, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(answer).encode()
    error = f"<Error><Code>{code}</Code><Message>{kind}</Message></Error>"
    if service == "sns":
        error = f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"
    return status, {"Content-Type": "application/xml"}, error.encode()
