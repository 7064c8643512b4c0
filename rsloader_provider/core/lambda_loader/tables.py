"""What the Lambda loader's three tables hold, in every shape that its versions 1 to 2.8.3 wrote.

An item is plain Python, as a boto3 DynamoDB resource gives it. What cannot be read becomes a finding with table, key
and remedy, never an error: the rest is still read.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from rsloader_provider.core.lambda_loader.outcomes import loaded_clusters, recorded_errors

Item = Mapping[str, Any]

CONFIG_TABLE = "LambdaRedshiftBatchLoadConfig"
BATCH_TABLE = "LambdaRedshiftBatches"
FILES_TABLE = "LambdaRedshiftProcessedFiles"

LAST_VERSION = (2, 8, 3)
_CLUSTER_FIELDS = ("clusterEndpoint", "clusterPort", "connectUser", "connectPassword", "targetTable")
_TRUE = {"true", "1", "yes", "y"}


@dataclass(frozen=True, slots=True)
class ImportFinding:
    """Something that a person should know or do before leaving the Lambda loader.

    Attributes:
        table: The table of the item that it is about.
        key: The item's key.
        text: What is wrong or worth knowing.
        remedy: What to do; empty when there is nothing to do.
        is_blocking: Whether the item is left out because of it.
    """

    table: str
    key: str
    text: str
    remedy: str = ""
    is_blocking: bool = False

    def __str__(self) -> str:
        return f"{self.table}, {self.key}: {self.text} {self.remedy}".rstrip()


@dataclass(frozen=True, slots=True)
class LambdaCluster:
    """One cluster of a configuration, and what is loaded there.

    Attributes:
        endpoint: Its host.
        port: Its port.
        database: The database; None where the item names none.
        user: The database user.
        password: The encrypted password.
        table: The table, as it stood in COPY.
        columns: The column list as it stood in COPY; None for all columns.
        truncates: Whether the table is emptied first.
        uses_tls: Whether the connection is encrypted; its certificate was never verified.
        pre_sql: SQL before the COPY; empty for none.
        post_sql: SQL after it.
    """

    endpoint: str
    port: int
    database: str | None
    user: str
    password: bytes = field(repr=False)
    table: str
    columns: str | None = None
    truncates: bool = False
    uses_tls: bool = False
    pre_sql: str = ""
    post_sql: str = ""


@dataclass(frozen=True, slots=True)
class LambdaConfig:
    """One configuration: a prefix and what is done with its files. What an item lacks is None or empty.

    Attributes:
        prefix: Its key, `bucket` or `bucket/prefix`.
        version: The loader's version that wrote it last; empty for none.
        clusters: At least one.
        settings: Every other attribute that is text or a number, as text.
        skips_header: Whether the first line is ignored.
        secret_key: The encrypted secret key for S3.
        symmetric_key: The encrypted key of client-side encryption.
    """

    prefix: str
    version: str
    clusters: tuple[LambdaCluster, ...]
    settings: Mapping[str, str]
    skips_header: bool = False
    secret_key: bytes | None = field(default=None, repr=False)
    symmetric_key: bytes | None = field(default=None, repr=False)

    def get(self, name: str) -> str:
        """Give a setting's text; empty where there is none."""
        return self.settings.get(name, "")


class LambdaStatus(StrEnum):
    """The statuses of a batch, as the table holds them."""

    OPEN = "open"
    LOCKED = "locked"
    COMPLETE = "complete"
    ERROR = "error"
    REPROCESSING = "reprocessing"
    """Its files are being loaded again."""
    REPROCESSED = "reprocessed"
    """Its files were to be loaded again, and are in later batches."""


@dataclass(frozen=True, slots=True)
class LambdaBatch:
    """One batch.

    Attributes:
        prefix: The configuration that it belongs to.
        batch: Its id.
        status: Its status.
        entries: Size in bytes by name, `bucket/key` as the loader wrote it; None where the size is not recorded.
        manifest: The manifest, `bucket/key`; None where none is recorded.
        last_update: When it was written last (aware, UTC); None where that is missing.
        loaded_clusters: Endpoints of the clusters into which an unsuccessful batch was loaded.
        errors: What the loader recorded of its failure, by the cluster's endpoint, or under "" for none.
    """

    prefix: str
    batch: str
    status: LambdaStatus
    entries: Mapping[str, int | None]
    manifest: str | None = None
    last_update: datetime | None = None
    loaded_clusters: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LambdaFile:
    """One file that an event named.

    Attributes:
        name: `bucket/key`, as the loader wrote it.
        batch: The batch that took it last; None if the loader stopped before that.
    """

    name: str
    batch: str | None


