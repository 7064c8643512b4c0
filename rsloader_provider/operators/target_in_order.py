"""Gives the work of one target that loads its batches in order."""

from collections.abc import Mapping, Sequence
from typing import Any

from rsloader_provider.airflow_compat import BaseOperator, Context, XComArg


class TargetInOrderOperator(BaseOperator):
    """Picks one target's work out of what BufferObjectsOperator pushes as `apart`.

    Airflow maps tasks over what a task returns, and over nothing else that it pushes. So each mapped task with an order
    of its own needs a task before it.

    Args:
        target: The target's name.
        apart: The work by target (templated).

    Returns:
        The keyword arguments of a mapped LoadBatchOperator, oldest batch first; empty when there is nothing to load.
    """

    template_fields: Sequence[str] = ("target", "apart")

    def __init__(self, *, target: str, apart: Mapping[str, list[dict[str, Any]]] | XComArg, **kwargs: Any):
        super().__init__(**kwargs)
        self.target = target
        self.apart = apart

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Pick."""
        apart: Mapping[str, list[dict[str, Any]]] = self.apart  # type: ignore[assignment]  # rendered by now
        return apart[self.target]
