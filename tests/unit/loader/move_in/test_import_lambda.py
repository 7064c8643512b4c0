"""Moving over loads nothing twice, loses nothing, and says what the Lambda loader lost."""

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.fakes.keys import MemoryKeys
from support.fakes.lambda_tables import MemoryLambdaTables
from support.fakes.secret_store import MemorySecretStore
from support.fakes.world import World
from support.lambda_items import (
    ORDERS,
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

from rsloader_provider.core.errors import AccessDeniedError, ConfigurationError
from rsloader_provider.core.lambda_loader.fates import Choice, FileFate
from rsloader_provider.core.lambda_loader.load_file import ConversionChoices, lambda_context
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.loader.load_files.folder import read_load_folder
from rsloader_provider.loader.move_in.choices import ImportChoices, ImportPorts
from rsloader_provider.loader.move_in.connections import ConnectionFile, ConnectionSecrets
from rsloader_provider.loader.move_in.import_lambda import apply_import, plan_import
from rsloader_provider.loader.move_in.report import UNRECORDED, ImportReport
from rsloader_provider.loader.move_in.shadow_report import compare_shadow
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.loader.run.load_secrets import decrypt_secret

PASSWORD = "not-4-the-log"
SECRET = "Abc/def+ghi"
PREFIXED = {
    FileFate.OPEN: Choice.LOAD,
    FileFate.LOCKED: Choice.MARK,
    FileFate.ERROR: Choice.LOAD,
    FileFate.UNKNOWN: Choice.MARK,
    UNRECORDED: Choice.LOAD,
}


@dataclass
class Move:
    """A Lambda loader with one configuration, and ours beside it."""

    folder: Path
    world: World = field(default_factory=World)
    keys: MemoryKeys = field(default_factory=lambda: MemoryKeys("alias/LambaRedshiftLoaderKey", "alias/ours"))
    tables: MemoryLambdaTables = field(default_factory=MemoryLambdaTables)
    choices: ImportChoices = field(default_factory=lambda: ImportChoices(REGION, by_fate=PREFIXED))

    def __post_init__(self) -> None:
        self.password = as_base64(self.encrypted(PASSWORD))
        self.tables.config_items.append(a_config_item(self.password))

    def encrypted(self, secret: str, region: str = REGION) -> bytes:
        key = "alias/LambaRedshiftLoaderKey"
        return self.keys.encrypt(key, secret, lambda_context(region), subject="a test")

    @property
    def connections(self) -> Path:
        return self.folder / "connections.json"

    @property
    def ports(self) -> ImportPorts:
        sink = ConnectionFile(self.connections)
        return ImportPorts(self.tables, self.world.services, self.keys, sink, self.folder / "loads")

    def plan(self) -> ImportReport:
        return plan_import(self.ports, self.choices)

    def apply(self) -> ImportReport:
        report = self.plan()
        apply_import(report, self.ports, self.choices)
        return report

    def complete(self, batch: str, *names: str, lost: tuple[str, ...] = (), old: bool = False) -> None:
        """A batch whose manifest was built before the `lost` files were in it."""
        make = an_old_batch if old else a_batch
        manifest = f"lambda/manifests/manifest-2023-01-02 03:04:05-{batch}"
        self.tables.batch_items.append(make(batch, "complete", *names, *lost, manifestFile=f"loader/{manifest}"))
        self.world.storage.write("loader", manifest, a_manifest(*(name.replace("+", " ") for name in names)))
        self.record(batch, *names, *lost)

    def batch(self, batch: str, status: str, *names: str, **fields: Any) -> None:
        self.tables.batch_items.append(a_batch(batch, status, *names, **fields))
        self.record(batch, *names)

    def record(self, batch: str | None, *names: str) -> None:
        self.tables.file_items.extend(a_file(name, batch) for name in names)

    def marked(self) -> list[str]:
        return [claim.name.removeprefix("landing/orders/") for claim in self.world.ledger.claims("landing_orders", "")]


@pytest.fixture
def move(tmp_path: Path) -> Move:
    return Move(tmp_path)


def names(*keys: str) -> list[str]:
    return [f"landing/orders/{key}" for key in keys]


def test_what_was_loaded_is_marked_and_the_rest_is_loaded_once(move: Move):
    """The whole way: everything that the tables can say of a file, then the load is switched on."""
    move.world.put(*(f"orders/{key}" for key in ("1", "2", "3", "lost", "open", "locked", "error", "deleted", "new")))
    move.complete("a", *names("1", "2"), lost=(*names("lost"),))
    move.complete("b", *names("3"), old=True)
    move.batch("c", "open", *names("open"))
    move.batch("d", "locked", *names("locked"))
    move.batch("e", "error", *names("error"))
    move.record("f", *names("deleted"))
    (plan,) = move.apply().loads
    assert move.marked() == ["1", "2", "3", "deleted", "locked"]
    assert {each.name: each.is_there for each in plan.lost} == {"landing/orders/lost": True}
    assert plan.counts == {"loaded": 3, "lost": 1, "open": 1, "locked": 1, "error": 1, "unknown": 1, "unrecorded": 1}
    assert (plan.marked, plan.to_load) == (5, 4)
    config = read_load_folder(move.folder / "loads").loads["landing_orders"]
    claimed: list[str] = []
    for work in buffer_objects(config, move.world.services, run="r", is_active=lambda _: False, max_work=9):
        claimed += [entry.name.removeprefix("landing/orders/") for entry in move.world.ledger.entries(work.batch)]
    assert sorted(claimed) == ["error", "lost", "new", "open"]


def test_a_second_import_changes_nothing(move: Move):
    move.world.put("orders/1", "orders/2")
    move.complete("a", *names("1", "2"))
    move.apply()
    before = {path: path.read_bytes() for path in move.folder.rglob("*") if path.is_file()}
    batches = [*move.world.ledger.batches("landing_orders")]
    (plan,) = move.apply().loads
    assert (plan.marked, plan.claimed, str(plan.file_state)) == (0, 2, "there already")
    assert {path: path.read_bytes() for path in move.folder.rglob("*") if path.is_file()} == before
    assert [*move.world.ledger.batches("landing_orders")] == batches


def test_looking_writes_nothing(move: Move):
    move.world.put("orders/1")
    move.complete("a", *names("1"))
    report = move.plan()
    assert len(report.loads[0].to_mark) == 1
    assert not move.marked()
    assert [*move.folder.iterdir()] == []


@pytest.mark.parametrize(
    ("status", "option"),
    [("locked", "--locked"), ("reprocessing", "--locked"), ("error", "--error"), ("reprocessed", "--error")],
)
def test_nothing_is_written_before_the_person_has_chosen(move: Move, status: str, option: str):
    """Whether the rows of such a batch are in the table is known to a person at best."""
    move.choices = ImportChoices(REGION)
    move.world.put("orders/1", "orders/2")
    move.batch("a", status, *names("1"))
    report = move.plan()
    assert report.undecided == {option: 1, "--unrecorded": 1}
    assert f"1 objects need your choice: {option} load, or {option} mark." in [*report.lines()]
    with pytest.raises(ConfigurationError, match=f"Nothing was written.*{option} for 1 objects"):
        apply_import(report, move.ports, move.choices)
    assert [*move.folder.iterdir()] == []


def test_batches_that_a_person_has_to_decide_about_are_listed_with_what_helps(move: Move):
    """Batch and files, when it was written, which clusters have it, and why it failed."""
    move.choices = ImportChoices(REGION, by_fate={FileFate.LOCKED: Choice.MARK})
    move.world.put("orders/1", "orders/2", "orders/3", "orders/4", "orders/5")
    states = json.dumps(
        {"one:5439": {"status": 0, "error": None}, "two:5439": {"status": -1, "error": {"code": "42P01"}}}
    )
    move.batch("a", "error", *names("1", "2"), clusterLoadStatus=states, lastUpdate="1600000000")
    move.batch("b", "locked", *names("3"))
    move.record("c", *names("4"))
    move.batch("d", "error", *names("5"), errorMessage="no\x1b[2J connection\n")
    report = move.plan()
    lines = [*report.lines()]
    begin = next(number for number, line in enumerate(lines) if line.startswith("  Batch a"))
    assert lines[begin : begin + 4] == [
        "  Batch a (error, last written 2020-09-13 12:26:40 UTC), 2 objects; loaded into one:5439. --load-batch or "
        "--mark-batch a decides about it alone:",
        '    two:5439: {"code": "42P01"}',
        "    s3://landing/orders/1",
        "    s3://landing/orders/2",
    ]
    text = "\n".join(lines)
    assert "  Batch b (locked, last written 2030-03-17 17:46:40 UTC), 1 objects:\n    s3://landing/orders/3" in text
    assert "  Batch c (unknown), 1 objects. --load-batch or --mark-batch c decides about it alone:" in text
    assert "    error: no\\x1b[2J connection" in text
    told = report.as_json()["loads"][0]["in_doubt"]
    assert told[0] == {
        "batch": "a",
        "fate": "error",
        "last_update": "2020-09-13T12:26:40+00:00",
        "loaded_clusters": ["one:5439"],
        "errors": {"two:5439": '{"code": "42P01"}'},
        "choice": None,
        "files": ["s3://landing/orders/1", "s3://landing/orders/2"],
    }
    assert [(each["batch"], each["choice"]) for each in told] == [("a", None), ("b", "mark"), ("c", None), ("d", None)]


def test_an_error_that_may_hold_a_secret_is_not_repeated(move: Move):
    move.world.put("orders/1")
    move.batch(
        "a", "error", *names("1"), errorMessage="COPY … aws_secret_access_key=abcdefghijklmnopqrstuvwxyz0123456789ABCD"
    )
    text = "\n".join([*move.plan().lines(), json.dumps(move.plan().as_json())])
    assert "abcdefghij" not in text
    assert "may hold a secret" in text


def test_a_single_batch_is_decided_by_its_id(move: Move):
    move.world.put("orders/1", "orders/2")
    move.batch("a", "locked", *names("1"))
    move.batch("b", "locked", *names("2"))
    move.choices = ImportChoices(REGION, by_fate=PREFIXED, decided={"a": Choice.LOAD, "b": Choice.MARK})
    move.apply()
    assert move.marked() == ["2"]
    move.choices = ImportChoices(REGION, by_fate=PREFIXED, decided={"z": Choice.LOAD})
    with pytest.raises(ConfigurationError, match="no batch z"):
        move.plan()


def test_a_file_of_several_batches_counts_as_loaded_if_one_of_them_loaded_it(move: Move):
    """A failed batch that was reprocessed."""
    move.world.put("orders/1")
    move.batch("a", "reprocessed", *names("1"))
    move.complete("b", *names("1"))
    assert move.apply().loads[0].counts == {"loaded": 1}


@pytest.mark.parametrize("status", ["error", "reprocessed", "locked", "complete"])
def test_a_file_whose_latest_batch_was_deleted_is_unknown_whatever_an_earlier_one_says(move: Move, status: str):
    """Most deleted batches were complete: loaded for its earlier failure, the file would be loaded a second time."""
    move.world.put("orders/1")
    move.batch("a", status, *names("1"))
    move.tables.file_items.clear()
    move.record("deleted", *names("1"))
    assert move.plan().loads[0].counts == {"unknown": 1}


@pytest.mark.parametrize(
    ("earlier", "later", "fate"),
    [
        ("error", "complete", "loaded"),
        ("complete", "error", "error"),
        ("complete", "locked", "locked"),
        ("complete", "open", "open"),
        ("locked", "error", "error"),
        ("reprocessed", "open", "open"),
    ],
)
def test_of_several_batches_the_one_that_was_written_last_decides(move: Move, earlier: str, later: str, fate: str):
    """Somebody had it put through again: what its new batch did is what is known of it."""
    move.world.put("orders/1")
    for batch, status, moment in (("b", later, "1700000000"), ("a", earlier, "1600000000")):
        move.batch(batch, status, *names("1"), lastUpdate=moment)
    move.tables.file_items.clear()
    assert move.plan().loads[0].counts == {fate: 1}
    move.record("a", *names("1"))
    assert move.plan().loads[0].counts == {FileFate.LOADED if earlier == "complete" else _FATES[earlier]: 1}


_FATES = {"error": "error", "locked": "locked", "reprocessed": "error"}


def test_a_deleted_batch_is_decided_by_its_id(move: Move):
    """Its files are known by their records."""
    move.world.put("orders/1", "orders/2", "orders/3")
    move.record("x", *names("1"))
    move.record("y", *names("2"))
    move.record("z", *names("3"))
    move.choices = ImportChoices(REGION, decided={"x": Choice.LOAD, "y": Choice.MARK, "z": Choice.MARK})
    assert move.apply().undecided == {}
    assert move.marked() == ["2", "3"]


def test_files_that_the_loader_stopped_at_are_lost(move: Move):
    """Recorded and never appended; and appended to a batch that never got it."""
    move.world.put("orders/1", "orders/2")
    move.record(None, *names("1"))
    move.complete("a")
    move.record("a", *names("2", "gone"))
    (plan,) = move.plan().loads
    assert [(each.name, each.batch, each.is_there) for each in plan.lost] == [
        ("landing/orders/1", None, True), ("landing/orders/2", "a", True), ("landing/orders/gone", "a", False),
    ]  # fmt: skip


def test_keys_are_read_as_the_loader_wrote_them(move: Move):
    """It wrote a blank as '+', as it did a plus, and loaded the one with the blank only."""
    move.world.put("orders/a b", "orders/a+b", "orders/c+d", "orders/e f")
    move.complete("a", *names("a+b"))
    move.record(None, *names("c+d", "e+f"))
    (plan,) = move.apply().loads
    assert move.marked() == ["a b"]
    assert [each.name for each in plan.lost] == names("a+b", "c+d", "e f")


def test_objects_that_are_gone_are_marked_too(move: Move):
    """Put again under its key, the Lambda loader would not have loaded it; we do not either."""
    move.complete("a", *names("1"))
    assert move.apply().loads[0].gone == 1
    assert move.marked() == ["1"]


def test_an_object_overwritten_after_its_load_is_told(move: Move):
    move.world.put("orders/1")
    move.complete("a", *names("1"))
    move.tables.batch_items[0]["lastUpdate"] = "1600000000"
    (plan,) = move.plan().loads
    assert plan.changed == names("1")


def test_an_object_that_was_put_again_and_loaded_again_is_not_told(move: Move):
    """Somebody deleted its record and put it through once more."""
    move.world.put("orders/1")
    move.complete("a", *names("1"))
    move.complete("b", *names("1"))
    move.tables.batch_items[0]["lastUpdate"] = "1600000000"
    assert move.plan().loads[0].changed == []


def test_a_complete_batch_without_its_manifest_counts_by_its_entries(move: Move):
    move.world.put("orders/1", "orders/2")
    move.batch("a", "complete", *names("1"), manifestFile="loader/gone")
    move.batch("b", "complete", *names("2"))
    report = move.apply()
    assert move.marked() == ["1", "2"]
    assert "2 complete batches have no manifest" in "\n".join(report.lines())


def test_a_batch_that_one_of_two_clusters_took_is_told(move: Move):
    states = json.dumps({"one": {"status": 0, "error": None}, "two": {"status": -1, "error": {}}})
    move.batch("a", "error", *names("1"), clusterLoadStatus=states)
    assert "but it was loaded into one" in "\n".join(move.plan().lines())


def test_a_stopped_import_is_finished_by_the_next(move: Move):
    keys = [f"{number:03}" for number in range(250)]
    move.world.put(*(f"orders/{key}" for key in keys))
    move.complete("a", *names(*keys))

    def stop(name: str, _: int | None) -> Callable[[int], None]:
        def told(_: int) -> None:
            if name == "marking as loaded" and len(move.marked()) > 100:
                raise KeyboardInterrupt

        return told

    with pytest.raises(KeyboardInterrupt):
        apply_import(move.plan(), move.ports, move.choices, stop)
    assert len(move.marked()) == 196
    assert not (move.folder / "loads").exists(), "no load file before its claims: Airflow would load everything again"
    assert move.apply().loads[0].marked == 54
    assert len(move.marked()) == 250


def test_an_import_that_is_stopped_while_it_writes_a_load_file_leaves_no_part_of_it(
    move: Move, monkeypatch: pytest.MonkeyPatch
):
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        move.apply()
    monkeypatch.undo()
    assert [*(move.folder / "loads").iterdir()] == []
    (plan,) = move.apply().loads
    assert str(plan.file_state) == "created"
    assert [each.name for each in (move.folder / "loads").iterdir()] == ["landing_orders.yaml"]


def test_a_load_file_that_came_after_the_look_is_left_as_it_is(move: Move):
    report = move.plan()
    path = move.folder / "loads" / "landing_orders.yaml"
    path.parent.mkdir()
    path.write_text("mine")
    apply_import(report, move.ports, move.choices)
    assert str(report.loads[0].file_state) == "left as it is: there is another one under its name"
    assert path.read_text() == "mine"


def test_a_load_file_that_names_another_load_is_told(move: Move):
    move.apply()
    path = move.folder / "loads" / "landing_orders.yaml"
    path.write_text(path.read_text().replace("load: landing_orders", "load: orders"))
    report = move.plan()
    (found,) = [each for each in report.findings if each.is_blocking]
    assert "landing_orders.yaml does not declare load 'landing_orders'" in str(found)


def test_shadow_marks_under_the_shadows_name_and_the_cut_over_under_the_loads(move: Move):
    move.world.put("orders/1")
    move.complete("a", *names("1"))
    move.choices = ImportChoices(REGION, ConversionChoices(shadow=True), by_fate=PREFIXED)
    move.apply()
    assert move.marked() == []
    assert len([*move.world.ledger.claims("landing_orders@shadow", "")]) == 1
    assert read_load_folder(move.folder / "loads").loads["landing_orders"].shadow
    move.choices = ImportChoices(REGION, by_fate=PREFIXED)
    (plan,) = move.apply().loads
    assert move.marked() == ["1"]
    assert str(plan.file_state) == "there already"


def test_the_connection_is_written_for_its_owner_only(move: Move):
    report = move.apply()
    assert stat.S_IMODE(move.connections.stat().st_mode) == 0o600
    assert json.loads(move.connections.read_text()) == {
        "redshift_shop_dev_loader": {
            "conn_type": "redshift", "host": "shop.abc.us-east-1.redshift.amazonaws.com", "port": 5439,
            "login": "loader", "password": PASSWORD, "schema": "dev",
        }
    }  # fmt: skip
    shown = json.dumps(report.as_json()) + "\n".join(report.lines()) + repr(report)
    assert PASSWORD not in shown


@pytest.mark.parametrize("written", [as_base64, as_bytes, as_buffer])
def test_a_password_is_read_in_every_form(move: Move, written: Callable[[bytes], str]):
    move.tables.config_items = [a_config_item(written(move.encrypted(PASSWORD)))]
    ((connection, _),) = move.plan().connections
    assert connection.password == PASSWORD


def test_a_password_that_cannot_be_decrypted_is_told_and_the_rest_is_moved(move: Move):
    other = as_base64(move.encrypted("x", region="eu-west-1"))
    cluster = a_cluster(other, clusterEndpoint="other.abc", connectUser="x")
    move.tables.config_items.append(a_config_item(other, "landing/other", loadClusters=[cluster]))
    report = move.apply()
    assert [plan.config is not None for plan in report.loads] == [True, True]
    assert [each.conn_id for each, _ in report.connections] == ["redshift_shop_dev_loader"]
    told = "\n".join(report.lines())
    assert "landing/other: the password of other.abc cannot be decrypted" in told
    assert "redshift_other_dev_x" in told


def test_connections_that_are_there_are_left_as_they_are(move: Move):
    move.connections.write_text(json.dumps({"redshift_shop_dev_loader": {"conn_type": "redshift"}, "mine": "uri"}))
    report = move.apply()
    assert [str(state) for _, state in report.connections] == ["left as it is: there is another one under its name"]
    assert json.loads(move.connections.read_text())["mine"] == "uri"


def test_connections_go_into_secrets_manager_as_airflows_backend_reads_them(move: Move):
    store = MemorySecretStore()
    ports = ImportPorts(
        move.tables, move.world.services, move.keys, ConnectionSecrets(store, "airflow/connections"), move.folder
    )
    for _ in range(2):
        apply_import(plan_import(ports, move.choices), ports, move.choices)
    (name,) = store.secrets
    assert name == "airflow/connections/redshift_shop_dev_loader"
    assert json.loads(store.secrets[name])["password"] == PASSWORD


def test_a_file_of_uris_is_written_for_airflows_import(tmp_path: Path, move: Move):
    move.tables.config_items = [a_config_item(as_base64(move.encrypted("p@ss/w:rd")))]
    path = tmp_path / "connections.env"
    ports = ImportPorts(move.tables, move.world.services, move.keys, ConnectionFile(path), tmp_path / "loads")
    for _ in range(2):
        report = plan_import(ports, move.choices)
        apply_import(report, ports, move.choices)
    assert path.read_text() == (
        "redshift_shop_dev_loader=redshift://loader:p%40ss%2Fw%3Ard@shop.abc.us-east-1.redshift.amazonaws.com:5439/dev\n"
    )
    assert [str(state) for _, state in report.connections] == ["there already"]


def test_lines_of_a_file_of_uris_that_are_no_connections_of_ours_stay(tmp_path: Path, move: Move):
    path = tmp_path / "connections.env"
    there = "# of the shop\nexport AWS_REGION=us-east-1\n\nEMPTY=\nmine=http://x/?a=b"
    path.write_text(there)
    report = move.plan()
    (connection,) = [each for each, _ in report.connections]
    assert str(ConnectionFile(path).put(connection)) == "created"
    assert path.read_text() == f"{there}\nredshift_shop_dev_loader={connection.as_uri()}\n"
    assert str(ConnectionFile(path).put(connection)) == "there already"


def test_passwords_are_not_left_behind_where_the_file_of_connections_cannot_be_put(
    tmp_path: Path, move: Move, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: Path) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    report = move.plan()
    monkeypatch.setattr(Path, "replace", fail)
    folder = tmp_path / "connections"
    folder.mkdir()
    with pytest.raises(ConfigurationError, match="cannot be written: Permission denied"):
        ConnectionFile(folder / "connections.json").put(report.connections[0][0])
    assert [*folder.iterdir()] == []


def test_a_file_of_connections_that_cannot_be_read_is_not_repeated(move: Move):
    move.connections.write_text(f"{{{PASSWORD}")
    with pytest.raises(ConfigurationError, match="cannot be read") as raised:
        move.plan()
    assert PASSWORD not in str(raised.value)


def test_two_passwords_of_one_login_are_told(move: Move):
    move.tables.config_items.append(a_config_item(as_base64(move.encrypted("other")), "landing/other"))
    assert "its password for loader" in "\n".join(move.plan().lines())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"dataFormat": None}, "dataFormat is missing"),
        ({"loadClusters": [{"clusterPort": "x"}]}, "cluster 1 has no clusterEndpoint, connectUser"),
        ({"loadClusters": [a_cluster("x", clusterPort="many")]}, "has the port 'many'"),
        ({"loadClusters": ["x"]}, "cluster 1 is not a map"),
        ({"loadClusters": "x"}, "loadClusters is not a list"),
        ({"dataFormat": "XML"}, "its load file would not be valid: 'format' cannot be 'xml'"),
        ({"filenameFilterRegex": r"(?=x)\.csv$"}, "it looks ahead or behind"),
        ({"copyOptions": "NOLOAD"}, "copyOptions hold NOLOAD"),
        ({"loadClusters": [a_cluster("eA==", presql="TRUNCATE t;")]}, "TRUNCATE would commit"),
        ({"loadClusters": [a_cluster("eA==", connectPassword="?")]}, "the password of cluster 1 cannot be read"),
        ({"successTopicARN": "topic"}, "not the ARN of a standard SNS topic"),
        ({"masterSymmetricKey": as_base64(b"x")}, "client-side encryption"),
        ({"manifestBucket": "landing", "manifestKey": "orders"}, "would not be valid"),
        ({"batchSize": None}, "batchSize is missing"),
        ({"batchSize": "no"}, "batchSize is 'no'"),
        ({"version": "9.0"}, "its version 9.0 is not from"),
        ({"version": "x"}, "its version x is not from"),
        ({"version": None}, "it has no version"),
    ],
)
def test_a_bad_configuration_is_told_with_table_key_and_remedy_and_the_rest_is_moved(
    move: Move, fields: dict[str, Any], said: str
):
    item = {**a_config_item(move.password, "landing/bad"), **fields}
    move.tables.config_items.append({name: value for name, value in item.items() if value is not None})
    if "manifestBucket" in fields:
        move.tables.config_items[-1]["s3Prefix"] = "landing/orders/bad"
    report = move.apply()
    (finding, *_) = [each for each in report.findings if said in each.text or said in each.remedy]
    assert finding.table == "LambdaRedshiftBatchLoadConfig"
    assert finding.key == move.tables.config_items[-1]["s3Prefix"]
    assert finding.remedy
    good = next(plan for plan in report.loads if plan.prefix == ORDERS)
    assert good.config is not None


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (a_batch("a", "strange"), "its status is strange"),
        ({"s3Prefix": ORDERS, "batchId": "a"}, "its status is missing"),
        ({**a_batch("a", "complete"), "entryMap": [{"size": 1}]}, "its entries cannot be read"),
        ({**a_batch("a", "complete"), "entries": {1}}, "its entries cannot be read"),
    ],
)
def test_a_bad_batch_is_told_and_its_files_wait_for_a_choice(move: Move, item: dict[str, Any], said: str):
    move.choices = ImportChoices(REGION)
    move.world.put("orders/1")
    move.tables.batch_items.append(item)
    move.record("a", *names("1"))
    report = move.plan()
    (finding,) = [each for each in report.findings if said in each.text]
    assert (finding.table, finding.key) == ("LambdaRedshiftBatches", f"{ORDERS}, batch a")
    assert report.undecided == {"--unknown": 1}


