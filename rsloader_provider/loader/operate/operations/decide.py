"""Say of an undecided batch whether its rows are in the table."""

from dataclasses import dataclass

from rsloader_provider.loader.operate.operations.operation import Hear, Planned, Told
from rsloader_provider.loader.ports.ledger import Ledger
from rsloader_provider.loader.run.commit_outcome import decide_by_person


@dataclass(frozen=True, slots=True)
class DecideOperation:
    """Write down what a person found out.

    Attributes:
        ledger: The ledger.
        load: Name of the load.
        batch: The batch's id.
        target: The target's name.
        loaded: Whether the rows are in the table; if not, the next run loads them.
    """

    ledger: Ledger
    load: str
    batch: str
    target: str
    loaded: bool

    def plan(self, _hear: Hear, /) -> Planned:
        """See Operation."""
        progress = self.ledger.get(self.load, self.batch).progress(self.target)
        what = "loaded" if self.loaded else "not loaded"
        return Planned(
            (
                f"Batch {self.batch} would count as {what} in {self.target}.",
                progress.error or f"{self.target}: {progress.state}.",
            ),
            {"batch": self.batch, "target": self.target, "is_undecided": progress.is_undecided},
        )

    def carry_out(self, _by: str, _hear: Hear, /) -> Told:
        """See Operation."""
        batch = decide_by_person(self.ledger, self.load, self.batch, self.target, loaded=self.loaded)
        return Told(
            (f"{batch} is {batch.progress(self.target).state} in {self.target}; the batch is {batch.status}.",),
            {"batch": self.batch, "target": self.target, "status": str(batch.status)},
        )
