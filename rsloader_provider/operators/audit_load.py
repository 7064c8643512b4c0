"""Audits one load, as a scheduled check."""

from collections.abc import Mapping
from typing import Any

from rsloader_provider.airflow_compat import AirflowFailException, BaseOperator, Context
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import concerning
from rsloader_provider.core.visible import visible
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.task_failures import as_task_failures


class AuditLoadOperator(BaseOperator):
    """Compares S3, DynamoDB and Redshift for one load, and fails if anything is wrong. Changes nothing.

    Args:
        load_config: The load, as plain JSON of a LoadConfig.

    Returns:
        The number of objects in each state, and of findings.
    """

    def __init__(self, *, load_config: Mapping[str, Any], **kwargs: Any):
        super().__init__(**kwargs)
        self.load_config = load_config

    def execute(self, context: Context) -> dict[str, int]:
        """Audit once."""
        config = LoadConfig.model_validate(self.load_config)
        with as_task_failures(), concerning(f"load {config.load}"):
            hook = RsloaderHook(config.aws_conn_id)
            report = audit_load(config, hook.get_conn(), hook.get_inventory())
        if report.is_wrong:
            lines = [f"Load {config.load} is not as it should be:", *report.lines()]
            raise AirflowFailException("\n".join(map(visible, lines)))
        return report.counts
