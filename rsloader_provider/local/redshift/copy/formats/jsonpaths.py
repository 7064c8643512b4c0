"""Redshift's JSONPath expressions, and the file that lists them.

jsonpath-ng is not used: it refuses keys that Redshift takes (`$.where`, `$.user agent`, `$.é`), and it does not tell a
missing member, which is NULL, from a missing array element, which is an error.

Source: https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-format.html#copy-json-jsonpaths
"""

import json
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from rsloader_provider.local.redshift.errors import RedshiftError

if TYPE_CHECKING:
    from rsloader_provider.local.redshift.copy.formats.json_values import Json

Steps: TypeAlias = tuple[str | int, ...]

NOT_AN_OBJECT = "Invalid JSONPath format: Member is not an object."
NOT_AN_ELEMENT = "Invalid JSONPath format: Not an array or index out of range."
_INDEX = r"\[([0-9]+)\]"
_WILDCARD = r"\*(?:[.\[]|$)"
_DOT_NOTATION = re.compile(rf"\.(?!{_WILDCARD})([^'.\[\]]+)|{_INDEX}")
_BRACKET_NOTATION = re.compile(rf"\['([^']+)'\]|{_INDEX}")
_NOTATIONS = (_DOT_NOTATION, _BRACKET_NOTATION)


class NoElementError(Exception):
    """A value is not built as an expression says; the error's text is Redshift's words for it."""


def parse_jsonpaths(content: bytes, columns: int) -> list[str] | None:
    """Return the expressions of a jsonpaths file.

    Args:
        content: The file.
        columns: How many columns the COPY fills.

    Returns:
        One expression for each column; None if the file has no key "jsonpaths", for which Redshift uses `auto`.

    Raises:
        RedshiftError: The file is malformed, or has more or fewer expressions than there are columns.
    """
    try:
        document: Any = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise RedshiftError(f"Invalid JSONPaths file: the JSON is malformed: {error}") from error
    if not isinstance(document, dict):
        raise RedshiftError("Invalid JSONPaths file: it must contain a single JSON object")
    if "jsonpaths" not in document:
        return None
    paths = document["jsonpaths"]
    if not isinstance(paths, list) or not all(isinstance(path, str) and path for path in paths):
        raise RedshiftError("Invalid JSONPaths file: jsonpaths must be an array of strings that are not empty")
    for path in paths:
        parse_path(path)
    if not any(all(_is_written(path, notation) for path in paths) for notation in _NOTATIONS):
        raise _unsupported(next(path for path in paths if not _is_written(path, _DOT_NOTATION)))
    if len(paths) != columns:
        raise RedshiftError(
            f"Number of jsonpaths and the number of columns should match. JSONPath size: {len(paths)}, "
            f"Number of columns in table or column list: {columns}"
        )
    return paths


def parse_path(path: str) -> Steps:
    """Return the keys and array indexes that an expression names, from the root on.

    >>> parse_path("$.store.books[0]")
    ('store', 'books', 0)
    >>> parse_path("$['store']['books'][0]")
    ('store', 'books', 0)

    Raises:
        RedshiftError: Redshift does not take the expression: Redshift has no wildcards, filters or mixed notations.
    """
    for notation in _NOTATIONS:
        if _is_written(path, notation):
            return tuple(key or int(index) for key, index in notation.findall(path, 1))
    raise _unsupported(path)


def value_at(value: "Json", steps: Steps) -> "Json":
    """Return what an expression names in a value; None also where a key is missing.

    Raises:
        NoElementError: An array element is missing, or a key is looked for in a value that is not an object.
    """
    for step in steps:
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                raise NoElementError(NOT_AN_ELEMENT)
            value = value[step]
        elif isinstance(value, dict):
            value = value.get(step)
        elif value is not None:
            raise NoElementError(NOT_AN_OBJECT)
    return value


def _is_written(path: str, notation: re.Pattern[str]) -> bool:
    return re.fullmatch(rf"\$(?:{notation.pattern})*", path) is not None


def _unsupported(path: str) -> RedshiftError:
    return RedshiftError(
        f"Invalid JSONPath format. Supported notations are 'dot-notation' and 'bracket-notation': {path}"
    )
