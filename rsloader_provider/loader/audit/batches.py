"""The part of an audit that goes by batch: DynamoDB's batches, segments, history rows, files of COPYs and manifests.

All of them sort by batch, so they are read side by side, and memory holds what a window of batches needs.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

from rsloader_provider.core.audit import Names, ObjectState, Verdict, judge_batch, keeps_failing, loaded_since
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import CorruptLedgerError, RsloaderError, UnknownBatchError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.batch_ids import batch_time
from rsloader_provider.core.ledger.claims import Segment
from rsloader_provider.core.redshift.rows import HistoryRow
from rsloader_provider.loader.audit.batch_findings import BACKUP, BatchFindings
from rsloader_provider.loader.audit.copied_files import CopiedFiles, compare_files, files_of, read_by
from rsloader_provider.loader.audit.groups import Group, groups_of
from rsloader_provider.loader.audit.manifests import compare_manifest, manifests_of
from rsloader_provider.loader.audit.records import compare_history, compare_record, contradicts
from rsloader_provider.loader.audit.report import AuditReport, Finding
from rsloader_provider.loader.audit.segments import Fingerprint, compare_claims, compare_counts
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.ports.inventory import Inventory
from rsloader_provider.loader.services import Services

WINDOW_ENTRIES = 20_000
WINDOW_BATCHES = 200
FAR_AHEAD = timedelta(days=1)
_SUSPICIOUS = {
    ObjectState.LOADED_TWICE, ObjectState.NOT_IN_HISTORY, ObjectState.BROKEN, ObjectState.NOT_CLAIMED,
    ObjectState.FAILING,
}  # fmt: skip


class BatchWalk:
    """Judges every batch of a load.

    Args:
        config: The load.
        services: The ports and the clock.
        inventory: What the ledger holds.
        histories: What Redshift committed.
        claimed: The fingerprint of the names that are claimed for each batch.
        report: Gets the findings, and objects that are known to Redshift only.
    """

    def __init__(
        self,
        config: LoadConfig,
        services: Services,
        inventory: Inventory,
        histories: Histories,
        claimed: Mapping[str, Fingerprint],
        report: AuditReport,
    ):
        self._config = config
        self._services = services
        self._inventory = inventory
        self._histories = histories
        self._claimed = claimed
        self._report = report
        self._found = BatchFindings(report)
        self._counted: Counter[str] = Counter()

    def run(self) -> BatchFindings:
        """Walk once."""
        window: list[Group] = []
        entries = 0
        manifests = manifests_of(self._config, self._services.storage, self._report)
        for group in groups_of(self._config.load, self._inventory, self._histories, manifests):
            window.append(group)
            entries += sum(len(segment.claimed) for segment in group.segments)
            if entries >= WINDOW_ENTRIES or len(window) >= WINDOW_BATCHES:
                self._judge_window(window)
                window, entries = [], 0
        self._judge_window(window)
        self._tell_unreadable()
        return self._found

    def _note_counted(self, rows: Mapping[str, list[HistoryRow]]) -> None:
        for name, each in rows.items():
            self._counted[name] += sum(row.names_digest is None for row in each)

    def _tell_unreadable(self) -> None:
        for target in self._config.targets:
            if target.history == "none":
                text = "it has no load history (history: none): only DynamoDB says what is loaded into it."
                self._report.add(Finding(f"target {target.name}", text, is_wrong=False))
        for name, error in self._histories.unreadable.items():
            text = f"its load history cannot be read, and was not compared: {type(error).__name__}: {error}"
            self._report.add(Finding(f"target {name}", text))
        for name, rows in (+self._counted).items():
            text = (
                f"{rows} rows of its load history are of an earlier release and tell how many objects were loaded, not "
                "which; they were compared by number alone."
            )
            self._report.add(Finding(f"target {name}", text, is_wrong=False))
        for conn_id, error in self._histories.without_files.items():
            text = f"SYS_LOAD_DETAIL cannot be read, so what each COPY read was not compared: {error}"
            self._report.add(Finding(f"connection {conn_id}", text, is_wrong=False))

    def _judge_window(self, window: list[Group]) -> None:
        files = files_of(window, self._histories)
        for group in window:
            for reason in group.unreadable:
                self._found.add(group.batch_id, reason)
            if group.stored is not None:
                self._judge(group.stored.batch, group, files)
            elif group.is_deleted and not group.unreadable:
                self._judge_deleted(group)
            else:
                self._judge_without_batch(group, files)

    def _judge(self, batch: Batch, group: Group, files: CopiedFiles) -> None:
        # Every readable target has its rows, none where it has none.
        rows = {name: group.rows.get(name, []) for name in self._histories.targets}
        names = Names.of(batch, group.segments)
        state = self._state(batch, rows, names)
        if state in _SUSPICIOUS or len(group.entries) != batch.files or contradicts(batch, rows, names):
            # Somebody may be at work on it: what was read page by page is read again in one moment.
            batch, rows, group.segments = self._read_again(batch, group)
            names = Names.of(batch, group.segments)
            state = self._state(batch, rows, names)
        if state is ObjectState.FAILING:
            self._tell_failing(batch)
        unread = compare_files(batch, rows, group, files, self._found)
        entries = compare_claims(
            batch, names.present, self._claimed, self._services.ledger, self._found, is_loaded=any(rows.values())
        )
        self._found.verdicts[batch.batch] = Verdict(state, entries, unread, loaded_since(batch, rows))
        compare_counts(batch, group, self._found)
        compare_history(batch, rows, names, self._found)
        self._note_counted(rows)
        self._look_at_clock(batch)
        if batch.status is BatchStatus.OPEN:
            self._judge_open(batch)
        else:
            compare_record(batch, rows, names, group.stored, self._found)
            compare_manifest(batch, group, self._services.storage, self._found)

    def _state(self, batch: Batch, rows: Mapping[str, list[HistoryRow]], names: Names) -> ObjectState:
        state = judge_batch(batch, rows, names)
        if state is ObjectState.LOADING and keeps_failing(batch, self._services.now(), self._config.failing_after):
            return ObjectState.FAILING
        return state

    def _tell_failing(self, batch: Batch) -> None:
        for name in keeps_failing(batch, self._services.now(), self._config.failing_after):
            progress = batch.targets[name]
            error = progress.error or "an attempt has begun and has not ended yet"
            since = progress.failing_since or self._services.now()
            text = (
                f"{name}: every attempt since {since:%Y-%m-%d %H:%M} UTC has failed, and the next run tries again. The "
                f"last: {error}"
            )
            self._found.add(batch.batch, " ".join(text.split("\n")))

    def _read_again(self, batch: Batch, group: Group) -> tuple[Batch, dict[str, list[HistoryRow]], list[Segment]]:
        ledger = self._services.ledger
        rows = self._histories.of_batch(batch.batch)
        try:
            fresh = ledger.get(batch.load, batch.batch)
            if fresh != batch:
                rows = self._histories.of_batch(batch.batch)
            return fresh, rows, ledger.segments(fresh)
        except (CorruptLedgerError, UnknownBatchError):
            return batch, rows, group.segments

    def _look_at_clock(self, batch: Batch) -> None:
        begun = batch_time(batch.batch)
        if begun > self._services.now() + FAR_AHEAD:
            text = f"its id is from {begun:%Y-%m-%d %H:%M}, ahead of the clock; later ids sort after it."
            self._found.add(batch.batch, text, is_wrong=False)

    def _judge_open(self, batch: Batch) -> None:
        if batch.batch != self._inventory.current(batch.load) and not self._is_locked_by_now(batch):
            text = "it is open, but not the batch that claims go into: no run will lock it."
            self._found.add(batch.batch, text, remedy=BACKUP)

    def _is_locked_by_now(self, batch: Batch) -> bool:
        try:
            return self._services.ledger.get(batch.load, batch.batch).status is not BatchStatus.OPEN
        except RsloaderError:
            return False

    def _judge_deleted(self, group: Group) -> None:
        """Take a deleted batch as loaded, because only complete batches are deleted."""
        self._found.verdicts[group.batch_id] = Verdict(ObjectState.LOADED)
        if group.segments:
            self._found.add(
                group.batch_id,
                "a person deleted it, but the deletion was interrupted: some of its segments are left. The next "
                "deletion removes them.",
                is_wrong=False,
            )

    def _judge_without_batch(self, group: Group, files: CopiedFiles) -> None:
        rows = [row for each in group.rows.values() for row in each]
        if group.unreadable or not rows:
            # Its manifest alone says nothing: it may be another installation's.
            if group.entries and not group.unreadable:
                self._found.add(group.batch_id, "DynamoDB has its segments, but not the batch itself.", remedy=BACKUP)
            if group.entries or group.unreadable:
                self._found.verdicts[group.batch_id] = Verdict(ObjectState.BROKEN)
            return
        self._found.verdicts[group.batch_id] = Verdict(ObjectState.NOT_CLAIMED)
        self._found.add(
            group.batch_id,
            f"the history says that it was loaded ({', '.join(sorted(group.rows))}), but DynamoDB does not have it.",
            remedy="rsloader rebuild-ledger {load}",
        )
        urls = frozenset().union(*read_by(group.rows, files).values())
        for url in urls:
            self._found.note_copied(url.removeprefix("s3://"), group.batch_id)
        claimed = self._claimed.get(group.batch_id, (0, 0))[0]
        if not urls:
            unnamed = max(0, max(row.files for row in rows) - claimed)
            self._report.count(ObjectState.NOT_CLAIMED, None, group.batch_id, unnamed)
