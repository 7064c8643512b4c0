"""Notifications through SNS."""

import json
from collections.abc import Mapping
from typing import Any

from rsloader_provider.aws.errors import explained


class SnsNotifier:
    """SNS through a boto3 client.

    Args:
        client: A boto3 SNS client.
    """

    def __init__(self, client: Any):
        self._client = client

    def publish(self, topic: str, subject: str, message: Mapping[str, Any]) -> None:
        with explained(f"SNS topic {topic}", "Create the topic, or correct `notify` in the load file."):
            self._client.publish(TopicArn=topic, Subject=subject, Message=json.dumps(message))
