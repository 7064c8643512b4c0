"""From the Lambda loader's tables as they stand in DynamoDB to rows in Redshift, each exactly once."""

import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import redshift_connector
from support.lambda_items import (
    REGION,
    a_batch,
    a_cluster,
    a_config_item,
    a_file,
    a_manifest,
    a_version_1_config,
    an_old_batch,
    as_base64,
    as_buffer,
    as_bytes,
)
from support.lambda_tables import LambdaTablesInDynamo
from support.loader_services import aws_client_arguments, loader_services, make_tables
from support.redshift_fixtures import LocalRedshift, connect_psycopg

from rsloader_provider.aws.dynamodb.inventory import DynamoInventory
from rsloader_provider.aws.dynamodb.lambda_tables import DynamoLambdaTables
from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.aws.kms import KmsKeys
from rsloader_provider.core.lambda_loader.fates import Choice, FileFate
from rsloader_provider.core.lambda_loader.load_file import lambda_context
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.load_files.folder import read_load_folder
from rsloader_provider.loader.move_in.choices import ImportChoices, ImportPorts
from rsloader_provider.loader.move_in.connections import ConnectionFile
from rsloader_provider.loader.move_in.import_lambda import apply_import, plan_import
from rsloader_provider.loader.move_in.report import UNRECORDED, ImportReport
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.loader.services import Services
from rsloader_provider.local.aws import LocalAws

PASSWORD = "S3cret/p@ss"
_numbers = itertools.count(1)


@dataclass
class Shop:
    """A bucket that the Lambda loader has loaded from, and the tables that it wrote."""

    name: str
    redshift: LocalRedshift
    aws: LocalAws
    folder: Path

    def __post_init__(self) -> None:
        arguments = aws_client_arguments(self.aws.endpoint_url)
        self.s3 = boto3.client("s3", **arguments)
        self.kms = boto3.client("kms", **arguments)
        self.dynamodb = boto3.resource("dynamodb", **arguments).meta.client
        self.s3.create_bucket(Bucket=self.name)
        self.items: dict[str, list[Any]] = {"configs": [], "batches": [], "files": []}
        self.sql(f"CREATE TABLE public.{self.name} (id integer)")
        self.sql(render(sql.CreateHistorySchema()))
        self.sql(render(sql.CreateHistory(TableName("public", self.name))))

    def sql(self, text: str) -> None:
        with connect_psycopg(self.redshift) as connection:
            connection.execute(text)  # type: ignore[call-overload]

    def rows(self) -> Counter[int]:
        with connect_psycopg(self.redshift) as connection:
            found = connection.execute(f"SELECT id FROM public.{self.name}").fetchall()  # type: ignore[call-overload]
        return Counter(row[0] for row in found)

    def put(self, key: str, number: int) -> str:
        """Put an object with one row."""
        self.s3.put_object(Bucket=self.name, Key=key, Body=f"{number}\n".encode())
        return f"{self.name}/{key}"

    def encrypted(self, alias: str, secret: str = PASSWORD) -> bytes:
        context = lambda_context(REGION)
        return bytes(self.kms.encrypt(KeyId=alias, Plaintext=secret, EncryptionContext=context)["CiphertextBlob"])

    def loaded(self, batch: str, *files: tuple[str, int], old: bool = False, lost: tuple[str, ...] = ()) -> None:
        """What the Lambda loader leaves of a batch: rows, manifest, batch and files."""
        for _, number in files:
            self.sql(f"INSERT INTO public.{self.name} VALUES ({number})")
        names = [name for name, _ in files]
        manifest = f"lambda/manifests/manifest-2023-01-02 03:04:05-{batch}"
        self.s3.put_object(Bucket=self.name, Key=manifest, Body=a_manifest(*(each.replace("+", " ") for each in names)))
        self.batch(batch, "complete", *names, *lost, old=old, manifestFile=f"{self.name}/{manifest}")

    def batch(self, batch: str, status: str, *names: str, old: bool = False, **fields: Any) -> None:
        make = an_old_batch if old else a_batch
        self.items["batches"].append(make(batch, status, *names, prefix=f"{self.name}/orders", **fields))
        self.items["files"] += [a_file(each, batch) for each in names]

    def config(self, password: str, folder: str, **fields: Any) -> None:
        cluster = a_cluster(password, targetTable=f"public.{self.name}", truncateTarget=False)
        settings = {"manifestBucket": self.name, "csvDelimiter": ",", "loadClusters": [cluster], **fields}
        self.items["configs"].append(a_config_item(password, f"{self.name}/{folder}", **settings))

    def services(self) -> Services:
        def login(_: str) -> Any:
            redshift = self.redshift
            return redshift_connector.connect(
                host=redshift.host, port=redshift.port, database=redshift.database, user=redshift.user,
                password=redshift.password, ssl=False,
            )  # fmt: skip

        return loader_services(self.aws.endpoint_url, f"{self.name}_", login)

    def move(self, **choices: Any) -> ImportReport:
        ports = ImportPorts(
            DynamoLambdaTables(self.dynamodb, f"{self.name}-"),
            self.services(),
            KmsKeys(self.kms),
            ConnectionFile(self.folder / "connections.json"),
            self.folder / "loads",
        )
        by_fate = {
            FileFate.OPEN: Choice.LOAD,
            FileFate.LOCKED: Choice.MARK,
            FileFate.ERROR: Choice.LOAD,
            UNRECORDED: Choice.LOAD,
            FileFate.UNKNOWN: Choice.MARK,
        }
        chosen = ImportChoices(REGION, by_fate=by_fate, **choices)
        report = plan_import(ports, chosen)
        apply_import(report, ports, chosen)
        return report

    def run(self, load: str) -> None:
        """What a run of the load's DAG does, at an hour at which every batch is due."""
        config = read_load_folder(self.folder / "loads").loads[load]
        config = config.model_copy(update={"batch": config.batch.model_copy(update={"max_files": 1})})
        work = buffer_objects(config, self.services(), run="dag/run", is_active=lambda _: False, max_work=99)
        for each in work:
            load_batch(config, self.services(), each.batch.batch, each.target, Asker("try-1", "dag/run"))


