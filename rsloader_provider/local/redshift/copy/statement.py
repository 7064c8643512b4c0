"""COPY … FROM 's3://…': the statement's text as CopyOptions."""

import re
from typing import TYPE_CHECKING

from rsloader_provider.local.redshift.copy.options import COLUMNAR, CopyOptions, Credentials, check_compatible
from rsloader_provider.local.redshift.errors import RedshiftError, invalid_credentials, syntax_error, unsupported
from rsloader_provider.local.redshift.sql.quoting import Fragment
from rsloader_provider.local.redshift.sql.tokens import Kind, Token

if TYPE_CHECKING:
    from collections.abc import Callable

# Redshift's COPY options, so that a misspelt option is told from one that is only not supported here.
_UNSUPPORTED = frozenset({"ENCRYPTED", "JOB", "MASTER_SYMMETRIC_KEY", "READRATIO", "SHAPEFILE", "SIMPLIFY", "SSH"})
_ENCODINGS = {
    "UTF8": "utf-8", "UTF16": "utf-16", "UTF16LE": "utf-16-le", "UTF16BE": "utf-16-be", "ISO88591": "iso-8859-1",
}  # fmt: skip
_CREDENTIAL = re.compile(r"\s*([\w]+)\s*=\s*([^;]*?)\s*(?:;|$)")
_MAX_ERRORS = 100_000
_FORMATS = frozenset({"CSV", "FIXEDWIDTH", "JSON", "AVRO", "PARQUET", "ORC"})
_EXCLUSIVE = (_FORMATS, frozenset({"GZIP", "BZIP2", "ZSTD", "LZOP"}), frozenset({"MAXERROR", "IGNOREALLERRORS"}))


def parse_copy(tokens: list[Token]) -> CopyOptions:
    """Read a COPY.

    Raises:
        RedshiftError: 42601 for a text that cannot be a COPY; 0A000 for an option, a source or a direction that the
            local Redshift does not support, and for options that Redshift does not take together; XX000 for missing
            credentials.
    """
    return _Parser(tokens).parse()