def test_a_bad_file_is_told(move: Move):
    move.tables.file_items += [{"loadFile": "nothing"}, {"batchId": "a"}, a_file("elsewhere/x", "a")]
    report = move.plan()
    assert [each.key for each in report.findings if each.table.endswith("Files")] == ["nothing", "(no key)"]
    assert report.without_load == 1


def test_version_1_kept_its_cluster_at_the_top_level(move: Move):
    move.tables.config_items = [a_version_1_config(as_bytes(move.encrypted(PASSWORD)), "landing/v1")]
    (plan,) = move.apply().loads
    assert plan.config is not None
    assert plan.config.targets[0].conn_id == "redshift_shop_dev_loader"
    assert plan.config.batch.max_files == 10


def test_nested_prefixes_and_wildcards_own_their_files(move: Move):
    move.tables.config_items += [
        a_config_item(move.password, "landing/orders/old"),
        a_config_item(move.password, "landing/data/year=*/month=*"),
        a_config_item(move.password, "whole-bucket"),
    ]
    move.world.storage = type(move.world.storage)("landing", "loader", "whole-bucket")
    move.world.put("orders/old/1", "data/year=2023/month=1/x/2")
    move.world.storage.write("whole-bucket", "3", b"3\n")
    move.record(None, "landing/orders/old/1", "landing/data/year=2023/month=1/x/2", "whole-bucket/3")
    found = {plan.load: (dict(plan.counts), plan.settings["source"]) for plan in move.apply().loads}
    assert found == {
        "landing_data_year_month": ({"lost": 1}, "s3://landing/data/year=*/month=*/"),
        "landing_orders": ({}, "s3://landing/orders/"),
        "landing_orders_old": ({"lost": 1}, "s3://landing/orders/old/"),
        "whole_bucket": ({"lost": 1}, "s3://whole-bucket/"),
    }


