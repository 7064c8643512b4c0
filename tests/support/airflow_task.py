"""What Airflow does with a task instance and its run when it is tried, and when it is cleared, as its source has it."""

from dataclasses import dataclass, field

from rsloader_provider.core.ledger.clearing import HandedOut, TaskFacts
from rsloader_provider.core.ledger.transitions import Asker

RUN = "rsloader_orders/run-1"


@dataclass
class AirflowTask:
    """A task that loads a batch.

    Attributes:
        retries: As the DAG has it now.
        counts_every_clear: Whether a clear in a run that goes on is counted, as since Airflow 3.3.
        run: Its DAG run, `dag_id/run_id`.
        map_index: Its map index.
        installation: Its Airflow: another one has runs and tasks of the same ids.
    """

    retries: int = 3
    counts_every_clear: bool = True
    run: str = RUN
    map_index: int = 0
    installation: str = "ours"
    max_tries: int = field(init=False)
    tries: int = 0
    clears: int = 0
    began: int = 1
    handed_out: HandedOut = field(init=False)

    def __post_init__(self) -> None:
        self.max_tries = self.retries
        self.hand_out(by_try=1)

    @property
    def name(self) -> str:
        """The task instance."""
        return f"{self.run}/load_batch/{self.map_index}"

    def hand_out(self, *, by_try: int) -> None:
        """`buffer_objects` gives the task its batch."""
        known = self.max_tries if by_try == 1 else None
        at = f"moment {by_try} of {self.installation}"
        self.handed_out = HandedOut(by_try, at, known, self.clears, f"began {self.began}")

    def run_ends_and_is_cleared(self) -> None:
        self.clears += 1
        self.began += 1

    def another_task_is_cleared(self) -> None:
        """While the run goes on."""
        self.clears += self.counts_every_clear

    def is_cleared(self, retries: int, *, run_ended: bool) -> None:
        if run_ended:
            self.run_ends_and_is_cleared()
        else:
            self.another_task_is_cleared()
        self.retries = retries
        self.max_tries = self.tries + retries

    @property
    def facts(self) -> TaskFacts:
        """What Airflow says of it during its newest try."""
        return TaskFacts(self.name, self.max_tries, self.clears, f"began {self.began}", self.handed_out.at, self.tries)

    def next_try(self) -> Asker:
        self.tries += 1
        return Asker(
            f"{self.name}/{self.tries}", self.run, try_number=self.tries, task=self.facts, handed_out=self.handed_out,
            cleared=self.tries == self.max_tries - self.retries + 1 > 1,
        )  # fmt: skip
