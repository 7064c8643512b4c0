"""What a COPY says about the files: format and conversion, with Redshift's defaults, and what goes together."""

from dataclasses import dataclass
from typing import Literal

from rsloader_provider.local.redshift.errors import RedshiftError
from rsloader_provider.local.redshift.sql.quoting import Fragment

Format = Literal["text", "csv", "fixedwidth", "json", "avro", "parquet", "orc"]
Compression = Literal["gzip", "bzip2", "zstd", "lzop"]
COLUMNAR: tuple[Format, ...] = ("parquet", "orc")

# Source: https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-format.html
_INCOMPATIBLE: dict[Format, frozenset[str]] = {
    "csv": frozenset({"ESCAPE", "REMOVEQUOTES"}),
    "fixedwidth": frozenset({"DELIMITER", "ESCAPE", "REMOVEQUOTES"}),
    "json": frozenset({"DELIMITER", "ESCAPE", "FILLRECORD", "IGNOREBLANKLINES", "NULL", "REMOVEQUOTES"}),
    "avro": frozenset(
        {"DELIMITER", "ENCODING", "ESCAPE", "FILLRECORD", "IGNOREBLANKLINES", "IGNOREHEADER", "NULL", "REMOVEQUOTES"}
    ),
}
# Source: https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
_FOR_COLUMNAR = frozenset(
    {"ACCEPTINVCHARS", "CREDENTIALS", "EXPLICIT_IDS", "FILLRECORD", "IAM_ROLE", "MANIFEST", "STATUPDATE"}
    | {"ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SERIALIZETOJSON", "SESSION_TOKEN"}
)


@dataclass(frozen=True)
class Credentials:
    """An access key with which COPY reads S3."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


@dataclass
class CopyOptions:
    """One COPY from S3.

    Attributes:
        table: The target as SQL, with its schema if the statement gives one.
        table_name: The target's name without schema, for messages.
        source: An S3 URL: a manifest, or a prefix of keys.
        columns: The column list; None means all columns but the identity column.
        format: How the objects are written.
        mapping: For JSON and Avro: `auto`, `auto ignorecase`, `noshred` (JSON only) or the S3 URL of a jsonpaths file.
        widths: For fixed width: each field's label (a column's name or a number) and its width in characters.
        manifest: Whether the source is a manifest.
        compression: How the objects are compressed; None if they are not.
        delimiter: What stands between fields, one character or several; None means the format's own.
        quote: CSV's quote character.
        escape: Whether a backslash makes the next character an ordinary one, in delimited text.
        remove_quotes: Whether quotes round a field are removed, in delimited text.
        null_text: The text that stands for NULL.
        ignore_header: Lines to leave out at the start of every object.
        ignore_blank_lines: Whether lines with nothing in them are left out.
        fill_record: Whether fields missing at the end of a record are NULL or empty.
        encoding: The objects' encoding, as Python calls it.
        date_format: `auto`, or a pattern; None for Redshift's default.
        time_format: `auto`, `epochsecs`, `epochmillisecs`, or a pattern; None for Redshift's default.
        accept_any_date: Whether a text that is not a date becomes NULL.
        replacement: What stands in for each byte of an invalid UTF-8 character; None refuses the record.
        blanks_as_null: Whether strings of white space only are NULL.
        empty_as_null: Whether empty strings are NULL.
        trim_blanks: Whether strings lose the white space at their end.
        truncate_columns: Whether strings that are too long are cut.
        round_decimals: Whether superfluous decimals are rounded; otherwise they are cut off.
        explicit_ids: Whether the objects hold the identity column's values.
        serialize_to_json: Whether Parquet and ORC columns of any type may go into SUPER columns.
        max_errors: The COPY fails with this many bad records; 0 and 1 both mean with the first, None never.
        no_load: Whether to only look for errors.
        region: The bucket's region, or None.
        credentials: The access key to read with; None for the role's, which are the local AWS's own.
    """

    table: Fragment
    table_name: str
    source: str
    columns: list[str] | None = None
    format: Format = "text"
    mapping: str = "auto"
    widths: tuple[tuple[str, int], ...] = ()
    manifest: bool = False
    compression: Compression | None = None
    delimiter: str | None = None
    quote: str = '"'
    escape: bool = False
    remove_quotes: bool = False
    null_text: str = "\\N"
    ignore_header: int = 0
    ignore_blank_lines: bool = False
    fill_record: bool = False
    encoding: str = "utf-8"
    date_format: str | None = None
    time_format: str | None = None
    accept_any_date: bool = False
    replacement: str | None = None
    blanks_as_null: bool = False
    empty_as_null: bool = False
    trim_blanks: bool = False
    truncate_columns: bool = False
    round_decimals: bool = False
    explicit_ids: bool = False
    serialize_to_json: bool = False
    max_errors: int | None = 0
    no_load: bool = False
    region: str | None = None
    credentials: Credentials | None = None

    @property
    def field_delimiter(self) -> str:
        """What stands between fields, whether the statement gives it or the format implies it."""
        return self.delimiter or ("," if self.format == "csv" else "|")

    @property
    def quote_for_postgres(self) -> str:
        """The quote for PostgreSQL's CSV parser, which needs one even where no text is quoted."""
        return self.quote if self.format == "csv" else "\x01"

    @property
    def error_limit(self) -> float:
        """The number of bad records with which the COPY fails at once; columnar formats fail in their own way."""
        return float("inf") if self.max_errors is None or self.format in COLUMNAR else max(1, self.max_errors)


def check_compatible(copy: CopyOptions, given: frozenset[str]) -> None:
    """Refuse options that Redshift does not take together.

    Args:
        copy: The COPY.
        given: The names of the options that it gives.

    Raises:
        RedshiftError: In Redshift's words.
    """
    name = copy.format.upper()
    if copy.format in COLUMNAR:
        if refused := sorted(given - _FOR_COLUMNAR - {name}):
            option = {"NULL": "NULL AS"}.get(refused[0], refused[0])
            raise RedshiftError(f"{option} argument is not supported for {name} based COPY", code="0A000")
    elif refused := sorted(given & _INCOMPATIBLE.get(copy.format, frozenset())):
        raise RedshiftError(f"{name} is not compatible with {refused[0]}", code="42601")
    if "QUOTE" in given and copy.format != "csv":
        raise RedshiftError("COPY quote available only in CSV mode", code="0A000")
    if len(copy.quote) != 1:
        raise RedshiftError("COPY quote must be a single character", code="22023")
    if copy.delimiter == "" or set(copy.field_delimiter) & {"\n", "\r"}:
        raise RedshiftError("COPY delimiter must not be empty, nor hold a line end", code="22023")
    if copy.format == "csv" and copy.quote in copy.field_delimiter:
        raise RedshiftError("COPY quote must not appear in the delimiter specification", code="22023")
