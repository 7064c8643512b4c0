"""One target: a connection, a table, and how rows get into it."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from rsloader_provider.core.config.mistakes import mistake
from rsloader_provider.core.config.model import Settings
from rsloader_provider.core.config.setting_types import (
    ConnectionId,
    Identifier,
    Statements,
    StatementTimeout,
    TableText,
)

Mode = Literal["append", "replace", "swap", "truncate", "merge"]


Transport = Literal["driver", "data_api"]
"""How SQL gets to Redshift: through its own port, or through AWS's Redshift Data API."""


class Target(Settings):
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
    """How the loader finds out whether a load was committed when the answer got lost. `table` keeps a load history in
    the loader's own schema. `none` is for those who cannot have such a schema: the loader reads Redshift's system views
    as far as the user may; if they do not say, the batch waits for a person.
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
    """How long Redshift lets one statement run, up to 24 days. Without it Redshift's own setting holds."""

    @field_validator("pre_sql")
    @classmethod
    def _before_the_rows_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            return value
        from rsloader_provider.core.config.sql_templates import names_used  # noqa: PLC0415 (as for `Statements`)

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
                f"mode {mode} needs the load history, which knows the newest batch in the table.",
                "Leave history out, or write 'mode: append'.",
            )
        return value

    @field_validator("merge_on")
    @classmethod
    def _only_to_merge(cls, value: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        mode, columns = info.data.get("mode"), info.data.get("columns")
        if mode == "merge" and value is None:
            raise mistake("mode merge needs the columns that identify a row.", "Write for example: merge_on: [id]")
        if value and mode not in {"merge", None}:
            raise mistake(f"merge_on means nothing with mode {mode}.", "Leave it out, or write 'mode: merge'.")
        for index, name in enumerate(value or ()):
            if columns and name not in columns:
                raise mistake(f"the files do not hold the column {name!r}.", "Add it to columns.", at=(index,))
        return value

    @field_validator("columns", "merge_on")
    @classmethod
    def _each_column_once(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        twice = first_repeated([column.lower() for column in value or ()])
        if value and twice is not None:
            raise mistake(f"the column {value[twice]!r} appears twice.", "Name each column once.", at=(twice,))
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


def first_repeated(names: list[str]) -> int | None:
    """Give the index of the first repeated name; None if no name is repeated."""
    return next((index for index, name in enumerate(names) if name in names[:index]), None)
