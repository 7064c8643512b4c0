"""Compare S3, the ledger and the load histories, and sort every object of a load into one state.

Three walks, each over sorted streams that are read page by page: the claims, for what is claimed for each batch; the
batches with all that belongs to them; and S3's listing beside the claims. What stays in memory is a line for each
batch, and what is wrong.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

from rsloader_provider.core.audit import ObjectState, Verdict, judge_batch, judge_object
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import CorruptLedgerError, DeletedBatchError, UnknownBatchError
from rsloader_provider.core.ledger.claims import Claim
from rsloader_provider.core.ledger.objects import S3Object, ledger_key
from rsloader_provider.loader.audit.batch_findings import BatchFindings
from rsloader_provider.loader.audit.batches import BatchWalk
from rsloader_provider.loader.audit.protection import report_protection
from rsloader_provider.loader.audit.remedies import remedies
from rsloader_provider.loader.audit.report import AuditReport, Finding
from rsloader_provider.loader.audit.segments import Fingerprint, fingerprint
from rsloader_provider.loader.boundaries import boundary_of
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.ports.inventory import Inventory, Unreadable
from rsloader_provider.loader.services import Services


def audit_load(
    config: LoadConfig, services: Services, inventory: Inventory, only: Iterable[str] | None = None
) -> AuditReport:
    """Audit one load. Changes nothing, and may be run at any time, also while the load is at work.

    Args:
        config: The load.
        services: The ports and the clock.
        inventory: What the ledger holds, readable or not.
        only: Report on these batches only; None for all, and for the objects that are in none.

    Raises:
        UnknownBatchError: One of those batches is neither in DynamoDB nor in a history.
        NotSetUpError, AccessDeniedError, TransientError: S3's listing or the tables cannot be read. A history that
            cannot be read is a finding instead.
    """
    config = boundary_of(config, services).config
    report = AuditReport(config.load, None if only is None else frozenset(only))
    with Histories(config, services.warehouse) as histories:
        claimed, takes_hidden = _claimed(inventory, config)
        found = BatchWalk(config, services, inventory, histories, claimed, report).run()
        if unknown := sorted((report.only or frozenset()) - found.verdicts.keys()):
            raise UnknownBatchError(f"Load {config.load} has no batch {', '.join(unknown)}.")
        _ObjectWalk(config, services, inventory, found, report, takes_hidden=takes_hidden).run()
        report_protection(inventory, report)
        for state, tally in report.tallies.items():
            tally.remedies = remedies(config, services.ledger, histories, state, tally)
    return report


def _claimed(inventory: Inventory, config: LoadConfig) -> tuple[dict[str, Fingerprint], bool]:
    """Give what is claimed for each batch, and whether the load takes hidden objects."""
    claimed: dict[str, Fingerprint] = {}
    takes_hidden = config.hidden_files == "load"
    for claim in inventory.claims(config.load):
        if isinstance(claim, Claim):
            if config.hidden_files is None and not takes_hidden:
                takes_hidden = config.hides(*claim.name.partition("/")[::2])
            if claim.left_out_at is None:
                claimed[claim.batch] = fingerprint((claim.name,), claimed.get(claim.batch, (0, 0)))
    return claimed, takes_hidden


class _ObjectWalk:
    """One walk over S3's listing and the claims, side by side."""

    def __init__(
        self,
        config: LoadConfig,
        services: Services,
        inventory: Inventory,
        found: BatchFindings,
        report: AuditReport,
        *,
        takes_hidden: bool,
    ):
        self._config = config
        self._services = services
        self._inventory = inventory
        self._verdicts = found.verdicts
        self._copied = found.copied
        self._unmet = set(found.copied)
        self._report = report
        self._listed = config.listed_prefixes
        self._takes_hidden = takes_hidden

    def run(self) -> None:
        """Sort every object."""
        for found, claim in self._side_by_side():
            if claim is None:
                self._judge_unclaimed(found)
            elif isinstance(claim, Unreadable):
                self._count(ObjectState.BROKEN, claim.key, None)
                self._report.add(Finding(f"claim of s3://{claim.key}", claim.reason))
            else:
                self._judge_claimed(found, claim)
        # Redshift read these, and neither S3 nor DynamoDB has them any more.
        for name in sorted(self._unmet):
            self._count(ObjectState.NOT_CLAIMED, name, min(self._copied[name]))

    def _side_by_side(self) -> Iterator[tuple[S3Object | None, Claim | Unreadable | None]]:
        """Give each object with its claim, each without one, and each claim without an object."""
        claims = self._inventory.claims(self._config.load)
        claim = next(claims, None)
        # One listing after the other is sorted as the claims are.
        for found in chain.from_iterable(
            self._services.storage.objects(each.bucket, each.key) for each in self._listed
        ):
            key = ledger_key(found.name)
            if key != found.name:
                # A cut key does not sort as S3 lists; the claim's turn looks the object up.
                if not self._is_claimed(found.name):
                    yield found, None
                continue
            while claim is not None and _key(claim) < key:
                yield self._looked_up(claim), claim
                claim = next(claims, None)
            if claim is not None and _key(claim) == key:
                yield found, claim
                claim = next(claims, None)
            else:
                yield found, None
        while claim is not None:
            yield self._looked_up(claim), claim
            claim = next(claims, None)

    def _is_claimed(self, name: str) -> bool:
        try:
            return self._services.ledger.find_claim(self._config.load, name) is not None
        except CorruptLedgerError:
            return True  # unreadable, but there

    def _looked_up(self, claim: Claim | Unreadable) -> S3Object | None:
        """Ask S3 for an object that the listing does not show in the claim's place because its key is cut."""
        if isinstance(claim, Unreadable) or _key(claim) == claim.name or not self._is_listed(claim.name):
            return None
        bucket, _, key = claim.name.partition("/")
        return self._services.storage.find(bucket, key)

    def _is_listed(self, name: str) -> bool:
        return any(name.startswith(f"{each.bucket}/{each.key}") for each in self._listed)

    def _judge_unclaimed(self, found: S3Object | None) -> None:
        if found is None or found.is_folder_marker:
            return
        copied_by = self._take_copied(found.name)
        if copied_by or self._config.matches(found.bucket, found.key):
            state = judge_object(found, None, None, None, copied_by, name=found.name)
            if state is ObjectState.NOT_SEEN and not self._takes_hidden and self._is_hidden(found):
                state = ObjectState.HIDDEN
            self._count(state, found.name, min(copied_by, default=None))

    def _is_hidden(self, found: S3Object) -> bool:
        return self._config.hides(found.bucket, found.key)

    def _judge_claimed(self, found: S3Object | None, claim: Claim) -> None:
        state = judge_object(
            found,
            claim,
            self._verdict(claim.batch),
            claim.batch,
            self._take_copied(claim.name),
            name=claim.name,
            looked=self._is_listed(claim.name),
            left_out=claim.left_out_at is not None,
        )
        self._count(state, claim.name, claim.batch)

    def _verdict(self, batch_id: str) -> Verdict | None:
        """Give what holds for a batch; one that was opened since the walk over the batches is asked for."""
        if batch_id not in self._verdicts:
            try:
                batch = self._services.ledger.get(self._config.load, batch_id)
            except DeletedBatchError:
                self._verdicts[batch_id] = Verdict(ObjectState.LOADED)
            except (UnknownBatchError, CorruptLedgerError):
                return None
            else:
                self._verdicts[batch_id] = Verdict(judge_batch(batch, {}))
        return self._verdicts[batch_id]

    def _take_copied(self, name: str) -> frozenset[str]:
        self._unmet.discard(name)
        return self._copied.get(name, frozenset())

    def _count(self, state: ObjectState, name: str, batch: str | None) -> None:
        self._report.count(state, name, batch)


def _key(claim: Claim | Unreadable) -> str:
    return ledger_key(claim.name) if isinstance(claim, Claim) else claim.key
