"""Keeps a connection's secrets out of what the loader says of it: errors go to logs, DynamoDB and subscribers."""

import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Write `***` for each secret in a text, also where it stands escaped or as part of a URL.

    >>> redacted("login loader:s3cret@host failed", ["s3cret"])
    'login loader:***@host failed'
    """
    forms = {form for secret in secrets if secret for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    yield quote(secret)
    yield quote(secret, safe="")
    for shown in (repr(secret)[1:-1], repr(secret.encode(errors="replace"))[2:-1]):
        yield shown
        # Which quotes Python escapes depends on what else is in the text.
        yield shown.replace("\\'", "'").replace("'", "\\'")
