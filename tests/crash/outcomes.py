"""What whoever goes on meets with, in words, and what that must be."""

from crash.cells import FAILING, TELLING, Cell, Recovery, Side
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.run.load_batch import Outcome

NOTHING_LEFT = "nothing left to do"
"""A run was given nothing to load."""
LOADED_AGAIN = "loaded again, as asked"
"""A person cleared a loaded batch, which opens a new generation."""
WAITED = "waits for a person, then loaded"
"""Bad data had been noted: no run takes the batch up by itself, and a person clears the task."""


def expected(cell: Cell) -> str:
    """Give what the first target must meet with: it follows from what was done at the step, and from nothing else."""
    after = cell.side is Side.AFTER
    if cell.step in TELLING or (cell.step is Step.FINISH_ATTEMPT and after):
        match cell.recovery:
            case Recovery.NEXT_RUN:
                return NOTHING_LEFT
            case Recovery.PERSON:
                return LOADED_AGAIN
            case _:
                return str(Outcome.NOTHING_TO_DO)
    if cell.step is Step.FINISH_ATTEMPT or (cell.step is Step.COMMIT and after):
        return str(Outcome.FOUND_LOADED)
    noted = cell.step in FAILING and (after or cell.step is not Step.END_ATTEMPT)
    if noted and cell.recovery is Recovery.NEXT_RUN:
        return WAITED
    return str(Outcome.LOADED)
