"""One Airflow DAG for each load file in the folder beside this file."""

from pathlib import Path

from rsloader_provider import load_dags

globals().update(load_dags(Path(__file__).with_name("loads")))