@pytest.fixture
def shop(snapshot_redshift: LocalRedshift, redshift_aws: LocalAws, tmp_path: Path) -> Callable[[], Shop]:
    def make() -> Shop:
        made = Shop(f"shop{next(_numbers)}", snapshot_redshift, redshift_aws, tmp_path)
        make_tables(redshift_aws.endpoint_url, f"{made.name}_")
        for alias in ("alias/LambaRedshiftLoaderKey", "alias/LambdaRedshiftLoaderKey"):
            if alias not in {each["AliasName"] for each in made.kms.list_aliases()["Aliases"]}:
                made.kms.create_alias(AliasName=alias, TargetKeyId=made.kms.create_key()["KeyMetadata"]["KeyId"])
        return made

    return make


def test_everything_is_in_the_table_once_after_moving_over(shop: Callable[[], Shop]):
    """All shapes of items, then the same prefix switched on."""
    here = shop()
    old, new = here.encrypted("alias/LambaRedshiftLoaderKey"), here.encrypted("alias/LambdaRedshiftLoaderKey")
    here.config(as_base64(new), "orders")
    here.config(as_buffer(new), "data/year=*/month=*")
    here.items["configs"].append(a_version_1_config(as_bytes(old), f"{here.name}/v1"))
    here.items["configs"][-1] |= {"manifestBucket": here.name, "dataFormat": "CSV", "csvDelimiter": ","}
    here.items["configs"][-1]["targetTable"] = f"public.{here.name}"
    here.items["configs"].append({"s3Prefix": f"{here.name}/bad", "version": "2.8.3"})
    objects = {
        number: here.put(f"orders/{key}", number)
        for number, key in enumerate(("1", "2", "3", "a b", "a+b", "lost", "open", "locked", "error", "never seen"))
    }
    spelled = {number: name.replace(" ", "+") for number, name in objects.items()}
    here.loaded("a", (spelled[0], 0), (spelled[1], 1), lost=(spelled[5],))
    here.loaded("b", (spelled[2], 2), (spelled[3], 3), old=True)
    here.batch("c", "open", spelled[6], old=True)
    here.batch("d", "locked", spelled[7])
    here.sql(f"INSERT INTO public.{here.name} VALUES (7)")
    here.batch("e", "error", spelled[8], clusterLoadStatus=json.dumps({"x": {"status": -1}}))
    LambdaTablesInDynamo(here.dynamodb, f"{here.name}-").put(**here.items)

    report = here.move()
    plans = {plan.prefix.partition("/")[2]: plan for plan in report.loads}
    assert {each.name for each in plans["orders"].lost} == {objects[4], objects[5]}
    assert plans["orders"].counts == {"loaded": 4, "lost": 2, "open": 1, "locked": 1, "error": 1, "unrecorded": 1}
    assert [each.key for each in report.findings if each.is_blocking] == [f"{here.name}/bad"] * 4
    assert [connection.password for connection, _ in report.connections] == [PASSWORD]
    assert PASSWORD not in json.dumps(report.as_json()) + "\n".join(report.lines())

    for _ in range(2):
        here.run(f"{here.name}_orders")
    assert here.rows() == Counter(range(10))
    again = here.move()
    assert [(plan.marked, str(plan.file_state)) for plan in again.loads] == [(0, "there already")] * 3
    here.run(f"{here.name}_orders")
    assert here.rows() == Counter(range(10))
    config = read_load_folder(here.folder / "loads").loads[f"{here.name}_orders"]
    audited = audit_load(config, here.services(), DynamoInventory(here.dynamodb, TableNames(f"{here.name}_")))
    assert {state: number for state, number in audited.counts.items() if number} == {
        "loaded": 5, "marked as loaded": 5,
    }  # fmt: skip
    for number, name in ((90, "data/year=2024/month=1/x"), (91, "v1/x")):
        here.put(name, number)
    here.run(f"{here.name}_data_year_month")
    here.run(f"{here.name}_v1")
    assert here.rows() == Counter([*range(10), 90, 91])
