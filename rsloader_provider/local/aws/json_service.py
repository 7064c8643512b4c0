"""AWS's JSON protocol: an operation's name in a header, one JSON object in, one out."""

from __future__ import annotations

import json
import re
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

_KEY_ID = re.compile(r"Credential=([^/,]+)/")


class ServiceError(Exception):
    """An error that the service's model knows.

    Attributes:
        code: Its name, such as `ValidationException`.
        status: The HTTP status.
        members: What the error carries beside its message.
    """

    def __init__(self, code: str, message: str, *, status: int = 400, **members: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.members = members


def key_id_of(environ: WSGIEnvironment) -> str:
    """Return the id of the access key that a request was signed with, empty for none."""
    match = _KEY_ID.search(environ.get("HTTP_AUTHORIZATION", ""))
    return match[1] if match else ""


class JsonService:
    """A WSGI application that answers some operations of a service. Safe for threads if the operations are.

    Args:
        name: The service, as errors call it.
        operations: By name; each gets the access key's id and the request.
        message: What the service's errors call their message.
    """

    def __init__(
        self,
        name: str,
        operations: Mapping[str, Callable[[str, dict[str, Any]], dict[str, Any]]],
        *,
        message: str = "message",
    ) -> None:
        self._name = name
        self._operations = operations
        self._message = message

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", str(uuid.uuid4()))]
        status = 200
        try:
            answer = self._answer(environ)
        except ServiceError as error:
            status = error.status
            answer = {"__type": error.code, self._message: str(error), **error.members}
            headers.append(("x-amzn-ErrorType", error.code))
        body = json.dumps(answer).encode()
        headers.append(("Content-Length", str(len(body))))
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [body]

    def _answer(self, environ: WSGIEnvironment) -> dict[str, Any]:
        operation = str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
        if operation not in self._operations:
            raise ServiceError(
                "UnknownOperationException", f"{operation} of {self._name} is not supported by the local AWS"
            )
        try:
            request = json.loads(environ["wsgi.input"].read() or b"{}")
        except ValueError:
            raise ServiceError("SerializationException", "the request is not JSON") from None
        if not isinstance(request, dict):
            raise ServiceError("SerializationException", "the request is not a JSON object")
        return self._operations[operation](key_id_of(environ), request)
