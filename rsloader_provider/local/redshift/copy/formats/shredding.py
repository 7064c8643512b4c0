"""A JSON or Avro document as the fields of one row, which Redshift calls shredding it.

Source: https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-json.html
"""

from typing import TYPE_CHECKING, Protocol

from rsloader_provider.local.redshift.copy.formats import Record, Refusal
from rsloader_provider.local.redshift.copy.formats.characters import BadCharacterError, acceptable, printable
from rsloader_provider.local.redshift.copy.formats.json_values import Json, compact
from rsloader_provider.local.redshift.copy.formats.jsonpaths import NOT_AN_OBJECT, NoElementError, parse_path, value_at
from rsloader_provider.local.redshift.copy.refusals import LoadErrorCode
from rsloader_provider.local.redshift.errors import RedshiftError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rsloader_provider.local.redshift.copy.options import CopyOptions

MALFORMED = "Invalid value."
_SUPER = "jsonb"


class NamedColumn(Protocol):
    """What shredding must know of a column that the COPY fills."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def type_name(self) -> str:
        """PostgreSQL's short name of its type; a SUPER column's is jsonb."""


class Shredder:
    """The way from the documents of one COPY to its rows.

    Args:
        copy: The COPY.
        columns: The columns that it fills.
        jsonpaths: One expression for each column, or None for the mapping that the COPY names.

    Raises:
        RedshiftError: The mapping does not fit the columns.
    """

    def __init__(self, copy: "CopyOptions", columns: "Sequence[NamedColumn]", jsonpaths: "Sequence[str] | None"):
        self._replacement = copy.replacement
        self._names = [column.name for column in columns]
        self._is_super = [column.type_name == _SUPER for column in columns]
        self._paths = None if jsonpaths is None else [parse_path(path) for path in jsonpaths]
        self._whole = jsonpaths is None and copy.mapping == "noshred"
        self._ignore_case = jsonpaths is None and copy.mapping == "auto ignorecase"
        if self._whole and self._is_super != [True]:
            raise RedshiftError("COPY with the noshred option needs a single column of type SUPER")

    def record(self, line: int, raw: str, document: Json) -> Record:
        """Return the record that a document makes, or its refusal.

        Args:
            line: The record's line.
            raw: Its text.
            document: The document itself.
        """
        try:
            return self._row(line, raw, self._values(document))
        except NoElementError as error:
            return Record(line, raw, [], Refusal(LoadErrorCode.VALUE, str(error)))
        except RecursionError:
            return Record(line, raw, [], Refusal(LoadErrorCode.VALUE, MALFORMED))

    def _row(self, line: int, raw: str, values: list[Json]) -> Record:
        fields: list[str | None] = []
        for column, value in enumerate(values):
            try:
                fields.append(self._field(value, is_super=self._is_super[column]))
            except BadCharacterError as error:
                text, position = (value, error.position) if isinstance(value, str) else (compact(value), 0)
                refusal = Refusal(LoadErrorCode.UTF8, error.reason, column, printable(text), position)
                return Record(line, raw, [], refusal)
        return Record(line, raw, fields)

    def _values(self, document: Json) -> list[Json]:
        if self._whole:
            return [document]
        if self._paths is not None:
            return [value_at(document, path) for path in self._paths]
        if not isinstance(document, dict):
            raise NoElementError(NOT_AN_OBJECT)
        if self._ignore_case:
            document = {key.lower(): value for key, value in document.items()}
        return [document.get(name) for name in self._names]

    def _field(self, value: Json, *, is_super: bool) -> str | None:
        if value is None:
            return None
        if isinstance(value, str) and not is_super:
            return acceptable(str(value), self._replacement)
        return compact(value, lambda text: acceptable(text, self._replacement))
