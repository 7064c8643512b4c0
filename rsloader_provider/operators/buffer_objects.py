"""Puts new objects into batches, and gives the batches that this run loads."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from rsloader_provider.airflow_compat import BaseOperator, Context, conf, is_run_active
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import concerning
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.take_over import Work
from rsloader_provider.task_failures import as_task_failures

APART = "apart"
"""The XCom key of the work for targets that take their batches in order, beside others."""

_SUMMARY_CHARACTERS = 250


class BufferObjectsOperator(BaseOperator):
    """Claims new objects into batches, locks the batches that are due, and returns what this run has to load.

    Running it again is safe at any time: nothing is claimed twice, and what is left to load is returned again.

    Args:
        load_config: The load, as plain JSON of a LoadConfig.
        unread_files: Load files of its folder whose sources cannot be read.

    Returns:
        A list of the keyword arguments of a mapped LoadBatchOperator, `{"batch", "target", "summary"}` for each pair;
        empty when there is nothing to load. Those for `LoadConfig.targets_apart` are not among them: they are pushed
        under the XCom key `apart`, with one such list for each target.
    """

    def __init__(self, *, load_config: Mapping[str, Any], unread_files: Sequence[str] = (), **kwargs: Any):
        super().__init__(**kwargs)
        self.load_config = load_config
        self.unread_files = unread_files

    def execute(self, context: Context) -> list[dict[str, str]]:
        """Buffer once."""
        config = LoadConfig.model_validate(self.load_config).beside(self.unread_files)
        task_instance = context["ti"]

        @cache
        def is_active(run: str) -> bool:
            dag_id, _, run_id = run.partition("/")
            return is_run_active(task_instance, dag_id, run_id)

        with as_task_failures(), concerning(f"load {config.load}"):
            work = buffer_objects(
                config,
                RsloaderHook(config.aws_conn_id).get_conn(),
                run=f"{task_instance.dag_id}/{task_instance.run_id}",
                is_active=is_active,
                max_work=conf.getint("core", "max_map_length", fallback=1024),
            )
        apart: dict[str, list[dict[str, str]]] = {target.name: [] for target in config.targets_apart}
        together: list[dict[str, str]] = []
        for each in work:
            pair = {"batch": each.batch.batch, "target": each.target, "summary": _summary(each)}
            apart.get(each.target, together).append(pair)
        if apart:
            task_instance.xcom_push(key=APART, value=apart)
        return together


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
