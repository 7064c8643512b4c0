"""Reads of the ledger."""

from collections.abc import Iterator, Sequence

from rsloader_provider.aws.dynamodb.items import (
    CURRENT,
    DELETED,
    FAILED,
    FIRST_BATCH,
    UNFINISHED,
    Item,
    batch_from,
    claim_from,
    segment_from,
    segment_prefix,
)
from rsloader_provider.aws.dynamodb.requests import PAGE_ITEMS, LedgerRequests
from rsloader_provider.aws.dynamodb.tables import ATTENTION_INDEX
from rsloader_provider.core.errors import DeletedBatchError, UnknownBatchError
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.claims import Claim, Segment
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import ledger_key, ledger_prefix


class Reading:
    """Gives batches with their objects, and claims."""

    def __init__(self, requests: LedgerRequests):
        self._requests = requests
        self._names = requests.names

    def get(self, load: str, batch: str) -> Batch:
        item = self._requests.get_row(load, batch)
        if item is None or batch == CURRENT:
            deleted = self._requests.get_row(load, DELETED + batch)
            if deleted is not None:
                raise DeletedBatchError(
                    f"Batch {batch} of load {load} was deleted at {deleted.get('deleted_at')}. Its objects stay "
                    "claimed. `rsloader restore FILE` puts it back; FILE is what the deletion printed."
                )
            raise UnknownBatchError(f"Load {load} has no batch {batch}. `rsloader batches {load}` lists them.")
        return batch_from(item)

    def entries(self, batch: Batch) -> list[Entry]:
        return [entry for segment in self.segments(batch) for entry in segment.entries]

    def segments(self, batch: Batch) -> list[Segment]:
        found = self._requests.query_rows(batch.load, segment_prefix(batch.batch))
        return [segment_from(item) for item in found]

    def unfinished(self, load: str) -> Iterator[str]:
        return self._with_attention(load, UNFINISHED)

    def failed(self, load: str) -> Iterator[str]:
        return self._with_attention(load, FAILED)

    def batches(self, load: str) -> Iterator[Batch]:
        found = self._requests.query(
            self._names.batches,
            "#load = :load AND #batch >= :first",
            {":load": load, ":first": FIRST_BATCH},
            ScanIndexForward=False,
            ConsistentRead=True,
        )
        return (batch_from(item) for item in found)

    def deleted(self, load: str) -> Iterator[str]:
        found = self._requests.query_rows(load, DELETED, projection="#batch")
        return (str(item["batch"]).removeprefix(DELETED) for item in found)

    def claimed_keys(self, load: str, prefix: str) -> Iterator[str]:
        return (item["object"] for item in self._claims(load, prefix, "#object"))

    def claims(self, load: str, prefix: str) -> Iterator[Claim]:
        claims = map(claim_from, self._claims(load, prefix, None))
        return (claim for claim in claims if claim.name.startswith(prefix))

    def find_claim(self, load: str, name: str) -> Claim | None:
        item = self._requests.get(self._names.files, {"load": load, "object": ledger_key(name)})
        claim = claim_from(item) if item else None
        # A name may read like the cut key of another one.
        return claim if claim and claim.name == name else None

    def find_claims(self, load: str, names: Sequence[str]) -> dict[str, Claim]:
        wanted = [*dict.fromkeys(names)]
        found: dict[str, Claim] = {}
        for start in range(0, len(wanted), PAGE_ITEMS):
            keys = {ledger_key(name) for name in wanted[start : start + PAGE_ITEMS]}
            for item in self._requests.get_page(
                self._names.files, [{"load": load, "object": key} for key in sorted(keys)]
            ):
                claim = claim_from(item)
                found[claim.name] = claim
        return {name: found[name] for name in wanted if name in found}

    def _with_attention(self, load: str, kind: str) -> Iterator[str]:
        found = self._requests.query(
            self._names.batches,
            "#load = :load AND begins_with(#attention, :kind)",
            {":load": load, ":kind": kind},
            IndexName=ATTENTION_INDEX,
        )
        return (item["batch"] for item in found)

    def _claims(self, load: str, prefix: str, projection: str | None) -> Iterator[Item]:
        # DynamoDB does not accept an empty prefix.
        condition = "#load = :load AND begins_with(#object, :prefix)" if prefix else "#load = :load"
        values = {":load": load, ":prefix": ledger_prefix(prefix)} if prefix else {":load": load}
        return self._requests.query(self._names.files, condition, values, projection=projection)
