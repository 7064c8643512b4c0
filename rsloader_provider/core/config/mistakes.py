"""How a setting's check says what is wrong: a sentence, and another on what to write instead."""

import re

from pydantic_core import PydanticCustomError

MISTAKE = "rsloader_mistake"

_SECRET = re.compile(
    r"://[^/\s]*[:@]"  # user and password, or a key, before a host or a bucket
    r"|(?:secret_access_key|access_key_id|session_token|master_symmetric_key|passw(?:or)?d)\s*="
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|x-amz-(?:signature|credential|security-token)",
    re.IGNORECASE,
)


def holds_secret(text: str) -> bool:
    """Tell whether a text looks like one with a key or a password in it.

    >>> holds_secret("redshift://loader:hunter2@host/db")
    True
    """
    return _SECRET.search(text) is not None


def shown(text: str) -> str:
    """Quote what somebody wrote, for a message; what may hold a secret is not repeated, since messages go far."""
    return "what is written here (not shown, as it may hold a secret)" if holds_secret(text) else repr(text)


def mistake(message: str, hint: str, *, at: tuple[str | int, ...] = (), line: int | None = None) -> PydanticCustomError:
    """Return an exception for the caller to raise; this function raises nothing itself.

    It is a `ValueError`, and pydantic collects it with all others.

    Args:
        message: What is wrong, as a sentence that starts small and ends with a full stop.
        hint: What to write instead, as a sentence.
        at: Where below the setting being checked the mistake stands, e.g. `(1, "table")`. Empty means the setting.
        line: Line of the setting's text; 1 is the first. None means the setting as a whole.

    Returns:
        The exception: `raise mistake(…)`.
    """
    # The template holds no text of the user's: braces in it would be read as places to fill.
    return PydanticCustomError(MISTAKE, "{message} {hint}", {"message": message, "hint": hint, "at": at, "line": line})
