"""One load's configuration: what a load file says, and what people who write DAGs by hand build themselves.

Every model is frozen, refuses unknown keys, and goes to plain JSON and back:
`model_validate(model_dump(mode="json", by_alias=True, exclude_defaults=True))` gives an equal one.
"""

from datetime import timedelta
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from rsloader_provider.core.copy_clauses import COLUMNAR, check_copy_options
from rsloader_provider.core.linear_regex import linear
from rsloader_provider.core.mistakes import mistake
from rsloader_provider.core.quantities import Duration, Size
from rsloader_provider.core.schedules import Schedule, airflow_schedule
from rsloader_provider.core.setting_types import (
    AccessKeyId,
    ConnectionId,
    Delimiter,
    FixedWidth,
    Identifier,
    JsonPaths,
    KmsSecret,
    LoadName,
    Prefix,
    RegularExpression,
    RoleArns,
    Sources,
    Statements,
    StatementTimeout,
    TableText,
    TopicArn,
)
from rsloader_provider.core.sources import S3Url, SourcePattern, prefixes_to_list
from rsloader_provider.core.sql_templates import names_used

_DELIMITED = {"csv", "text"}
_WITH_HEADER = _DELIMITED | {"fixedwidth"}
_BY_NAME = {"json", "avro"}
_COMPRESSED_INSIDE = {"avro", "parquet", "orc"}

Mode = Literal["append", "replace", "swap", "truncate", "merge"]
_ONE_WAY = "Keep one of iam_role, aws_conn_id, and access_key_id with secret_access_key."

_Value = TypeVar("_Value", str, int, None)

