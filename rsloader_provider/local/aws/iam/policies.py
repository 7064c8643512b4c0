"""Decides by IAM policies, as AWS documents it: an explicit Deny wins, then an Allow is needed.

moto keeps the policies, but leaves their conditions out. Known here are the elements Effect, Action, Resource and
Condition, with StringEquals and StringLike and their ForAllValues form; a policy with anything else is refused.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_KNOWN = {"Sid", "Effect", "Action", "Resource", "Condition"}
_PIECE = re.compile(r"\$\{([*?$])\}|(\*)|(\?)|(.)", re.DOTALL)


class Need(NamedTuple):
    """What a request asks for.

    Attributes:
        action: `service:Operation`.
        resource: Its ARN.
        context: Values of the condition keys that the request has.
    """

    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]]


class UnknownPolicyElementError(ValueError):
    """A policy says something that is not decided here."""


def allows(documents: Iterable[Mapping[str, Any]], need: Need) -> bool:
    """Tell whether the policies of one identity allow what is asked for.

    Raises:
        UnknownPolicyElementError: One of them cannot be decided here.
    """
    effects = {
        statement["Effect"]
        for document in documents
        for statement in _listed(document["Statement"])
        if _applies(statement, need)
    }
    return effects == {"Allow"}


def _applies(statement: Mapping[str, Any], need: Need) -> bool:
    if unknown := set(statement) - _KNOWN:
        raise UnknownPolicyElementError(f"the local AWS does not decide by {', '.join(sorted(unknown))}")
    return (
        any(_like(action.lower(), need.action.lower()) for action in _listed(statement["Action"]))
        and any(_like(resource, need.resource) for resource in _listed(statement["Resource"]))
        and all(_holds(each, keys, need.context) for each, keys in statement.get("Condition", {}).items())
    )


def _holds(operator: str, wanted: Mapping[str, Any], context: Mapping[str, tuple[str, ...]]) -> bool:
    for_all, _, comparison = operator.rpartition(":")
    if comparison not in {"StringEquals", "StringLike"} or for_all not in {"", "ForAllValues"}:
        raise UnknownPolicyElementError(f"the local AWS does not decide by {operator}")
    equal = _like if comparison == "StringLike" else str.__eq__
    return all(
        # A key that the request does not have fails a plain comparison, and passes one for all of its values.
        (key in context or bool(for_all))
        and all(any(equal(pattern, value) for pattern in _listed(patterns)) for value in context.get(key, ()))
        for key, patterns in wanted.items()
    )


def _like(pattern: str, value: str) -> bool:
    return _compiled(pattern).fullmatch(value) is not None


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> re.Pattern[str]:
    r"""Read a pattern: `*` any text, `?` one character, `${*}` an asterisk.

    >>> bool(_compiled("a${*}?*").fullmatch("a*bc"))
    True
    """

    def piece(match: re.Match[str]) -> str:
        escaped, any_text, one, plain = match.groups()
        return ".*" if any_text else "." if one else re.escape(escaped or plain)

    return re.compile(_PIECE.sub(piece, pattern), re.DOTALL)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
