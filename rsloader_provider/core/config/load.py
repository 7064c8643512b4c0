"""One load's configuration: from a load file, or built by people who write DAGs by hand.

Every model is frozen, refuses unknown keys, and converts to plain JSON and back:
`model_validate(model_dump(mode="json", by_alias=True, exclude_defaults=True))` gives an equal one.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from rsloader_provider.core.config.copy import CopyOptions
from rsloader_provider.core.config.filters import linear
from rsloader_provider.core.config.mistakes import mistake
from rsloader_provider.core.config.model import Settings
from rsloader_provider.core.config.quantities import Duration, Size
from rsloader_provider.core.config.schedules import Schedule, airflow_schedule
from rsloader_provider.core.config.setting_types import (
    ConnectionId,
    LoadName,
    Prefix,
    RegularExpression,
    Sources,
    TopicArn,
)
from rsloader_provider.core.config.sources import S3Url, SourcePattern, is_hidden, prefixes_to_list
from rsloader_provider.core.config.target import Target, first_repeated

SOURCE_BYTES = 1000
"""The longest `LoadConfig.source_text`."""


class BatchLimits(Settings):
    """When an open batch is loaded: at the first of these that is reached."""

    max_files: int = Field(default=100, ge=1, strict=True)
    """Files in the batch."""

    max_bytes: Size = Field(default=1024**3, json_schema_extra={"default": "1GiB"})
    """Size of its files in S3, as they are stored there (compressed or not). The file that reaches it still goes in."""

    max_age: Duration = Field(default=timedelta(minutes=5), json_schema_extra={"default": "5m"})
    """Time since its first file was claimed."""


class Notify(Settings):
    """Where the outcome of each batch is reported: ARNs of standard SNS topics."""

    success: TopicArn | None = None
    """The topic for batches that were loaded. Without it nothing is sent."""

    failure: TopicArn | None = None
    """The topic for batches that failed. Without it nothing is sent."""


class LoadConfig(Settings):
    """One load: from prefixes in S3 to tables in Redshift."""

    load: LoadName = Field(examples=["orders"])
    """The load's name; its DAG is `rsloader_<load>`. DynamoDB and the history keep it: after you have changed it, run
    `rsloader rename-load OLD NEW`. Until then the load is refused, as everything would be loaded again.
    """

    sources: Sources = Field(alias="source")
    """The prefix that is watched, ending with `/`, or a list of them, which may lie in several buckets. A `*` stands
    for any part of one folder's name: `s3://bucket/data/year=*/month=*/`.
    """

    exclude: tuple[SourcePattern, ...] = Field(default=(), examples=[["s3://acme-landing/orders/old/"]])
    """Prefixes below a source to leave alone. The sources of other loads in the same folder of load files are added
    automatically.
    """

    file_filter: RegularExpression | None = Field(default=None, examples=[r"\.csv$"])
    """An RE2 regular expression that is searched for in the whole key. Without it every object is loaded."""

    hidden_files: Literal["ignore", "load"] | None = None
    """What to do with hidden objects, which Spark and Hadoop leave: below the source the name of a folder or of the
    object begins with `_` and holds no `=`, begins with `.`, or ends with `._COPYING_`. Without it `ignore`, unless the
    load has claimed such objects before.
    """

    schedule: Schedule
    """When to look for new objects: cron with five fields, a preset such as `@hourly`, `@continuous`, or a duration
    such as `30s`.
    """

    shadow: bool = Field(default=False, strict=True)
    """Whether the load only reports what it would load. It writes no manifest, sends nothing to Redshift and notifies
    no topic. What it records meanwhile is not used once this setting is removed.
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
    """The prefix under which a copy of a failed batch's manifest is kept. Without it no copy is kept."""

    targets: tuple[Target, ...] = Field(min_length=1, examples=[[{"table": "public.orders"}]])
    """The tables that each batch is loaded into; at least one."""

    notify: Notify = Notify()
    """Where outcomes are reported."""

    failing_after: Duration = Field(default=timedelta(hours=1), json_schema_extra={"default": "1h"})
    """How long attempts at a batch may go on failing, while the runs try again, before `notify.failure` is told and
    `rsloader audit` counts the batch as wrong.
    """

    aws_conn_id: ConnectionId = "aws_default"
    """The Airflow connection for S3, DynamoDB and SNS. If `aws_default` does not exist, boto3 looks for credentials
    itself.
    """

    on_clear: Literal["reload", "skip"] = "reload"
    """What clearing `load_batch` does with a batch that is loaded already: load it again, or leave it."""

    _unread_files: tuple[str, ...] = PrivateAttr(default=())
    _variables: Mapping[str, str] = PrivateAttr(default_factory=dict)

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
                "Choose another prefix for manifests: nothing below it is loaded.",
            )
        return value

    @field_validator("targets")
    @classmethod
    def _each_target_once(cls, value: tuple[Target, ...]) -> tuple[Target, ...]:
        # By default Redshift folds names to small letters, quoted ones too.
        names = [f"{target.conn_id}/{target.schema_name}.{target.table_name}".lower() for target in value]
        twice = first_repeated(names)
        if twice is not None:
            raise mistake(
                f"the target {value[twice].name!r} appears twice.",
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
                        "the Data API does not keep the access key secret: for a day, everybody who may call "
                        "redshift-data:DescribeStatement can read the text of COPY, which holds the key.",
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
                    f"the files fill {fields} column{'s' * (fields > 1)}, but this names {len(target.columns)}.",
                    "Name as many columns as copy.fixed_width has fields; for 'jsonpaths: noshred' name one.",
                    at=(index, "columns"),
                )
        return value

    @model_validator(mode="after")
    def _jsonpaths_are_no_data(self) -> Self:
        jsonpaths = self.copy_options.jsonpaths_url
        if jsonpaths is not None and self.matches(jsonpaths.bucket, jsonpaths.key):
            raise mistake(
                "the JSONPaths file lies in the source, so it would be loaded as data.",
                "Put it elsewhere, or exclude its prefix.",
                at=("copy", "jsonpaths"),
            )
        return self

    @property
    def unread_files(self) -> tuple[str, ...]:
        """Load files of the same folder whose sources cannot be read: what this load leaves to them is not known.

        No setting, and no part of the plain JSON.
        """
        return self._unread_files

    def beside(self, unread_files: Iterable[str]) -> Self:
        """Give the load as it is in a folder that has these files, whose sources cannot be read."""
        copy = self.model_copy()
        copy._unread_files = tuple(unread_files)
        return copy

    def target_named(self, name: str) -> Target | None:
        """Give the target of a name; None if the load has none, or no longer."""
        return next((target for target in self.targets if target.name == name), None)

    @property
    def variables(self) -> Mapping[str, str]:
        """Digests of the environment variables that the load file was resolved with, by name.

        No setting, and no part of the plain JSON.
        """
        return self._variables

    def resolved_with(self, variables: Mapping[str, str]) -> Self:
        """Give the load as it was read with these variables."""
        copy = self.model_copy()
        copy._variables = dict(variables)
        return copy

    @property
    def targets_apart(self) -> tuple[Target, ...]:
        """The targets that load their batches strictly in order, if the load has several targets; else none.

        In a run each of them has its own tasks and its own order, so that it does not hold up the others.
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

        It does when it is below a source, when it is not below an exclusion or one of the load's own manifest prefixes,
        and when the filter finds something in its key. Folder markers are not recognized here: that needs the size.
        """
        return (
            self.source_of(bucket, key) is not None
            and (self.file_filter is None or linear(self.file_filter).search(key) is not None)
            and not any(each.bucket == bucket and each.matches(key) for each in self.exclude)
            and not any(url.bucket == bucket and key.startswith(url.key) for url in self.manifest_prefixes)
        )

    def source_of(self, bucket: str, key: str) -> SourcePattern | None:
        """Give the first source that an object is below, excluded or not; None if there is none."""
        return next((each for each in self.sources if each.bucket == bucket and each.matches(key)), None)

    def hides(self, bucket: str, key: str) -> bool:
        """Tell whether an object that belongs to this load is hidden, below each source that has it."""
        path = f"/{key}"
        if not ("/_" in path or "/." in path or "._COPYING_" in path):
            return False
        having = [each for each in self.sources if each.bucket == bucket and each.matches(key)]
        return bool(having) and all(is_hidden(each.below(key)) for each in having)

    @property
    def source_text(self) -> str:
        """What tells the load's sources from any others, whatever their order: their URLs, cut where they are long.

        What is left out below them does not count: two loads with one source share it, whatever each of them takes.
        """
        text = ", ".join(sorted({*map(str, self.sources)}))
        if len(text.encode()) <= SOURCE_BYTES:
            return text
        digest = hashlib.sha256(text.encode()).hexdigest()
        return text.encode()[: SOURCE_BYTES - len(digest)].decode(errors="ignore") + digest

    @property
    def listed_prefixes(self) -> tuple[S3Url, ...]:
        """The prefixes to list for this load; no object is under two of them. See `prefixes_to_list`."""
        return prefixes_to_list(self.sources)

    @property
    def manifest_prefixes(self) -> tuple[S3Url, ...]:
        """The prefixes that this load writes under; nothing below them is data."""
        return (self.manifests,) if self.failed_manifests is None else (self.manifests, self.failed_manifests)
