"""Loads files from S3 into Amazon Redshift on Apache Airflow, every object exactly once.

What people's DAG files may import is what `__all__` names; everything below may change at any time. Each name imports
what it needs when it is first asked for, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rsloader_provider.core.config import CopyOptions, LoadConfig, Target
    from rsloader_provider.dag_factory import load_dag, load_dags, load_task_group
    from rsloader_provider.operators.audit_load import AuditLoadOperator
    from rsloader_provider.operators.buffer_objects import BufferObjectsOperator
    from rsloader_provider.operators.load_batch import LoadBatchOperator
    from rsloader_provider.sensors.new_objects import NewObjectsSensor

__all__ = [
    "AuditLoadOperator",
    "BufferObjectsOperator",
    "CopyOptions",
    "LoadBatchOperator",
    "LoadConfig",
    "NewObjectsSensor",
    "Target",
    "load_dag",
    "load_dags",
    "load_task_group",
]

__version__ = "0.1.0"

_MODULES = {
    "AuditLoadOperator": "operators.audit_load",
    "BufferObjectsOperator": "operators.buffer_objects",
    "CopyOptions": "core.config",
    "LoadBatchOperator": "operators.load_batch",
    "LoadConfig": "core.config",
    "NewObjectsSensor": "sensors.new_objects",
    "Target": "core.config",
    "load_dag": "dag_factory",
    "load_dags": "dag_factory",
    "load_task_group": "dag_factory",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:  # a type checker would take any name for one that is there

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
