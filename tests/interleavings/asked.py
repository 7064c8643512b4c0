"""How often each object is to be in each table, by what people have asked for until now."""

from collections import Counter
from collections.abc import Iterable

from rsloader_provider.core.ledger.batch import Batch, TargetState
from rsloader_provider.core.ledger.manifest import Entry


class Asked:
    """Counts what people ask for, as the ledger takes it down: every object once, and once more for each such request.

    What the loader takes for a request is not believed: only an actor by whom a person asks can ask, and each request
    asks for a batch once.
    """

    def __init__(self) -> None:
        self._more: Counter[tuple[str, str]] = Counter()
        self._requests: set[tuple[str, str, str]] = set()

    def times(self, name: str, target: str) -> int:
        """Tell how often an object is to be in a target's table."""
        return 1 + self._more[name, target]

    def hear_change(self, before: Batch, after: Batch, entries: Iterable[Entry], by: str | None) -> None:
        """A batch was changed; it opens a generation of what was loaded if somebody asks for it, or gives a target up.

        Args:
            before: The batch.
            after: What became of it.
            entries: Its objects.
            by: The request that it was changed for; None if nobody asks who may.
        """
        for target, progress in after.targets.items():
            loaded = before.targets.get(target)
            if loaded is not None and loaded.state is not progress.state is TargetState.GIVEN_UP:
                self._more.subtract((entry.name, target) for entry in entries)
            if by is None or loaded is None or progress.generation == loaded.generation:
                continue
            request = by, after.batch, target
            if request not in self._requests:
                self._requests.add(request)
                self._more.update((entry.name, target) for entry in entries)

    def hear_taken_out(self, batch: Batch, names: Iterable[str]) -> None:
        """Objects left a batch, and another loads them. That is once more for each target that had them already."""
        loaded = [target for target, progress in batch.targets.items() if progress.state is TargetState.LOADED]
        self._more.update((name, target) for name in names for target in loaded)

    def __repr__(self) -> str:
        """All that makes a difference."""
        return f"{sorted(self._more.items())} {sorted(self._requests)}"