Transport = Literal["driver", "data_api"]
"""How SQL gets to Redshift: through its own port, or through AWS's Redshift Data API."""


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

    format: Literal["csv", "text", "fixedwidth", "json", "avro", "parquet", "orc"] = Field(examples=["csv"])
    """The files' format. `text` is delimited text without CSV's quoting, which the options REMOVEQUOTES and ESCAPE are
    for; `json` and `avro` match fields to columns by name, or as `jsonpaths` says.
    """

    delimiter: Delimiter | None = Field(default=None, examples=["|"])
    """What stands between fields, for csv and text: one ASCII character or a few; `\\t` is a tab, and `\\001` a code in
    octal. Without it COPY's own: `,` for csv, `|` for text.
    """

    fixed_width: FixedWidth | None = Field(default=None, validate_default=True, examples=["id:3,name:10"])
    """The fields of fixedwidth files, in the order of the table's columns: a label, which means nothing, and how many
    characters the field has.
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
            raise mistake("a secret without access_key_id.", "Add access_key_id, the id of the key that it is of.")
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
                f"COPY takes no {info.field_name} with {copy_format}.",
                f"Leave it out; it is for {' and '.join(sorted(taken_by))}.",
            )
        if value == "noshred" and copy_format == "avro":
            raise mistake("COPY takes 'noshred' with json only.", "Write 'auto', or the URL of a JSONPaths file.")
        if isinstance(value, str) and '"' in value and copy_format == "csv":
            raise mistake("in CSV the '\"' is the quote.", "Choose another delimiter, or write 'format: text'.")
        return value

    @field_validator("fixed_width")
    @classmethod
    def _with_fixed_width_only(cls, value: str | None, info: ValidationInfo) -> str | None:
        copy_format = info.data.get("format")
        if value and copy_format and copy_format != "fixedwidth":
            raise mistake(
                f"COPY takes no fixed_width with {copy_format}.", "Leave it out, or write 'format: fixedwidth'."
            )
        if value is None and copy_format == "fixedwidth":
            raise mistake("fixedwidth files need a 'fixed_width'.", "Add for example: fixed_width: 'id:3,name:10'")
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
        return check_copy_options(value, copy_format=info.data.get("format"), delimiter=info.data.get("delimiter"))

    @property
    def is_columnar(self) -> bool:
        """Whether COPY reads the files with the scanner of Redshift Spectrum, from their end."""
        return self.format in COLUMNAR

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


class Target(_Settings):
    """One table, reached over one Airflow connection."""

    conn_id: ConnectionId = "redshift_default"
    """The Airflow connection to Redshift."""

    transport: Transport = "driver"
    """How statements get there: `driver` connects to Redshift's own port; `data_api` asks AWS's Redshift Data API, for
    workers that cannot reach that port, with the credentials of `aws_conn_id`.
    """

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
    """Statements that run before the rows are loaded, in the same transaction: one text, or a list of texts, with Jinja
    that is rendered just before they run.
    """

    post_sql: Statements = ()
    """Statements that run after the rows are loaded, in the same transaction: as `pre_sql`."""

    statement_timeout: StatementTimeout | None = None
    """How long Redshift lets one statement run. Without it Redshift's own setting holds."""

    @field_validator("pre_sql")
    @classmethod
    def _before_the_rows_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for index, text in enumerate(value):
            if "rows" in names_used(text):
                raise mistake("'rows' is known after COPY only.", "Use it in post_sql.", at=(index,))
        return value

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
    """One load: from prefixes in S3 to tables in Redshift."""

    load: LoadName = Field(examples=["orders"])
    """The load's name; its DAG is `rsloader_<load>`. It stands in DynamoDB and in the history: a load with another
    name loads everything again.
    """

    sources: Sources = Field(alias="source")
    """The prefix that is watched, ending with `/`, or a list of them, which may lie in several buckets. A `*` stands
    for any part of one folder's name: `s3://bucket/data/year=*/month=*/`.
    """

    exclude: tuple[SourcePattern, ...] = Field(default=(), examples=[["s3://acme-landing/orders/old/"]])
    """Prefixes below a source to leave alone. Sources of other loads in the same folder of load files are added by
    themselves.
    """

    file_filter: RegularExpression | None = Field(default=None, examples=[r"\.csv$"])
    """A regular expression of RE2's that is searched in the whole key. Without it every object is loaded."""

    schedule: Schedule
    """When to look for new objects: cron with five fields, a preset such as `@hourly`, `@continuous`, or a duration
    such as `30s`.
    """

    shadow: bool = Field(default=False, strict=True)
    """Whether the load only tells what it would load: it writes no manifest, asks Redshift nothing and tells no topic,
    and what it records in the meantime is forgotten once this is taken out.
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
        sources: tuple[SourcePattern, ...] = info.data.get("sources", ())
        named = " or ".join(f"'{source}'" for source in sources)
        for index, each in enumerate(value) if sources else ():
            if whole := next(filter(each.covers, sources), None):
                what = "the whole source" if len(sources) == 1 else f"the whole source '{whole}'"
                raise mistake(f"'{each}' excludes {what}.", "Exclude prefixes below the source.", at=(index,))
            if not any(map(each.overlaps, sources)):
                what = "the source" if len(sources) == 1 else "any source"
                raise mistake(f"'{each}' is not below {what}.", f"Write a prefix below {named}.", at=(index,))
        return value

    @field_validator("manifests", "failed_manifests")
    @classmethod
    def _not_above_the_source(cls, value: S3Url | None, info: ValidationInfo) -> S3Url | None:
        sources: tuple[SourcePattern, ...] = info.data.get("sources", ())
        if value and (under := next(filter(SourcePattern(value.bucket, value.key).covers, sources), None)):
            raise mistake(
                f"the source '{under}' lies under '{value}', where manifests are written.",
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

    @field_validator("targets")
    @classmethod
    def _no_key_over_the_data_api(cls, value: tuple[Target, ...], info: ValidationInfo) -> tuple[Target, ...]:
        options: CopyOptions | None = info.data.get("copy_options")
        if options is not None and options.reads_with_key:
            for index, target in enumerate(value):
                if target.transport == "data_api":
                    raise mistake(
                        "over the Data API AWS keeps the text of COPY for a day, with the access key in it, for all "
                        "who may call redshift-data:DescribeStatement.",
                        "Let Redshift read with copy.iam_role, or write 'transport: driver'.",
                        at=(index, "transport"),
                    )
        return value

    @field_validator("targets")
    @classmethod
    def _as_many_columns_as_fields(cls, value: tuple[Target, ...], info: ValidationInfo) -> tuple[Target, ...]:
        copy_options: CopyOptions | None = info.data.get("copy_options")
        fields = copy_options.fields if copy_options else None
        for index, target in enumerate(value):
            if fields is not None and target.columns and len(target.columns) != fields:
                raise mistake(
                    f"the files fill {fields} column{'s' * (fields > 1)} and here are {len(target.columns)}.",
                    "Name as many columns as copy.fixed_width has fields; for 'jsonpaths: noshred' name one.",
                    at=(index, "columns"),
                )
        return value

    @model_validator(mode="after")
    def _jsonpaths_are_no_data(self) -> Self:
        jsonpaths = self.copy_options.jsonpaths_url
        if jsonpaths is not None and self.matches(jsonpaths.bucket, jsonpaths.key):
            raise mistake(
                "the JSONPaths file lies in the source, and would be loaded as data.",
                "Put it elsewhere, or exclude its prefix.",
                at=("copy", "jsonpaths"),
            )
        return self

    @property
    def targets_apart(self) -> tuple[Target, ...]:
        """The targets that take their batches strictly in order while the load has others besides.

        Each gets work of its own in a run, and takes its turns by itself, so that it holds up none of the others.
        """
        return tuple(each for each in self.targets if each.mode != "append") if len(self.targets) > 1 else ()

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

        It does when it is below a source, below no exclusion and none of the load's own manifest
        prefixes, and the filter finds something in its key. Folder markers are not told apart here: that takes a size.
        """
        return (
            self.source_of(bucket, key) is not None
            and (self.file_filter is None or linear(self.file_filter).search(key) is not None)
            and not any(each.bucket == bucket and each.matches(key) for each in self.exclude)
            and not any(url.bucket == bucket and key.startswith(url.key) for url in self.manifest_prefixes)
        )

    def source_of(self, bucket: str, key: str) -> SourcePattern | None:
        """Give the first source that an object is below, be it excluded or not; None if there is none."""
        return next((each for each in self.sources if each.bucket == bucket and each.matches(key)), None)

    @property
    def listed_prefixes(self) -> tuple[S3Url, ...]:
        """The prefixes that S3 has to list for this load: no object is under two of them. See `prefixes_to_list`."""
        return prefixes_to_list(self.sources)

    @property
    def manifest_prefixes(self) -> tuple[S3Url, ...]:
        """The prefixes that this load writes under; nothing below them is data."""
        return (self.manifests,) if self.failed_manifests is None else (self.manifests, self.failed_manifests)


def _first_repeated(names: list[str]) -> int | None:
    return next((index for index, name in enumerate(names) if name in names[:index]), None)
