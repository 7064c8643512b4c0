"""Record that a load goes on beside another one that has loaded from the same source into the same table."""

from dataclasses import dataclass

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import OperationRefusedError
from rsloader_provider.core.ledger.renaming import Accepted
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.redshift.rows import OtherLoad
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.races import until_won
from rsloader_provider.loader.services import Services

log = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class AcceptPlan:
    """What would be accepted.

    Attributes:
        found: What each table's history has of the other load, by table.
        accepted: What a person has said before; None if nobody has.
    """

    found: dict[str, OtherLoad]
    accepted: Accepted | None


def plan_accept(config: LoadConfig, services: Services, other: str) -> AcceptPlan:
    """Tell what would be accepted. Changes nothing.

    Args:
        config: The load.
        services: The ports and the clock.
        other: The other load.

    Raises:
        OperationRefusedError: It is the same load, or a history cannot be read.
    """
    if other == config.load:
        raise OperationRefusedError(f"{other} is the load itself. Name the other load. Nothing was changed.")
    with Histories(config, services.warehouse) as histories:
        tables = histories.tables
        found = {str(table): each for name, table in tables.items() for each in histories.other_loads(name)
                 if each.load == other}  # fmt: skip
        for name, error in histories.unreadable.items():
            raise OperationRefusedError(f"The load history of {name} cannot be read: {error} Nothing was changed.")
    return AcceptPlan(found, services.ledger.accepted(config.load).get(other))


def accept_other(config: LoadConfig, services: Services, other: str, *, by: str) -> Accepted:
    """Record it, once for the load and the other one. Safe to call again: what was said first stays.

    Args:
        config: The load.
        services: The ports and the clock.
        other: The other load.
        by: Who asks.

    Returns:
        Who has said so, and when.

    Raises:
        RenamedLoadError: The load is being renamed.
        ContentionError: Others wrote over and over; call again.
    """

    def accept() -> Accepted:
        ledger, now = services.ledger, services.now()
        if said := ledger.accepted(config.load).get(other):
            return said
        ledger.open_batch(config.load, now)
        said = Accepted(by, now)
        with services.steps.taking(Step.ACCEPT, f"load {config.load} beside load {other}"):
            ledger.accept(config.load, other, said)
        log.warning("load %s goes on beside load %s, asked for by %s", config.load, other, by)
        return said

    return until_won(f"load {config.load}", accept)
