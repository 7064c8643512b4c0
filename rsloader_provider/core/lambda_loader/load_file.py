"""A configuration of the Lambda loader as a load file of ours, and as connections of Airflow's."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import yaml

from rsloader_provider.core.lambda_loader.copy_options import move_options, names_one_of
from rsloader_provider.core.lambda_loader.tables import CONFIG_TABLE, ImportFinding, LambdaCluster, LambdaConfig

LAMBDA_MODULE = "AWSLambdaRedshiftLoader"

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")
_JINJA = re.compile(r"\{[{%#]")
_BY_NAME = {"json", "avro"}
_COMPRESSED_INSIDE = {"avro", "parquet", "orc"}
_NAME_CHARACTERS = 150


def lambda_context(region: str) -> dict[str, str]:
    """Give the encryption context of everything that the Lambda loader of a region encrypted, by either alias.

    >>> lambda_context("eu-west-1")
    {'module': 'AWSLambdaRedshiftLoader', 'region': 'eu-west-1'}
    """
    return {"module": LAMBDA_MODULE, "region": region}


@dataclass(frozen=True, slots=True)
class AirflowConnection:
    """A connection to a cluster, as Airflow keeps it.

    Attributes:
        conn_id: Its id.
        host: The cluster's host.
        port: Its port.
        database: The database; None for the driver's own.
        user: The user.
        password: The password, as it is.
    """

    conn_id: str
    host: str
    port: int
    database: str | None
    user: str
    password: str = field(repr=False)

    def as_document(self) -> dict[str, Any]:
        """Give it as Airflow's import files and secrets backends take it."""
        document: dict[str, Any] = {
            "conn_type": "redshift",
            "host": self.host,
            "port": self.port,
            "login": self.user,
            "password": self.password,
        }
        return document if self.database is None else {**document, "schema": self.database}

    def as_json(self) -> str:
        """Give it as the text of a secret."""
        return json.dumps(self.as_document())

    def as_uri(self) -> str:
        """Give it as a URI."""
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        database = "" if self.database is None else quote(self.database, safe="")
        return f"redshift://{user}:{password}@{self.host}:{self.port}/{database}"


@dataclass(frozen=True, slots=True)
class ConversionChoices:
    """What the person who moves chose.

    Attributes:
        schedule: The schedule of every load.
        iam_role: The role that Redshift reads with, `default` or ARNs; None to keep access keys where there are some.
        shadow: Whether the loads only report what they would load.
    """

    schedule: str = "*/5 * * * *"
    iam_role: str | None = None
    shadow: bool = False


def load_names(prefixes: Iterable[str]) -> dict[str, str]:
    """Name a load for each prefix; the same prefixes always give the same names, because the ledger holds them.

    >>> load_names(["landing/data/year=*", "landing"])
    {'landing/data/year=*': 'landing_data_year', 'landing': 'landing'}
    """
    prefixes = list(prefixes)
    plain = {prefix: _plain_name(prefix) for prefix in prefixes}
    taken: defaultdict[str, list[str]] = defaultdict(list)
    for prefix, name in plain.items():
        taken[name.lower()].append(prefix)
    return {
        prefix: name if len(taken[name.lower()]) == 1 else f"{name}_{_digest(prefix)}" for prefix, name in plain.items()
    }


def connection_ids(clusters: Iterable[LambdaCluster]) -> dict[LambdaCluster, str]:
    """Name a connection for each cluster; clusters with the same connection details share one.

    Two items may hold one password in two ciphertexts, so passwords are not compared.
    """
    ids: dict[LambdaCluster, str] = {}
    owners: dict[str, tuple[object, ...]] = {}
    for each in clusters:
        address = connection_address(each)
        name = "redshift_" + _plain_name(
            "_".join(filter(None, (each.endpoint.split(".")[0], each.database, each.user)))
        )
        if owners.setdefault(name, address) != address:
            name = f"{name}_{_digest(repr(address))}"
            owners[name] = address
        ids[each] = name
    return ids


def connection_address(cluster: LambdaCluster) -> tuple[str, int, str | None, str]:
    """Give what distinguishes a connection from others, without its password."""
    return cluster.endpoint, cluster.port, cluster.database, cluster.user