class _Parser:
    def __init__(self, tokens: list[Token]):
        self._tokens = tokens
        self._next = 1
        self._seen: set[str] = set()
        self._keys: dict[str, str] = {}

    def parse(self) -> CopyOptions:
        table, table_name = self._table()
        columns = self._columns()
        self._expect("FROM")
        source = self._literal()
        if not source.startswith("s3://"):
            raise unsupported(f"COPY from '{source}'")
        copy = CopyOptions(table, table_name, source, columns)
        while self._next < len(self._tokens):
            self._option(copy)
        copy.credentials = self._credentials()
        check_compatible(copy, frozenset(self._seen))
        return copy

    # -- the statement's head

    def _table(self) -> tuple[Fragment, str]:
        parts = [self._name()]
        while self._peek() == ".":
            self._next += 1
            parts.append(self._name())
        return Fragment(".".join(part.text for part in parts)), parts[-1].name

    def _columns(self) -> list[str] | None:
        if self._peek() != "(":
            return None
        columns: list[str] = []
        while self._peek() != ")":
            self._next += 1  # past "(" or ","
            columns.append(self._name().name)
            if self._peek() not in (",", ")"):
                raise syntax_error(self._peek())
        self._next += 1
        return columns

    # -- the options, in any order

    def _option(self, copy: CopyOptions) -> None:
        token = self._take()
        if token.keyword in ("AS", "WITH"):
            return
        if token.keyword == "FORMAT":
            self._skip("AS")
            token = self._take()
            if token.keyword not in _FORMATS and token.keyword not in _UNSUPPORTED:
                raise syntax_error(token.text)
        option = token.keyword
        if option in _UNSUPPORTED:
            raise unsupported(f"COPY option {option}")
        if option not in _OPTIONS:
            raise syntax_error(token.text)
        if option in self._seen or any(option in group and self._seen & group for group in _EXCLUSIVE):
            raise RedshiftError("conflicting or redundant options", code="42601")
        self._seen.add(option)
        _OPTIONS[option](self, copy)

    def _csv(self, copy: CopyOptions) -> None:
        copy.format = "csv"

    def _fixed_width(self, copy: CopyOptions) -> None:
        copy.format = "fixedwidth"
        specification = self._literal()
        widths = [part.rpartition(":") for part in specification.split(",")]
        if not all(label.strip() and width.strip().isdecimal() for label, _, width in widths):
            raise RedshiftError(f"Invalid fixedwidth_spec '{specification}': label:width[,label:width…]", code="42601")
        copy.widths = tuple((label.strip(), int(width)) for label, _, width in widths)

    def _json(self, copy: CopyOptions) -> None:
        copy.format = "json"
        self._mapping(copy)

    def _avro(self, copy: CopyOptions) -> None:
        copy.format = "avro"
        self._mapping(copy)

    def _mapping(self, copy: CopyOptions) -> None:
        self._skip("AS")
        if self._peek().startswith("'"):
            copy.mapping = self._literal()
        known = ("auto", "auto ignorecase", *(("noshred",) if copy.format == "json" else ()))
        if not copy.mapping.startswith("s3://"):
            copy.mapping = copy.mapping.lower()
            if copy.mapping not in known:
                raise RedshiftError(f"Invalid {copy.format.upper()} option '{copy.mapping}'", code="42601")

    def _columnar(self, copy: CopyOptions) -> None:
        copy.format = next(name for name in COLUMNAR if name.upper() == self._tokens[self._next - 1].keyword)

    def _null(self, copy: CopyOptions) -> None:
        self._skip("AS")
        if self._peek() == r"'\N'":
            # Redshift's documentation writes NULL AS '\N' and means the two characters, not an escaped N.
            self._next += 1
            return
        copy.null_text = self._literal()

    def _encoding(self, copy: CopyOptions) -> None:
        self._skip("AS")
        token = self._take()
        name = (token.value if token.kind is Kind.LITERAL else token.keyword).upper().replace("-", "").replace("_", "")
        if name not in _ENCODINGS:
            raise RedshiftError(f"Invalid encoding '{name}' for COPY", code="22023")
        copy.encoding = _ENCODINGS[name]

    def _replacement(self, copy: CopyOptions) -> None:
        self._skip("AS")
        copy.replacement = self._literal() if self._peek().startswith("'") else "?"
        if len(copy.replacement) != 1 or not "\0" < copy.replacement < "\x80":
            raise RedshiftError("ACCEPTINVCHARS replacement must be a single ASCII character", code="22023")

    def _date_format(self, copy: CopyOptions) -> None:
        self._skip("AS")
        copy.date_format = self._literal()

    def _time_format(self, copy: CopyOptions) -> None:
        self._skip("AS")
        copy.time_format = self._literal()

    def _delimiter(self, copy: CopyOptions) -> None:
        self._skip("AS")
        copy.delimiter = self._literal()

    def _quote(self, copy: CopyOptions) -> None:
        self._skip("AS")
        copy.quote = self._literal()

    def _ignore_header(self, copy: CopyOptions) -> None:
        self._skip("AS")
        copy.ignore_header = self._integer()

    def _max_error(self, copy: CopyOptions) -> None:
        self._skip("AS")
        copy.max_errors = self._integer()
        if copy.max_errors > _MAX_ERRORS:
            raise RedshiftError(f"MAXERROR must be between 0 and {_MAX_ERRORS}", code="22023")

    def _ignore_all_errors(self, copy: CopyOptions) -> None:
        copy.max_errors = None

    def _region(self, copy: CopyOptions) -> None:
        self._skip("AS")
        copy.region = self._literal()

    def _hint(self, _copy: CopyOptions) -> None:
        # A hint to Redshift's storage changes nothing here.
        if self._peek().upper() in ("ON", "OFF", "TRUE", "FALSE", "PRESET"):
            self._next += 1

    def _rows_hint(self, _copy: CopyOptions) -> None:
        self._integer()

    # -- how to reach S3

    def _iam_role(self, _copy: CopyOptions) -> None:
        self._skip("AS")
        if self._peek().upper() == "DEFAULT":
            self._next += 1
        else:
            self._literal()

    def _key_part(self, _copy: CopyOptions) -> None:
        name = self._tokens[self._next - 1].keyword
        self._skip("AS")
        self._keys[name] = self._literal()

    def _credentials_text(self, _copy: CopyOptions) -> None:
        self._skip("AS")
        given = dict(_CREDENTIAL.findall(self._literal()))
        if "aws_iam_role" not in given and not {"aws_access_key_id", "aws_secret_access_key"} <= given.keys():
            raise invalid_credentials()
        for name, option in (
            ("aws_access_key_id", "ACCESS_KEY_ID"),
            ("aws_secret_access_key", "SECRET_ACCESS_KEY"),
            ("token", "SESSION_TOKEN"),
        ):
            if name in given:
                self._keys[option] = given[name]

    def _credentials(self) -> Credentials | None:
        if self._keys:
            if not {"ACCESS_KEY_ID", "SECRET_ACCESS_KEY"} <= self._keys.keys() or "IAM_ROLE" in self._seen:
                raise invalid_credentials()
            return Credentials(
                self._keys["ACCESS_KEY_ID"], self._keys["SECRET_ACCESS_KEY"], self._keys.get("SESSION_TOKEN")
            )
        if self._seen.isdisjoint({"IAM_ROLE", "CREDENTIALS"}):
            raise invalid_credentials()
        return None

    # -- tokens

    def _peek(self) -> str:
        return self._tokens[self._next].text if self._next < len(self._tokens) else ""

    def _take(self) -> Token:
        if self._next >= len(self._tokens):
            raise syntax_error("")
        self._next += 1
        return self._tokens[self._next - 1]

    def _take_kind(self, *kinds: Kind) -> Token:
        token = self._take()
        if token.kind not in kinds:
            raise syntax_error(token.text)
        return token

    def _name(self) -> Token:
        return self._take_kind(Kind.WORD, Kind.QUOTED)

    def _literal(self) -> str:
        return self._take_kind(Kind.LITERAL).value

    def _integer(self) -> int:
        token = self._take_kind(Kind.NUMBER, Kind.LITERAL)
        text = token.value if token.kind is Kind.LITERAL else token.text
        if not text.isdecimal():
            raise syntax_error(token.text)
        return int(text)

    def _skip(self, keyword: str) -> None:
        if self._peek().upper() == keyword:
            self._next += 1

    def _expect(self, keyword: str) -> None:
        token = self._take()
        if token.keyword == "TO":
            raise unsupported("COPY … TO")
        if token.keyword != keyword:
            raise syntax_error(token.text)


