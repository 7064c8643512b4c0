"""What the containers' scheduler and workers import when they start, with the settings of their file."""

import os
import subprocess
import sys

import yaml
from support.checkout import CHECKOUT

COMPOSE = CHECKOUT / "docker-compose.yaml"

STARTED = """
from airflow.executors.executor_loader import ExecutorLoader
from airflow.providers.celery.cli import celery_command
from airflow.providers.celery.executors.celery_executor import app

print(type(ExecutorLoader.get_default_executor()).__name__, app.connection().transport.driver_name)
"""


def test_scheduler_and_workers_can_start():
    """Airflow's Celery executor accepts any Celery 5, and cannot be imported with some; then nothing is ever loaded."""
    settings = yaml.safe_load(COMPOSE.read_text())["x-airflow"]["environment"]
    started = subprocess.run(
        [sys.executable, "-c", STARTED], env=os.environ | settings, check=False, capture_output=True, text=True
    )
    assert started.returncode == 0, started.stderr
    assert started.stdout.splitlines()[-1] == "CeleryExecutor redis"