def test_a_bucket_that_is_gone_is_told_and_the_rest_is_moved(move: Move):
    """Without what it has loaded, the load would load everything again: it is not written."""
    move.tables.config_items.append(a_config_item(move.password, "gone/orders"))
    report = move.apply()
    assert [plan.prefix for plan in report.loads if plan.config is None] == ["gone/orders"]
    assert "NOT MOVED: LambdaRedshiftBatchLoadConfig, gone/orders: could not find out what it has loaded" in "\n".join(
        report.lines()
    )
    assert [path.name for path in (move.folder / "loads").iterdir()] == ["landing_orders.yaml"]


def test_a_load_that_cannot_be_moved_asks_for_no_choice(move: Move, monkeypatch: pytest.MonkeyPatch):
    """What was counted before its listing broke off would keep everything else from being moved."""
    move.choices = ImportChoices(REGION)
    move.world.put("orders/1")
    listed = move.world.storage.objects

    def breaks_off(bucket: str, prefix: str) -> Iterator[S3Object]:
        yield from listed(bucket, prefix)
        raise AccessDeniedError("no more")

    monkeypatch.setattr(move.world.storage, "objects", breaks_off)
    report = move.plan()
    assert report.loads[0].config is None
    assert not report.undecided
    assert report.loads[0].as_json()["to_load"] == 0


