"""What can go wrong, and whether trying again is safe and useful.

RsloaderError
├── ConfigurationError           a load file, a connection or a setting is wrong
├── NotSetUpError                a DynamoDB table, a history table or a bucket is missing
├── AccessDeniedError            AWS or Redshift refused the credentials' rights
├── UnknownBatchError            no such batch, or no such target in it
│   └── DeletedBatchError        a person deleted it; its objects stay claimed
├── CorruptLedgerError           an item in DynamoDB does not hold what it must
│   ├── LedgerLostError          a load history has batches that DynamoDB does not have
│   └── RenamedLoadError         a load has another name than the one that DynamoDB and the histories know it by
├── AttemptLostError             a newer attempt replaced this one
├── BadDataError                 COPY refused what is in the files; has the refused rows
├── ObjectsMissingError          objects of the batch are no longer in S3
├── ObjectsArchivedError         objects of the batch lie in an archive, where nobody can read them
├── OutOfOrderError              a newer batch is in the table that this one would overwrite
├── TargetRemovedError           the load no longer has a target that the batch was locked with
├── UndecidedError               without a load history: it is not known whether a COMMIT was carried out
├── NothingToDecideError         a person decided something that is not, or no longer, in question
├── UnknownObjectError           the load has no claim of an object that a person named
├── OperationRefusedError        what a person asked for would be wrong now; nothing was changed
├── StatementError               Redshift refused a statement
└── TransientError               trying again is expected to help (retryable)
    ├── ConnectionLostError      the outcome of the last statement is unknown
    ├── SerializationError       Redshift's error 1023: rolled back, nothing was loaded
    ├── EarlierBatchError        order matters, and a batch before this one is not loaded yet
    └── ContentionError          other writers won too many times in a row
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rsloader_provider.core.visible import visible


class RsloaderError(Exception):
    """Anything that the loader reports to a person.

    Its text may go to any log, terminal and message: each character in it is visible, whatever it was made of.

    Args:
        lines: The message, line by line. None of them can begin another one.

    Attributes:
        retryable: Whether the same call may succeed when it is made again and nobody has done anything.
    """

    retryable = False

    def __init__(self, *lines: object):
        super().__init__("\n".join(map(visible, lines)))

    def concerns(self, what: object) -> None:
        """Put what the error happened to at the beginning of the message, unless the message names it already.

        >>> error = RsloaderError("Access denied.")
        >>> error.concerns("load orders")
        >>> error.concerns("load orders")
        >>> str(error)
        'load orders: Access denied.'
        """
        subject = visible(what)
        if subject not in str(self):
            self.args = (f"{subject}: {self}",)

    def keep_visible_causes(self) -> None:
        """Drop the causes whose text would drive a terminal or forge a line of a log: Airflow logs them all, as is."""
        each: BaseException | None = self
        seen: set[int] = set()
        while each is not None and id(each) not in seen:  # an error may be its own cause
            seen.add(id(each))
            cause = each.__cause__ if each.__suppress_context__ else each.__context__
            if cause is not None and not isinstance(cause, RsloaderError) and visible(cause) != str(cause):
                each.__cause__ = cause = None
            each = cause


@contextmanager
def concerning(what: object) -> Iterator[None]:
    """Put what they happened to at the beginning of our errors' messages, as `RsloaderError.concerns` does."""
    try:
        yield
    except RsloaderError as error:
        error.concerns(what)
        error.keep_visible_causes()
        raise


class ConfigurationError(RsloaderError):
    """A load file, a connection or a setting is wrong; the message says where and what to write."""


class NotSetUpError(RsloaderError):
    """Something that is created once, by `rsloader setup` or by an administrator, is missing."""


class AccessDeniedError(RsloaderError):
    """AWS or Redshift refused; the message names the action and its object."""


class UnknownBatchError(RsloaderError):
    """No batch of this id, or no target of this name in it."""


class DeletedBatchError(UnknownBatchError):
    """The batch was complete, and a person deleted it: its objects stay claimed, and count as loaded."""


class UnknownObjectError(RsloaderError):
    """A person named an object that the load has not claimed, or a prefix below which it has claimed nothing."""


class OperationRefusedError(RsloaderError):
    """What a person asked for would be wrong now. Nothing was changed; the message says what to do first."""


