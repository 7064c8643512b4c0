"""Topics in memory."""

from collections.abc import Mapping
from typing import Any

from rsloader_provider.core.errors import NotSetUpError


class MemoryNotifier:
    def __init__(self, *topics: str):
        self.messages: dict[str, list[tuple[str, Mapping[str, Any]]]] = {topic: [] for topic in topics}

    def publish(self, topic: str, subject: str, message: Mapping[str, Any]) -> None:
        if topic not in self.messages:
            raise NotSetUpError(f"SNS topic {topic}: NotFound")
        self.messages[topic].append((subject, message))
