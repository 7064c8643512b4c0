"""The cells of the matrix: each kind of fault with each call of a run."""

from collections.abc import Iterator
from dataclasses import dataclass

from network.eager_clients import PATIENCE_SECONDS
from network.fault_proxy import Fault, Kind
from network.run_through import CALLS, SECOND_TARGET, TELLING, TELLING_OF_TWO, WRITES

OUTLASTING = 9
"""As often as botocore tries a call: the fault reaches the loader."""

ONLY_FOR = {
    Kind.CANCELED_THROTTLED: ("TransactWriteItems",),
    Kind.CANCELED_CONFLICT: ("TransactWriteItems",),
    Kind.CONFLICT: ("UpdateItem",),
}
OUTLASTING_KINDS = (Kind.DROPPED, Kind.ANSWER_LOST, Kind.THROTTLED, Kind.FAILED_AFTER)


@dataclass(frozen=True)
class Cell:
    """One fault in one run.

    Attributes:
        fault: The fault.
        targets: How many tables the load has.
    """

    fault: Fault
    targets: int

    def __str__(self) -> str:
        """The test's name."""
        often = f" {self.fault.times} times" if self.fault.times > 1 else ""
        return f"{self.fault.operation} {self.fault.nth} {self.fault.kind}{often} {self.targets} targets"

    @property
    def patience_seconds(self) -> float:
        """How long the client waits for an answer to what the fault is for."""
        return 0.3 if self.fault.kind in {Kind.SLOW, Kind.LATE} else PATIENCE_SECONDS


def every_cell() -> Iterator[Cell]:
    """Yield the whole matrix."""
    for targets, calls in ((1, CALLS + TELLING), (2, CALLS + SECOND_TARGET + TELLING_OF_TWO)):
        for operation, nth in calls:
            for kind in Kind:
                if operation in ONLY_FOR.get(kind, (operation,)):
                    yield Cell(Fault(kind, operation, nth), targets)
            for kind in OUTLASTING_KINDS:
                yield Cell(Fault(kind, operation, nth, OUTLASTING), targets)


def telling_cells() -> Iterator[Cell]:
    """Yield the part in which most can go wrong: writes, and of reads what botocore does not mend by itself."""
    for cell in every_cell():
        fault = cell.fault
        call = (fault.operation, fault.nth)
        if cell.targets == 2:
            wanted = call in SECOND_TARGET + TELLING_OF_TWO and fault.kind in {Kind.ANSWER_LOST, Kind.EXPIRED}
        elif fault.times > 1:
            wanted = fault.operation in WRITES and fault.kind is Kind.ANSWER_LOST
        else:
            wanted = fault.operation in WRITES or fault.kind is Kind.EXPIRED
        if wanted:
            yield cell
