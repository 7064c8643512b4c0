"""Whether a person cleared a task of Airflow, told by what a clear changes.

Clearing a task sets its `max_tries` to the tries so far plus the `retries` of that moment; an automatic retry leaves
it. So two values of `max_tries` tell of a clear between them, whatever `retries` is now. They are equal after a clear
only if `retries` was lowered by as many as were tried, or a running task was cleared. Then the DAG run helps, if it had
ended: the clear made it begin again. What still cannot be told apart counts as an automatic retry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What Airflow says of a task instance during one of its tries.

    Attributes:
        task: The task instance, `dag_id/run_id/task_id/map_index`.
        max_tries: Its `max_tries`.
        clears: How often tasks of its DAG run were cleared: of a run that had ended; since Airflow 3.3 of any.
        run_began: When its DAG run last began, ISO 8601; None where Airflow does not say.
        handed_at: `HandedOut.at` of its batch; None where that is not known.
        try_number: The try's number; None where an earlier version of the loader told of it.
    """

    task: str
    max_tries: int
    clears: int = 0
    run_began: str | None = None
    handed_at: str | None = None
    try_number: int | None = None

    @property
    def names(self) -> tuple[str, str, str, int]:
        """Give what names the task instance: its DAG, run, task and map index."""
        dag_id, _, rest = self.task.partition("/")
        run_id, task_id, map_index = rest.rsplit("/", 2)
        return dag_id, run_id, task_id, int(map_index)

    @property
    def clear(self) -> str:
        """Name the last clear of the task: all tries since have the same text, and none before."""
        return f"{self.task}, cleared: max_tries {self.max_tries}, run began {self.run_began}"

    def is_after_clear_since(self, earlier: "TaskFacts") -> bool:
        """Tell whether a person has cleared the task since an earlier try of it, which was handed the same.

        A try that is no later than that one, and wakes up after it, was there before the clear.
        """
        if self.try_number is not None and earlier.try_number is not None and self.try_number <= earlier.try_number:
            return False
        return self.max_tries != earlier.max_tries or self._run_began_again(earlier.clears, earlier.run_began)

    def is_after_clear_of(self, handed: "HandedOut", try_number: int) -> bool:
        """Tell whether a person has cleared the task since its batch was handed out.

        Args:
            handed: The handing out.
            try_number: The task's try; its very first follows no clear.
        """
        if try_number <= 1 or self.clears <= handed.clears:
            return False
        if self._run_began_again(handed.clears, handed.run_began):
            return True
        return handed.max_tries is not None and self.max_tries != handed.max_tries

    def _run_began_again(self, clears: int, run_began: str | None) -> bool:
        # A person may also queue a run without a clear; and a clear may concern other tasks of a run that goes on.
        return self.clears > clears and self.run_began != run_began


@dataclass(frozen=True, slots=True)
class HandedOut:
    """When and by which try `buffer_objects` handed a batch to a task. Only a clear after it concerns that batch.

    Attributes:
        by_try: The try of `buffer_objects`.
        at: When, ISO 8601; no other handing out has the same, also not of a run with the same id in another Airflow.
        max_tries: What `max_tries` of the task was; None where that is not known, because `buffer_objects` had been
            cleared, and the task perhaps with it.
        clears: `TaskFacts.clears` at that moment.
        run_began: `TaskFacts.run_began` at that moment.
    """

    by_try: int
    at: str
    max_tries: int | None = None
    clears: int = 0
    run_began: str | None = None

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Read what `buffer_objects` wrote, be it of another version of the loader."""
        return cls(
            by_try=int(told["by_try"]),
            at=str(told["at"]),
            max_tries=told.get("max_tries"),
            clears=int(told.get("clears") or 0),
            run_began=told.get("run_began"),
        )
