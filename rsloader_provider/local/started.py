"""What runs from its start to its stop."""

from abc import ABC, abstractmethod
from typing import Self


class Started(ABC):
    """A context manager that starts on entering and stops on leaving."""

    @abstractmethod
    def start(self) -> Self:
        """Start, and return when it answers."""

    @abstractmethod
    def stop(self) -> None:
        """End it; does no harm twice."""

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()