def convert(
    config: LambdaConfig,
    *,
    load: str,
    connections: Mapping[LambdaCluster, str],
    choices: ConversionChoices,
    secret_access_key: str | None,
) -> tuple[dict[str, Any], list[ImportFinding]]:
    """Give a load's settings, with what a person should know about them.

    Args:
        config: The configuration.
        load: The load's name.
        connections: The connection of each cluster.
        choices: What the person chose.
        secret_access_key: The secret of the access key as a load file holds it; None to do without.

    Returns:
        Plain data, in the order that is best to read in a load file; not validated.
    """
    conversion = _Conversion(config, choices)
    settings: dict[str, Any] = {"load": load, "source": source_of(config.prefix)}
    if pattern := config.get("filenameFilterRegex"):
        settings["file_filter"] = as_re2(pattern)
    settings["schedule"] = choices.schedule
    if choices.shadow:
        settings["shadow"] = True
    settings["batch"] = conversion.batch()
    settings["copy"] = conversion.copy(secret_access_key)
    manifests = f"s3://{config.get('manifestBucket')}"
    settings["manifests"] = f"{manifests}/{config.get('manifestKey').strip('/')}/"
    if failed := config.get("failedManifestKey").strip("/"):
        settings["failed_manifests"] = f"{manifests}/{failed}/"
    settings["targets"] = [conversion.target(each, connections[each]) for each in config.clusters]
    topics = {"success": config.get("successTopicARN"), "failure": config.get("failureTopicARN")}
    if any(topics.values()):
        settings["notify"] = {name: topic for name, topic in topics.items() if topic}
    return settings, conversion.findings


def source_of(prefix: str) -> str:
    """Give the source of a configuration: the loader took whole folders, and '*' for what follows a '='.

    >>> source_of("landing/data/year=*")
    's3://landing/data/year=*/'
    """
    return f"s3://{prefix.strip().removeprefix('s3://').strip('/')}/"


def as_yaml(settings: Mapping[str, Any], prefix: str) -> str:
    """Write a load file.

    Args:
        settings: What `convert` gave.
        prefix: The configuration that it comes from.
    """
    heading = f"# From the Lambda loader's configuration {json.dumps(prefix, ensure_ascii=True)}.\n"
    return heading + yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True, width=110)


def as_re2(pattern: str) -> str:
    r"""Write a JavaScript regular expression for RE2, where the two only spell things differently.

    What RE2 does not know is left as it is; the load file's validation refuses it.

    >>> as_re2(r"\u00e4[^]*\/(?<day>\d+)\.csv$")
    '\\x{00e4}[\\s\\S]*/(?P<day>\\d+)\\.csv$'
    """
    spelled = [
        (r"\\u\{([0-9A-Fa-f]+)\}", r"\\x{\1}"),
        (r"\\u([0-9A-Fa-f]{4})", r"\\x{\1}"),
        (r"\[\^\]", r"[\\s\\S]"),
        (r"\(\?<(?=[A-Za-z_])", "(?P<"),
        (r"\\/", "/"),
    ]
    for javascript, re2 in spelled:
        # A backslash before one of them is itself escaped: `\\u0041` is a backslash and a word.
        pattern = re.sub(rf"(?<!\\)((?:\\\\)*){javascript}", rf"\g<1>{_shifted(re2)}", pattern)
    return pattern


def _shifted(replacement: str) -> str:
    return replacement.replace(r"\1", r"\g<2>")


