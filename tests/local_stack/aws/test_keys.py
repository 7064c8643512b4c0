"""The local S3 serves whoever holds a key that the local AWS has issued, and refuses everybody else in S3's words."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from support.aws_fixtures import client, running_aws

from rsloader_provider.local.aws.iam.access_keys import AccessKey
from rsloader_provider.local.aws.s3.signatures import S3RefusalError, S3Signatures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rsloader_provider.local.aws import LocalAws

BUCKET = "keys-and-locks"
KEYS = ["plain", "in/a b+c%2Bd.csv", "in/naïve-日本-🚀", "in//two", "/leading", "in/:@,$*!()'\"&=?#;~"]


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with running_aws() as aws:
        client(aws, "s3").create_bucket(Bucket=BUCKET)
        yield aws


def s3_with(aws: LocalAws, key_id: str, secret: str, token: str | None = None, **options: Any) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, **options),
    )


def refusal(call: Any, **parameters: Any) -> tuple[str, int]:
    """What S3 answers to a call that it refuses: code and status."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def fetched(url: str, **options: Any) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, **options)) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize(
    ("key_id", "secret", "token", "expected"),
    [
        ("AKIAIOSFODNN7UNKNOWN", "x", None, ("InvalidAccessKeyId", 403)),
        ("local", "wrong", None, ("SignatureDoesNotMatch", 403)),
        ("local", "local", "a token for a key that has none", ("InvalidToken", 400)),
    ],
)
def test_a_wrong_key_is_refused(
    aws: LocalAws, key_id: str, secret: str, token: str | None, expected: tuple[str, int]
) -> None:
    s3 = s3_with(aws, key_id, secret, token)
    assert refusal(s3.list_objects_v2, Bucket=BUCKET) == expected
    assert refusal(s3.put_object, Bucket=BUCKET, Key="k", Body=b"x") == expected
    # HEAD has no body to say more in.
    assert refusal(s3.head_bucket, Bucket=BUCKET) == (str(expected[1]), expected[1])


def test_nobody_in_particular_is_refused(aws: LocalAws) -> None:
    status, body = fetched(f"{aws.endpoint_url}/{BUCKET}?list-type=2")
    assert (status, b"<Code>AccessDenied</Code>" in body) == (403, True)
    status, body = fetched(f"{aws.endpoint_url}/{BUCKET}", headers={"Authorization": "AWS local:c2lnbmF0dXJl"})
    assert (status, b"<Code>InvalidRequest</Code>" in body) == (400, True)


@pytest.mark.parametrize("style", ["path", "auto"])
@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_an_object_is_signed_alike_on_both_sides(aws: LocalAws, key: str, style: str) -> None:
    s3 = s3_with(aws, "test", "test", s3={"addressing_style": style})
    s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode(), Metadata={"spaced": "a   b "}, ContentType="text/csv")
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == key.encode()
    assert key in [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=key)["Contents"]]
    s3.delete_object(Bucket=BUCKET, Key=key)


def test_a_users_key_works_until_it_is_switched_off_or_deleted(aws: LocalAws) -> None:
    iam = client(aws, "iam")
    iam.create_user(UserName="alice")
    first, second = (iam.create_access_key(UserName="alice")["AccessKey"] for _ in range(2))
    clients = [s3_with(aws, key["AccessKeyId"], key["SecretAccessKey"]) for key in (first, second)]
    for s3 in clients:
        s3.put_object(Bucket=BUCKET, Key="alice's", Body=b"x")
    iam.update_access_key(UserName="alice", AccessKeyId=first["AccessKeyId"], Status="Inactive")
    iam.delete_access_key(UserName="alice", AccessKeyId=second["AccessKeyId"])
    for s3 in clients:
        assert refusal(s3.get_object, Bucket=BUCKET, Key="alice's") == ("InvalidAccessKeyId", 403)


@pytest.mark.parametrize("operation", ["assume_role", "get_session_token"])
def test_a_temporary_key_works_with_its_token_only(aws: LocalAws, operation: str) -> None:
    sts = client(aws, "sts")
    role = {"RoleArn": "arn:aws:iam::123456789012:role/loader", "RoleSessionName": "test"}
    keys, others = (getattr(sts, operation)(**role if operation == "assume_role" else {})["Credentials"] for _ in "ab")
    assert keys["AccessKeyId"] != others["AccessKeyId"]
    assert keys["Expiration"] > datetime.now(UTC)
    pair = keys["AccessKeyId"], keys["SecretAccessKey"]
    s3_with(aws, *pair, keys["SessionToken"]).put_object(Bucket=BUCKET, Key="temporary", Body=b"x")
    for token, code in ((None, "InvalidAccessKeyId"), (others["SessionToken"], "InvalidToken")):
        assert refusal(s3_with(aws, *pair, token).get_object, Bucket=BUCKET, Key="temporary")[0] == code


@pytest.mark.parametrize("version", ["s3v4", "s3"])
@pytest.mark.parametrize("key", KEYS)
def test_a_presigned_url_works_as_it_was_signed(aws: LocalAws, version: str, key: str) -> None:
    s3 = s3_with(aws, "local", "local", signature_version=version, s3={"addressing_style": "path"})
    put = s3.generate_presigned_url(
        "put_object", Params={"Bucket": BUCKET, "Key": key, "ContentType": "text/csv"}, ExpiresIn=60
    )
    assert fetched(put, method="PUT", data=b"body", headers={"Content-Type": "text/csv"})[0] == 200
    get = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=60)
    assert fetched(get) == (200, b"body")
    assert fetched(get, method="DELETE")[0] == 403
    status, body = fetched(get.replace("Signature=", "Signature=0"))
    assert (status, b"SignatureDoesNotMatch" in body) == (403, True)


