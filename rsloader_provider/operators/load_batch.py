"""Loads one batch into one target."""

from collections.abc import Mapping, Sequence
from typing import Any

from rsloader_provider.airflow_compat import BaseOperator, Context
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import concerning
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.loader.run.shadow_batch import shadow_batch
from rsloader_provider.sql_rendering import AirflowSqlRenderer
from rsloader_provider.task_failures import as_task_failures


class LoadBatchOperator(BaseOperator):
    """Loads one batch into one target, exactly once.

    Clearing the task loads a batch again that is loaded already; a retry by Airflow never does.

    Args:
        load_config: The load, as plain JSON of a LoadConfig. The SQL of its targets is rendered when it runs.
        batch: The batch's id (templated).
        target: The target's name, `connection/schema.table` (templated).
        summary: What the grid shows for the task, through `map_index_template`; None for the batch's id.

    Returns:
        `{"outcome", "batch", "target", "generation", "rows", "query_id"}`; with `shadow` the outcome is "shadow", with
        "files", "size_bytes", "manifest", "copy" and "reader" as they would have been.
    """

    template_fields: Sequence[str] = ("batch", "target")

    def __init__(
        self, *, load_config: Mapping[str, Any], batch: str, target: str, summary: str | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.load_config = load_config
        self.batch = batch
        self.target = target
        self.summary = summary or batch

    def execute(self, context: Context) -> dict[str, Any]:
        """Load once."""
        config = LoadConfig.model_validate(self.load_config)
        renderer = AirflowSqlRenderer(context)
        with as_task_failures(), concerning(f"batch {self.batch} of load {config.load}"):
            services = RsloaderHook(config.aws_conn_id).get_conn()
            if config.shadow:
                told = shadow_batch(config, services, self.batch, self.target, self._asker(context))
                return told.as_json() if told else {"outcome": "shadow", "batch": self.batch, "target": self.target}
            result = load_batch(config, services, self.batch, self.target, self._asker(context), renderer)
        progress = result.batch.progress(self.target)
        return {
            "outcome": str(result.outcome),
            "batch": self.batch,
            "target": self.target,
            "generation": progress.generation,
            "rows": progress.rows,
            "query_id": progress.query_id,
        }

    def _asker(self, context: Context) -> Asker:
        """Tell a person who cleared the task from an automatic retry.

        Clearing sets `max_tries` to `try_number` + `retries`, and an automatic retry leaves it. So the first try
        since the task was made or cleared is known, and the task was cleared if that is not the very first try.
        """
        ti = context["ti"]
        first_try = ti.max_tries - (self.retries or 0) + 1
        run = f"{ti.dag_id}/{ti.run_id}"
        task_try = f"{run}/{ti.task_id}/{ti.map_index}/{ti.try_number}"
        return Asker(task_try, run, cleared=ti.try_number == first_try and first_try > 1)
