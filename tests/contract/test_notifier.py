"""What every notifier keeps to, in memory as with SNS."""

from typing import Any

import pytest

from rsloader_provider.core.errors import NotSetUpError


def test_a_message_goes_to_a_topic_that_is_there(notifier: tuple[str, Any]):
    topic, port = notifier
    port.publish(topic, "rsloader: orders loaded", {"status": "ok", "files": 2})


def test_a_missing_topic_is_an_error_that_names_it(notifier: tuple[str, Any]):
    topic, port = notifier
    with pytest.raises(NotSetUpError, match="elsewhere"):
        port.publish(topic.replace("loads", "elsewhere"), "subject", {})
