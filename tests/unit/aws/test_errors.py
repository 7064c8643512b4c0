"""AWS's errors, as the loader tells them."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from botocore.parsers import ResponseParserError

from rsloader_provider.aws.errors import as_loader_errors
from rsloader_provider.core.errors import (
    AccessDeniedError,
    ConfigurationError,
    NotSetUpError,
    RsloaderError,
    TransientError,
)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AccessDenied", AccessDeniedError),
        ("AccessDeniedException", AccessDeniedError),
        ("403", AccessDeniedError),
        ("NoSuchBucket", NotSetUpError),
        ("ResourceNotFoundException", NotSetUpError),
        ("ThrottlingException", TransientError),
        ("TransactionConflictException", TransientError),
        ("SlowDown", TransientError),
        ("Throttled", TransientError),
        ("ExpiredToken", TransientError),
        ("ValidationException", RsloaderError),
    ],
)
def test_an_answer_of_aws_names_the_subject_the_action_and_the_remedy(code: str, kind: type[RsloaderError]):
    answer = {"Error": {"Code": code, "Message": "because"}}
    with (
        pytest.raises(kind, match=r"bucket acme: PutObject: .*because") as raised,
        as_loader_errors("bucket acme", "Create it."),
    ):
        raise ClientError(answer, "PutObject")  # type: ignore[arg-type]
    assert type(raised.value) is kind
    assert raised.value.retryable is (kind is TransientError)
    assert ("Create it." in str(raised.value)) is (kind is NotSetUpError)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        ("InvalidSignatureException", "Signature expired: 20260102T110000Z is now earlier than 20260102T115500Z"),
        ("SignatureDoesNotMatch", "Signature not yet current: 20260102T130000Z is still later than 20260102T120500Z"),
    ],
)
def test_a_clock_that_is_off_is_not_taken_for_a_missing_permission(code: str, words: str):
    answer = {"Error": {"Code": code, "Message": words}}
    with pytest.raises(TransientError, match="clock of this machine"), as_loader_errors("bucket acme", "Create it."):
        raise ClientError(answer, "PutObject")  # type: ignore[arg-type]


def test_an_answer_that_says_nothing_can_be_tried_again():
    """A proxy in between that answers with a page of its own would else fail the task with botocore's own error."""
    with pytest.raises(TransientError, match="did not answer"), as_loader_errors("bucket acme", ""):
        raise ResponseParserError("invalid XML received")


def test_no_answer_can_be_tried_again_and_no_credentials_cannot():
    with pytest.raises(TransientError, match="did not answer"), as_loader_errors("bucket acme", ""):
        raise EndpointConnectionError(endpoint_url="http://nowhere")
    with pytest.raises(ConfigurationError, match="no AWS credentials"), as_loader_errors("bucket acme", ""):
        raise NoCredentialsError