def read_config(item: Item) -> tuple[LambdaConfig | None, list[ImportFinding]]:
    """Read a configuration. It is None if it cannot be moved; the findings say why."""
    key = _key(item, "s3Prefix")
    findings = _Findings(CONFIG_TABLE, key)
    if not _text(item.get("s3Prefix")):
        findings.block("it has no s3Prefix.", "Delete the item, or set it up again with its prefix.")
    version = _text(item.get("version"))
    _check_version(version, findings)
    # Version 1 had one cluster and kept it at the top level.
    listed = item.get("loadClusters")
    if listed is None or listed == []:
        listed = [item]
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        findings.block(
            "loadClusters is not a list.", "Correct the item; `loadClusters` lists maps, one for each cluster."
        )
        listed = []
    clusters = [each for number, cluster in enumerate(listed, 1) if (each := _cluster(cluster, number, findings))]
    secret_key = _optional_ciphertext(item, "secretKeyForS3", findings)
    symmetric_key = _optional_ciphertext(item, "masterSymmetricKey", findings)
    for name in ("dataFormat", "manifestBucket", "manifestKey"):
        if not _text(item.get(name)):
            findings.block(f"{name} is missing.", "Complete the item, or write the load file by hand.")
    if findings.is_blocked:
        return None, findings.listed
    settings = {name: text for name, value in item.items() if (text := _text(value))}
    config = LambdaConfig(
        prefix=str(item["s3Prefix"]),
        version=version,
        clusters=tuple(clusters),
        settings=settings,
        skips_header=_truth(item.get("ignoreCsvHeader")),
        secret_key=secret_key,
        symmetric_key=symmetric_key,
    )
    return config, findings.listed


