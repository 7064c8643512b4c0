"""Loads one batch into one target."""

from collections.abc import Mapping, Sequence
from typing import Any

from rsloader_provider.airflow_compat import BaseOperator, Context, run_state
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import concerning
from rsloader_provider.core.ledger.clearing import HandedOut, TaskFacts
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.loader.run.shadow_batch import shadow_batch
from rsloader_provider.sql_rendering import AirflowSqlRenderer
from rsloader_provider.task_failures import as_task_failures


class LoadBatchOperator(BaseOperator):
    """Loads one batch into one target, exactly once.

    Clearing the task loads a batch again that is loaded already. A retry by Airflow never does, except the tries since
    a person's clear, together once.

    Args:
        load_config: The load, as plain JSON of a LoadConfig. The SQL of its targets is rendered when it runs.
        batch: The batch's id (templated).
        target: The target's name, `connection/schema.table` (templated).
        summary: What the grid shows for the task, through `map_index_template`; None for the batch's id.
        handed_out: When and by which try `buffer_objects` handed the batch to the task, as it tells it: only a clear
            since then is a person's request to load that batch again. None where another task names the batch.

    Returns:
        `{"outcome", "batch", "target", "generation", "rows", "query_id"}`; with `shadow` the outcome is "shadow", with
        "files", "size_bytes", "manifest", "copy" and "reader" as they would have been.
    """

    template_fields: Sequence[str] = ("batch", "target")

    def __init__(
        self,
        *,
        load_config: Mapping[str, Any],
        batch: str,
        target: str,
        summary: str | None = None,
        handed_out: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.load_config = load_config
        self.batch = batch
        self.target = target
        self.summary = summary or batch
        self.handed_out = handed_out

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
        """Tell what is known of who asks; with what the batch remembers, that tells a person's clear from a retry.

        Where nothing else is known, `max_tries` - `retries` + 1 is the task's first try since it was made or cleared,
        and a person's if that is not the very first: right unless `retries` was changed meanwhile.
        """
        ti = context["ti"]
        first_try = ti.max_tries - (self.retries or 0) + 1
        run = f"{ti.dag_id}/{ti.run_id}"
        task = f"{run}/{ti.task_id}/{ti.map_index}"
        clears, run_began = run_state(context)
        handed_out = None if self.handed_out is None else HandedOut.from_json(self.handed_out)
        return Asker(
            f"{task}/{ti.try_number}",
            run,
            cleared=ti.try_number == first_try and first_try > 1,
            try_number=ti.try_number,
            task=TaskFacts(
                task, ti.max_tries, clears, run_began, None if handed_out is None else handed_out.at, ti.try_number
            ),
            handed_out=handed_out,
        )
