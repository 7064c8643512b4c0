"""Waits for a load to have something to do, in the triggerer."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from asgiref.sync import sync_to_async

from rsloader_provider.airflow_compat import BaseTrigger, TriggerEvent, is_run_waiting
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import concerning
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.run.discover import Found, look_for_work


class NewObjectsTrigger(BaseTrigger):
    """Fires for a new object, for a batch that is due, after a pause for a batch left to load, or at its deadline.

    It also gives up when another run of its DAG is queued: one whose task a person has cleared, which could not begin
    before this run ends.

    The event is only `{"found": bool}`: the tasks look again at what there is, as anything may have changed since.

    Args:
        load_config: The load, as plain JSON of a LoadConfig.
        poke_interval: Seconds between two looks.
        deadline: When to give up, in ISO 8601 with an offset.
        unread_files: Load files of the load's folder whose sources could not be read when the task began.
    """

    def __init__(
        self, load_config: Mapping[str, Any], poke_interval: float, deadline: str, unread_files: Sequence[str] = ()
    ):
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's constructor has no types
        self.load_config = dict(load_config)
        self.poke_interval = poke_interval
        self.deadline = deadline
        self.unread_files = unread_files

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give the class's path and the arguments to make the same trigger again."""
        return (
            "rsloader_provider.triggers.new_objects.NewObjectsTrigger",
            {
                "load_config": self.load_config,
                "poke_interval": self.poke_interval,
                "deadline": self.deadline,
                **({"unread_files": list(self.unread_files)} if self.unread_files else {}),
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look every `poke_interval` seconds; boto3 works in a thread, so that other triggers go on."""
        config = LoadConfig.model_validate(self.load_config).beside(self.unread_files)
        with concerning(f"load {config.load}"):
            services = await sync_to_async(RsloaderHook(config.aws_conn_id).get_conn, thread_sensitive=False)()
        paused = False
        while True:
            with concerning(f"load {config.load}"):
                found = await sync_to_async(look_for_work, thread_sensitive=False)(config, services)
            if found is Found.NEW_OR_DUE or (found is Found.LEFT_OVER and paused):
                yield TriggerEvent({"found": True})
                return
            if datetime.now(UTC) >= datetime.fromisoformat(self.deadline) or await self._holds_up_a_run():
                yield TriggerEvent({"found": found is not Found.NOTHING})
                return
            await asyncio.sleep(self.poke_interval)
            paused = True

    async def _holds_up_a_run(self) -> bool:
        # Without a triggerer, as in `dag.test`, nobody says which task waits.
        waiting = self.task_instance
        return waiting is not None and await sync_to_async(is_run_waiting)(waiting.dag_id)
