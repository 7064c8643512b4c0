"""Say of an undecided batch whether its rows are in the table."""

from rsloader_provider.loader.operate.decide import decide_by_person
from rsloader_provider.loader.operate.operations.operation import Hear, Operation, Planned, Told
from rsloader_provider.loader.ports.ledger import Ledger


def deciding(ledger: Ledger, load: str, batch_id: str, target: str, *, loaded: bool) -> Operation:
    """Record what a person found out.

    Args:
        ledger: The ledger.
        load: Name of the load.
        batch_id: The batch.
        target: The target's name.
        loaded: Whether the rows are in the table; if not, the next run loads them.
    """

    def plan(_: Hear) -> Planned:
        progress = ledger.get(load, batch_id).progress(target)
        sentence = f"Batch {batch_id} would count as {'loaded' if loaded else 'not loaded'} in {target}."
        return Planned(
            (sentence, progress.error or f"{target}: {progress.state}."),
            {"batch": batch_id, "target": target, "is_undecided": progress.is_undecided},
        )

    def carry_out(_by: str, _hear: Hear) -> Told:
        batch = decide_by_person(ledger, load, batch_id, target, loaded=loaded)
        sentence = f"{batch} is {batch.progress(target).state} in {target}; the batch is {batch.status}."
        return Told((sentence,), {"batch": batch_id, "target": target, "status": str(batch.status)})

    return Operation(plan, carry_out)
