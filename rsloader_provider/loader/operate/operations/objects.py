"""Forget objects, or have them loaded again."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.loader.operate.forget_objects import forget_objects, plan_forget
from rsloader_provider.loader.operate.move_objects import plan_reprocess_objects, reprocess_objects
from rsloader_provider.loader.operate.object_fates import ObjectFate, Taken
from rsloader_provider.loader.operate.objects_named import ObjectsNamed
from rsloader_provider.loader.operate.operations.operation import Hear, Operation, Planned, Told
from rsloader_provider.loader.operate.plan_objects import ObjectsPlan
from rsloader_provider.loader.services import Services


def forgetting(config: LoadConfig, services: Services, named: ObjectsNamed) -> Operation:
    """Forget what a person named."""
    return _operation(
        lambda: plan_forget(config, services, urls=named.urls, prefix=named.prefix),
        lambda by: forget_objects(config, services, by=by, urls=named.urls, prefix=named.prefix),
        question="Forget {:,} objects?",
        consequence="The next run loads forgotten objects that are still in S3 as new ones. If they were loaded "
        "before, their rows are ADDED AGAIN (mode: append).",
    )


def reprocessing_objects(config: LoadConfig, services: Services, named: ObjectsNamed) -> Operation:
    """Have what a person named loaded again."""
    return _operation(
        lambda: plan_reprocess_objects(config, services, urls=named.urls, prefix=named.prefix),
        lambda by: reprocess_objects(config, services, by=by, urls=named.urls, prefix=named.prefix),
        question="Have {:,} objects loaded again?",
        consequence=f"The next run of {config.dag_id} loads them into all targets. If they were loaded before, "
        "their rows are ADDED AGAIN (mode: append).",
    )


def _operation(
    make_plan: Callable[[], ObjectsPlan], take: Callable[[str], Iterable[Taken]], *, question: str, consequence: str
) -> Operation:
    def plan(_: Hear) -> Planned:
        found = make_plan()
        report = {
            "objects": _by_fate(found.fates),
            "examples": [*found.examples],
            "emptied": found.emptied,
            "unclaimed": found.unclaimed,
        }
        objects = sum(found.fates.values())
        return Planned((*_sentences(found), consequence), report, question.format(found.objects), objects)

    def carry_out(by: str, hear: Hear) -> Told:
        done: Counter[ObjectFate] = Counter()
        for taken in take(by):
            done[taken.fate] += len(taken.names)
            hear(len(taken.names), (f"s3://{name} of batch {taken.batch}: {taken.fate}" for name in taken.names))
        return Told(tuple(_counted(done)), {"objects": _by_fate(done)})

    return Operation(plan, carry_out)


def _by_fate(counts: Mapping[ObjectFate, int]) -> dict[str, int]:
    return {str(fate): objects for fate, objects in counts.items()}


def _counted(counts: Mapping[ObjectFate, int]) -> Iterator[str]:
    for fate, objects in sorted(counts.items()):
        yield f"{fate}: {objects:,} objects"


def _sentences(plan: ObjectsPlan) -> Iterator[str]:
    yield from _counted(plan.fates)
    if plan.unclaimed:
        yield f"not claimed yet, and left to the next run: {plan.unclaimed:,} objects"
    for url in plan.examples:
        yield f"  {url}"
    if plan.objects > len(plan.examples):
        yield f"  … {plan.objects:,} objects of {plan.batches:,} batches, {plan.size_bytes:,} bytes in all"
    if plan.about_emptied is not None:
        yield plan.about_emptied
