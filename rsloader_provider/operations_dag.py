"""The DAG `rsloader_operations`: what `rsloader` does at a command line, as a form for people without one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rsloader_provider.airflow_compat import DAG, Param
from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.loader.operate.requests import Action
from rsloader_provider.operators.operate import ANY_STATUS, OperateOperator

OPERATIONS_DAG_ID = "rsloader_operations"
"""No load may be called `operations`, so that no load's DAG has this id."""

_LABELS = {
    Action.BATCHES: "Show batches (status, since, until)",
    Action.BATCH: "Show one batch and its objects (batch)",
    Action.UNLOCK: "Show who holds which batch (batch, or none for all)",
    Action.FILES: "Show claimed objects (objects, or prefix)",
    Action.REPROCESS: "Load a batch again (batch; targets; objects to leave out; out of order)",
    Action.RETARGET: "Load a batch into another target instead (batch; targets: the old one, then the new one)",
    Action.GIVE_UP: "Leave one target out of a batch (batch, one target)",
    Action.CLOSE_NOW: "Lock the open batch now, without waiting for its limits",
    Action.REPROCESS_OBJECTS: "Load objects again (objects, or prefix)",
    Action.FORGET: "Forget objects, so that they are new (objects, or prefix)",
    Action.BACKFILL: "Claim all that was there before, to load it (prefix, since, until)",
    Action.MARK_ONLY: "Mark all that was there before as loaded (prefix, since, until)",
    Action.MARK_LOADED: "Say of an undecided batch that it is loaded (batch, one target)",
    Action.MARK_NOT_LOADED: "Say of an undecided batch that it is not loaded (batch, one target)",
    Action.DELETE_BATCHES: "Delete complete batches that are old (until)",
    Action.RESTORE: "Put deleted batches back (deleted)",
    Action.REBUILD_LEDGER: "Put batches back that DynamoDB has lost",
    Action.RECONCILE: "Load batches again that Redshift has lost (since)",
    Action.RENAME_LOAD: "Hand over what was loaded under the load's old name (other: that name)",
    Action.ACCEPT: "Go on beside a load with the same source and table (other)",
}
_DOC = """### What `rsloader` does at a command line, for people without one

Choose a load and an action; each action says in brackets which of the fields it reads.
**Without `confirm`, nothing is changed**: the task's log shows what would be done. With the load's name in `confirm` it
is done. The task `operate` logs the answer; its XCom has the beginning of it.

A user who may trigger this DAG may do all of this to every load: grant that right only to those who should.
"""


def operations_dag(folder: Path, loads: Sequence[str], default_args: Mapping[str, Any]) -> DAG:
    """Make the DAG with the form.

    Args:
        folder: The folder of the load files, which the task reads again.
        loads: The names of the loads to choose from; at least one.
        default_args: Your own callbacks and the like; they win over what is set here, except for retries.
    """
    with DAG(
        dag_id=OPERATIONS_DAG_ID,
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
        catchup=False,
        # It runs only when somebody asks, and nobody should have to switch it on first.
        is_paused_upon_creation=False,
        # A person asked, and looks at how it ends.
        default_args={"owner": "rsloader", **default_args, "retries": 0},
        tags=["rsloader", "operations"],
        params=_params(sorted(loads)),
        doc_md=_DOC,
    ) as dag:
        OperateOperator(task_id="operate", loads_folder=str(folder))
    return dag


def _params(loads: list[str]) -> dict[str, Param]:
    statuses = [ANY_STATUS, *map(str, BatchStatus)]
    return {
        "load": Param(loads[0], type="string", enum=loads, title="Load"),
        "action": Param(
            str(Action.BATCHES), type="string", enum=[*map(str, Action)], title="Action",
            values_display={str(action): label for action, label in _LABELS.items()},
            description="In brackets: the fields below that it reads.",
        ),
        "batch": Param(
            None, type=["null", "string"], title="Batch",
            description="The id of one batch, for example 01K5H8ZJ6V0000000000000000.",
        ),
        "targets": Param(
            [], type=["null", "array"], items={"type": "string"}, title="Targets",
            description="Names as connection/schema.table, one per line. None for all.",
        ),
        "objects": Param(
            [], type=["null", "array"], items={"type": "string"}, title="Objects",
            description="URLs s3://bucket/key, one per line.",
        ),
        "prefix": Param(
            None, type=["null", "string"], title="Prefix",
            description="Instead of objects: all objects below s3://bucket/prefix/.",
        ),
        "out_of_order": Param(
            False, type="boolean", title="Out of order",
            description="Load a batch again although newer ones are in the table: its rows replace those with the same "
            "key. Only for targets with mode merge.",
        ),
        "status": Param(
            ANY_STATUS, type="string", enum=statuses, title="Status", description="Only batches of this status.",
        ),
        "since": Param(
            None, type=["null", "string"], format="date-time", title="Since",
            description="Only batches that were opened, or objects that were written, at this time or later.",
        ),
        "until": Param(
            None, type=["null", "string"], format="date-time", title="Until",
            description="Only batches that were opened, or objects that were written, before this time. For deleting: "
            "only batches that were locked before it.",
        ),
        "deleted": Param(
            None, type=["null", "string"], format="multiline", title="Deleted batches",
            description="The lines of JSON that a deletion wrote to its log, one for each batch.",
        ),
        "other": Param(
            None, type=["null", "string"], title="Other load",
            description="The name that the load had before, or the load beside which it goes on.",
        ),
        "confirm": Param(
            None, type=["null", "string"], title="Confirm",
            description="Repeat the load's name to carry it out. Without it the log shows what would be done.",
        ),
    }  # fmt: skip
