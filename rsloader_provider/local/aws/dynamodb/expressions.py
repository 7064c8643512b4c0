"""Reads DynamoDB's expressions into trees: condition, filter and key condition, update, projection.

A tree is made of tuples. A path is a tuple of names and list positions; names stay as written (`#n`) until evaluated,
so that a tree can be kept for the next request with the same text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from rsloader_provider.local.aws.dynamodb.errors import ValidationError

Node = tuple[Any, ...]
Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r"\s*(?:(?P<name>#?[A-Za-z_][A-Za-z0-9_]*|#[A-Za-z0-9_]+)|(?P<value>:[A-Za-z0-9_]+)|(?P<number>\d+)"
    r"|(?P<sign><>|<=|>=|[=<>(),.+\-\[\]]))"
)
_COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_FUNCTIONS = {"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2}
_RESERVED = frozenset(word.upper() for word in ReservedKeywords.get_reserved_keywords())


class Expression(NamedTuple):
    """One expression, read.

    Attributes:
        tree: Its meaning.
        names: The `#name` placeholders in it.
        values: The `:value` placeholders in it.
    """

    tree: Any
    names: frozenset[str]
    values: frozenset[str]


class _Reader:
    """Reads tokens one by one; `kind` tells errors which parameter of the request is wrong."""

    def __init__(self, text: str, kind: str) -> None:
        self.kind = kind
        self.names: set[str] = set()
        self.values: set[str] = set()
        self._tokens = self._split(text)
        self._next = 0

    def _split(self, text: str) -> list[str]:
        tokens: list[str] = []
        position, end = 0, len(text.rstrip())
        if not end:
            raise self.error("The expression can not be empty;")
        while position < end:
            match = _TOKEN.match(text, position)
            if not match:
                raise self.error(f'Syntax error; token: "{text[position : position + 1]}", near: "{text[position:]}"')
            tokens.append(match.group().strip())
            position = match.end()
        return tokens

    def error(self, detail: str) -> ValidationError:
        return ValidationError(f"Invalid {self.kind}: {detail}")

    @property
    def current(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else "<EOF>"

    @property
    def word(self) -> str:
        return self.current.upper()

    @property
    def following(self) -> str:
        return self._tokens[self._next + 1] if self._next + 1 < len(self._tokens) else "<EOF>"

    def take(self) -> str:
        token = self.current
        self._next += 1
        return token

    def expect(self, token: str) -> None:
        if self.word != token:
            raise self.error(f'Syntax error; token: "{self.current}", expected: "{token}"')
        self._next += 1

    def done(self) -> bool:
        return self._next >= len(self._tokens)

    def path(self) -> Path:
        parts: list[str | int] = [self._name()]
        while self.current in (".", "["):
            if self.take() == ".":
                parts.append(self._name())
            else:
                index = self.take()
                if not index.isdigit():
                    raise self.error(f'Syntax error; token: "{index}"')
                parts.append(int(index))
                self.expect("]")
        return tuple(parts)

    def _name(self) -> str:
        token = self.take()
        if token.startswith("#"):
            self.names.add(token)
        elif not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", token):
            raise self.error(f'Syntax error; token: "{token}"')
        elif token.upper() in _RESERVED:
            raise self.error(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        return token

    def value(self) -> Node:
        token = self.take()
        if not token.startswith(":"):
            raise self.error(f'Syntax error; token: "{token}"')
        self.values.add(token)
        return ("value", token)

    def operand(self) -> Node:
        if self.current.startswith(":"):
            return self.value()
        if self.current == "size" and self.following == "(":
            self.take()
            self.expect("(")
            path = self.path()
            self.expect(")")
            return ("size", path)
        return ("path", self.path())

    def finish(self, tree: Any) -> Expression:
        if not self.done():
            raise self.error(f'Syntax error; token: "{self.current}"')
        return Expression(tree, frozenset(self.names), frozenset(self.values))


@lru_cache(maxsize=1024)
def read_condition(text: str, kind: str = "ConditionExpression") -> Expression:
    """Read a condition, a filter or a key condition.

    Raises:
        ValidationError: It is not one; the message names `kind`.
    """
    reader = _Reader(text, kind)
    return reader.finish(_or(reader))


def _or(reader: _Reader) -> Node:
    left = _and(reader)
    while reader.word == "OR":
        reader.take()
        left = ("or", left, _and(reader))
    return left


def _and(reader: _Reader) -> Node:
    left = _not(reader)
    while reader.word == "AND":
        reader.take()
        left = ("and", left, _not(reader))
    return left


def _not(reader: _Reader) -> Node:
    if reader.word == "NOT":
        reader.take()
        return ("not", _not(reader))
    if reader.current == "(":
        reader.take()
        inner = _or(reader)
        reader.expect(")")
        return inner
    if reader.current in _FUNCTIONS and reader.following == "(":
        return _function(reader)
    return _comparison(reader)


def _function(reader: _Reader) -> Node:
    name = reader.take()
    reader.expect("(")
    arguments: list[Any] = [reader.path()]
    for _ in range(_FUNCTIONS[name] - 1):
        reader.expect(",")
        arguments.append(reader.operand())
    reader.expect(")")
    return (name, *arguments)


def _comparison(reader: _Reader) -> Node:
    left = reader.operand()
    if reader.current in _COMPARATORS:
        return (reader.take(), left, reader.operand())
    if reader.word == "BETWEEN":
        reader.take()
        low = reader.operand()
        reader.expect("AND")
        return ("between", left, low, reader.operand())
    if reader.word == "IN":
        reader.take()
        reader.expect("(")
        choices = [reader.operand()]
        while reader.current == ",":
            reader.take()
            choices.append(reader.operand())
        reader.expect(")")
        return ("in", left, tuple(choices))
    raise reader.error(f'Syntax error; token: "{reader.current}"')


@lru_cache(maxsize=1024)
def read_update(text: str) -> Expression:
    """Read an update expression: a list of (clause, path, operand), operand None for REMOVE.

    Raises:
        ValidationError: It is not one, or a clause stands twice.
    """
    reader = _Reader(text, "UpdateExpression")
    actions: list[Node] = []
    seen: set[str] = set()
    while not reader.done():
        clause = reader.word
        reader.take()
        if clause not in ("SET", "REMOVE", "ADD", "DELETE"):
            raise reader.error(f'Syntax error; token: "{clause}"')
        if clause in seen:
            raise reader.error(f'The "{clause}" section can only be used once in an update expression;')
        seen.add(clause)
        actions.append(_action(reader, clause))
        while reader.current == ",":
            reader.take()
            actions.append(_action(reader, clause))
    return reader.finish(tuple(actions))


def _action(reader: _Reader, clause: str) -> Node:
    path = reader.path()
    if clause == "REMOVE":
        return (clause, path, None)
    if clause in ("ADD", "DELETE"):
        return (clause, path, reader.value())
    reader.expect("=")
    operand = _set_operand(reader)
    while reader.current in ("+", "-"):
        operand = (reader.take(), operand, _set_operand(reader))
    return (clause, path, operand)


def _set_operand(reader: _Reader) -> Node:
    if reader.current == "(":
        reader.take()
        inner = _set_operand(reader)
        reader.expect(")")
        return inner
    if reader.current in ("if_not_exists", "list_append") and reader.following == "(":
        name = reader.take()
        reader.expect("(")
        first: Any = reader.path() if name == "if_not_exists" else _set_operand(reader)
        reader.expect(",")
        second = _set_operand(reader)
        reader.expect(")")
        return (name, first, second)
    return reader.operand()


@lru_cache(maxsize=1024)
def read_projection(text: str) -> Expression:
    """Read a projection: a tuple of paths.

    Raises:
        ValidationError: It is not one.
    """
    reader = _Reader(text, "ProjectionExpression")
    paths = [reader.path()]
    while reader.current == ",":
        reader.take()
        paths.append(reader.path())
    return reader.finish(tuple(paths))
