"""What is added to an error of COPY: the rows and objects that it is about, and what to do.

Redshift's own words are often "check stl_load_errors"; S3 and the load-error views know more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rsloader_provider.core.config import CopyOptions
from rsloader_provider.core.config.target import Mode
from rsloader_provider.core.errors import (
    AccessDeniedError,
    BadDataError,
    NotSetUpError,
    ObjectsArchivedError,
    ObjectsMissingError,
    RowError,
    RsloaderError,
    StatementError,
)
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.visible import shell_word, visible
from rsloader_provider.loader.ports.storage import Storage
from rsloader_provider.loader.ports.warehouse import Session
from rsloader_provider.loader.run.object_sizes import overwritten

log = logger_of(__name__)

ROW_ERRORS_SHOWN = 10
_OBJECTS_SHOWN = 10
_OF_S3, _DENIED, _ARCHIVED = "S3ServiceException", "Error AccessDenied", "InvalidObjectState"
_VIEW_URL_BYTES = 256
"""The load-error views keep so many bytes of a URL."""


@dataclass(frozen=True, slots=True)
class CopiedObjects:
    """What a COPY was to load, and where.

    Attributes:
        batch: The batch.
        entries: Its objects, as the manifest has them.
        options: How COPY reads them.
        table: The target's table.
        storage: Where the objects are.
    """

    batch: Batch
    entries: Sequence[Entry]
    options: CopyOptions
    table: TableName
    storage: Storage


def detailed(error: RsloaderError, copied: CopiedObjects, session: Session, pid: int) -> RsloaderError:
    """Add to an error of COPY what Redshift and S3 know of it; give any other error as it is.

    Args:
        error: Why the load was rolled back.
        copied: What was to be loaded.
        session: The load's session, after the rollback.
        pid: Its process id.
    """
    match error:
        case AccessDeniedError() | BadDataError() if archived := _archived(error, copied):
            return archived
        case BadDataError():
            return _refused_files(error, copied, _row_errors(session, pid))
        case ObjectsMissingError():
            return _missing(error, copied)
        case _:
            return error


def _archived(error: RsloaderError, copied: CopiedObjects) -> ObjectsArchivedError | None:
    """Name the objects that S3 gives to nobody, if COPY was refused for such."""
    said = str(error)
    is_certain = _ARCHIVED in said
    if not is_certain and (_OF_S3 not in said or _DENIED in said):
        return None
    log.info("%s: asking S3 for the storage class of its %d objects", copied.batch, len(copied.entries))
    listed = [copied.storage.find(entry.bucket, entry.key) for entry in copied.entries]
    found = [each for each in listed if each is not None and each.is_archived]
    if not found and is_certain:
        found = [each for each in listed if each is not None and each.may_be_archived]
    if not found:
        return None
    batch, first = copied.batch, found[0]
    command = f"aws s3api restore-object --bucket {shell_word(first.bucket)} --key {shell_word(first.key)}"
    return ObjectsArchivedError(
        f"{batch} into {copied.table}: {len(found)} of its {len(copied.entries)} objects lie in an archive of S3, "
        "where nobody can read them:",
        *_listed([f"{each.url} ({each.storage_class})" for each in found]),
        f"Nothing was loaded. Restore each: {command} --restore-request Days=7",
        "When S3 has done so, which takes hours, clear the task. Or load the batch without them: "
        f"rsloader reprocess {batch.load} {batch.batch} --without {shell_word(first.url)} (--without for each)",
        urls=tuple(each.url for each in found),
    )


def _missing(error: ObjectsMissingError, copied: CopiedObjects) -> RsloaderError:
    urls = _missing_urls(copied)
    jsonpaths = copied.options.jsonpaths_url
    if jsonpaths is not None and not urls:
        # COPY reads nothing else.
        return NotSetUpError(
            f"{copied.batch} into {copied.table}: the JSONPaths file {jsonpaths} (`copy.jsonpaths`) is not in S3: "
            f"{error}. Nothing was loaded. Put it there, and the next run loads the batch; or correct the load file."
        )
    return ObjectsMissingError(
        f"{copied.batch} into {copied.table}: objects that it claimed are no longer in S3. Nothing was loaded. "
        "Put them back and clear the task.",
        urls,
    )


def _refused_files(error: BadDataError, copied: CopiedObjects, rows: tuple[RowError, ...]) -> BadDataError:
    # A session's number is given out again, and the views go back for days.
    own = {entry.url.encode()[:_VIEW_URL_BYTES].decode(errors="ignore").strip() for entry in copied.entries}
    rows = tuple(row for row in rows if row.file in own)
    lines = [f"{copied.batch} into {copied.table}: {error}"]
    changed = overwritten(copied.storage, copied.entries) if copied.options.is_columnar else ()
    if changed:
        lines += [
            "Objects were written again after the batch claimed them, and COPY refuses files of another size:",
            *_listed(changed),
            "Nothing was loaded. Clear the task to load them as they are then.",
        ]
        return BadDataError(*lines, rows=rows)
    if not rows and not any(visible(entry.name) in str(error) for entry in copied.entries):
        lines += ["Redshift names no object. The batch has:", *_listed([entry.url for entry in copied.entries])]
    lines.append(
        "Nothing was loaded. Repair the objects under their keys, or correct the load file or the table, and clear "
        "the task."
    )
    return BadDataError(*lines, rows=rows)


def all_empty(batch: Batch, table: TableName, mode: Mode, entries: Sequence[Entry]) -> BadDataError:
    """Say that a batch of nothing but empty objects would empty its table."""
    return BadDataError(
        f"{batch} into {table}: every one of its {len(entries)} objects is empty, and mode {mode} would leave the "
        f"table empty, s3://{entries[0].name} for example. Nothing was changed. Write the objects again under their "
        "keys, and clear the task. Or, if the table is to be empty: write 'empty_files: load' under `copy` in the load "
        "file, and clear the task."
    )


def _missing_urls(copied: CopiedObjects) -> tuple[str, ...]:
    log.info("%s: asking S3 which of its %d objects are missing", copied.batch, len(copied.entries))
    return tuple(entry.url for entry in copied.entries if copied.storage.find(entry.bucket, entry.key) is None)


def _listed(lines: Sequence[str]) -> list[str]:
    left = len(lines) - _OBJECTS_SHOWN
    return [f"  {line}" for line in [*lines[:_OBJECTS_SHOWN], *([f"and {left} more"] if left > 0 else [])]]


def _row_errors(session: Session, pid: int) -> tuple[RowError, ...]:
    for statement in (sql.FindRowErrors(pid, ROW_ERRORS_SHOWN), sql.FindRowErrorsWithoutValues(pid, ROW_ERRORS_SHOWN)):
        try:
            rows = session.execute(statement)
        except (AccessDeniedError, NotSetUpError, StatementError) as error:
            log.info("load errors are not readable: %s", error)
            continue
        if rows:
            return tuple(rows)
    return ()
