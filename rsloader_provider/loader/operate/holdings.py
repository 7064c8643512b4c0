"""Who holds which batch, and what frees it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rsloader_provider.core.ledger.batch import Batch, TargetProgress, TargetState
from rsloader_provider.loader.services import Services


@dataclass(frozen=True, slots=True)
class Holding:
    """Who holds one target of a batch.

    Attributes:
        batch: The batch.
        target: The target's name.
        progress: How far it is.
        sentence: Who holds it, and what frees it.
    """

    batch: Batch
    target: str
    progress: TargetProgress
    sentence: str

    @property
    def report(self) -> dict[str, Any]:
        """The same for programs, plain JSON."""
        return {
            "batch": self.batch.batch,
            "target": self.target,
            "state": str(self.progress.state),
            "run": self.batch.run,
            "attempt": self.progress.attempt,
            "session": self.progress.session,
            "who": self.sentence,
        }


def holdings(load: str, services: Services, batch_id: str | None = None) -> Iterator[Holding]:
    """Tell who holds which batch. There is nothing to unlock: the next run takes over unfinished batches.

    Args:
        load: Name of the load.
        services: The ports and the clock.
        batch_id: One batch with all of its targets; None for all batches that a target still waits for.

    Raises:
        UnknownBatchError: There is no such batch.
    """
    batches = services.ledger.unfinished(load) if batch_id is None else iter([batch_id])
    for each in batches:
        batch = services.ledger.get(load, each)
        for name, progress in sorted(batch.targets.items()):
            if batch_id is not None or name in batch.unfinished_targets:
                yield Holding(batch, name, progress, _who_holds(batch, progress))


def _who_holds(batch: Batch, progress: TargetProgress) -> str:
    session = "" if progress.session is None else f", Redshift session {progress.session}"
    match progress.state:
        case TargetState.WAITING:
            return f"waits for run {batch.run}; if that run is over, the next run takes it over by itself."
        case TargetState.LOADING:
            return (
                f"attempt {progress.attempt} of run {batch.run} holds it{session}. If its worker is gone, Airflow's "
                "retry takes over; if its run is over, the next run does, and ends the session first."
            )
        case TargetState.FAILED:
            if session:
                return (
                    f"it failed{session} of an earlier attempt may still be at work. `rsloader reprocess {batch.load} "
                    f"{batch.batch}` has the next run make one more attempt, which ends that session first."
                )
            return "no run holds it: it failed, and waits until a person repairs what the error names."
        case TargetState.LOADED:
            return "no run holds it: it is loaded."
        case TargetState.GIVEN_UP:
            return "no run holds it: a person gave it up."
