"""What an import claims: one walk over S3's listing of a load, together with the Lambda loader's tables."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.sources import SourcePattern
from rsloader_provider.core.errors import NotSetUpError
from rsloader_provider.core.lambda_loader.fates import Choice, Fates, FileFate
from rsloader_provider.core.lambda_loader.load_file import source_of
from rsloader_provider.core.lambda_loader.tables import LambdaBatch
from rsloader_provider.core.ledger.objects import S3Object, ledger_key
from rsloader_provider.core.ledger.shadow_name import as_recorded
from rsloader_provider.loader.move_in.choices import ImportChoices
from rsloader_provider.loader.move_in.report import OPTIONS, SHOWN, UNRECORDED, BatchInDoubt, LoadPlan, LostFile, chosen
from rsloader_provider.loader.services import Services

_CHANGED_AFTER = timedelta(seconds=1)
"""S3 lists times in whole seconds."""

_IN_DOUBT = frozenset({FileFate.LOCKED, FileFate.ERROR, FileFate.UNKNOWN})


def ledger_name(config: LoadConfig, choices: ImportChoices) -> str:
    """Give the name to claim under: the load's own, even if its file still says `shadow`, or the shadow's."""
    return as_recorded(config.model_copy(update={"shadow": choices.conversion.shadow})).load


class ClaimsWalk:
    """Plans the claims of one load.

    Args:
        plan: The plan to complete.
        fates: The fates of the files, from the tables.
        batches: The batches by id.
        services: Ours.
        choices: What the person chose.
    """

    def __init__(
        self,
        plan: LoadPlan,
        fates: Fates,
        batches: Mapping[str, LambdaBatch],
        services: Services,
        choices: ImportChoices,
    ):
        self._plan = plan
        self._fates = fates
        self._batches = batches
        self._services = services
        self._choices = choices
        self._source = SourcePattern.parse(source_of(plan.prefix))
        self._lost_met: set[str] = set()

    def run(self, told: Callable[[int], None]) -> None:
        """Walk once, and report each object to `told`."""
        plan = self._plan
        config = plan.config
        if config is None:
            return
        bucket, prefix = self._source.bucket, self._source.literal_prefix
        claimed = self._claimed(ledger_name(config, self._choices), f"{bucket}/{prefix}")
        met: set[str] = set()
        for found in self._services.storage.objects(bucket, prefix):
            told(1)
            is_known = found.name in self._fates.by_name
            if is_known:
                met.add(found.name)
            elif found.is_folder_marker or not config.matches(bucket, found.key):
                continue
            self._judge(found, is_claimed=ledger_key(found.name) in claimed)
        for name in self._fates.by_name.keys() - met:
            self._judge_gone(name, is_claimed=ledger_key(name) in claimed)
        for written in self._fates.lost.keys() - self._lost_met:
            if (gone := self._fates.lost_name(written)) is not None:
                plan.lost.append(LostFile(gone, self._fates.lost[written], is_there=False))
                plan.counts[FileFate.LOST] += 1
        plan.lost.sort(key=lambda each: each.name)
        plan.to_mark.sort(key=lambda each: each.name)

    def _claimed(self, load: str, prefix: str) -> set[str]:
        try:
            return {*self._services.ledger.claimed_keys(load, prefix)}
        except NotSetUpError:
            return set()  # a plan may be made before our tables exist

    def _judge(self, found: S3Object, *, is_claimed: bool) -> None:
        plan = self._plan
        file = self._fates.by_name.get(found.name)
        fate: str = UNRECORDED
        if file is not None:
            fate = file.fate
            moment = self._moment(file.batch)
            if fate == FileFate.LOADED and moment and found.last_modified > moment + _CHANGED_AFTER:
                plan.changed.append(found.name)
        elif (lost_as := self._fates.lost_as(found.name)) is not None:
            fate = FileFate.LOST
            self._lost_met.add(lost_as)
            if not is_claimed:
                plan.lost.append(LostFile(found.name, self._fates.lost[lost_as], is_there=True))
        elif len(plan.unrecorded) < SHOWN and not is_claimed:
            plan.unrecorded.append(found.name)
        self._decide(fate, found, is_claimed=is_claimed)

    def _judge_gone(self, name: str, *, is_claimed: bool) -> None:
        file = self._fates.by_name[name]
        if chosen(file.fate, self._choices.by_fate) is not Choice.MARK:
            return  # nobody can load it
        bucket, _, key = name.partition("/")
        moment = self._moment(file.batch) or datetime.fromtimestamp(0, UTC)
        self._plan.gone += 1
        self._decide(file.fate, S3Object(bucket, key, file.size_bytes or 0, "", moment), is_claimed=is_claimed)

    def _moment(self, batch_id: str | None) -> datetime | None:
        batch = self._batches.get(batch_id or "")
        return None if batch is None else batch.last_update

    def _note_doubt(self, fate: str, name: str) -> None:
        file = self._fates.by_name.get(name)
        if fate not in _IN_DOUBT or file is None or file.batch is None:
            return
        doubt = self._plan.in_doubt.get(file.batch)
        if doubt is None:
            choice = chosen(fate, self._choices.by_fate)
            doubt = BatchInDoubt(file.batch, fate, choice=choice)
            if batch := self._batches.get(file.batch):
                doubt.last_update, doubt.errors = batch.last_update, batch.errors
                doubt.loaded_clusters = batch.loaded_clusters
            self._plan.in_doubt[file.batch] = doubt
        doubt.files.append(name)

    def _decide(self, fate: str, found: S3Object, *, is_claimed: bool) -> None:
        plan = self._plan
        if is_claimed:
            plan.claimed += 1
            return
        plan.counts[fate] += 1
        self._note_doubt(fate, found.name)
        match chosen(fate, self._choices.by_fate):
            case Choice.MARK:
                plan.to_mark.append(found)
            case Choice.LOAD:
                plan.to_load += 1
            case None:
                plan.undecided[OPTIONS[fate]] += 1
