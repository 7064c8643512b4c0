"""Move over from the Lambda loader: load files, connections, and claims of what it has loaded.

First everything is read and nothing is written; then the plan is carried out, each part only if it is not there yet.
So an import may be stopped anywhere and run again; once it is complete, another run changes nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.kms_secrets import secret_text
from rsloader_provider.core.errors import AccessDeniedError, ConfigurationError, NotSetUpError
from rsloader_provider.core.lambda_loader.fates import partly_loaded
from rsloader_provider.core.lambda_loader.load_file import (
    AirflowConnection,
    as_yaml,
    connection_address,
    connection_ids,
    convert,
    lambda_context,
    load_names,
)
from rsloader_provider.core.lambda_loader.tables import (
    BATCH_TABLE,
    CONFIG_TABLE,
    ImportFinding,
    LambdaCluster,
    LambdaConfig,
    LambdaFile,
    owning_prefix,
    read_config,
    read_file,
)
from rsloader_provider.core.ledger.batch import IMPORTED
from rsloader_provider.core.load_file.reading import LoadFileError, read_load_file
from rsloader_provider.core.logs import logger_of
from rsloader_provider.loader.load_files.drafts import create_load_file
from rsloader_provider.loader.load_files.folder import LoadFolder, read_load_folder_with
from rsloader_provider.loader.move_in.choices import ImportChoices, ImportPorts, Stage
from rsloader_provider.loader.move_in.claims import ClaimsWalk, ledger_name
from rsloader_provider.loader.move_in.fates import read_fates
from rsloader_provider.loader.move_in.report import SHOWN, ImportReport, LoadPlan
from rsloader_provider.loader.operate.mark import mark_as_loaded
from rsloader_provider.loader.ports.secret_store import Stored
from rsloader_provider.loader.run.load_secrets import encrypt_secret

log = logger_of(__name__)

_NOT_ENCRYPTED_YET = secret_text(b"is encrypted when the file is written")


def _silent(_: str, __: int | None) -> Callable[[int], None]:
    return lambda _: None


def plan_import(ports: ImportPorts, choices: ImportChoices, stage: Stage = _silent) -> ImportReport:
    """Read everything, and write nothing.

    Args:
        ports: What it works with.
        choices: What the person chose.
        stage: Reports the progress.

    Raises:
        NotSetUpError, AccessDeniedError, TransientError: Tables, buckets or KMS cannot be reached. An item that cannot
            be read is a finding instead.
        ConfigurationError: A prefix or a batch that the person named does not exist.
    """
    return _Planning(ports, choices, stage).run()


def apply_import(report: ImportReport, ports: ImportPorts, choices: ImportChoices, stage: Stage = _silent) -> None:
    """Do what was planned; what exists already is left as it is.

    Args:
        report: The plan; the results are added to it.
        ports: What it works with.
        choices: The choices that it was planned with.
        stage: Reports the progress.

    Raises:
        ConfigurationError: The person has to choose something first; nothing was written. Or a file cannot be written.
        NotSetUpError, AccessDeniedError, TransientError: As their names say. Call again.
    """
    if waiting := report.undecided:
        listed = "; ".join(f"{option} for {objects:,} objects" for option, objects in sorted(waiting.items()))
        raise ConfigurationError(f"Nothing was written. First choose load or mark for each of these: {listed}.")
    movable = [plan for plan in report.loads if plan.config is not None]
    # Claims come first: if Airflow saw a load file before its claims, the load would load everything again.
    told = stage("marking as loaded", sum(len(plan.to_mark) for plan in movable))
    for plan in movable:
        if plan.config is not None and plan.to_mark:
            name = ledger_name(plan.config, choices)
            done = mark_as_loaded(
                name, ports.services, plan.to_mark, reason=IMPORTED, run="rsloader import-lambda", progress=told
            )
            plan.marked = done.marked
    report.connections = [(each, ports.sink.put(each)) for each, _ in report.connections]
    for plan in movable:
        if plan.file_state is Stored.CREATED:
            _write_load_file(plan, ports, choices)
    report.is_applied = True


def _write_load_file(plan: LoadPlan, ports: ImportPorts, choices: ImportChoices) -> None:
    settings = plan.settings
    if plan.secret is not None and choices.kms_key is not None:
        secret = encrypt_secret(ports.keys, load=plan.load, key=choices.kms_key, secret=plan.secret)
        settings = {**settings, "copy": {**settings["copy"], "secret_access_key": secret}}
    if not create_load_file(ports.folder / plan.file, as_yaml(settings, plan.prefix)):
        plan.file_state = Stored.OTHER


class _Planning:
    def __init__(self, ports: ImportPorts, choices: ImportChoices, stage: Stage):
        self._ports = ports
        self._choices = choices
        self._stage = stage
        self._report = ImportReport(where=str(ports.sink))
        self._seen_batches: set[str] = set()

    def run(self) -> ImportReport:
        configs = self._read_configs()
        names = load_names(configs)
        wanted = self._wanted(configs)
        clusters = connection_ids(each for config in configs.values() for each in config.clusters)
        self._plan_connections(wanted, clusters)
        plans = [self._plan_load(config, names[prefix], clusters) for prefix, config in sorted(wanted.items())]
        folder = self._validate(plans)
        files = self._read_files(configs)
        for position, plan in enumerate(plans):
            if plan.config is not None:
                try:
                    self._plan_claims(plan, files.get(plan.prefix, []))
                except (AccessDeniedError, NotSetUpError) as error:
                    # A load without its claims would load everything again, and what was counted is incomplete.
                    plans[position] = LoadPlan(plan.prefix, plan.load, plan.file)
                    self._find(
                        CONFIG_TABLE,
                        plan.prefix,
                        f"could not find out what it has loaded: {error}",
                        "Allow the access, or delete the configuration if its bucket is gone. Then run the import "
                        "again.",
                        is_blocking=True,
                    )
        self._report.loads = plans
        self._tell_other_loads(folder, plans)
        if unknown := sorted(set(self._choices.decided) - self._seen_batches):
            raise ConfigurationError(f"The prefixes of this import have no batch {', '.join(unknown)}.")
        return self._report

    def _find(self, table: str, key: str, text: str, remedy: str = "", *, is_blocking: bool = False) -> None:
        self._report.findings.append(ImportFinding(table, key, text, remedy, is_blocking))

    def _read_configs(self) -> dict[str, LambdaConfig]:
        told = self._stage("reading configurations", None)
        configs = {}
        for item in self._ports.tables.configs():
            config, findings = read_config(item)
            self._report.findings.extend(findings)
            if config is not None:
                configs[config.prefix] = config
            told(1)
        return configs

    def _wanted(self, configs: Mapping[str, LambdaConfig]) -> dict[str, LambdaConfig]:
        only = self._choices.only
        if only is None:
            return dict(configs)
        if unknown := sorted(only - configs.keys()):
            known = ", ".join(sorted(configs)) or "none"
            raise ConfigurationError(
                f"{CONFIG_TABLE} has no readable configuration {', '.join(unknown)}. The readable ones: {known}."
            )
        return {prefix: configs[prefix] for prefix in only}

    def _decrypted(self, ciphertext: bytes, prefix: str, what: str, remedy: str) -> str | None:
        """Decrypt a value of the Lambda loader's; None, with a finding, if that cannot be done."""
        if not ciphertext:
            return None  # reported already as not readable
        try:
            return self._ports.keys.decrypt(
                ciphertext, lambda_context(self._choices.region), subject=f"{prefix}, {what}", remedy=remedy
            )
        except (ConfigurationError, NotSetUpError) as error:
            self._find(CONFIG_TABLE, prefix, f"{what} cannot be decrypted: {error}", remedy)
            return None

    def _plan_connections(self, configs: Mapping[str, LambdaConfig], conn_ids: Mapping[LambdaCluster, str]) -> None:
        known: dict[str, AirflowConnection] = {}
        for prefix, config in sorted(configs.items()):
            for cluster in config.clusters:
                conn_id = conn_ids[cluster]
                remedy = f"Create connection {conn_id} by hand, with the password, or name the right --region."
                password = self._decrypted(cluster.password, prefix, f"the password of {cluster.endpoint}", remedy)
                if password is None:
                    continue
                host, port, database, user = connection_address(cluster)
                connection = AirflowConnection(conn_id, host, port, database, user, password)
                if known.setdefault(conn_id, connection) != connection:
                    self._find(
                        CONFIG_TABLE,
                        prefix,
                        f"its password for {user} at {host} differs from the one in an earlier configuration.",
                        f"Find out which one is right, and give it to connection {conn_id}.",
                    )
        self._report.connections = [(each, self._ports.sink.look(each)) for each in known.values()]

    def _plan_load(self, config: LambdaConfig, load: str, conn_ids: Mapping[LambdaCluster, str]) -> LoadPlan:
        plan = LoadPlan(config.prefix, load, f"{load}.yaml")
        choices = self._choices
        keeps_key = choices.kms_key is not None and choices.conversion.iam_role is None
        if config.secret_key is not None and keeps_key:
            remedy = "Choose --iam-role, or name the right --region."
            plan.secret = self._decrypted(config.secret_key, config.prefix, "secretKeyForS3", remedy)
        plan.settings, findings = convert(
            config,
            load=load,
            connections=conn_ids,
            choices=choices.conversion,
            secret_access_key=None if plan.secret is None else _NOT_ENCRYPTED_YET,
        )
        self._report.findings.extend(findings)
        if any(each.is_blocking for each in findings):
            plan.settings = {}
        return plan

    def _validate(self, plans: Iterable[LoadPlan]) -> LoadFolder:
        """Read the load files as they will be in their folder, each together with all others."""
        texts = {plan.file: as_yaml(plan.settings, plan.prefix) for plan in plans if plan.settings}
        folder = read_load_folder_with(self._ports.folder, texts)
        for plan in plans:
            path = self._ports.folder / plan.file
            is_there = path.is_file()
            plan.config = folder.loads.get(plan.load) if plan.settings or is_there else None
            if plan.config is not None and is_there:
                is_same = _settings_in(texts.get(plan.file, ""), plan.file) == _settings_of(plan.config)
                plan.file_state = Stored.SAME if is_same else Stored.OTHER
            if plan.config is None and is_there and plan.load not in folder.broken:
                self._find(
                    CONFIG_TABLE,
                    plan.prefix,
                    f"{path} does not declare load {plan.load!r}, the name that its claims would have.",
                    f"Write `load: {plan.load}` into it again, and run the import again.",
                    is_blocking=True,
                )
            if plan.config is None and plan.load in folder.broken:
                for mistake in folder.broken[plan.load].mistakes:
                    self._find(
                        CONFIG_TABLE,
                        plan.prefix,
                        f"its load file would not be valid: {mistake.message}",
                        f"{mistake.hint} Write the load file {plan.file} by hand, or correct the item.",
                        is_blocking=True,
                    )
        return folder

    def _tell_other_loads(self, folder: LoadFolder, plans: Iterable[LoadPlan]) -> None:
        ours = {plan.load for plan in plans}
        for name in sorted(folder.broken.keys() - ours):
            self._find(
                "load files",
                name,
                "it has mistakes of its own, or conflicts with the imported loads.",
                "Run `rsloader validate`.",
            )

    def _read_files(self, configs: Mapping[str, LambdaConfig]) -> dict[str, list[LambdaFile]]:
        told = self._stage("reading processed files", None)
        files: dict[str, list[LambdaFile]] = defaultdict(list)
        for item in self._ports.tables.files():
            told(1)
            file = read_file(item)
            if isinstance(file, ImportFinding):
                self._report.findings.append(file)
            elif (prefix := owning_prefix(file.name, configs)) is None:
                self._report.without_load += 1
            else:
                files[prefix].append(file)
        return files

    def _plan_claims(self, plan: LoadPlan, files: list[LambdaFile]) -> None:
        tables, storage = self._ports.tables, self._ports.services.storage
        read = read_fates(tables, storage, plan.prefix, files, self._choices.decided, self._stage)
        batches, fates = read.batches, read.fates
        self._report.findings.extend(read.findings)
        self._seen_batches.update(each.batch for each in batches)
        self._seen_batches.update(each.batch for each in files if each.batch is not None)
        if fates.without_manifest:
            named = ", ".join(sorted(fates.without_manifest)[:SHOWN])
            self._find(
                BATCH_TABLE,
                plan.prefix,
                f"{len(fates.without_manifest):,} complete batches have no manifest that can be read: {named}. Their "
                "entries count as loaded, and it is not known whether any were lost.",
                "If you doubt one, give --load-batch and its id; then its files are loaded again.",
            )
        for batch, clusters in partly_loaded(batches):
            self._find(
                BATCH_TABLE,
                f"{plan.prefix}, batch {batch.batch}",
                f"its status is {batch.status}, but it was loaded into {', '.join(clusters)}.",
                "Delete its rows there before its files are loaded again.",
            )
        by_id = {each.batch: each for each in batches}
        ClaimsWalk(plan, fates, by_id, self._ports.services, self._choices).run(
            self._stage(f"{plan.prefix}: comparing with S3", None)
        )


def _settings_in(text: str, file: str) -> dict[str, Any] | None:
    try:
        return _settings_of(read_load_file(text, file))
    except LoadFileError:
        return None


def _settings_of(config: LoadConfig) -> dict[str, Any]:
    """Give what two load files must agree in. The secret is encrypted again each time, and `shadow` may change."""
    settings = config.model_dump(mode="json", by_alias=True, exclude={"exclude", "shadow"})
    settings["copy"].pop("secret_access_key", None)
    return settings
