"""Corrects the claims of objects that were empty when they were claimed, and were loaded with what they hold since."""

from contextlib import AbstractContextManager

from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.batch import TargetState
from rsloader_provider.core.ledger.claims import Place
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.races import until_won
from rsloader_provider.loader.run.object_sizes import Filled
from rsloader_provider.loader.services import Services


def correct_claims(services: Services, record: AttemptRecord, filled: Filled, digest: str) -> AttemptRecord:
    """Correct the claims, once every target has been loaded with the same content.

    A claim that stays empty tells an audit that the object's rows may be missing from some target.

    Args:
        services: The ports and the clock.
        record: The attempt, which has committed.
        filled: The objects as they were loaded.
        digest: Theirs, which the other targets must have recorded too.

    Returns:
        The attempt as the batch has it now.

    Raises:
        AttemptLostError: A newer attempt took its place.
        ContentionError: Others wrote to the batch over and over.
    """

    def taking() -> AbstractContextManager[None]:
        return services.steps.taking(Step.FILL, f"{record.batch} into {record.target}")

    def write() -> AttemptRecord:
        batch = services.ledger.get(record.batch.load, record.batch.batch)
        record.within(batch).refuse_if_lost()
        others = [
            progress
            for name, progress in batch.targets.items()
            if name != record.target and progress.state is not TargetState.GIVEN_UP
        ]
        if all(each.state is TargetState.LOADED and each.filled == digest for each in others):
            for segment in services.ledger.segments(batch):
                if objects := filled.empty_in(segment.entries):
                    with taking():
                        batch = services.ledger.fill(Place(batch, segment), objects)
        return record.within(batch)

    return until_won(record.batch, write)
