"""What an import works with: what the person chose, and the ports."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rsloader_provider.core.lambda_loader.fates import Choice, FileFate
from rsloader_provider.core.lambda_loader.load_file import ConversionChoices
from rsloader_provider.loader.move_in.connections import ConnectionSink
from rsloader_provider.loader.ports.keys import Keys
from rsloader_provider.loader.ports.lambda_tables import LambdaTables
from rsloader_provider.loader.services import Services

Stage = Callable[[str, int | None], Callable[[int], None]]
"""Begins a stage, by its name and its amount of work (None if unknown); gives the function that reports each part."""


@dataclass(frozen=True, slots=True)
class ImportChoices:
    """What the person who moves chose.

    Attributes:
        region: The region of the Lambda loader, which its secrets are bound to.
        conversion: What concerns load files.
        kms_key: The KMS key that encrypts the access keys again; None to do without access keys.
        by_fate: What is done about objects, by fate or UNRECORDED; a missing one has to be chosen first.
        decided: Batches that were decided about one by one.
        only: Prefixes to move; None for all.
    """

    region: str
    conversion: ConversionChoices = field(default_factory=ConversionChoices)
    kms_key: str | None = None
    by_fate: Mapping[str, Choice] = field(default_factory=lambda: {FileFate.OPEN: Choice.LOAD})
    decided: Mapping[str, Choice] = field(default_factory=dict)
    only: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class ImportPorts:
    """Everything that an import works with.

    Attributes:
        tables: The Lambda loader's tables.
        services: Ours.
        keys: KMS, for both loaders' secrets.
        sink: Where connections go.
        folder: Where load files go.
    """

    tables: LambdaTables
    services: Services
    keys: Keys
    sink: ConnectionSink
    folder: Path
