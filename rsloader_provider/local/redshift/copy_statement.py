"""COPY … FROM 's3://…': what the statement says, and what of it the local Redshift can do."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rsloader_provider.local.redshift.errors import RedshiftError, invalid_credentials, syntax_error, unsupported
from rsloader_provider.local.redshift.sql_text import Fragment
from rsloader_provider.local.redshift.tokens import Kind, Token

if TYPE_CHECKING:
    from collections.abc import Callable

# Redshift's COPY options that are known here, so that a misspelt one is told from one that is only missing here.
_UNSUPPORTED = frozenset({
    "ACCEPTANYDATE", "ACCEPTINVCHARS", "ACCESS_KEY_ID", "AVRO", "BLANKSASNULL", "BZIP2", "COMPROWS", "CREDENTIALS",
    "DATEFORMAT", "EMPTYASNULL", "ENCODING", "ENCRYPTED", "ESCAPE", "EXPLICIT_IDS", "FILLRECORD", "FIXEDWIDTH",
    "IGNOREALLERRORS", "IGNOREBLANKLINES", "JOB", "JSON", "LZOP", "MASTER_SYMMETRIC_KEY", "NOLOAD", "ORC", "PARQUET",
    "READRATIO", "REMOVEQUOTES", "ROUNDEC", "SECRET_ACCESS_KEY", "SERIALIZETOJSON", "SESSION_TOKEN", "SHAPEFILE",
    "SIMPLIFY", "SSH", "TIMEFORMAT", "TRIMBLANKS", "TRUNCATECOLUMNS", "ZSTD",
})  # fmt: skip


@dataclass
class CopyStatement:
    """One COPY from S3.

    Attributes:
        table: The target as SQL, with its schema if the statement gives one.
        table_name: The target's name without schema, for messages.
        source: An S3 URL: a manifest, or a prefix of keys.
        columns: The column list; None means all columns but the identity column.
        csv: Whether the objects are CSV; otherwise delimited text.
        manifest: Whether the source is a manifest.
        delimiter: One character between fields; None means the format's own.
        quote: CSV's quote character.
        null_text: The text that stands for NULL.
        ignore_header: Lines to leave out at the start of every object.
        gzip: Whether the objects are compressed.
        max_errors: The COPY fails with this many bad records; 0 and 1 both mean with the first.
        region: The bucket's region, or None.
    """

    table: Fragment
    table_name: str
    source: str
    columns: list[str] | None = None
    csv: bool = False
    manifest: bool = False
    delimiter: str | None = None
    quote: str = '"'
    null_text: str = "\\N"
    ignore_header: int = 0
    gzip: bool = False
    max_errors: int = 0
    region: str | None = None
    has_credentials: bool = field(default=False, repr=False)

    @property
    def field_delimiter(self) -> str:
        """The character between fields, whether the statement gives it or the format implies it."""
        return self.delimiter or ("," if self.csv else "|")


def parse_copy(tokens: list[Token]) -> CopyStatement:
    """Read a COPY.

    Raises:
        RedshiftError: 42601 for what no COPY can be; 0A000 for what the local Redshift cannot do, be it an option, a
            source or a direction; XX000 for missing credentials.
    """
    return _Parser(tokens).parse()


class _Parser:
    def __init__(self, tokens: list[Token]):
        self._tokens = tokens
        self._next = 1
        self._seen: set[str] = set()

    def parse(self) -> CopyStatement:
        table, table_name = self._table()
        columns = self._columns()
        self._expect("FROM")
        source = self._literal()
        if not source.startswith("s3://"):
            raise unsupported(f"COPY from '{source}'")
        copy = CopyStatement(table, table_name, source, columns)
        while self._next < len(self._tokens):
            self._option(copy)
        if not copy.has_credentials:
            raise invalid_credentials()
        for name in ("field_delimiter", "quote"):
            if len(getattr(copy, name)) != 1:
                raise RedshiftError(f"COPY {name.removeprefix('field_')} must be a single character", code="22023")
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

    def _option(self, copy: CopyStatement) -> None:
        token = self._take()
        option = token.keyword
        if option in ("AS", "WITH"):
            return
        if option == "FORMAT":
            self._skip("AS")
            token = self._take()
            option = token.keyword
        if option in _UNSUPPORTED:
            raise unsupported(f"COPY option {option}")
        if option not in _OPTIONS:
            raise syntax_error(token.text)
        if option in self._seen:
            raise RedshiftError("conflicting or redundant options", code="42601")
        self._seen.add(option)
        _OPTIONS[option](self, copy)

    def _csv(self, copy: CopyStatement) -> None:
        copy.csv = True

    def _manifest(self, copy: CopyStatement) -> None:
        copy.manifest = True

    def _gzip(self, copy: CopyStatement) -> None:
        copy.gzip = True

    def _delimiter(self, copy: CopyStatement) -> None:
        self._skip("AS")
        copy.delimiter = self._literal()

    def _quote(self, copy: CopyStatement) -> None:
        self._skip("AS")
        copy.quote = self._literal()

    def _null(self, copy: CopyStatement) -> None:
        self._skip("AS")
        if self._peek() == r"'\N'":
            # Redshift's documentation writes NULL AS '\N' and means the two characters, not an escaped N.
            self._next += 1
            return
        copy.null_text = self._literal()

    def _ignore_header(self, copy: CopyStatement) -> None:
        self._skip("AS")
        copy.ignore_header = self._integer()

    def _max_error(self, copy: CopyStatement) -> None:
        self._skip("AS")
        copy.max_errors = self._integer()

    def _region(self, copy: CopyStatement) -> None:
        self._skip("AS")
        copy.region = self._literal()

    def _iam_role(self, copy: CopyStatement) -> None:
        if self._peek().upper() == "DEFAULT":
            self._next += 1
        else:
            self._literal()
        copy.has_credentials = True

    def _hint(self, copy: CopyStatement) -> None:
        # A hint to Redshift's storage changes nothing here.
        if self._peek().upper() in ("ON", "OFF", "TRUE", "FALSE", "PRESET"):
            self._next += 1

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


_OPTIONS: "dict[str, Callable[[_Parser, CopyStatement], None]]" = {
    "COMPUPDATE": _Parser._hint,
    "CSV": _Parser._csv,
    "DELIMITER": _Parser._delimiter,
    "GZIP": _Parser._gzip,
    "IAM_ROLE": _Parser._iam_role,
    "IGNOREHEADER": _Parser._ignore_header,
    "MANIFEST": _Parser._manifest,
    "MAXERROR": _Parser._max_error,
    "NULL": _Parser._null,
    "QUOTE": _Parser._quote,
    "REGION": _Parser._region,
    "STATUPDATE": _Parser._hint,
}
