"""One load's configuration: what a load file says, and what people who write DAGs by hand build themselves.

Every model is frozen, refuses unknown keys, and goes to plain JSON and back:
`model_validate(model_dump(mode="json", by_alias=True, exclude_defaults=True))` gives an equal one.
"""

from datetime import timedelta
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from rsloader_provider.core.linear_regex import linear
from rsloader_provider.core.mistakes import mistake
from rsloader_provider.core.quantities import Duration, Size
from rsloader_provider.core.schedules import Schedule, airflow_schedule
from rsloader_provider.core.setting_types import (
    ConnectionId,
    Delimiter,
    Identifier,
    LoadName,
    Prefix,
    RegularExpression,
    RoleArns,
    Statements,
    StatementTimeout,
    TableText,
    TopicArn,
)
from rsloader_provider.core.sources import S3Url, SourcePattern
from rsloader_provider.core.sql_text import check_copy_options

_DELIMITED = {"csv", "text"}
_COMPRESSED_INSIDE = {"avro", "parquet", "orc"}

Mode = Literal["append", "replace", "swap", "truncate", "merge"]

_Value = TypeVar("_Value", str, int, None)


class _Settings(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,  # who builds a load by hand may have written a secret into it
    )


class BatchLimits(_Settings):
    """When an open batch is loaded: at the first of these that is reached."""

    max_files: int = Field(default=100, ge=1, strict=True)
    """Files in the batch."""

    max_bytes: Size = Field(default=1024**3, json_schema_extra={"default": "1GiB"})
    """Size of its files in S3, as they are stored there (compressed or not). The file that reaches it still goes in."""

    max_age: Duration = Field(default=timedelta(minutes=5), json_schema_extra={"default": "5m"})
    """Time since its first file was claimed."""


class CopyOptions(_Settings):
    """How Redshift's COPY reads the files."""

    format: Literal["csv", "text", "json", "avro", "parquet", "orc"] = Field(examples=["csv"])
    """The files' format. `text` is delimited text without CSV's quoting, `json` and `avro` match fields to columns by
    name.
    """

    delimiter: Delimiter | None = Field(default=None, examples=["|"])
    """What stands between fields, for csv and text: one ASCII character, `\\t`, or an octal code such as `\\001`.
    Without it COPY's own: `,` for csv, `|` for text.
    """

    ignore_header: int = Field(default=0, ge=0, strict=True)
    """Lines to skip at the start of each file, for csv and text."""

    compression: Literal["gzip", "bzip2", "zstd", "lzop"] | None = None
    """How the files are compressed; all in the same way. Avro, Parquet and ORC compress inside the file and take
    none.
    """

    options: str = Field(default="", examples=["ACCEPTINVCHARS TIMEFORMAT 'auto'"])
    """Any further clauses of COPY, as Redshift documents them."""

    iam_role: RoleArns = "default"
    """The role with which Redshift reads the files: `default` (the cluster's or workgroup's default role) or a role's
    ARN; several joined with `,` are a chain.
    """

    @field_validator("delimiter", "ignore_header")
    @classmethod
    def _only_for_delimited_formats(cls, value: _Value, info: ValidationInfo) -> _Value:
        copy_format = info.data.get("format")
        if value and copy_format and copy_format not in _DELIMITED:
            raise mistake(
                f"COPY takes no {info.field_name} with {copy_format}.", "Leave it out; it is for csv and text."
            )
        if value == '"' and copy_format == "csv":
            raise mistake("in CSV the '\"' is the quote.", "Choose another delimiter, or write 'format: text'.")
        return value

    @field_validator("compression")
    @classmethod
    def _only_for_formats_without_their_own(cls, value: str | None, info: ValidationInfo) -> str | None:
        copy_format = info.data.get("format")
        if value and copy_format in _COMPRESSED_INSIDE:
            raise mistake(f"{copy_format} files compress inside.", "Leave compression out; COPY finds it itself.")
        return value

    @field_validator("options")
    @classmethod
    def _only_what_is_not_set_elsewhere(cls, value: str, info: ValidationInfo) -> str:
        return check_copy_options(value, copy_format=info.data.get("format"))


