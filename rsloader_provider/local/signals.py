"""Turns SIGTERM and Ctrl-C into a question that the stack asks itself while it waits.

An exception from a signal handler could strike anywhere, for example after a folder was made and before its name was
noted. A flag interrupts nothing: everything that has begun is known, and is undone.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_POLL_SECONDS = 0.05


class StopSignals:
    """Notes SIGTERM, SIGINT and SIGHUP from its construction on; only the main thread can make one."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = self.received or signal.Signals(number)

    def __call__(self) -> bool:
        """Tell whether one was received."""
        return self.received is not None

    def wait(self, seconds: float) -> bool:
        """Wait that many seconds, or until one is received; tell whether one was."""
        deadline = time.monotonic() + seconds
        while self.received is None and (left := deadline - time.monotonic()) > 0:
            # A flag and not an Event: a handler that sets an Event deadlocks with the thread that waits for it.
            time.sleep(min(left, _POLL_SECONDS))
        return self.received is not None

    @property
    def exit_code(self) -> int:
        """What a shell expects of a program that a signal ended; 0 without one."""
        return 128 + self.received if self.received else 0
