"""Keeps secrets out of what the loader says: errors go to logs, DynamoDB and subscribers."""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import quote

from rsloader_provider.core.redshift.quoting import literal
from rsloader_provider.core.visible import visible

_CLAUSE = re.compile(r"((?:SECRET_ACCESS_KEY|SESSION_TOKEN)\s+\\?')(?:[^'\\]|\\.|'')*")
"""COPY's secrets. A secret that is cut off reaches to the end of the text."""


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Write `***` for each secret in a text, also where it is escaped or part of a URL.

    >>> redacted("login loader:s3cret@host failed", ["s3cret"])
    'login loader:***@host failed'
    >>> redacted("at or near SESSION_TOKEN 'FwoG", ["FwoGZXIvYXdz"])
    "at or near SESSION_TOKEN '***"
    """
    forms = {form for secret in secrets if secret for each in _written(secret) for form in _forms(each)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return _CLAUSE.sub(r"\1***", text)


def shown_cause(error: BaseException, secrets: Collection[str]) -> BaseException | None:
    """Give an error as the cause of ours, or None if it or one of its causes holds a secret: logs print them all."""
    each: BaseException | None = error
    while each is not None:
        said = f"{each} {each!r}"
        if redacted(said, secrets) != said:
            return None
        each = each.__cause__ if each.__suppress_context__ else each.__context__
    return error


def _written(secret: str) -> Iterator[str]:
    yield secret
    yield literal(secret)[1:-1]


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    yield visible(secret)
    yield quote(secret)
    yield quote(secret, safe="")
    for shown in (repr(secret)[1:-1], repr(secret.encode(errors="replace"))[2:-1]):
        yield shown
        # Which quotes Python escapes depends on what else is in the text.
        yield shown.replace("\\'", "'").replace("'", "\\'")
