"""Shows the demo's batches: a live table in a terminal, a line per change elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.table import Table

from rsloader_provider.core.ledger.batch import Batch, BatchStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from rsloader_provider.cli.console import Console

_WAITS = "waits for more files, or for its age"
_COLOURS = {
    BatchStatus.OPEN: "yellow",
    BatchStatus.LOCKED: "cyan",
    BatchStatus.COMPLETE: "green",
    BatchStatus.ERROR: "red",
}


class BatchView:
    """Shows batches as they change; a context manager.

    Args:
        console: Where to show them.
        dropped: Number of files that were dropped; from it follows how many are in no batch yet.
    """

    def __init__(self, console: Console, dropped: int) -> None:
        self._console = console
        self._dropped = dropped
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._told: str | None = None

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        if self._live:
            self._live.stop()

    def show(self, batches: Sequence[Batch]) -> None:
        """Show the batches as they are now."""
        if self._live:
            self._live.update(self._table(batches))
            return
        told = (
            "; ".join(_sentence(number, batch) for number, batch in enumerate(batches, 1))
            or "no file is in a batch yet"
        )
        if told != self._told:
            self._told = told
            self._console.print(told, soft_wrap=True, highlight=False)

    def _table(self, batches: Sequence[Batch]) -> Table:
        unseen = self._dropped - sum(batch.files for batch in batches)
        caption = f"{unseen} files in no batch yet" if unseen else None
        table = Table("batch", "files", "bytes", "status", "why", "rows", "age", caption=caption)
        for batch in batches:
            colour = _COLOURS[batch.status]
            table.add_row(
                batch.batch,
                f"{batch.files}",
                f"{batch.size_bytes:,}",
                f"[{colour}]{batch.status}[/]",
                batch.reason or _WAITS,
                "" if (rows := rows_of(batch)) is None else f"{rows:,}",
                _age(batch) if batch.status is BatchStatus.OPEN else "",
            )
        return table


def rows_of(batch: Batch) -> int | None:
    """Return the rows that all targets of a batch loaded; None before the last of them has."""
    rows = [progress.rows for progress in batch.targets.values()]
    return sum(row or 0 for row in rows) if rows and None not in rows else None


def _age(batch: Batch) -> str:
    return f"{max(0, int((datetime.now(UTC) - batch.opened_at).total_seconds()))} s" if batch.opened_at else ""


def _sentence(number: int, batch: Batch) -> str:
    files = f"{batch.files} file{'s' if batch.files > 1 else ''}"
    rows = rows_of(batch)
    loaded = f", {rows:,} rows" if rows is not None else ""
    why = f" ({batch.reason or _WAITS})"
    return f"batch {number}: {files}, {batch.status}{why}{loaded}"
