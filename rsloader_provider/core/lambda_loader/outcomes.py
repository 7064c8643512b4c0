"""What an unsuccessful batch of the Lambda loader's records of each cluster: JSON in a text."""

import json
from collections.abc import Mapping
from typing import Any

from rsloader_provider.core.config.mistakes import holds_secret
from rsloader_provider.core.visible import visible

_ERROR_CHARACTERS = 300


def loaded_clusters(value: object) -> tuple[str, ...]:
    """Give the clusters that have a batch, from the JSON that a batch keeps by cluster; 0 is good, -1 is not."""
    try:
        states = json.loads(str(value)) if value else {}
        return tuple(sorted(name for name, state in states.items() if state.get("status") == 0))
    except (ValueError, AttributeError, RecursionError):
        return ()


def recorded_errors(item: Mapping[str, Any]) -> dict[str, str]:
    """Give what an unsuccessful batch keeps of its errors, each on one line; a batch keeps JSON by cluster, or text."""
    for name in ("clusterLoadStatus", "errorMessage"):
        text = str(item.get(name) or "")
        try:
            states = json.loads(text) if text else {}
            failed = {str(each): state["error"] for each, state in states.items() if state.get("error") is not None}
        except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
            failed = {"": text} if text and name == "errorMessage" else {}
        if failed:
            return {cluster: _one_line(error) for cluster, error in failed.items()}
    return {}


def _one_line(error: Any) -> str:
    text = error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
    if holds_secret(text):
        return "(it may hold a secret, and is not repeated)"
    shown = visible(text)
    return shown if len(shown) <= _ERROR_CHARACTERS else f"{shown[:_ERROR_CHARACTERS]}…"
