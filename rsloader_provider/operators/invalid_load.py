"""Stands in for a load whose file is broken."""

from typing import Any

from rsloader_provider.airflow_compat import AirflowFailException, BaseOperator, Context


class InvalidLoadOperator(BaseOperator):
    """Fails with what is wrong in a load file, so that a broken file is seen where its loads are looked for.

    Args:
        report: Every mistake, with file, line and hint.
    """

    def __init__(self, *, report: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.report = report

    def execute(self, context: Context) -> None:
        """Fail."""
        raise AirflowFailException(self.report)
