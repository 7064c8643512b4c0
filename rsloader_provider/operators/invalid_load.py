"""Stands in for a load whose file is broken."""

from typing import Any

from rsloader_provider.airflow_compat import AirflowFailException, BaseOperator, Context


class InvalidLoadOperator(BaseOperator):
    """Fails with the mistakes of a load file, so that people see them where they look for the load.

    Args:
        report: Every mistake, with file, line and hint.
    """

    def __init__(self, *, report: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.report = report

    def execute(self, context: Context) -> None:
        """Fail."""
        raise AirflowFailException(self.report)
