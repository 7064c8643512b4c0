"""DynamoDB's wire protocol: JSON in, JSON out, the operation in a header. A WSGI application."""

from __future__ import annotations

import json
import re
import threading
import uuid
import zlib
from typing import TYPE_CHECKING, Any

from rsloader_provider.local.aws.dynamodb.capacity import WriteUnits
from rsloader_provider.local.aws.dynamodb.engine import Engine
from rsloader_provider.local.aws.dynamodb.errors import DynamoDBError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

_SCOPE = re.compile(r"Credential=[^/]*/\d{8}/([^/]+)/dynamodb/")


class DynamoDBService:
    """One engine per region, found by the region that a request is signed for.

    Attributes:
        spent: The write units of all regions.
    """

    def __init__(self) -> None:
        self.spent = WriteUnits()
        self._engines: dict[str, Engine] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        status = "200 OK"
        answer: dict[str, Any]
        try:
            request = json.loads(environ["wsgi.input"].read() or b"{}")
            answer = self._engine(environ.get("HTTP_AUTHORIZATION", "")).answer(operation, request)
        except DynamoDBError as error:
            status, answer = "400 Bad Request", error.body()
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            # A parameter that is missing or of the wrong shape; boto3 refuses these before they are sent.
            status = "400 Bad Request"
            answer = {"__type": "com.amazon.coral.service#SerializationException", "Message": repr(problem)}
        body = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
        headers = [
            ("Content-Type", "application/x-amz-json-1.0"),
            ("Content-Length", str(len(body))),
            ("x-amzn-RequestId", uuid.uuid4().hex.upper()),
            ("x-amz-crc32", str(zlib.crc32(body))),
        ]
        start_response(status, headers)
        return [body]

    def _engine(self, authorization: str) -> Engine:
        match = _SCOPE.search(authorization)
        region = match[1] if match else "us-east-1"
        with self._lock:
            if region not in self._engines:
                self._engines[region] = Engine(region, self.spent)
            return self._engines[region]
