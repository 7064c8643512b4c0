"""The loader's loggers: what they are given is shown, and forges no line of a log."""

import logging

from rsloader_provider.core.errors import RsloaderError
from rsloader_provider.core.visible import visible


class _Visible(logging.Filter):
    """Shows the arguments of each record. Its format is a text of the loader's own."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_shown, record.args))
        return True


_VISIBLE = _Visible()


def logger_of(module: str) -> logging.Logger:
    """Give the logger of a module; every module of the loader logs by one of these."""
    logger = logging.getLogger(module)
    logger.addFilter(_VISIBLE)
    return logger


def _shown(argument: object) -> object:
    # An error's lines are its own, and each of them is visible.
    return argument if isinstance(argument, int | float | RsloaderError) or argument is None else visible(argument)
