"""A local Airflow, supervised as programs: nothing here imports Airflow."""

from rsloader_provider.local.airflow.api import AirflowApi, AirflowApiError
from rsloader_provider.local.airflow.supervisor import LocalAirflow

__all__ = ["AirflowApi", "AirflowApiError", "LocalAirflow"]