def test_a_temporary_keys_presigned_url_holds_its_token(aws: LocalAws) -> None:
    keys = client(aws, "sts").get_session_token()["Credentials"]
    for version in ("s3v4", "s3"):
        s3 = s3_with(
            aws,
            keys["AccessKeyId"],
            keys["SecretAccessKey"],
            keys["SessionToken"],
            signature_version=version,
            s3={"addressing_style": "path"},
        )
        client(aws, "s3").put_object(Bucket=BUCKET, Key="lent", Body=b"lent")
        url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "lent"})
        assert fetched(url) == (200, b"lent")


def test_the_body_has_to_be_the_one_that_was_signed(aws: LocalAws) -> None:
    url = f"{aws.endpoint_url}/{BUCKET}/signed-body"
    request = AWSRequest(method="PUT", url=url, data=b"signed")
    S3SigV4Auth(Credentials("local", "local"), "s3", "us-east-1").add_auth(request)
    status, body = fetched(url, method="PUT", data=b"forged", headers=dict(request.headers.items()))
    assert (status, b"XAmzContentSHA256Mismatch" in body) == (400, True)


@pytest.mark.parametrize("payload", ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"])
def test_an_upload_may_leave_its_body_unsigned(aws: LocalAws, payload: str) -> None:
    """Over TLS, new SDKs send the body in chunks with a checksum after it, instead of hashing it first."""

    class Unhashed(S3SigV4Auth):  # type: ignore[misc]
        def payload(self, request: AWSRequest) -> str:
            return payload

    chunked = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    streams = payload.startswith("STREAMING")
    headers = {"content-type": "text/plain"}
    if streams:
        headers |= {"x-amz-decoded-content-length": "5", "content-encoding": "aws-chunked"}
    url = f"{aws.endpoint_url}/{BUCKET}/unsigned-body"
    request = AWSRequest(method="PUT", url=url, headers=headers)
    Unhashed(Credentials("local", "local"), "s3", "us-east-1").add_auth(request)
    body = chunked if streams else b"hello"
    assert fetched(url, method="PUT", data=body, headers=dict(request.headers.items()))[0] == 200
    assert client(aws, "s3").get_object(Bucket=BUCKET, Key="unsigned-body")["Body"].read() == b"hello"


def test_boto3_may_leave_bodies_unsigned(aws: LocalAws) -> None:
    s3 = s3_with(aws, "local", "local", s3={"payload_signing_enabled": False})
    s3.upload_fileobj(io.BytesIO(b"x" * 9_000_000), BUCKET, "in parts")
    assert s3.head_object(Bucket=BUCKET, Key="in parts")["ContentLength"] == 9_000_000


def test_a_role_may_be_assumed_without_a_key(aws: LocalAws) -> None:
    body = (
        b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=s&WebIdentityToken=t"
        b"&RoleArn=arn:aws:iam::123456789012:role/web"
    )
    status, answer = fetched(aws.endpoint_url + "/", method="POST", data=body)
    assert (status, b"<SessionToken>" in answer) == (200, True), answer


class Clocked:
    """Signatures under a clock of the test's own, with one key that ends after an hour."""

    START = datetime(2025, 6, 1, 12, tzinfo=UTC)
    KEY = AccessKey("ASIATEST", "secret", "token", START + timedelta(hours=1))

    def __init__(self) -> None:
        self.now = self.START
        self.signatures = S3Signatures(self, lambda: self.now)  # type: ignore[arg-type]

    def find(self, key_id: str) -> AccessKey | None:
        return self.KEY if key_id == self.KEY.key_id else None

    def environ(self) -> dict[str, Any]:
        """A GET signed now, with the header."""
        request = AWSRequest(method="GET", url="http://localhost/bucket/key")
        S3SigV4Auth(Credentials("ASIATEST", "secret", "token"), "s3", "us-east-1").add_auth(request)
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
        return headers | {
            "REQUEST_METHOD": "GET",
            "RAW_URI": "/bucket/key",
            "HTTP_HOST": "localhost",
            "wsgi.input": io.BytesIO(),
        }


def test_a_temporary_key_ends_when_its_time_is_over() -> None:
    clocked = Clocked()
    clocked.signatures.check(clocked.environ())
    clocked.now += timedelta(hours=1)
    with pytest.raises(S3RefusalError, match="The provided token has expired") as caught:
        clocked.signatures.check(clocked.environ())
    assert caught.value.code == "ExpiredToken"


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_ends_when_its_time_is_over(version: str) -> None:
    clocked = Clocked()
    s3 = boto3.client(
        "s3",
        endpoint_url="http://localhost",
        region_name="us-east-1",
        aws_access_key_id="ASIATEST",
        aws_secret_access_key="secret",
        aws_session_token="token",
        config=Config(signature_version=version, s3={"addressing_style": "path"}),
    )
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "key"}, ExpiresIn=60)
    path, query = url.removeprefix("http://localhost").split("?")
    environ = {
        "REQUEST_METHOD": "GET",
        "RAW_URI": f"{path}?{query}",
        "QUERY_STRING": query,
        "HTTP_HOST": "localhost",
        "wsgi.input": io.BytesIO(),
    }
    clocked.signatures.check(environ)
    clocked.now = datetime.now(UTC) + timedelta(seconds=61)
    with pytest.raises(S3RefusalError, match="Request has expired"):
        clocked.signatures.check(environ)
