"""The WSGI application: moto, with our own S3 listing, one lock round its DynamoDB, and our admin routes."""

from __future__ import annotations

import io
import json
import re
import threading
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.exceptions import MissingBucket

from rsloader_provider.local.aws.dynamodb.moto_dynamodb import DynamoDBService
from rsloader_provider.local.aws.iam.access_keys import AccessKeys
from rsloader_provider.local.aws.iam.authorization import Authorization, NotAuthorizedError, refuse
from rsloader_provider.local.aws.kms_keys import KmsService
from rsloader_provider.local.aws.redshift.clusters import answer_for
from rsloader_provider.local.aws.redshift.data import redshift_data_service
from rsloader_provider.local.aws.redshift.database import RedshiftAddress, RedshiftDatabase
from rsloader_provider.local.aws.redshift.serverless import redshift_serverless_service
from rsloader_provider.local.aws.request_counts import RequestCounts, operation_of
from rsloader_provider.local.aws.s3.listing import S3Listing
from rsloader_provider.local.aws.s3.seeding import seed_objects
from rsloader_provider.local.aws.s3.signatures import S3RefusalError, S3Signatures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

REGION = "us-east-1"
_MAX_KEY_BYTES = 1024
_SERVICE = re.compile(r"Credential=[^/]*/\d{8}/[^/]+/([^/]+)/")