def _switch(attribute: str) -> "Callable[[_Parser, CopyOptions], None]":
    return lambda _parser, copy: setattr(copy, attribute, True)


def _compressed(name: str) -> "Callable[[_Parser, CopyOptions], None]":
    return lambda _parser, copy: setattr(copy, "compression", name)


_OPTIONS: "dict[str, Callable[[_Parser, CopyOptions], None]]" = {
    "ACCEPTANYDATE": _switch("accept_any_date"),
    "ACCEPTINVCHARS": _Parser._replacement,
    "ACCESS_KEY_ID": _Parser._key_part,
    "AVRO": _Parser._avro,
    "BLANKSASNULL": _switch("blanks_as_null"),
    "BZIP2": _compressed("bzip2"),
    "COMPROWS": _Parser._rows_hint,
    "COMPUPDATE": _Parser._hint,
    "CREDENTIALS": _Parser._credentials_text,
    "CSV": _Parser._csv,
    "DATEFORMAT": _Parser._date_format,
    "DELIMITER": _Parser._delimiter,
    "EMPTYASNULL": _switch("empty_as_null"),
    "ENCODING": _Parser._encoding,
    "ESCAPE": _switch("escape"),
    "EXPLICIT_IDS": _switch("explicit_ids"),
    "FILLRECORD": _switch("fill_record"),
    "FIXEDWIDTH": _Parser._fixed_width,
    "GZIP": _compressed("gzip"),
    "IAM_ROLE": _Parser._iam_role,
    "IGNOREALLERRORS": _Parser._ignore_all_errors,
    "IGNOREBLANKLINES": _switch("ignore_blank_lines"),
    "IGNOREHEADER": _Parser._ignore_header,
    "JSON": _Parser._json,
    "LZOP": _compressed("lzop"),
    "MANIFEST": _switch("manifest"),
    "MAXERROR": _Parser._max_error,
    "NOLOAD": _switch("no_load"),
    "NULL": _Parser._null,
    "ORC": _Parser._columnar,
    "PARQUET": _Parser._columnar,
    "QUOTE": _Parser._quote,
    "REGION": _Parser._region,
    "REMOVEQUOTES": _switch("remove_quotes"),
    "ROUNDEC": _switch("round_decimals"),
    "SECRET_ACCESS_KEY": _Parser._key_part,
    "SERIALIZETOJSON": _switch("serialize_to_json"),
    "SESSION_TOKEN": _Parser._key_part,
    "STATUPDATE": _Parser._hint,
    "TIMEFORMAT": _Parser._time_format,
    "TRIMBLANKS": _switch("trim_blanks"),
    "TRUNCATECOLUMNS": _switch("truncate_columns"),
    "ZSTD": _compressed("zstd"),
}
