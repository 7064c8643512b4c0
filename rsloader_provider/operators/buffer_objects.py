"""Puts new objects into batches, and gives the batches that this run loads."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any

from rsloader_provider.airflow_compat import BaseOperator, Context, conf, is_run_active, run_state
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import concerning
from rsloader_provider.core.ledger.clearing import HandedOut
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.take_over import Work
from rsloader_provider.operators.load_batch import LoadBatchOperator
from rsloader_provider.task_failures import as_task_failures

APART = "apart"
"""The XCom key of the work for targets that take their batches in order, beside others."""

_SUMMARY_CHARACTERS = 250


class BufferObjectsOperator(BaseOperator):
    """Claims new objects into batches, locks the batches that are due, and returns what this run has to load.

    Running it again is safe at any time: nothing is claimed twice, and what is left to load is returned again. What its
    run left in `error` is returned again too, as that happens only when a person has cleared it.

    Args:
        load_config: The load, as plain JSON of a LoadConfig.
        unread_files: Load files of its folder whose sources cannot be read.
        variables: Digests of the environment variables that its load file was resolved with.

    Returns:
        A list of the keyword arguments of a mapped LoadBatchOperator, `{"batch", "target", "summary", "handed_out"}`
        for each pair; empty when there is nothing to load. Those for `LoadConfig.targets_apart` are not among them:
        they are pushed under the XCom key `apart`, with one such list for each target.
    """

    def __init__(
        self,
        *,
        load_config: Mapping[str, Any],
        unread_files: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.load_config = load_config
        self.unread_files = unread_files
        self.variables = variables or {}

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Buffer once."""
        config = LoadConfig.model_validate(self.load_config).beside(self.unread_files).resolved_with(self.variables)
        task_instance = context["ti"]

        @cache
        def is_active(run: str) -> bool:
            dag_id, _, run_id = run.partition("/")
            return is_run_active(task_instance, dag_id, run_id)

        run = f"{task_instance.dag_id}/{task_instance.run_id}"
        tries = task_instance.try_number
        with as_task_failures(), concerning(f"load {config.load}"):
            services = RsloaderHook(config.aws_conn_id).get_conn()
            work = buffer_objects(
                config,
                services,
                run=run,
                is_active=is_active,
                max_work=conf.getint("core", "max_map_length", fallback=1024),
                again=f"{run}/{task_instance.task_id}/{tries}" if tries > 1 else None,
            )
        handed_out = asdict(self._handed_out(context, services.now()))
        apart: dict[str, list[dict[str, Any]]] = {target.name: [] for target in config.targets_apart}
        together: list[dict[str, Any]] = []
        for each in work:
            pair = {
                "batch": each.batch.batch, "target": each.target, "summary": _summary(each), "handed_out": handed_out,
            }  # fmt: skip
            apart.get(each.target, together).append(pair)
        if apart:
            task_instance.xcom_push(key=APART, value=apart)
        return together

    def _handed_out(self, context: Context, now: datetime) -> HandedOut:
        """Tell what is known at this moment of the tasks that are handed something."""
        ti = context["ti"]
        clears, run_began = run_state(context)
        # A person who clears this task may clear the mapped ones with it: then each has a `max_tries` of its own.
        is_first = clears == 0 and ti.max_tries == (self.retries or 0)
        return HandedOut(
            ti.try_number, now.isoformat(), self._retries_of_loads() if is_first else None, clears, run_began
        )

    def _retries_of_loads(self) -> int | None:
        """Give the `retries` of the tasks that load what this one returns; None unless all have the same."""
        later = [self.dag.task_dict[each] for each in self.get_flat_relative_ids(upstream=False)]
        loads = [each for each in later if issubclass(getattr(each, "operator_class", type(each)), LoadBatchOperator)]
        retries = {each.retries or 0 for each in loads}
        return retries.pop() if len(retries) == 1 else None


def _summary(work: Work) -> str:
    """Name a mapped task in Airflow's grid."""
    batch, files = work.batch, "file" if work.batch.files == 1 else "files"
    text = f"{batch.batch} · {batch.files} {files} · {_size(batch.size_bytes)} → {work.target}"
    return text[:_SUMMARY_CHARACTERS]


def _size(size_bytes: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} B" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TiB"
