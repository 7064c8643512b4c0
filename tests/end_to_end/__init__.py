"""Airflow with all its processes, started once for this folder's tests and stopped after the last of them."""
