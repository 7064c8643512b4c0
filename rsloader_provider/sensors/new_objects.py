"""Finds out whether a load has something to do."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rsloader_provider.airflow_compat import AirflowSensorTimeout, AirflowSkipException, BaseSensorOperator, Context
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import concerning
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.run.discover import Found, look_for_work
from rsloader_provider.task_failures import as_task_failures
from rsloader_provider.triggers.new_objects import NewObjectsTrigger


class NewObjectsSensor(BaseSensorOperator):
    """Succeeds when there is a new object, a batch that is due, or a batch left to load.

    It looks once. If there is nothing, it waits in the triggerer, which holds no task slot. After the timeout it is
    skipped, not failed: having nothing to do is not a failure. If only batches left by earlier runs are to be loaded
    and it may wait, it waits one `poke_interval` before it succeeds. Otherwise a load that runs all the time would
    start run after run for a batch that cannot be loaded.

    Args:
        load_config: The load, as plain JSON of a LoadConfig.
        unread_files: Load files of its folder whose sources cannot be read.
        deferrable: Wait in the triggerer; otherwise in `mode`, as any sensor.
        timeout: How long to wait; 0 looks once.
    """

    def __init__(
        self,
        *,
        load_config: Mapping[str, Any],
        unread_files: Sequence[str] = (),
        deferrable: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.load_config = load_config
        self.unread_files = unread_files
        self.deferrable = deferrable

    def execute(self, context: Context) -> None:
        """Look, and wait if necessary."""
        if not self.deferrable:
            try:
                super().execute(context)
            except AirflowSensorTimeout:
                self._skip()
            return
        deadline = datetime.now(UTC) + timedelta(seconds=self.timeout)
        found = self._look()
        if found is Found.NEW_OR_DUE or (found is Found.LEFT_OVER and not self.timeout):
            return
        if not self.timeout:
            self._skip()
        self.defer(
            trigger=NewObjectsTrigger(
                dict(self.load_config), self.poke_interval, deadline.isoformat(), list(self.unread_files)
            ),
            method_name="execute_complete",
        )

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> None:
        """Go on with what the trigger found."""
        if not event["found"]:
            self._skip()
        self.log.info("Load %s has something to do", self.load_config["load"])

    def poke(self, context: Context) -> bool:
        """Look once."""
        return self._look() is not Found.NOTHING

    def _look(self) -> Found:
        config = LoadConfig.model_validate(self.load_config).beside(self.unread_files)
        with as_task_failures(), concerning(f"load {config.load}"):
            return look_for_work(config, RsloaderHook(config.aws_conn_id).get_conn())

    def _skip(self) -> None:
        raise AirflowSkipException(f"Load {self.load_config['load']}: no new object, and no batch is due.")
