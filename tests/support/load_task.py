"""One task instance that loads a batch, in an Airflow database, without a scheduler."""

from datetime import UTC, datetime
from typing import Any

from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.utils.session import create_session

from support.airflow_versions import run_task


class LoadTask:
    """A mapped task instance of a run; Airflow's own functions clear and schedule it, and nobody waits."""

    def __init__(self, dag: Any, run_id: str, *, task_id: str = "load_batch", map_index: int = 0):
        self.dag, self.run_id = dag, run_id
        self.task_id, self.map_index = task_id, map_index

    def clear(self, *others: "LoadTask") -> None:
        """As a person does in the UI, this one alone or together with others, as with "downstream"."""
        with create_session() as session:
            clear_task_instances([each._instance(session) for each in (self, *others)], session)

    def becomes(self, state: str) -> None:
        """As Airflow's processes note it, for example when a worker was lost."""
        with create_session() as session:
            self._instance(session).state = state

    def run_becomes(self, state: str) -> None:
        """As the scheduler does: a run that was cleared begins again, or ends."""
        with create_session() as session:
            self._instance(session).get_dagrun(session=session).state = state

    def try_again(self) -> str:
        """As the scheduler does, after a clear or when a retry is due; gives the state that the try ends in."""
        with create_session() as session:
            instance = self._instance(session)
            instance.task = self.dag.task_dict[self.task_id]
            run = instance.get_dagrun(session=session)
            if run.start_date is None:  # it was cleared, and begins again before any of its tasks does
                run.state, run.start_date = "running", datetime.now(UTC)
            run.schedule_tis([instance], session=session)
            session.commit()
            session.refresh(instance)
            run_task(instance, self.dag.task_dict[self.task_id], session)
        return self.state

    @property
    def state(self) -> str:
        """The state that Airflow keeps."""
        with create_session() as session:
            return str(self._instance(session).state)

    def _instance(self, session: Any) -> TaskInstance:
        wanted = {
            "dag_id": self.dag.dag_id,
            "run_id": self.run_id,
            "task_id": self.task_id,
            "map_index": self.map_index,
        }
        found: TaskInstance = session.query(TaskInstance).filter_by(**wanted).one()
        return found
