"""Notifications through SNS."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from rsloader_provider.aws.errors import as_loader_errors
from rsloader_provider.core.visible import visible_json
from rsloader_provider.loader.ports.notifier import AnswerLostError

_UNCONNECTED = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)
_UNANSWERED = (HTTPClientError, ResponseParserError, SSLError)
_THROTTLED = {"SlowDown", "Throttled", "ThrottledException", "Throttling", "ThrottlingException"}
_SERVER_ERRORS = 500


class SnsNotifier:
    """SNS through a boto3 client.

    Tries again only what was certainly not published.

    Args:
        connect: Makes, at the first message, a boto3 SNS client that tries nothing again by itself (see
            `client_settings`).
    """

    def __init__(self, connect: Callable[[], Any]):
        self._connect = connect

    @cached_property
    def _client(self) -> Any:
        return self._connect()

    def publish(self, topic: str, subject: str, message: Mapping[str, Any]) -> None:
        attempts = Retrying(
            retry=retry_if_exception(_is_unpublished),
            wait=wait_random_exponential(multiplier=0.05, max=2),
            stop=stop_after_attempt(10),
            reraise=True,
        )
        with as_loader_errors(f"SNS topic {topic}", "Create the topic, or correct `notify` in the load file."):
            try:
                attempts(self._client.publish, TopicArn=topic, Subject=subject, Message=visible_json(message))
            except _UNCONNECTED:
                raise
            except _UNANSWERED as error:
                raise AnswerLostError(f"SNS topic {topic}: AWS did not answer: {error}") from error
            except ClientError as error:
                if _status(error) >= _SERVER_ERRORS and not _is_unpublished(error):
                    raise AnswerLostError(f"SNS topic {topic}: AWS failed while it published: {error}") from error
                raise


def _is_unpublished(error: BaseException) -> bool:
    """Tell whether a message went nowhere, for a reason that may pass."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in _THROTTLED
    return isinstance(error, _UNCONNECTED)


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
