"""Which segments have the objects that are to leave a batch, in steps that fit into one transaction each."""

from collections.abc import Collection, Iterable, Iterator

from rsloader_provider.core.ledger.claims import Segment
from rsloader_provider.loader.ports.ledger import TAKEN_OBJECTS


def leaving_by_segment(
    segments: Iterable[Segment], leaving: Collection[str], *, is_open: bool
) -> Iterator[tuple[Segment, list[str]]]:
    """Give each segment that has some of the objects, with at most TAKEN_OBJECTS of them.

    A segment that has more comes again, as the step before has left it.

    Args:
        segments: The segments of one batch.
        leaving: Names of the objects; those that are in no segment are passed over.
        is_open: Whether the batch is open.
    """
    for each in segments:
        segment: Segment | None = each
        names = [entry.name for entry in each.entries if entry.name in leaving]
        while names and segment is not None:
            step, names = names[:TAKEN_OBJECTS], names[TAKEN_OBJECTS:]
            yield segment, step
            segment = segment.without(step, is_open=is_open)