class Target(_Settings):
    """One table, reached over one Airflow connection."""

    conn_id: ConnectionId = "redshift_default"
    """The Airflow connection to Redshift."""

    table: TableText = Field(examples=["public.orders"])
    """`schema.table`, or `table` for one in the schema `public`. Names are always quoted, so any character may stand
    in them except quotes, dots and control characters.
    """

    mode: Mode = "append"
    """`append` adds a batch's rows. `replace` empties the table first, in the same transaction. `swap` fills a new
    table and puts it in the place of the old one, in the same transaction. `truncate` empties the table by TRUNCATE,
    which commits: until the rows are there, and if they are refused, the table is empty. `merge` replaces the rows that
    have the same key, and adds the others.
    """

    history: Literal["table", "none"] = "table"
    """How a load whose outcome nobody heard of is found again: in a `table` of the loader's own schema; or, with
    `none`, for those who may have no such schema, from Redshift's system views as far as the user may read them.
    Where they cannot tell, the batch waits for a person.
    """

    columns: tuple[Identifier, ...] | None = Field(default=None, min_length=1, examples=[["id", "amount"]])
    """The table's columns that the files hold, in the files' order. Without it all columns, in the table's order."""

    merge_on: tuple[Identifier, ...] | None = Field(
        default=None, min_length=1, validate_default=True, examples=[["id"]]
    )
    """The columns that identify a row, for mode `merge`."""

    pre_sql: Statements = ()
    """Statements that run before the rows are loaded, in the same transaction: one text, or a list with one each."""

    post_sql: Statements = ()
    """Statements that run after the rows are loaded, in the same transaction: one text, or a list with one each."""

    statement_timeout: StatementTimeout | None = None
    """How long Redshift lets one statement run, up to 24 days. Without it Redshift's own setting holds."""

    @field_validator("history")
    @classmethod
    def _kept_where_order_matters(cls, value: str, info: ValidationInfo) -> str:
        mode = info.data.get("mode", "append")
        if value == "none" and mode != "append":
            raise mistake(
                f"mode {mode} needs the load history, which tells the newest batch in the table.",
                "Leave history out, or write 'mode: append'.",
            )
        return value

    @field_validator("merge_on")
    @classmethod
    def _only_to_merge(cls, value: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        mode, columns = info.data.get("mode"), info.data.get("columns")
        if mode == "merge" and value is None:
            raise mistake("mode merge needs to know what identifies a row.", "Write merge_on: [id].")
        if value and mode not in {"merge", None}:
            raise mistake(f"merge_on means nothing with mode {mode}.", "Leave it out, or write 'mode: merge'.")
        for index, name in enumerate(value or ()):
            if columns and name not in columns:
                raise mistake(f"the files do not hold the column {name!r}.", "Add it to columns.", at=(index,))
        return value

    @field_validator("columns", "merge_on")
    @classmethod
    def _each_column_once(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        twice = _first_repeated([column.lower() for column in value or ()])
        if value and twice is not None:
            raise mistake(f"the column {value[twice]!r} stands twice.", "Name each column once.", at=(twice,))
        return value

    @property
    def schema_name(self) -> str:
        """The table's schema, unquoted."""
        return self.table.rpartition(".")[0] or "public"

    @property
    def table_name(self) -> str:
        """The table without its schema, unquoted."""
        return self.table.rpartition(".")[2]

    @property
    def name(self) -> str:
        """What identifies the target within its load, in DynamoDB and in Airflow: `connection/schema.table`."""
        return f"{self.conn_id}/{self.schema_name}.{self.table_name}"


class Notify(_Settings):
    """Where the outcome of each batch is told: ARNs of standard SNS topics."""

    success: TopicArn | None = None
    """The topic for batches that were loaded. Without it nothing is sent."""

    failure: TopicArn | None = None
    """The topic for batches that failed. Without it nothing is sent."""


class LoadConfig(_Settings):
    """One load: from a prefix in S3 to tables in Redshift."""

    load: LoadName = Field(examples=["orders"])
    """The load's name; its DAG is `rsloader_<load>`. It stands in DynamoDB and in the history: a load with another
    name loads everything again.
    """

    source: SourcePattern
    """The prefix that is watched, ending with `/`. A `*` stands for any part of one folder's name:
    `s3://bucket/data/year=*/month=*/`.
    """

    exclude: tuple[SourcePattern, ...] = Field(default=(), examples=[["s3://acme-landing/orders/old/"]])
    """Prefixes below the source to leave alone. Sources of other loads in the same folder of load files are added by
    themselves.
    """

    file_filter: RegularExpression | None = Field(default=None, examples=[r"\.csv$"])
    """A regular expression of RE2's that is searched in the whole key. Without it every object is loaded."""

    schedule: Schedule
    """When to look for new objects: cron with five fields, a preset such as `@hourly`, `@continuous`, or a duration
    such as `30s`.
    """

    batch: BatchLimits = BatchLimits()
    """When a batch is loaded."""

    max_batches_per_run: int = Field(default=200, ge=1, le=1000, strict=True)
    """The most batches that one DAG run loads; the next run goes on. Airflow maps one task to each batch and target."""

    copy_options: CopyOptions = Field(alias="copy", examples=[{"format": "csv"}])
    """How COPY reads the files."""

    manifests: Prefix = Field(examples=["s3://acme-loader/manifests/"])
    """The prefix under which manifests are written; a `/` at its end is added when missing."""

    failed_manifests: Prefix | None = None
    """The prefix under which the manifest of a failed batch is kept as well. Without it none is kept."""

    targets: tuple[Target, ...] = Field(min_length=1, examples=[[{"table": "public.orders"}]])
    """The tables that each batch is loaded into; at least one."""

    notify: Notify = Notify()
    """Where outcomes are told."""

    aws_conn_id: ConnectionId = "aws_default"
    """The Airflow connection for S3, DynamoDB and SNS. Where nobody made `aws_default`, boto3 looks for credentials
    itself.
    """

    on_clear: Literal["reload", "skip"] = "reload"
    """What clearing `load_batch` does for a batch that is loaded: load it again, or leave it."""

    @field_validator("exclude")
    @classmethod
    def _leaves_something(cls, value: tuple[SourcePattern, ...], info: ValidationInfo) -> tuple[SourcePattern, ...]:
        source: SourcePattern | None = info.data.get("source")
        if source is None:
            return value
        for index, each in enumerate(value):
            if each.covers(source):
                raise mistake(f"'{each}' excludes the whole source.", "Exclude prefixes below the source.", at=(index,))
            if not each.overlaps(source):
                raise mistake(f"'{each}' is not below the source.", f"Write a prefix below '{source}'.", at=(index,))
        return value

    @field_validator("manifests", "failed_manifests")
    @classmethod
    def _not_above_the_source(cls, value: S3Url | None, info: ValidationInfo) -> S3Url | None:
        source: SourcePattern | None = info.data.get("source")
        if value and source and SourcePattern(value.bucket, value.key).covers(source):
            raise mistake(
                f"the source lies under '{value}', where manifests are written.",
                "Nothing below that is taken for data: choose a prefix of its own.",
            )
        return value

    @field_validator("targets")
    @classmethod
    def _each_target_once(cls, value: tuple[Target, ...]) -> tuple[Target, ...]:
        # Redshift folds names to small letters, quoted ones too, unless it is told otherwise.
        names = [f"{target.conn_id}/{target.schema_name}.{target.table_name}".lower() for target in value]
        twice = _first_repeated(names)
        if twice is not None:
            raise mistake(
                f"the target {value[twice].name!r} stands twice.",
                "Name each connection and table once; small and capital letters are the same.",
                at=(twice, "table"),
            )
        return value

    @property
    def dag_id(self) -> str:
        """The id of the load's DAG."""
        return f"rsloader_{self.load}"

    @property
    def airflow_schedule(self) -> str | timedelta:
        """The schedule as Airflow's DAG takes it."""
        return airflow_schedule(self.schedule)

    def matches(self, bucket: str, key: str) -> bool:
        """Tell whether an object belongs to this load.

        It does when it is below the source, below no exclusion and none of the load's own manifest
        prefixes, and the filter finds something in its key. Folder markers are not told apart here: that takes a size.
        """
        return (
            bucket == self.source.bucket
            and self.source.matches(key)
            and (self.file_filter is None or linear(self.file_filter).search(key) is not None)
            and not any(each.bucket == bucket and each.matches(key) for each in self.exclude)
            and not any(url.bucket == bucket and key.startswith(url.key) for url in self.manifest_prefixes)
        )

    @property
    def manifest_prefixes(self) -> tuple[S3Url, ...]:
        """The prefixes that this load writes under; nothing below them is data."""
        return (self.manifests,) if self.failed_manifests is None else (self.manifests, self.failed_manifests)


def _first_repeated(names: list[str]) -> int | None:
    return next((index for index, name in enumerate(names) if name in names[:index]), None)
