"""Turns load configurations into DAGs: one DAG for each load file, or one built by hand."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rsloader_provider.airflow_compat import DAG, BaseOperator, TaskGroup, XComArg, conf, get_parsing_context
from rsloader_provider.core.config import LoadConfig, Target
from rsloader_provider.core.visible import visible
from rsloader_provider.loader.load_files.folder import BrokenLoad, read_load_folder, read_one
from rsloader_provider.operations_dag import OPERATIONS_DAG_ID, operations_dag
from rsloader_provider.operators.buffer_objects import APART, BufferObjectsOperator
from rsloader_provider.operators.invalid_load import InvalidLoadOperator
from rsloader_provider.operators.load_batch import LoadBatchOperator
from rsloader_provider.operators.target_in_order import TargetInOrderOperator
from rsloader_provider.sensors.new_objects import NewObjectsSensor

_DAG_PREFIX = "rsloader_"
_START = datetime(2024, 1, 1, tzinfo=UTC)
_DEFAULT_ARGS = {"owner": "rsloader", "retries": 3, "retry_delay": timedelta(seconds=30)}
_CONTINUOUS_WAIT = timedelta(hours=1)


def load_dags(folder: Path, **dag_arguments: Any) -> dict[str, DAG]:
    """Make the DAGs of a folder of load files, for `globals().update(...)` in a DAG file.

    A broken load file gets a DAG with its load's name that shows the mistakes and fails with them; the other
    loads go on. `rsloader_operations`, a form for operating the loads, is added unless `[rsloader] operations_dag`
    is False. A worker, which needs one DAG, gets only that one.

    Args:
        folder: The folder, unless `[rsloader] loads_folder` in airflow.cfg names another.
        dag_arguments: Anything else for each of the DAGs, as for `load_dag`; those of broken files take the
            `default_args` only.

    Raises:
        ConfigurationError: There is no such folder.
    """
    folder = Path(conf.get("rsloader", "loads_folder", fallback="") or folder)
    return {dag.dag_id: dag for dag in _dags(folder, get_parsing_context().dag_id, dag_arguments)}


def _dags(folder: Path, wanted: str | None, dag_arguments: Mapping[str, Any]) -> Iterator[DAG]:
    default_args = dag_arguments.get("default_args", {})
    has_operations = conf.getboolean("rsloader", "operations_dag", fallback=True)
    if wanted in {None, OPERATIONS_DAG_ID}:
        loads = read_load_folder(folder)
        if wanted is None:
            yield from (load_dag(config, **dag_arguments) for config in loads.loads.values())
            yield from (_invalid_dag(name, broken, default_args) for name, broken in loads.broken.items())
        if has_operations and loads.loads:
            yield operations_dag(folder, list(loads.loads), default_args)
    elif wanted is not None and wanted.startswith(_DAG_PREFIX):
        name = wanted.removeprefix(_DAG_PREFIX)
        match read_one(folder, name):
            case LoadConfig() as config:
                yield load_dag(config, **dag_arguments)
            case BrokenLoad() as broken:
                yield _invalid_dag(name, broken, default_args)


def load_dag(config: LoadConfig, **dag_arguments: Any) -> DAG:
    """Make the DAG of one load.

    Args:
        config: The load.
        dag_arguments: Anything else for the DAG; wins over what is set here. `default_args` are added to those that
            are set here, and win over them one by one.
    """
    arguments: dict[str, Any] = {
        "dag_id": config.dag_id,
        "schedule": config.airflow_schedule,
        "start_date": _START,
        "catchup": False,
        # Runs of one load take turns, because people expect it; nothing else depends on it. A run that waits for one
        # of several targets must not hold up the others, so with several targets Airflow's own limit applies.
        **({"max_active_runs": 1} if len(config.targets) == 1 or config.schedule == "@continuous" else {}),
        "tags": ["rsloader", "shadow"] if config.shadow else ["rsloader"],
        "doc_md": _description(config),
        **dag_arguments,
        "default_args": {**_DEFAULT_ARGS, **dag_arguments.get("default_args", {})},
    }
    with DAG(**arguments) as dag:
        _tasks(config)
    return dag


def load_task_group(config: LoadConfig, **group_arguments: Any) -> TaskGroup:
    """Make the tasks of one load as a group in the current DAG, for people who write DAGs themselves.

    Args:
        config: The load. Its schedule is not used: the DAG has its own.
        group_arguments: Anything else for the group; wins over what is set here.
    """
    with TaskGroup(**{"group_id": f"load_{config.load}".replace(".", "_"), **group_arguments}) as group:
        _tasks(config)
    return group


def _tasks(config: LoadConfig) -> None:
    plain = config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    detect = NewObjectsSensor(
        task_id="detect_new_objects",
        load_config=plain,
        unread_files=config.unread_files,
        poke_interval=15,
        # A scheduled run looks again by itself; only a load that runs all the time waits for something to do.
        timeout=_CONTINUOUS_WAIT if config.schedule == "@continuous" else 0,
    )
    buffer = BufferObjectsOperator(
        task_id="buffer_objects", load_config=plain, unread_files=config.unread_files, variables=config.variables
    )
    in_order = len(config.targets) == 1 and config.targets[0].mode != "append"
    detect >> buffer >> _load_tasks("load_batch", plain, buffer, in_order=in_order)
    for target, suffix in _suffixes(config.targets_apart):
        pick = TargetInOrderOperator(task_id=f"in_order_{suffix}", target=target.name, apart=XComArg(buffer, APART))
        pick >> _load_tasks(f"load_batch_{suffix}", plain, pick, in_order=True)


def _load_tasks(task_id: str, plain: dict[str, Any], work: BaseOperator, *, in_order: bool) -> Any:
    """Make the tasks that load what another task returns, one for each batch and target."""
    return LoadBatchOperator.partial(
        task_id=task_id,
        load_config=plain,
        map_index_template="{{ task.summary }}",
        # Where order matters, batches are loaded one by one, across all runs.
        max_active_tis_per_dag=1 if in_order else None,
    ).expand_kwargs(work.output)


def _suffixes(targets: tuple[Target, ...]) -> Iterator[tuple[Target, str]]:
    """Give each target with its suffix in the ids of its tasks, where few characters are allowed."""
    taken: set[str] = set()
    for target in targets:
        suffix = re.sub(r"[^A-Za-z0-9_-]", "_", target.name)[:200]
        while suffix in taken:
            suffix += "_"
        taken.add(suffix)
        yield target, suffix


def _invalid_dag(name: str, broken: BrokenLoad, default_args: Mapping[str, Any]) -> DAG:
    report = "\n".join(str(mistake) for mistake in broken.mistakes)
    # Airflow's narrow window wraps code in a list, but not in a block of code.
    listed = "\n".join(f"- {_code(mistake)}" for mistake in broken.mistakes)
    with DAG(
        dag_id=_DAG_PREFIX + name,
        schedule=broken.schedule,
        start_date=_START,
        catchup=False,
        max_active_runs=1,
        default_args={**_DEFAULT_ARGS, **default_args, "retries": 0},
        tags=["rsloader", "invalid"],
        doc_md=f"### The load file is invalid, so nothing is loaded\n\n{listed}\n",
    ) as dag:
        InvalidLoadOperator(task_id="load_file_is_invalid", report=report)
    return dag


def _description(config: LoadConfig) -> str:
    targets = "\n".join(f"- {_code(target.name)} ({target.mode})" for target in config.targets)
    sources = " and ".join(_code(source) for source in config.sources)
    limits = config.batch
    shadow = "**Shadow: nothing is loaded; the tasks report what they would load.**\n\n" if config.shadow else ""
    return (
        f"{shadow}Loads objects under {sources} into\n\n{targets}\n\n"
        f"A batch is loaded at {limits.max_files} files, {limits.max_bytes} bytes, or {limits.max_age} after its first "
        f"file. To load a batch again, clear its `load_batch{'…' if config.targets_apart else ''}` task.\n"
    )


def _code(text: object) -> str:
    """Write a text in Markdown as code: no character of it ends the code, or the line."""
    shown = visible(text)
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    space = " " if "`" in shown else ""
    return f"{fence}{space}{shown}{space}{fence}"
