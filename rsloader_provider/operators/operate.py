"""Does what a person asks for in the form of the operations DAG."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rsloader_provider.airflow_compat import AirflowFailException, BaseOperator, Context
from rsloader_provider.core.logs import logger_of
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.load_files.folder import declared_loads, read_good_load
from rsloader_provider.loader.operate.requests import Action, Request, operate
from rsloader_provider.loader.variables import refuse_other_values
from rsloader_provider.task_failures import as_task_failures

ANY_STATUS = "any"
"""What the form says for no choice: Airflow would show `null`."""

log = logger_of(__name__)


class OperateOperator(BaseOperator):
    """Carries out the request in the DAG's params, and logs the answer line by line.

    A request that changes something is carried out only if `confirm` repeats the load's name; with an empty `confirm`
    the log shows what would be done. Only the task's first try begins a change. A second try, after clearing or after
    an automatic retry that a cluster policy sets, could load again what a run has loaded in the meantime.

    Args:
        loads_folder: The folder of the load files.

    Returns:
        `{"action", "load", "done", …}`: what was found or done; of long lists only the beginning.
    """

    def __init__(self, *, loads_folder: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.loads_folder = loads_folder

    def execute(self, context: Context) -> dict[str, Any]:
        """Operate once."""
        params = context["params"]
        ti = context["ti"]
        load, confirm = params["load"], (params["confirm"] or "").strip()
        if confirm not in {"", load}:
            raise AirflowFailException(
                f"'confirm' is {confirm!r}, but the load is {load!r}. Nothing was changed. Repeat the load's name."
            )
        action = Action(params["action"])
        if confirm and action.changes and ti.try_number > 1:
            raise AirflowFailException(
                f"{action} of load {load}: this is try {ti.try_number} of run {ti.dag_id}/{ti.run_id}. An earlier try "
                "may have done it, or part of it; its log shows what. This try changed nothing. To ask again, trigger "
                "the DAG again, first without 'confirm' to see what is left to do."
            )
        request = Request(
            action=action,
            by=f"{ti.dag_id}/{ti.run_id}",
            confirmed=bool(confirm),
            batch=(params["batch"] or "").strip() or None,
            targets=_lines(params["targets"]),
            objects=_lines(params["objects"]),
            prefix=(params["prefix"] or "").strip() or None,
            out_of_order=bool(params["out_of_order"]),
            status=None if params["status"] == ANY_STATUS else params["status"],
            since=_moment(params["since"]),
            until=_moment(params["until"]),
            deleted=params["deleted"] or "",
            other=(params["other"] or "").strip() or None,
            declared=declared_loads(Path(self.loads_folder)) if action is Action.RENAME_LOAD else frozenset(),
        )
        user = getattr(context["dag_run"], "triggering_user_name", None) or "a user unknown to Airflow"
        log.info("%s of load %s, asked for by %s in run %s", request.action, load, user, request.by)
        with as_task_failures():
            config = read_good_load(Path(self.loads_folder), load)
            services = RsloaderHook(config.aws_conn_id).get_conn()
            refuse_other_values(config, services)
            return operate(config, services, request, lambda line: log.info("%s", line))


def _lines(texts: list[str] | None) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, texts or ())))


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