def test_only_the_named_prefixes_are_moved(move: Move):
    move.tables.config_items.append(a_config_item(move.password, "landing/other"))
    move.choices = ImportChoices(REGION, only=frozenset({"landing/other"}))
    assert [plan.load for plan in move.plan().loads] == ["landing_other"]
    move.choices = ImportChoices(REGION, only=frozenset({"landing/no"}))
    with pytest.raises(ConfigurationError, match="no readable configuration landing/no"):
        move.plan()


def test_a_load_file_that_was_edited_is_left_as_it_is(move: Move):
    move.apply()
    path = move.folder / "loads" / "landing_orders.yaml"
    path.write_text(path.read_text().replace("*/5 * * * *", "@hourly"))
    (plan,) = move.apply().loads
    assert str(plan.file_state) == "left as it is: there is another one under its name"
    assert "@hourly" in path.read_text()


def test_what_was_moved_is_loaded_by_the_rows(move: Move):
    """To the table, and not only to the ledger."""
    move.world.warehouse.connections.add("redshift_shop_dev_loader")
    move.world.put("orders/1", "orders/2", "orders/3")
    move.complete("a", *names("1"), lost=(*names("2"),))
    move.batch("b", "open", *names("3"))
    move.apply()
    config = read_load_folder(move.folder / "loads").loads["landing_orders"]
    (work,) = buffer_objects(config, move.world.services, run="r", is_active=lambda _: False, max_work=9)
    load_batch(config, move.world.services, work.batch.batch, work.target, Asker("try-1", "r"))
    assert len(move.world.warehouse.tables["public.orders"]) == 2


