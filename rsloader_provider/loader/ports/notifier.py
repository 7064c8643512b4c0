"""Notifies people and programs of how a batch ended."""

from collections.abc import Mapping
from typing import Any, Protocol


class AnswerLostError(Exception):
    """No clear answer came: it is not known whether the message was published.

    Trying again might publish it twice, and topics do not notice.
    """


class Notifier(Protocol):
    """Publishes messages to topics."""

    def publish(self, topic: str, subject: str, message: Mapping[str, Any]) -> None:
        """Publish one message.

        Args:
            topic: The topic's ARN.
            subject: At most 100 characters.
            message: Plain JSON.

        Raises:
            RsloaderError: It was not published.
            AnswerLostError: It may have been published.
        """
        ...
