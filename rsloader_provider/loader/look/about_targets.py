"""What `rsloader explain` tells of one target of a batch: its attempts, its rows in the load history, its tasks."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from rsloader_provider.core.ledger.batch import Batch, TargetProgress, TargetState
from rsloader_provider.core.redshift.rows import HistoryRow


def moment(time: datetime) -> str:
    """Write a moment for people."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def tasks(batch: Batch, failed: Iterable[TargetProgress]) -> str:
    """Name the tasks of failed targets, with their map indexes where those are known."""
    names = set()
    for each in failed:
        if each.begun_by is None:
            names.add(f"load_batch of run {batch.run}")
        else:
            dag_id, run_id, task_id, map_index = each.begun_by.names
            names.add(f"{task_id}{'' if map_index < 0 else f' [{map_index}]'} of run {dag_id}/{run_id}")
    return " and ".join(sorted(names))


def about_target(name: str, progress: TargetProgress) -> Iterator[str]:
    """Tell how far a batch is in a target."""
    skipped = "" if progress.skipped is None else f", COPY skipped {progress.skipped}"
    words = {
        TargetState.WAITING: "waits for an attempt",
        TargetState.LOADING: "an attempt began and has not been heard of since",
        TargetState.LOADED: f"loaded, {progress.rows or 0:,} rows, query {progress.query_id}{skipped}",
        TargetState.FAILED: "failed",
        TargetState.GIVEN_UP: "given up: no run loads it there",
    }
    session = "" if progress.session is None else f", session {progress.session}"
    yield f"{name}: {words[progress.state]} (generation {progress.generation}, attempt {progress.attempt}{session})."
    if progress.error:
        yield from f"{name}: the last attempt ended with: {progress.error}".split("\n")
    if progress.failing_since is not None:
        told = ", and that was told" if progress.is_failing else ""
        yield f"{name}: every attempt since {moment(progress.failing_since)} has failed{told}; the runs go on trying."
    if progress.opened_by:
        what = "it was given up" if progress.state is TargetState.GIVEN_UP else "a person asked for generation"
        which = "" if progress.state is TargetState.GIVEN_UP else f" {progress.generation}"
        yield f"{name}: {what}{which} by {progress.opened_by}."


def about_history(name: str, progress: TargetProgress, rows: list[HistoryRow]) -> Iterator[str]:
    """Tell what the load history of a target has of a batch."""
    if not rows:
        yield f"{name}: the load history has nothing of the batch."
    for row in rows:
        when = "" if row.loaded_at is None else f" at {moment(row.loaded_at)}"
        yield (
            f"{name}: the load history has generation {row.generation}: {row.rows:,} rows by query {row.query_id}, "
            f"attempt {row.attempt}, run {row.run}{when}."
        )
    if progress.state is not TargetState.LOADED and any(row.generation == progress.generation for row in rows):
        yield f"{name}: it is loaded, although DynamoDB does not say so yet; the next attempt finds that."


def row_facts(row: HistoryRow) -> dict[str, Any]:
    """Give a row of the load history as plain JSON."""
    return {
        "generation": row.generation,
        "attempt": row.attempt,
        "rows": row.rows,
        "files": row.files,
        "query_id": row.query_id,
        "run": row.run,
        "loaded_at": row.loaded_at and row.loaded_at.isoformat(),
    }