def test_an_access_key_is_encrypted_anew_for_its_load(move: Move):
    """The old key's context is the Lambda loader's; ours binds the secret to one load."""
    sealed = as_base64(move.encrypted(SECRET))
    keys = {"accessKeyForS3": "AKIAIOSFODNN7EXAMPLE", "secretKeyForS3": sealed}
    move.tables.config_items = [a_config_item(move.password, **keys)]
    move.choices = ImportChoices(REGION, kms_key="alias/ours", by_fate=PREFIXED)
    report = move.apply()
    path = move.folder / "loads" / "landing_orders.yaml"
    text, options = path.read_text(), read_load_folder(path.parent).loads["landing_orders"].copy_options
    assert options.access_key_id == "AKIAIOSFODNN7EXAMPLE"
    assert options.secret_access_key is not None
    found = decrypt_secret(move.keys, load="landing_orders", setting="s", text=options.secret_access_key)
    assert found == SECRET
    assert SECRET not in text + json.dumps(report.as_json()) + repr(report)
    assert str(move.apply().loads[0].file_state) == "there already"
    assert path.read_text() == text


def test_an_access_key_whose_secret_cannot_be_decrypted_is_dropped_and_told(move: Move):
    keys = {"accessKeyForS3": "AKIAIOSFODNN7EXAMPLE", "secretKeyForS3": as_base64(b"nothing of KMS")}
    move.tables.config_items = [a_config_item(move.password, **keys)]
    move.choices = ImportChoices(REGION, kms_key="alias/ours", by_fate=PREFIXED)
    report = move.apply()
    assert "secretKeyForS3 cannot be decrypted" in "\n".join(report.lines())
    assert "access_key_id" not in (move.folder / "loads" / "landing_orders.yaml").read_text()


def test_a_shadow_is_compared_with_what_the_lambda_loader_did(move: Move):
    """What was there when the shadow began is nobody's news."""
    move.world.put("orders/0")
    move.complete("a", *names("0"))
    move.choices = ImportChoices(REGION, ConversionChoices(shadow=True), by_fate=PREFIXED)
    move.apply()
    config = read_load_folder(move.folder / "loads").loads["landing_orders"]
    move.world.put("orders/1", "orders/2", "orders/lost", "orders/late")
    move.complete("b", *names("1", "2"), lost=(*names("lost"),))
    buffer_objects(config, move.world.services, run="r", is_active=lambda _: False, max_work=9)
    move.complete("c", *names("3"))
    report = compare_shadow(config, move.world.services, move.tables, lambda *_: lambda _: None)
    assert report.as_json() == {
        "load": "landing_orders",
        "same": 2,
        "only_ours": ["s3://landing/orders/late", "s3://landing/orders/lost"],
        "only_theirs": ["s3://landing/orders/3"],
    }
    other = config.model_copy(update={"load": "other"})
    with pytest.raises(ConfigurationError, match=r"becomes load other\. They become: landing_orders"):
        compare_shadow(other, move.world.services, move.tables, lambda *_: lambda _: None)
