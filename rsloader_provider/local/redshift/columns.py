"""A target table's columns, and how COPY turns a field's text into each of them.

PostgreSQL takes more spellings than Redshift does ('0x1F' and '1_000' for integers, 'on' for booleans, any date that it
can guess), so every type has its own pattern, and PostgreSQL's cast comes second.
"""

import re
from dataclasses import dataclass
from typing import LiteralString

from rsloader_provider.local.redshift.load_errors import LoadErrorCode
from rsloader_provider.local.redshift.sql_text import Fragment, identifier, render

_STRINGS = ("varchar", "bpchar", "text")
# PostgreSQL's regular expressions are slow where they count, so these leave to the cast what it refuses by itself.
_DATE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]?-[0-9][0-9]?"
_TIME = "[0-9:. ]*"


@dataclass(frozen=True)
class _Conversion:
    """How one type's texts look, and how COPY reports the others."""

    pattern: LiteralString
    code: LoadErrorCode
    reason: str


_INTEGER: LiteralString = r"^[+-]?[0-9]+$"
_FLOAT: LiteralString = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"
_TIMESTAMP: LiteralString = f"^{_DATE}( {_TIME})?$"
_CONVERSIONS = {
    "int2": _Conversion(
        _INTEGER, LoadErrorCode.DIGIT, "Invalid digit, Value '{character}', Pos {position}, Type: Short"
    ),
    "int4": _Conversion(
        _INTEGER, LoadErrorCode.DIGIT, "Invalid digit, Value '{character}', Pos {position}, Type: Integer"
    ),
    "int8": _Conversion(
        _INTEGER, LoadErrorCode.DIGIT, "Invalid digit, Value '{character}', Pos {position}, Type: Long"
    ),
    "numeric": _Conversion(
        _FLOAT, LoadErrorCode.DIGIT, "Invalid digit, Value '{character}', Pos {position}, Type: Decimal"
    ),
    "float4": _Conversion(_FLOAT, LoadErrorCode.FLOAT, "Invalid float format or value"),
    "float8": _Conversion(_FLOAT, LoadErrorCode.FLOAT, "Invalid double format or value"),
    "bool": _Conversion(
        "^([tT]|[fF]|[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[yY]|[nN]|[yY][eE][sS]|[nN][oO]|0|1)$",
        LoadErrorCode.BOOLEAN,
        "Unknown boolean format",
    ),
    "date": _Conversion(f"^{_DATE}$", LoadErrorCode.DATE, "Invalid Date Format - length must be 10 or more"),
    "timestamp": _Conversion(
        _TIMESTAMP, LoadErrorCode.TIMESTAMP, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"
    ),
    "timestamptz": _Conversion(
        f"^{_DATE}( {_TIME}([+-][0-9:]+|[A-Za-z/_]+)?)?$",
        LoadErrorCode.TIMESTAMP,
        "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SSOF]",
    ),
}
_ANY_VALUE = _Conversion("", LoadErrorCode.VALUE, "Invalid value for the column's type")


@dataclass(frozen=True)
class Check:
    """A condition under which a staged field is refused."""

    refused_if: Fragment
    code: LoadErrorCode


