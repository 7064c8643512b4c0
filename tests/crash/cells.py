"""What is played: one cell for each step, side, recovery, isolation level and number of targets, and over the Data API
one for each step of a load, side and recovery.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Literal

from rsloader_provider.core.config.target import Mode, Transport
from rsloader_provider.loader.ports.steps import Step


class Side(StrEnum):
    """Where at a step a process is stopped."""

    BEFORE = "before"
    AFTER = "after"


class Recovery(StrEnum):
    """Who goes on after a process was stopped."""

    RETRY = "retry by Airflow"
    """It is killed; the same task runs again, as its next try."""
    NEXT_RUN = "next DAG run"
    """It is killed; another run buffers, and loads what it is given."""
    SECOND_WORKER = "second worker, first killed"
    """The same task runs a second time to its end while the first is still held; then the first is killed."""
    OVERTAKEN = "second worker, first goes on"
    """The same, but then the first is let go on to its end."""
    PERSON = "a person clears"
    """It is killed; a person clears the tasks."""


Isolation = Literal["snapshot", "serializable"]
ISOLATIONS: tuple[Isolation, ...] = ("snapshot", "serializable")
TARGETS = (1, 2)

ELSEWHERE = (
    Step.ANNOUNCE_COMMIT,
    Step.FILL,
    Step.MARK,
    Step.REPROCESS,
    Step.RETARGET,
    Step.GIVE_UP,
    Step.TAKE_OUT,
    Step.DELETE_BATCH,
    Step.RESTORE_BATCH,
    Step.REBUILD,
    Step.RENAME,
    Step.ACCEPT,
    Step.MEND,
)
"""Steps that no task takes which loads new objects into targets with a load history.

The first is of targets with `history: none`, where exactly once is sometimes for a person to say, `fill` of objects
that were empty when they were claimed. `reprocess` is taken by a command, and by a `buffer_objects` that a person has
cleared and whose run left something in `error`. The others only a person takes. `tests/stateful` and
`tests/interleavings` stop and race what is left out here.
"""
STEPS = tuple(step for step in Step if step not in ELSEWHERE)
"""The steps at which processes are stopped, in their order."""
BUFFERING = (Step.CLAIM, Step.LOCK, Step.ADOPT)
"""Steps that are taken before a batch is given to load_batch."""
FAILING = (Step.END_ATTEMPT, Step.KEEP_MANIFEST, Step.KEEP_ERRORS)
"""Steps that are taken only when a load fails: an object holds a bad row, which a person repairs afterwards."""
MODES: tuple[Mode, ...] = ("replace", "swap", "truncate", "merge")
"""All modes but `append`, which is played at every step."""
IN_TRANSACTION = (
    Step.BEGIN_TRANSACTION,
    Step.TRUNCATE,
    Step.COPY,
    Step.WRITE_HISTORY,
    Step.COMMIT,
    Step.FINISH_ATTEMPT,
)
"""Steps at which it matters how the table is filled."""
TELLING = (Step.NOTIFY, Step.RECORD_NOTIFIED)
"""Steps that only the target takes which completes its batch."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the matrix' long form; `str(cell)` names it."""

    step: Step
    side: Side
    recovery: Recovery
    isolation: Isolation
    targets: int
    mode: Mode = "append"
    transport: Transport = "driver"

    def __str__(self) -> str:
        targets = "one target" if self.targets == 1 else f"{self.targets} targets"
        mode = "" if self.mode == "append" else f" · {self.mode}"
        way = "" if self.transport == "driver" else " · over the Data API"
        return f"{self.side} {self.step} · {self.recovery} · {self.isolation} · {targets}{mode}{way}"


_APPENDING = tuple(
    Cell(*each) for each in product(STEPS, Side, Recovery, ISOLATIONS, TARGETS) if each[0] is not Step.TRUNCATE
)
_OTHERWISE = tuple(
    Cell(step, side, recovery, isolation, 1, mode)
    for mode, step, side, recovery, isolation in product(MODES, IN_TRANSACTION, Side, Recovery, ISOLATIONS)
    if step is not Step.TRUNCATE or mode == "truncate"
)
"""Modes differ between the first look into the history and the end of the attempt, and nowhere else."""
BY_DRIVER = _APPENDING + _OTHERWISE
BY_DATA_API = tuple(
    Cell(step, side, recovery, ISOLATIONS[number % len(ISOLATIONS)], 1, transport="data_api")
    for number, (step, side, recovery) in enumerate(
        product([step for step in STEPS if step not in {*BUFFERING, Step.TRUNCATE}], Side, Recovery)
    )
)
ALL = BY_DRIVER + BY_DATA_API


def _selected() -> tuple[Cell, ...]:
    """Every step and side with one recovery each, in turn, all recoveries round the commit, some over the Data API."""
    places = [place for place in product(STEPS, Side) if place[0] is not Step.TRUNCATE]
    turns = list(product(Recovery, ISOLATIONS, TARGETS))
    # 7 and 20 share no divisor, so that neighbours differ in recovery and every combination has its turn.
    once = [Cell(*place, *turns[7 * number % len(turns)]) for number, place in enumerate(places)]
    committing = (Step.COMMIT, Step.FINISH_ATTEMPT)
    around = [
        Cell(*each, ISOLATIONS[number % len(ISOLATIONS)], 1)
        for number, each in enumerate(product(committing, Side, Recovery))
    ]
    # 29 and 20 share no divisor either: each recovery and isolation level has its turn with some mode.
    otherwise = [*_OTHERWISE[::29], *[cell for cell in _OTHERWISE if cell.step is Step.TRUNCATE][::7]]
    # The other isolation level needs an AWS of its own, which only `make crash-matrix` has.
    api = [cell for cell in BY_DATA_API if cell.step is Step.COMMIT and cell.isolation == "snapshot"]
    return tuple(dict.fromkeys([*once, *around, *otherwise, *api]))


SELECTED = _selected()
"""The part that `make test` plays."""
