"""How COPY reads a load's files.

The order of the fields is logic: the check of a field sees those before it, so `format` and `delimiter` come first, and
of the ways in which Redshift reads, the one that is told of a conflict comes last. One validator of the whole model
would run only once every field is right by itself, and a report is to have every mistake.
"""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from rsloader_provider.core.config.copy_clauses import COLUMNAR, check_copy_options, may_skip_rows
from rsloader_provider.core.config.mistakes import mistake
from rsloader_provider.core.config.model import Settings, _Value
from rsloader_provider.core.config.setting_types import (
    AccessKeyId,
    ConnectionId,
    Delimiter,
    FixedWidth,
    JsonPaths,
    KmsSecret,
    RoleArns,
)
from rsloader_provider.core.config.sources import S3Url

_DELIMITED = {"csv", "text"}
_WITH_HEADER = _DELIMITED | {"fixedwidth"}
_BY_NAME = {"json", "avro"}
_COMPRESSED_INSIDE = {"avro", "parquet", "orc"}


_ONE_WAY = "Keep one of iam_role, aws_conn_id, and access_key_id with secret_access_key."


class CopyOptions(Settings):
    """How Redshift's COPY reads the files."""

    format: Literal["csv", "text", "fixedwidth", "json", "avro", "parquet", "orc"] = Field(examples=["csv"])
    """The files' format. `text` is delimited text without CSV's quoting; its quotes and escapes are for the options
    REMOVEQUOTES and ESCAPE. `json` and `avro` match fields to columns by name, or as `jsonpaths` says.
    """

    delimiter: Delimiter | None = Field(default=None, examples=["|"])
    """What stands between fields, for csv and text: one ASCII character or a few; `\\t` is a tab, and `\\001` a code in
    octal. Without it COPY's own: `,` for csv, `|` for text.
    """

    fixed_width: FixedWidth | None = Field(default=None, validate_default=True, examples=["id:3,name:10"])
    """The fields of fixedwidth files, in the order of the table's columns: a label, which means nothing, and the
    field's width in characters.
    """

    jsonpaths: JsonPaths | None = Field(default=None, examples=["auto ignorecase"])
    """How the fields of json and avro find their columns. Without it `auto`: by the same name; `auto ignorecase`:
    whatever the capitals; or the URL of a JSONPaths file. For json also `noshred`: each document into one SUPER column.
    """

    ignore_header: int = Field(default=0, ge=0, strict=True)
    """Lines to skip at the start of each file, for csv, text and fixedwidth."""

    compression: Literal["gzip", "bzip2", "zstd", "lzop"] | None = None
    """How the files are compressed; all in the same way. Avro, Parquet and ORC compress inside the file and take
    none.
    """

    empty_files: Literal["refuse", "load"] = "refuse"
    """What to do with a batch whose objects are all empty, for the modes replace, truncate and swap, which would leave
    an empty table: refuse it until a person decides, or load it as any other.
    """

    options: str = Field(default="", examples=["ACCEPTINVCHARS TIMEFORMAT 'auto'"])
    """Any further clauses of COPY, as Redshift documents them."""

    aws_conn_id: ConnectionId | None = None
    """An Airflow AWS connection: Redshift reads with its credentials as they are when COPY is sent, a role's temporary
    ones for example. Instead of a role of Redshift's own.
    """

    access_key_id: AccessKeyId | None = Field(default=None, examples=["AKIAIOSFODNN7EXAMPLE"])
    """The id of a long-lived access key that Redshift reads with, instead of a role of its own."""

    secret_access_key: KmsSecret | None = Field(default=None, validate_default=True)
    """The secret of `access_key_id`, as `rsloader encrypt` prints it for this load."""

    iam_role: RoleArns = "default"
    """The role with which Redshift reads the files: `default` (the cluster's or workgroup's default role) or a role's
    ARN; several joined with `,` are a chain.
    """

    @field_validator("access_key_id")
    @classmethod
    def _key_or_connection(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("aws_conn_id"):
            raise mistake("an access key and an AWS connection are two ways for Redshift to read.", _ONE_WAY)
        return value

    @field_validator("secret_access_key")
    @classmethod
    def _both_halves(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "access_key_id" not in info.data:
            return value  # that is wrong itself
        if value is None and info.data["access_key_id"] is not None:
            raise mistake(
                "the secret of access_key_id is missing.",
                "Add secret_access_key with what `rsloader encrypt <load> --key <KMS key>` prints.",
            )
        if value is not None and info.data["access_key_id"] is None:
            raise mistake("there is a secret but no access_key_id.", "Add access_key_id, the id of the secret's key.")
        return value

    @field_validator("iam_role")
    @classmethod
    def _role_alone(cls, value: str, info: ValidationInfo) -> str:
        # Runs only for a role that is written out.
        if other := next(filter(info.data.get, ("aws_conn_id", "access_key_id")), None):
            raise mistake(f"iam_role and {other} are two ways for Redshift to read.", _ONE_WAY)
        return value

    @field_validator("delimiter", "ignore_header", "jsonpaths")
    @classmethod
    def _only_for_its_formats(cls, value: _Value, info: ValidationInfo) -> _Value:
        copy_format = info.data.get("format")
        taken_by = {"delimiter": _DELIMITED, "ignore_header": _WITH_HEADER, "jsonpaths": _BY_NAME}[str(info.field_name)]
        if value and copy_format and copy_format not in taken_by:
            raise mistake(
                f"COPY does not take {info.field_name} with {copy_format}.",
                f"Leave it out; it is for {' and '.join(sorted(taken_by))}.",
            )
        if value == "noshred" and copy_format == "avro":
            raise mistake("COPY takes 'noshred' with json only.", "Write 'auto', or the URL of a JSONPaths file.")
        if isinstance(value, str) and '"' in value and copy_format == "csv":
            raise mistake("'\"' is the quote in CSV.", "Choose another delimiter, or write 'format: text'.")
        return value

    @field_validator("fixed_width")
    @classmethod
    def _with_fixed_width_only(cls, value: str | None, info: ValidationInfo) -> str | None:
        copy_format = info.data.get("format")
        if value and copy_format and copy_format != "fixedwidth":
            raise mistake(
                f"COPY does not take fixed_width with {copy_format}.", "Leave it out, or write 'format: fixedwidth'."
            )
        if value is None and copy_format == "fixedwidth":
            raise mistake("fixedwidth files need a 'fixed_width'.", "Add for example: fixed_width: 'id:3,name:10'")
        return value

    @field_validator("compression")
    @classmethod
    def _only_for_formats_without_their_own(cls, value: str | None, info: ValidationInfo) -> str | None:
        copy_format = info.data.get("format")
        if value and copy_format in _COMPRESSED_INSIDE:
            raise mistake(
                f"{copy_format} files are compressed inside.", "Leave compression out; COPY detects it by itself."
            )
        return value

    @field_validator("options")
    @classmethod
    def _only_what_is_not_set_elsewhere(cls, value: str, info: ValidationInfo) -> str:
        return check_copy_options(value, copy_format=info.data.get("format"), delimiter=info.data.get("delimiter"))

    @property
    def is_columnar(self) -> bool:
        """Whether COPY reads the files with the scanner of Redshift Spectrum, from their end."""
        return self.format in COLUMNAR

    @property
    def may_skip_rows(self) -> bool:
        """Whether COPY may leave out rows that it cannot read: MAXERROR of more than 1, or IGNOREALLERRORS."""
        return may_skip_rows(self.options)

    @property
    def jsonpaths_url(self) -> S3Url | None:
        """The JSONPaths file; None where there is none."""
        return S3Url.parse(self.jsonpaths) if self.jsonpaths and self.jsonpaths.startswith("s3://") else None

    @property
    def fields(self) -> int | None:
        """How many columns a file fills; None where only the file, or the table, tells."""
        if self.jsonpaths == "noshred":
            return 1
        return None if self.fixed_width is None else self.fixed_width.count(",") + 1

    @property
    def reads_with_key(self) -> bool:
        """Whether Redshift reads with an access key that the loader has to give it, not with a role of its own."""
        return self.aws_conn_id is not None or self.access_key_id is not None

    @property
    def reader(self) -> str:
        """With what Redshift reads, for people."""
        if self.aws_conn_id is not None:
            return f"the credentials of the Airflow connection {self.aws_conn_id} (`copy.aws_conn_id`)"
        if self.access_key_id is not None:
            return "the access key of `copy.access_key_id`"
        if self.iam_role == "default":
            return "the default role of the cluster or workgroup (`copy.iam_role`)"
        return f"the role {self.iam_role} (`copy.iam_role`)"
