"""Telling people and programs how a batch ended."""

from collections.abc import Mapping
from typing import Any, Protocol


class Notifier(Protocol):
    """Publishes messages to topics."""

    def publish(self, topic: str, subject: str, message: Mapping[str, Any]) -> None:
        """Publish one message.

        Args:
            topic: The topic's ARN.
            subject: At most 100 characters.
            message: Plain JSON.

        Raises:
            RsloaderError: It could not be published.
        """
        ...
