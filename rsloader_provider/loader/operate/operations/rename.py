"""Give a load another name, or let it go on beside another load with the same source."""

from collections.abc import Collection, Iterator

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.loader.operate.operations.operation import Hear, Operation, Planned, Told
from rsloader_provider.loader.operate.recovery.accept import accept_other, plan_accept
from rsloader_provider.loader.operate.recovery.rename import RenamePlan, plan_rename, rename_load
from rsloader_provider.loader.services import Services


def renaming(config: LoadConfig, services: Services, old: str, declared: Collection[str]) -> Operation:
    """Hand over what was loaded under a load's old name to its new one.

    Args:
        config: The load under its new name.
        services: The ports and the clock.
        old: The name that it had.
        declared: The names of all loads that the folder of load files has.
    """

    def plan(_: Hear) -> Planned:
        found = plan_rename(config, services, old, declared)
        report = {
            "old": old,
            "new": config.load,
            "batches": found.batches,
            "waiting": found.waiting,
            "objects": found.objects,
            "claimed_since": found.claimed_since,
            "histories": [*found.histories],
            "under_way": found.under_way is not None,
        }
        question = None if found.is_nothing else f"Hand over what load {old} has to {config.load}?"
        return Planned(tuple(_sentences(config, old, found)), report, question, found.objects)

    def carry_out(by: str, hear: Hear) -> Told:
        done = rename_load(config, services, old, declared, by=by, progress=lambda objects: hear(objects, ()))
        sentence = (
            f"{done.batches:,} batches and {done.objects:,} claims of load {old} are those of load {config.load} now. "
            f"`rsloader audit {config.load}` compares the result with S3 and Redshift."
        )
        return Told((sentence,), {"batches": done.batches, "objects": done.objects})

    return Operation(plan, carry_out)


def accepting(config: LoadConfig, services: Services, other: str) -> Operation:
    """Let a load go on beside another one that has loaded from the same source into the same table.

    Args:
        config: The load.
        services: The ports and the clock.
        other: The other load.
    """

    def plan(_: Hear) -> Planned:
        found = plan_accept(config, services, other)
        report = {
            "load": config.load,
            "other": other,
            "tables": {table: each.batches for table, each in found.found.items()},
            "accepted": found.accepted and {"by": found.accepted.by, "at": found.accepted.at.isoformat()},
        }
        if said := found.accepted:
            sentence = f"{said.by} has accepted load {other} beside {config.load} at {said.at.isoformat()}."
            return Planned((sentence,), report)
        if not found.found:
            sentence = (
                f"No load history of {config.load} has load {other} with the same source: there is nothing to accept."
            )
            return Planned((sentence,), report)
        listed = ", ".join(f"{table} ({each.batches:,} batches)" for table, each in found.found.items())
        sentence = (
            f"Load {other} has loaded from the same source into {listed}. Load {config.load} would load the same "
            f"objects there too, so that their rows are there TWICE. If load {other} was renamed to {config.load}, do "
            f"not accept it: `rsloader rename-load {other} {config.load}`"
        )
        return Planned((sentence,), report, f"Let {config.load} go on beside {other}?")

    def carry_out(by: str, _: Hear) -> Told:
        said = accept_other(config, services, other, by=by)
        sentence = f"The next run of {config.dag_id} loads beside load {other}."
        return Told((sentence,), {"by": said.by, "at": said.at.isoformat()})

    return Operation(plan, carry_out)


def _sentences(config: LoadConfig, old: str, plan: RenamePlan) -> Iterator[str]:
    new = config.load
    if plan.is_nothing:
        yield f"DynamoDB and the load histories have nothing of load {old}: there is nothing to do."
        return
    if plan.under_way:
        yield f"This was begun at {plan.under_way.began_at.isoformat()} by {plan.under_way.by}, and goes on."
    yield (
        f"{plan.batches:,} batches and {plan.objects:,} claims of load {old} would become those of load {new}. "
        f"{plan.waiting:,} of the batches are to be loaded yet; the next run of {config.dag_id} loads them."
    )
    if plan.claimed_since:
        yield f"{new} has claimed {plan.claimed_since:,} of these objects for its own batches; they would leave these."
    if plan.histories:
        yield f"The rows of {old} in the load histories of {', '.join(plan.histories)} would change their load."
    before, after = config.manifests.join(f"{old}/"), config.manifests.join(f"{new}/")
    yield (
        f"Manifests stay where they are. `rebuild-ledger {new}` needs them below {after}: "
        f"aws s3 cp --recursive {before} {after}"
    )
    yield f"Pause the DAG {config.dag_id} first, and let its tasks end, and those of rsloader_{old}."
