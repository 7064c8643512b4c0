"""The loader's errors as task failures: retried where trying again is safe and useful, else final."""

from collections.abc import Iterator
from contextlib import contextmanager

from rsloader_provider.airflow_compat import AirflowException, AirflowFailException
from rsloader_provider.core.errors import RsloaderError


@contextmanager
def as_task_failures() -> Iterator[None]:
    """Raise the loader's errors as Airflow's.

    Raises:
        AirflowException: For a retryable error; Airflow tries the task again, as often as its `retries` say.
        AirflowFailException: For any other; the task fails at once.
    """
    try:
        yield
    except RsloaderError as error:
        failure = AirflowException if error.retryable else AirflowFailException
        error.keep_visible_causes()
        raise failure(f"{type(error).__name__}: {error}") from error