@dataclass(frozen=True)
class Column:
    """One column that a COPY fills.

    Attributes:
        name: Its name.
        type_name: PostgreSQL's short name of its type, such as int4.
        declared_type: The type as declared, such as numeric(8,2).
        length: Greatest length in bytes of a string column; None for other types and for no limit.
        scale: Decimal places of a numeric column, otherwise None.
        not_null: Whether it refuses NULL.
        staged: The staging table's column that holds its text.
    """

    name: str
    type_name: str
    declared_type: str
    length: int | None
    scale: int | None
    not_null: bool
    staged: Fragment

    @classmethod
    def from_catalog(
        cls, name: str, type_name: str, modifier: int, declared_type: str, *, not_null: bool, position: int
    ) -> "Column":
        """Build a column from what pg_attribute says of it.

        Args:
            name: attname.
            type_name: typname.
            modifier: atttypmod, -1 for none.
            declared_type: format_type's answer.
            not_null: attnotnull.
            position: Its place among the fields of a record, from 0.
        """
        has_modifier = modifier >= 0
        return cls(
            name=name,
            type_name=type_name,
            declared_type=declared_type,
            length=modifier - 4 if has_modifier and type_name in ("varchar", "bpchar") else None,
            scale=(modifier - 4) & 0x7FF if has_modifier and type_name == "numeric" else None,
            not_null=not_null,
            staged=Fragment(f"c{position}"),
        )

    @property
    def quoted(self) -> Fragment:
        """The column's name as SQL."""
        return identifier(self.name)

    @property
    def _text(self) -> Fragment:
        """The staged text; an empty field is NULL for every type but strings."""
        if self.type_name in _STRINGS:
            return self.staged
        return render("nullif(btrim({staged}, ' '), '')", staged=self.staged)

    @property
    def typed(self) -> Fragment:
        """The expression that the target gets."""
        declared = Fragment(self.declared_type)
        if self.type_name in _STRINGS:
            return render("{text}::{declared}", text=self._text, declared=declared)
        if self.scale is not None:
            # COPY cuts superfluous decimals off where INSERT rounds them.
            return render(
                "trunc({text}::numeric, {scale})::{declared}", text=self._text, scale=self.scale, declared=declared
            )
        return render("{text}::{declared}", text=self._text, declared=declared)

    def quick_checks(self) -> list[Check]:
        """What PostgreSQL's cast would let through, or would cut off, and Redshift does not."""
        checks: list[Check] = []
        if self.length is not None:
            too_long = render("octet_length({text}) > {length}", text=self._text, length=self.length)
            checks.append(Check(too_long, LoadErrorCode.RANGE))
        if self.type_name == "bpchar":
            multibyte = render("octet_length({text}) <> char_length({text})", text=self._text)
            checks.append(Check(multibyte, LoadErrorCode.UTF8))
        if self._conversion.pattern:
            misspelt = render("{text} !~ {pattern}", text=self._text, pattern=self._conversion.pattern)
            checks.append(Check(misspelt, self._conversion.code))
        return checks

    def exact_checks(self) -> list[Check]:
        """All reasons for which a field can be refused, so that the typed insert after them succeeds."""
        checks = self.quick_checks()
        if self.not_null:
            checks.insert(0, Check(render("{text} IS NULL", text=self._text), LoadErrorCode.NOT_NULL))
        if self.type_name not in _STRINGS:
            checks.append(Check(self._cast_fails(), self._conversion.code))
        return checks

    def _cast_fails(self) -> Fragment:
        if self.scale is None:
            return render("NOT pg_input_is_valid({text}, {type})", text=self._text, type=self.declared_type)
        return render(
            "CASE WHEN pg_input_is_valid({text}, 'numeric') "
            "THEN NOT pg_input_is_valid(trunc({text}::numeric, {scale})::text, {type}) ELSE true END AND {text} <> ''",
            text=self._text,
            scale=self.scale,
            type=self.declared_type,
        )

    @property
    def _conversion(self) -> _Conversion:
        if self.type_name in _STRINGS:
            return _Conversion("", LoadErrorCode.VALUE, "")
        return _CONVERSIONS.get(self.type_name, _ANY_VALUE)

    def explain(self, code: LoadErrorCode, value: str) -> tuple[LoadErrorCode, str]:
        """Return the code and the words in which Redshift refuses a value.

        Args:
            code: The check that refused it.
            value: The field's text.
        """
        if code is LoadErrorCode.NOT_NULL:
            return code, "Missing data for not-null field"
        if self.type_name in _STRINGS:
            if code is LoadErrorCode.UTF8:
                return code, "Multibyte character not supported for CHAR (Hint: try using VARCHAR)"
            return code, "String length exceeds DDL length"
        conversion = self._conversion
        if code is not LoadErrorCode.DIGIT:
            return code, conversion.reason
        wrong = re.search(r"[^0-9+\-.]", value.strip(" "))
        if wrong is None and re.fullmatch(conversion.pattern, value.strip(" ")):
            return LoadErrorCode.RANGE, f"Overflow, Value '{value}' is out of range for {self.declared_type}"
        character, position = (wrong[0], wrong.start()) if wrong else (value[:1], 0)
        return code, conversion.reason.format(character=character, position=position)