class CorruptLedgerError(RsloaderError):
    """An item in DynamoDB was written halfway or edited by hand."""


class LedgerLostError(CorruptLedgerError):
    """A load history has batches that DynamoDB does not have: the tables were emptied, created again or restored.

    Nothing is claimed or loaded before a person decides, because what was loaded may be loaded again.
    """


class RenamedLoadError(CorruptLedgerError):
    """A load was renamed, it seems, and its new name does not know what was loaded; or it is just being renamed.

    Nothing is claimed or loaded before a person decides, because what was loaded would be loaded again.
    """


class AttemptLostError(RsloaderError):
    """A newer attempt at the same batch and target replaced this one: this one must stop.

    Not retryable, because a retry would in turn replace the attempt that is at work.
    """


@dataclass(frozen=True)
class RowError:
    """One row that COPY refused, as SYS_LOAD_ERROR_DETAIL has it.

    Attributes:
        file: The object's URL.
        line: Line in the file; 1 is the first. 0 where the format has no lines.
        column: The table's column, or empty when the row as a whole is at fault.
        value: The field's text as it is in the file.
        reason: Redshift's words.
        code: Redshift's error code, for example 1207.
        query_id: Redshift's id of the COPY; None if it is not known.
    """

    file: str
    line: int
    column: str
    value: str
    reason: str
    code: int
    query_id: int | None = None

    def __str__(self) -> str:
        """One line for a log: file, line, column, value, reason."""
        column = f", column {self.column}" if self.column else ""
        value = f", value {self.value!r}" if self.value else ""
        line = f":{self.line}" if self.line else ""
        return f"{self.file}{line}{column}{value}: {self.reason} (code {self.code})"


class BadDataError(RsloaderError):
    """COPY refused the content of the files. Nothing was loaded; the batch stays as it is.

    Attributes:
        rows: The first refused rows, as many as were asked for; may be empty when the views are not readable. They
            stand below the message.
    """

    def __init__(self, *lines: object, rows: tuple[RowError, ...] = ()):
        super().__init__(*lines, *(f"  {row}" for row in rows))
        self.rows = rows


class ObjectsMissingError(RsloaderError):
    """Objects that were claimed are no longer in S3.

    Attributes:
        urls: Their URLs.
    """

    def __init__(self, message: str, urls: tuple[str, ...]):
        super().__init__(message, *(f"  {url}" for url in urls))
        self.urls = urls


class ObjectsArchivedError(RsloaderError):
    """Objects of the batch lie in an archive of S3 (GLACIER, DEEP_ARCHIVE), and have to be restored to be read.

    Attributes:
        urls: Their URLs.
    """

    def __init__(self, *lines: object, urls: tuple[str, ...]):
        super().__init__(*lines)
        self.urls = urls


class OutOfOrderError(RsloaderError):
    """A newer batch is in the table already and this one would overwrite it."""


class TargetRemovedError(RsloaderError):
    """The load no longer has a target that the batch was locked with, and nothing is loaded into it.

    A person has the batch loaded into another target in its place, or gives it up for that target.
    """


class UndecidedError(RsloaderError):
    """A COMMIT was sent, or was about to be sent, and nothing shows whether it was carried out.

    Targets with `history: none` have it, and those whose history was lost before it was asked. The message says what is
    known, and has the command for either case.
    """


class NothingToDecideError(RsloaderError):
    """A person said whether a batch is in a table, but it is known already, or somebody else has said it."""


class StatementError(RsloaderError):
    """Redshift refused a statement, for a reason that trying again does not change.

    Attributes:
        sqlstate: The five characters of the SQLSTATE, for example "42P01".
    """

    def __init__(self, message: str, sqlstate: str = ""):
        super().__init__(message)
        self.sqlstate = sqlstate


class TransientError(RsloaderError):
    """Trying again is expected to help: throttling, a connection, a conflict."""

    retryable = True


class ConnectionLostError(TransientError):
    """The connection broke: whether the last statement was carried out is unknown."""


class SerializationError(TransientError):
    """Redshift's error 1023: the transaction was rolled back and nothing was loaded."""


class EarlierBatchError(TransientError):
    """Order matters for the target, and an earlier batch of the load is still to be loaded into it."""


class ContentionError(TransientError):
    """Other writers won a conditional write too many times in a row."""