def read_batch(item: Item) -> tuple[LambdaBatch | None, list[ImportFinding]]:
    """Read a batch. It is None if it cannot be read; the findings say why."""
    key = f"{_key(item, 's3Prefix')}, batch {_key(item, 'batchId')}"
    findings = _Findings(BATCH_TABLE, key)
    status = _text(item.get("status"))
    remedy = "Its files count as files of an unknown batch: correct the item, or choose with --unknown."
    if status not in {*LambdaStatus}:
        findings.block(f"its status is {status or 'missing'}.", remedy)
    entries: dict[str, int | None] = {}
    try:
        # Sets until 2.7.8, lists of maps from 2.7.9 on, and both in a batch that was open while the version changed.
        entries.update({_name(each): None for each in item.get("entries") or ()})
        for each in item.get("entryMap") or ():
            entries[_name(each["file"])] = _number(each.get("size"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        findings.block(f"its entries cannot be read ({error!r}).", remedy)
    if findings.is_blocked:
        return None, findings.listed
    batch = LambdaBatch(
        prefix=_text(item.get("s3Prefix")),
        batch=_text(item.get("batchId")),
        status=LambdaStatus(status),
        entries=entries,
        manifest=_text(item.get("manifestFile")) or None,
        last_update=_moment(item.get("lastUpdate")),
        loaded_clusters=loaded_clusters(item.get("clusterLoadStatus")),
        errors=recorded_errors(item),
    )
    return batch, findings.listed


def read_file(item: Item) -> LambdaFile | ImportFinding:
    """Read a processed file."""
    name = _text(item.get("loadFile"))
    if "/" not in name:
        text = "this does not name a bucket and a key."
        return ImportFinding(FILES_TABLE, _key(item, "loadFile"), text, "Delete the item.")
    return LambdaFile(name, _text(item.get("batchId")) or None)


def ciphertext_from(value: object) -> bytes:
    """Read an encrypted value: base64 since 2.4.0; before that JSON, a list of bytes or Node's form of a buffer.

    Raises:
        ValueError: It has none of these forms. The error does not repeat it.
    """
    raw = getattr(value, "value", value)  # boto3 wraps what DynamoDB holds as binary
    if isinstance(raw, bytes | bytearray):
        return bytes(raw)
    if not isinstance(raw, str) or not raw:
        raise ValueError("it is not text")
    try:
        if "[" in raw:
            parsed = json.loads(raw)
            return bytes(parsed["data"] if isinstance(parsed, dict) else parsed)
        return base64.b64decode(raw, validate=True)
    except (binascii.Error, KeyError, TypeError, ValueError, RecursionError):
        raise ValueError("it is neither base64 nor a list of bytes") from None


class _Findings:
    """What is found about one item."""

    def __init__(self, table: str, key: str):
        self._table = table
        self._key = key
        self.listed: list[ImportFinding] = []

    def note(self, text: str, remedy: str = "") -> None:
        self.listed.append(ImportFinding(self._table, self._key, text, remedy))

    def block(self, text: str, remedy: str) -> None:
        self.listed.append(ImportFinding(self._table, self._key, text, remedy, is_blocking=True))

    @property
    def is_blocked(self) -> bool:
        return any(each.is_blocking for each in self.listed)


def _check_version(version: str, findings: _Findings) -> None:
    if not version:
        findings.note("it has no version; it is read as one of version 1.", "Compare the load file with the item.")
        return
    try:
        numbers = tuple(int(part) for part in version.split("."))
    except ValueError:
        numbers = ()
    if not (1,) <= numbers <= LAST_VERSION:
        findings.note(
            f"its version {version} is not from 1 to 2.8.3; of its attributes, those of these versions are read.",
            "Compare the load file with the item.",
        )


def _cluster(item: Any, number: int, findings: _Findings) -> LambdaCluster | None:
    if not isinstance(item, Mapping):
        findings.block(f"cluster {number} is not a map.", "Correct the item, or write the load file by hand.")
        return None
    missing = [name for name in _CLUSTER_FIELDS if item.get(name) in (None, "")]
    if missing:
        findings.block(
            f"cluster {number} has no {', '.join(missing)}.", "Complete the item, or write the load file by hand."
        )
        return None
    port = _number(item["clusterPort"])
    if port is None or not 0 < port < 65536:
        findings.block(f"cluster {number} has the port {item['clusterPort']!r}.", "Write a number from 1 to 65535.")
        return None
    try:
        password = ciphertext_from(item["connectPassword"])
    except ValueError as error:
        findings.note(
            f"the password of cluster {number} cannot be read: {error}.", "Give the connection its password by hand."
        )
        password = b""
    return LambdaCluster(
        endpoint=_text(item["clusterEndpoint"]),
        port=port,
        database=_text(item.get("clusterDB")) or None,
        user=_text(item["connectUser"]),
        password=password,
        table=_text(item["targetTable"]),
        columns=_text(item.get("columnList")) or None,
        truncates=_truth(item.get("truncateTarget")),
        uses_tls=_truth(item.get("useSSL")),
        pre_sql=_text(item.get("presql")),
        post_sql=_text(item.get("postsql")),
    )


def _optional_ciphertext(item: Item, name: str, findings: _Findings) -> bytes | None:
    if item.get(name) in (None, ""):
        return None
    try:
        return ciphertext_from(item[name])
    except ValueError as error:
        findings.note(f"{name} cannot be read: {error}.", "Choose --iam-role, or set the secret again.")
        return b""


def _key(item: Item, name: str) -> str:
    return str(item.get(name) or "(no key)")


def _name(value: object) -> str:
    if not isinstance(value, str) or "/" not in value:
        raise ValueError(f"{value!r} does not name a bucket and a key")
    return value


def _text(value: object) -> str:
    """Give text, or a number as text; anything else gives an empty text. Numbers may have been written as strings."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return ""
    return str(value).strip(" \t\r\n") if isinstance(value, str) and value.strip() else str(value)


def _number(value: object) -> int | None:
    try:
        return None if value is None or isinstance(value, bool) else int(Decimal(str(value)))
    except (InvalidOperation, ValueError, OverflowError):
        return None


def _truth(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() in _TRUE)


def _moment(value: object) -> datetime | None:
    """Read seconds since 1970."""
    try:
        return datetime.fromtimestamp(float(str(value)), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def owning_prefix(name: str, prefixes: Iterable[str] | Mapping[str, object]) -> str | None:
    """Find the configuration that the loader used for a file: the one with the longest prefix of whole folders.

    Args:
        name: `bucket/key`, as the loader wrote it.
        prefixes: All configurations; a mapping or a set.

    Returns:
        Its prefix; None if no configuration fits.
    """
    folders = name.split("/")[:-1]
    starred = [folder[: folder.index("=") + 1] + "*" if "=" in folder else folder for folder in folders]
    for depth in range(len(folders), 0, -1):
        for each in (starred, folders):
            # With SuppressWildcardExpansionPrefixList the folders' own names were looked up.
            if (prefix := "/".join(each[:depth])) in prefixes:
                return prefix
    return None
