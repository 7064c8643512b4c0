"""Checks S3's signatures: the header's, and those of presigned URLs of version 4 and 2.

botocore signs the request once more, as it came, and the signatures must be equal. IAM's policies are checked
elsewhere, and only if that is asked for. Without them a known key may do everything that the bucket's own policy, which
moto reads, does not forbid. For a chunked upload only the headers' signature is checked, and a date long past is
accepted. A POST of a form is refused.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote_to_bytes

from botocore.auth import SIGV4_TIMESTAMP, HmacV1Auth, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from wsgiref.types import WSGIEnvironment

    from rsloader_provider.local.aws.iam.access_keys import AccessKey, AccessKeys

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<signed>[^,\s]+),\s*Signature=(?P<signature>\w+)"
)
_HASH = re.compile(r"[0-9a-f]{64}")
_UNSIGNED = "UNSIGNED-PAYLOAD"
# Version 2 signs these as headers, also when they came as parameters.
_SIGNED_BY_V2 = ("content-md5", "content-type")


class S3RefusalError(Exception):
    """S3's answer to a request that is not properly signed.

    Attributes:
        code: S3's error code.
        status: The HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class _Claim(NamedTuple):
    """What a version 4 request says about itself."""

    credential: str
    signed: str
    signature: str
    timestamp: str
    payload: str
    query: str


class _ReceivedV4(S3SigV4Auth):
    """Signs with the payload's hash as the client gave it."""

    def __init__(self, key: AccessKey, claim: _Claim) -> None:
        _, _, region, service, _ = _scope(claim.credential)
        super().__init__(Credentials(key.key_id, key.secret), service, region)
        self._payload = claim.payload

    def payload(self, request: AWSRequest) -> str:
        return self._payload


class _ReceivedV2(HmacV1Auth):
    """Signs with the date as the client gave it."""

    def __init__(self, key: AccessKey, date: str) -> None:
        super().__init__(Credentials(key.key_id, key.secret))
        self._date = date

    def _get_date(self) -> str:
        return self._date