class _Conversion:
    """Converts the parts of one configuration, and collects what a person should know."""

    def __init__(self, config: LambdaConfig, choices: ConversionChoices):
        self._config = config
        self._choices = choices
        self.findings: list[ImportFinding] = []

    def _note(self, text: str, remedy: str = "", *, is_blocking: bool = False) -> None:
        self.findings.append(ImportFinding(CONFIG_TABLE, self._config.prefix, text, remedy, is_blocking))

    def batch(self) -> dict[str, Any]:
        limits: dict[str, Any] = {}
        if files := self._whole_number("batchSize"):
            limits["max_files"] = files
        else:
            self._note("batchSize is missing, so a batch takes 100 files.", "Change batch.max_files if you like.")
        if size_bytes := self._whole_number("batchSizeBytes"):
            limits["max_bytes"] = size_bytes
        if seconds := self._whole_number("batchTimeoutSecs"):
            limits["max_age"] = f"{seconds}s"
        return limits

    def _whole_number(self, name: str) -> int | None:
        text = self._config.get(name)
        try:
            number = int(float(text)) if text else 0
        except (ValueError, OverflowError):
            number = 0
        if text and number < 1:
            self._note(f"{name} is {text!r}, which is not a limit; it is left out.", "Set it in the load file.")
        return number if number > 0 else None

    def copy(self, secret_access_key: str | None) -> dict[str, Any]:
        config = self._config
        moved = move_options(config.get("copyOptions"))
        for refused in moved.refused:
            self._note(f"copyOptions hold {refused}.", "Remove it from the item.", is_blocking=True)
        for dropped in moved.dropped:
            self._note(f"copyOptions: left out {dropped}.")
        if config.symmetric_key is not None:
            self._note(
                "masterSymmetricKey is set, but Redshift no longer supports client-side encryption.",
                "Let S3 encrypt the files with KMS, and remove the key from the item.",
                is_blocking=True,
            )
        settings: dict[str, Any] = {"format": config.get("dataFormat").strip().lower()}
        if settings["format"] == "csv":
            if names_one_of(config.get("copyOptions"), ("REMOVEQUOTES", "ESCAPE")):
                settings["format"] = "text"
            if delimiter := config.get("csvDelimiter"):
                settings["delimiter"] = r"\t" if delimiter == "\t" else delimiter
            if config.skips_header:
                settings["ignore_header"] = 1
        jsonpaths = config.get("jsonPath").strip().strip("'")
        if settings["format"] in _BY_NAME and jsonpaths not in {"", "auto"}:
            settings["jsonpaths"] = jsonpaths
        if compression := config.get("compression").strip().lower():
            settings["compression"] = compression
        settings |= moved.settings
        if settings["format"] == "fixedwidth":
            settings.pop("delimiter", None)
        if settings["format"] in _COMPRESSED_INSIDE and settings.pop("compression", None):
            self._note(f"the compression is left out: {settings['format']} files are compressed inside.")
        if moved.options:
            settings["options"] = moved.options
        return settings | self._access(str(settings.pop("iam_role", "")), secret_access_key)

    def _access(self, role_in_options: str, secret_access_key: str | None) -> dict[str, Any]:
        role = self._choices.iam_role or role_in_options
        if role:
            return {} if role == "default" else {"iam_role": role}
        if self._config.secret_key is None:
            self._note(
                "Redshift read with the Lambda function's own credentials; now it reads with its default role.",
                "Give the cluster a default role that may read the files, or choose --iam-role.",
            )
            return {}
        if secret_access_key is None:
            self._note(
                "Redshift read with an access key; now it reads with its default role.",
                "Give the cluster a default role that may read the files, or choose --iam-role, or --kms-key to keep "
                "the access key.",
            )
            return {}
        return {"access_key_id": self._config.get("accessKeyForS3"), "secret_access_key": secret_access_key}

    def target(self, cluster: LambdaCluster, conn_id: str) -> dict[str, Any]:
        target: dict[str, Any] = {"conn_id": conn_id, "table": _unquoted(cluster.table)}
        if cluster.truncates:
            target["mode"] = "replace"
        if cluster.columns is not None:
            target["columns"] = [_unquoted(column) for column in cluster.columns.split(",") if column.strip()]
        for name, text in (("pre_sql", cluster.pre_sql), ("post_sql", cluster.post_sql)):
            if text.strip():
                target[name] = _without_jinja(text.strip())
        if not cluster.uses_tls:
            self._note(
                f"the connection to {cluster.endpoint} was not encrypted; it is now, and the certificate is verified.",
                f'If the cluster has no TLS, give connection {conn_id} the extra {{"ssl": false}}.',
            )
        return target


def _without_jinja(text: str) -> str:
    """Keep what looks like Jinja from being rendered."""
    return f"{{% raw %}}{text}{{% endraw %}}" if _JINJA.search(text) else text


def _unquoted(name: str) -> str:
    """Write `"Schema"."table"` without its quotes, as a load file wants it."""
    return ".".join(part.strip().strip('"') for part in name.strip().split("."))


def _plain_name(text: str) -> str:
    name = _NOT_IN_NAMES.sub("_", text).strip("_")[:_NAME_CHARACTERS].rstrip("_")
    return name if name[:1].isalpha() else f"load_{name}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]
