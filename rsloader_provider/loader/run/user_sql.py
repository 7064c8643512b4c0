"""Run a target's pre-SQL or post-SQL: rendered, checked and run inside of the load's transaction, text by text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from jinja2 import TemplateError

from rsloader_provider.core.config import Target
from rsloader_provider.core.config.sql_sandbox import Shown
from rsloader_provider.core.config.sql_templates import ROWS_UNKNOWN, SqlRenderer
from rsloader_provider.core.config.sql_tokens import UnreadableSqlError
from rsloader_provider.core.config.user_sql import UserSql, refusal, split_sql
from rsloader_provider.core.errors import AccessDeniedError, ConfigurationError, NotSetUpError, StatementError
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.quoting import identifier
from rsloader_provider.loader.ports.warehouse import Session


@dataclass(frozen=True, slots=True)
class BatchValues(Shown):
    """What a template knows as `batch`; written out by itself it is the batch's id.

    Attributes:
        id: The batch's id.
        files: How many objects it has.
        size_bytes: Their size in S3.
        opened_at: When it was opened (aware, UTC).
        locked_at: When it was locked (aware, UTC).
        reason: The limit that it was locked for.
        manifest: URL of the manifest.
    """

    id: str
    files: int
    size_bytes: int
    opened_at: datetime | None
    locked_at: datetime | None
    reason: str | None
    manifest: str

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class TargetValues(Shown):
    """What a template knows as `target`; written out by itself it is the table as SQL names it, quoted.

    Attributes:
        name: `connection/schema.table`.
        conn_id: The Airflow connection.
        schema: The table's schema, without quotes.
        table: The table without its schema, without quotes.
        mode: How the table is filled.
    """

    name: str
    conn_id: str
    schema: str
    table: str
    mode: str

    def __str__(self) -> str:
        return f"{identifier(self.schema)}.{identifier(self.table)}"


def run_user_sql(
    session: Session,
    renderer: SqlRenderer,
    batch: Batch,
    target: Target,
    setting: Literal["pre_sql", "post_sql"],
    manifest: str,
    rows: int | None = None,
) -> None:
    """Render each text of a setting just before it runs, split it and run its statements.

    Args:
        session: In the load's transaction.
        renderer: Renders a text.
        batch: The batch that is loaded.
        target: The target, with the texts as they were written.
        setting: Which texts.
        manifest: URL of the batch's manifest.
        rows: Rows that COPY loaded; None before COPY, where a text that uses them is refused.

    Raises:
        StatementError: A text cannot be rendered, is not SQL, or has a statement that would end the transaction; or
            Redshift refused one. Nothing was loaded.
        ConfigurationError: What a template asks for, such as a variable of Airflow, is not there.
        RsloaderError: Any other reason of Redshift.
    """
    values: Mapping[str, Any] = {
        "batch": BatchValues(
            batch.batch, batch.files, batch.size_bytes, batch.opened_at, batch.locked_at, batch.reason, manifest
        ),
        "load": batch.load,
        "target": TargetValues(target.name, target.conn_id, target.schema_name, target.table_name, target.mode),
        "rows": ROWS_UNKNOWN if rows is None else rows,
        "run": batch.run or "",
    }
    texts: Sequence[str] = getattr(target, setting)
    for number, text in enumerate(texts, 1):
        where = f"{batch} into {target.name}: text {number} of {setting}"
        _run_text(session, renderer, text, values, where)


def _run_text(session: Session, renderer: SqlRenderer, text: str, values: Mapping[str, Any], where: str) -> None:
    for number, statement in enumerate(_checked(renderer, _rendered(renderer, text, values, where), where), 1):
        try:
            session.execute(sql.UserStatement(statement.text))
        except (AccessDeniedError, NotSetUpError, StatementError) as error:
            said = renderer.redacted(f"{_named(where, number, statement)}: {error}")
            if isinstance(error, StatementError):
                raise StatementError(said, error.sqlstate) from error
            raise type(error)(said) from error


def _rendered(renderer: SqlRenderer, text: str, values: Mapping[str, Any], where: str) -> str:
    try:
        return renderer.render(text, values)
    except TemplateError as error:
        said = renderer.redacted(str(error))
        raise StatementError(f"{where}: its template is wrong: {said} Nothing was loaded.") from error
    except Exception as error:
        said = renderer.redacted(f"{type(error).__name__}: {error}")
        raise ConfigurationError(f"{where}: its template asks for what is not there: {said}.") from error


def _checked(renderer: SqlRenderer, text: str, where: str) -> list[UserSql]:
    """Split a rendered text, once all of its statements may run."""
    try:
        statements = split_sql(text)
    except UnreadableSqlError as error:
        raise StatementError(f"{where}: rendered, it holds {error} Nothing was loaded.") from error
    for number, statement in enumerate(statements, 1):
        if reason := refusal(statement):
            said = f"{_named(where, number, statement)}: {' '.join(reason)} Nothing was loaded."
            raise StatementError(renderer.redacted(said))
    return statements


def _named(where: str, number: int, statement: UserSql) -> str:
    """Name a statement by its first words: the rest may hold what a template took from a connection."""
    return f"{where}, statement {number} ({' '.join(statement.words[:2])} …)"