class RequestHandler(MotoRequestHandler):
    """Keeps connections open between requests, which moto's handler does not."""

    protocol_version = "HTTP/1.1"
    # Headers and body leave in two writes; Nagle's algorithm would hold the second back for 40 ms.
    disable_nagle_algorithm = True
    wbufsize = -1

    def make_environ(self) -> dict[str, Any]:
        """Return the WSGI environment with the whole body read, so that the next request starts where it should."""
        environ = super().make_environ()
        length = int(environ.get("CONTENT_LENGTH") or 0)
        chunked = environ.get("wsgi.input_terminated", False)
        if environ.get("HTTP_EXPECT", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
            del environ["HTTP_EXPECT"]
            del self.headers["Expect"]
        body = environ["wsgi.input"].read() if chunked else environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        return environ

    def handle_expect_100(self) -> bool:
        """Leave the answer to `make_environ`: the base class and werkzeug would both send it."""
        return True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Stay quiet: a load makes thousands of requests."""


class LocalAwsApp:
    """Routes each request to the application that answers it, and counts it.

    Args:
        enforce_iam: Whether keys of IAM users and roles may do only what their policies allow.

    Attributes:
        dynamodb: Moto's DynamoDB, made atomic.
        counts: Requests by service and operation.
    """

    def __init__(self, *, enforce_iam: bool = False) -> None:
        self.dynamodb = DynamoDBService()
        self.counts = RequestCounts()
        self._listing = S3Listing()
        keys = AccessKeys()
        self._signatures = S3Signatures(keys)
        self._authorization = Authorization(keys, REGION) if enforce_iam else None
        # One at a time: moto checks If-None-Match before it puts, and reads a body while another thread seeks in it.
        self._s3_lock = threading.Lock()
        self._redshift = RedshiftDatabase()
        answer_for(self._redshift, keys)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._services: dict[str, Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]] = {
            "dynamodb": self.dynamodb,
            "kms": KmsService(self._moto, REGION),
            "s3": self._s3,
            "redshift-data": redshift_data_service(self._redshift, keys, REGION),
            "redshift-serverless": redshift_serverless_service(self._redshift, keys, REGION),
        }
        self._admin: dict[tuple[str, str], Callable[[WSGIEnvironment], Any]] = {
            ("GET", "/_local/requests"): self._report,
            ("DELETE", "/_local/requests"): self._reset,
            ("POST", "/_local/objects"): self._seed,
            ("PUT", "/_local/redshift"): self._use_redshift,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        admin = self._admin.get((environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")))
        if admin:
            return self._answer_admin(admin, environ, start_response)
        match = _SERVICE.search(environ.get("HTTP_AUTHORIZATION", ""))
        service = match[1] if match else "s3"
        operation = operation_of(service, environ)
        self.counts.add(service, operation)
        if self._authorization is not None and service != "s3":
            try:
                self._authorization.check(service, operation, environ)
            except NotAuthorizedError as error:
                return refuse(service, error, start_response)
        return self._services.get(service, self._moto)(environ, start_response)

    def _s3(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not _is_for_moto(environ):
            try:
                self._signatures.check(environ)
                if self._authorization is not None:
                    start_response = self._authorized(self._authorization, environ, start_response)
            except S3RefusalError as refusal:
                return _refuse(environ, refusal, start_response)
        # WSGI gives each byte of the path as one character.
        if len(path.lstrip("/").partition("/")[2]) > _MAX_KEY_BYTES:
            return _refuse(environ, S3RefusalError("KeyTooLongError", "Your key is too long", 400), start_response)
        # moto's routes do not match line ends. It takes the key from the raw address, so that only the route sees this.
        environ["PATH_INFO"] = path.replace("\n", "_").replace("\r", "_")
        with self._s3_lock:
            if self._listing.answers(environ):
                return self._listing(environ, start_response)
            if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
                self._listing.forget()
            return list(self._moto(environ, start_response))

    @staticmethod
    def _authorized(
        authorization: Authorization, environ: WSGIEnvironment, start_response: StartResponse
    ) -> StartResponse:
        """Check the policies, and return what starts the answer: 403 for a missing object if the key may not list.

        Raises:
            S3RefusalError: They do not allow it.
        """
        operation = operation_of("s3", environ)
        try:
            authorization.check("s3", operation, environ)
        except NotAuthorizedError as error:
            raise S3RefusalError("AccessDenied", str(error)) from error
        if authorization.may_know_what_is_missing(operation, environ):
            return start_response

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response("403 Forbidden" if status.startswith("404") else status, headers, *error)

        return start

    @staticmethod
    def _answer_admin(
        route: Callable[[WSGIEnvironment], Any], environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        try:
            status, answer = "200 OK", route(environ)
        except (KeyError, ValueError, MissingBucket) as problem:
            status, answer = "400 Bad Request", {"error": str(problem)}
        body = json.dumps(answer).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _report(self, _environ: WSGIEnvironment) -> dict[str, Any]:
        return self.counts.report() | {"write_units": self.dynamodb.spent.report()}

    def _reset(self, _environ: WSGIEnvironment) -> dict[str, Any]:
        self.counts.reset()
        self.dynamodb.spent.reset()
        return {}

    def _use_redshift(self, environ: WSGIEnvironment) -> dict[str, Any]:
        given = json.loads(environ["wsgi.input"].read())
        self._redshift.use(RedshiftAddress(**{name: given[name] for name in RedshiftAddress._fields}))
        return {}

    def _seed(self, environ: WSGIEnvironment) -> dict[str, int]:
        with self._s3_lock:
            self._listing.forget()
            return {"objects": seed_objects(environ["wsgi.input"].read().splitlines())}


def _is_for_moto(environ: WSGIEnvironment) -> bool:
    """Tell whether a request that names no service is for moto's own pages, or for STS without a key, not for S3."""
    path = str(environ.get("PATH_INFO", ""))
    return path.startswith("/moto-api") or (path == "/" and str(environ["REQUEST_METHOD"]) == "POST")


def _refuse(environ: WSGIEnvironment, refusal: S3RefusalError, start_response: StartResponse) -> Iterable[bytes]:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{refusal.code}</Code><Message>{escape(str(refusal))}</Message>"
        f"<RequestId>{uuid.uuid4().hex[:16].upper()}</RequestId></Error>"
    ).encode()
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    start_response(f"{refusal.status} {HTTPStatus(refusal.status).phrase}", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def create_app(*, enforce_iam: bool = False) -> LocalAwsApp:
    """Return the local AWS as a WSGI application; moto keeps its state per process, so make one per process."""
    return LocalAwsApp(enforce_iam=enforce_iam)
