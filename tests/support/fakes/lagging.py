"""Items of which a read that is not consistent shows each as it was before its last write."""

from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LaggingItems(dict[K, V]):
    """Items by key, and what each was before.

    As items lag one by one, a later write to one may be seen before an earlier write to another.
    """

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[K, V | None] = {}

    def __setitem__(self, key: K, value: V) -> None:
        self._before[key] = self.get(key)
        super().__setitem__(key, value)

    def __delitem__(self, key: K) -> None:
        self._before[key] = self[key]
        super().__delitem__(key)

    def pop(self, key: K, *default: Any) -> Any:
        if key in self:
            self._before[key] = self[key]
        return super().pop(key, *default)

    def lagging(self) -> dict[K, V]:
        """Give all as such a read may show them."""
        before = {key: self._before.get(key, self.get(key)) for key in {**self, **self._before}}
        return {key: value for key, value in before.items() if value is not None}

    def catch_up(self) -> None:
        """Show everything, until the next write."""
        self._before.clear()
