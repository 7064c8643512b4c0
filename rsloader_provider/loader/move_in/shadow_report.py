"""A shadow and the Lambda loader side by side: which objects each of them took."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.lambda_loader.fates import FileFate
from rsloader_provider.core.lambda_loader.load_file import load_names
from rsloader_provider.core.lambda_loader.tables import CONFIG_TABLE, LambdaFile, owning_prefix, read_config, read_file
from rsloader_provider.core.ledger.shadow_name import as_recorded
from rsloader_provider.loader.move_in.choices import Stage
from rsloader_provider.loader.move_in.fates import read_fates
from rsloader_provider.loader.ports.lambda_tables import LambdaTables
from rsloader_provider.loader.services import Services


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """Objects since the shadow began, by the loader that took them; names `bucket/key`, sorted.

    Attributes:
        load: Name of the load.
        same: How many objects both took.
        only_ours: Those that the shadow would have loaded and the Lambda loader has not loaded, or not yet.
        only_theirs: Those that the Lambda loader has loaded and the shadow has not seen, or not yet.
    """

    load: str
    same: int
    only_ours: tuple[str, ...]
    only_theirs: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {
            "load": self.load,
            "same": self.same,
            "only_ours": [f"s3://{name}" for name in self.only_ours],
            "only_theirs": [f"s3://{name}" for name in self.only_theirs],
        }


def compare_shadow(config: LoadConfig, services: Services, tables: LambdaTables, stage: Stage) -> ShadowReport:
    """Compare what a shadow claimed with what the Lambda loader loaded. Changes nothing.

    What was marked as loaded when the shadow began is left out on both sides.

    Args:
        config: The load, named as `import-lambda` named it.
        services: The ports.
        tables: The Lambda loader's tables.
        stage: Reports the progress.

    Raises:
        ConfigurationError: The Lambda loader has no configuration for this load.
        NotSetUpError, AccessDeniedError, TransientError: As their names say.
    """
    recorded = as_recorded(config.model_copy(update={"shadow": True})).load
    marked = {batch.batch for batch in services.ledger.batches(recorded) if batch.is_marked}
    ours: set[str] = set()
    begun_with: set[str] = set()
    for claim in services.ledger.claims(recorded, ""):
        (begun_with if claim.batch in marked else ours).add(claim.name)
    prefix, files = _their_files(config, tables, stage)
    fates = read_fates(tables, services.storage, prefix, files, {}, stage).fates
    theirs = {name for name, file in fates.by_name.items() if file.fate is FileFate.LOADED} - begun_with
    return ShadowReport(config.load, len(ours & theirs), tuple(sorted(ours - theirs)), tuple(sorted(theirs - ours)))


def _their_files(config: LoadConfig, tables: LambdaTables, stage: Stage) -> tuple[str, Iterable[LambdaFile]]:
    configs = [each for each, _ in map(read_config, tables.configs()) if each is not None]
    prefixes = {name: prefix for prefix, name in load_names(each.prefix for each in configs).items()}
    prefix = prefixes.get(config.load)
    if prefix is None:
        known_names = ", ".join(sorted(prefixes)) or "none"
        raise ConfigurationError(
            f"No configuration in {CONFIG_TABLE} becomes load {config.load}. They become: {known_names}."
        )
    told = stage("reading processed files", None)
    known = {*prefixes.values()}
    files = []
    for item in tables.files():
        told(1)
        file = read_file(item)
        if isinstance(file, LambdaFile) and owning_prefix(file.name, known) == prefix:
            files.append(file)
    return prefix, files