class S3Signatures:
    """Tells whether a request to S3 was signed with a key that the local AWS has issued.

    Args:
        keys: The keys.
        now: The clock (aware, UTC).
    """

    def __init__(self, keys: AccessKeys, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._keys = keys
        self._now = now

    def check(self, environ: WSGIEnvironment) -> None:
        """Do nothing if the request's signature is right.

        Raises:
            S3RefusalError: It is not, in S3's words.
        """
        query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        header = environ.get("HTTP_AUTHORIZATION", "")
        if header:
            match = _HEADER.match(header)
            if match is None:
                raise S3RefusalError(
                    "InvalidRequest",
                    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
                    400,
                )
            self._check_v4(environ, _claim_of_header(environ, match), environ.get("HTTP_X_AMZ_SECURITY_TOKEN"))
        elif "X-Amz-Signature" in query:
            claim = _claim_of_url(environ, query)
            self._check_time(_moment(claim.timestamp) + timedelta(seconds=_whole(query.get("X-Amz-Expires", ""))))
            self._check_v4(environ, claim, query.get("X-Amz-Security-Token"))
        elif "Signature" in query and "AWSAccessKeyId" in query:
            self._check_time(datetime.fromtimestamp(_whole(query.get("Expires", "")), UTC))
            self._check_v2(environ, query)
        else:
            raise S3RefusalError("AccessDenied", "Access Denied")

    def _check_v4(self, environ: WSGIEnvironment, claim: _Claim, token: str | None) -> None:
        key = self._key(_scope(claim.credential)[0], token)
        headers = {name: _header(environ, name) for name in claim.signed.split(";")}
        url = f"http://{environ.get('HTTP_HOST', '')}{_path(environ)}" + (f"?{claim.query}" if claim.query else "")
        request = AWSRequest(method=environ["REQUEST_METHOD"], url=url, headers=headers)
        request.context["timestamp"] = claim.timestamp
        auth = _ReceivedV4(key, claim)
        ours = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        if not hmac.compare_digest(ours, claim.signature):
            raise _mismatch()
        if _HASH.fullmatch(claim.payload) and claim.payload != _body_hash(environ):
            message = "The provided 'x-amz-content-sha256' header does not match what was computed."
            raise S3RefusalError("XAmzContentSHA256Mismatch", message, 400)

    def _check_v2(self, environ: WSGIEnvironment, query: Mapping[str, str]) -> None:
        key = self._key(query["AWSAccessKeyId"], query.get("x-amz-security-token"))
        headers: Any = HTTPHeaders()  # what botocore means by a mapping
        for name in (*_SIGNED_BY_V2, *_amz_headers(environ, query)):
            if value := query.get(name) or _header(environ, name):
                headers[name] = value
        split = SplitResult("http", "", _path(environ), environ.get("QUERY_STRING", ""), "")
        ours = _ReceivedV2(key, query["Expires"]).get_signature(environ["REQUEST_METHOD"], split, headers)
        if not hmac.compare_digest(ours, query["Signature"]):
            raise _mismatch()

    def _key(self, key_id: str, token: str | None) -> AccessKey:
        key = self._keys.find(key_id)
        if key is None or (key.token and not token):
            message = "The AWS Access Key Id you provided does not exist in our records."
            raise S3RefusalError("InvalidAccessKeyId", message)
        if token != key.token and not (key.token and token and hmac.compare_digest(key.token, token)):
            raise S3RefusalError("InvalidToken", "The provided token is malformed or otherwise invalid.", 400)
        if key.expires and key.expires <= self._now():
            raise S3RefusalError("ExpiredToken", "The provided token has expired.", 400)
        return key

    def _check_time(self, expires: datetime) -> None:
        if expires <= self._now():
            raise S3RefusalError("AccessDenied", "Request has expired")


def _claim_of_header(environ: WSGIEnvironment, match: re.Match[str]) -> _Claim:
    return _Claim(
        match["credential"],
        match["signed"],
        match["signature"],
        _header(environ, "x-amz-date"),
        _header(environ, "x-amz-content-sha256") or _UNSIGNED,
        environ.get("QUERY_STRING", ""),
    )


def _claim_of_url(environ: WSGIEnvironment, query: Mapping[str, str]) -> _Claim:
    unsigned = [part for part in environ["QUERY_STRING"].split("&") if not part.startswith("X-Amz-Signature=")]
    return _Claim(
        query.get("X-Amz-Credential", ""),
        query.get("X-Amz-SignedHeaders", "host"),
        query["X-Amz-Signature"],
        query.get("X-Amz-Date", ""),
        _header(environ, "x-amz-content-sha256") or _UNSIGNED,
        "&".join(unsigned),
    )


def _scope(credential: str) -> list[str]:
    """Return the key id, the date, the region, the service and `aws4_request`."""
    parts = credential.rsplit("/", 4)
    if len(parts) != 5:
        raise S3RefusalError("AuthorizationQueryParametersError", "Error parsing the X-Amz-Credential parameter", 400)
    return parts


def _path(environ: WSGIEnvironment) -> str:
    raw = str(environ.get("RAW_URI", environ.get("PATH_INFO", "/"))).partition("?")[0]
    return quote(unquote_to_bytes(raw), safe="/~")


def _header(environ: WSGIEnvironment, name: str) -> str:
    variable = name.upper().replace("-", "_")
    return str(environ.get(f"HTTP_{variable}", environ.get(variable, "")))


def _amz_headers(environ: WSGIEnvironment, query: Mapping[str, str]) -> set[str]:
    """Return the names of S3's own headers, which a presigned URL may hold as parameters."""
    sent = {name[5:].lower().replace("_", "-") for name in environ if name.startswith("HTTP_X_AMZ_")}
    return sent | {name for name in query if name.startswith("x-amz-")}


def _body_hash(environ: WSGIEnvironment) -> str:
    body = environ["wsgi.input"]
    digest = sha256(body.read()).hexdigest()
    body.seek(0)
    return digest


def _moment(timestamp: str) -> datetime:
    try:
        return datetime.strptime(timestamp, SIGV4_TIMESTAMP).replace(tzinfo=UTC)
    except ValueError:
        message = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
        raise S3RefusalError("AuthorizationQueryParametersError", message, 400) from None


def _whole(number: str) -> int:
    if not number.isdecimal():
        raise S3RefusalError("AuthorizationQueryParametersError", "X-Amz-Expires should be a number", 400)
    return int(number)


def _mismatch() -> S3RefusalError:
    return S3RefusalError(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
    )
