"""Files that COPY cannot load: what is told, that other loads go on, and that the repaired file is loaded."""

import gzip
import io
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redshift_connector
from support import format_files
from support.format_files import COMPRESSIONS, FIXED_WIDTH, ROWS, TABLE
from support.loader_services import loader_services, make_tables
from support.objects import a_config
from support.redshift_fixtures import LocalRedshift, connect_psycopg

from rsloader_provider.core.errors import BadDataError, NotSetUpError, ObjectsArchivedError, StatementError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.operate.batches import reprocess_batch
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, Result, load_batch
from rsloader_provider.local.aws import LocalAws

CSV = {"format": "csv", "ignore_header": 1}
TEXT = {"format": "text", "options": "ESCAPE"}
FIXED = {"format": "fixedwidth", "fixed_width": FIXED_WIDTH, "options": "TRIMBLANKS"}
JSON, AVRO, PARQUET, ORC = ({"format": name} for name in ("json", "avro", "parquet", "orc"))
NOT_NULL = "id integer not null, name varchar(20), amount decimal(8,2)"


class Stage:
    """Clients and tables for all tests of this file: they are slow to make."""

    def __init__(self, aws: LocalAws, s3: Any, redshift: LocalRedshift):
        self.s3, self.redshift = s3, redshift
        make_tables(aws.endpoint_url, "badfiles_")
        self.services = loader_services(aws.endpoint_url, "badfiles_", lambda _: self.login())
        self.numbers = itertools.count()
        self.connection = connect_psycopg(redshift)

    def login(self) -> Any:
        return redshift_connector.connect(
            host=self.redshift.host, port=self.redshift.port, database=self.redshift.database, ssl=False,
            user=self.redshift.user, password=self.redshift.password,
        )  # fmt: skip

    def query(self, text: str) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(text)  # type: ignore[call-overload]
        return list(cursor.fetchall()) if cursor.description else []


@pytest.fixture(scope="module")
def stage(redshift_aws: LocalAws, s3: Any, snapshot_redshift: LocalRedshift) -> Iterator[Stage]:
    made = Stage(redshift_aws, s3, snapshot_redshift)
    yield made
    made.connection.close()


class Place:
    """One load with a bucket and a table of its own."""

    def __init__(self, stage: Stage, columns: str = TABLE):
        self.stage = stage
        self.name = f"badfiles{next(stage.numbers)}"
        stage.s3.create_bucket(Bucket=self.name)
        stage.query(f"CREATE TABLE {self.name} ({columns})")
        for statement in (sql.CreateHistorySchema(), sql.CreateHistory(TableName("public", self.name))):
            stage.query(render(statement))

    def put(self, key: str, content: bytes | str) -> str:
        self.stage.s3.put_object(Bucket=self.name, Key=key, Body=content)
        return f"s3://{self.name}/{key}"

    def buffer(self, copy: dict[str, Any], files: int = 2) -> None:
        """Claim what is there, and lock it."""
        self.config = a_config(
            load=self.name, source=f"s3://{self.name}/orders/", manifests=f"s3://{self.name}/manifests/",
            batch={"max_files": files}, copy=copy, targets=[{"table": self.name}],
        )  # fmt: skip
        # An empty object is claimed once it is old enough.
        services = replace(self.stage.services, now=lambda: datetime.now(UTC) + timedelta(hours=1))
        (work,) = buffer_objects(self.config, services, run="dag/run", is_active=lambda _: False, max_work=9)
        self.batch, self.target, self.tries = work.batch.batch, work.target, itertools.count(1)

    def load(self, *, cleared: bool = False) -> Result:
        asker = Asker(f"try/{next(self.tries)}", "dag/run", cleared=cleared)
        return load_batch(self.config, self.stage.services, self.batch, self.target, asker)

    def stored(self) -> Batch:
        return self.stage.services.ledger.get(self.name, self.batch)

    def rows(self) -> list[tuple[Any, ...]]:
        return self.stage.query(f"SELECT * FROM {self.name} ORDER BY 1")


def test_an_archived_object_is_told_from_one_that_may_not_be_read(stage: Stage):
    place = Place(stage)
    for number, storage_class in enumerate(("STANDARD", "GLACIER", "DEEP_ARCHIVE", "STANDARD_IA")):
        content = format_files.csv([ROWS[0]])
        stage.s3.put_object(
            Bucket=place.name, Key=f"orders/{number}.csv", Body=content, StorageClass=storage_class
        )  # fmt: skip
    place.buffer(CSV, files=4)
    with pytest.raises(ObjectsArchivedError, match="restore-object") as raised:
        place.load()
    assert raised.value.urls == tuple(f"s3://{place.name}/orders/{number}.csv" for number in (1, 2))
    assert place.stored().status is BatchStatus.ERROR
    assert place.rows() == []
    reprocess_batch(
        place.config, stage.services, place.batch, by="a person", without=raised.value.urls
    )  # fmt: skip
    assert place.load().outcome is Outcome.LOADED
    assert len(place.rows()) == 2


@dataclass(frozen=True)
class Broken:
    """A file that COPY cannot load, and what is told of it."""

    copy: dict[str, Any]
    content: bytes
    repaired: Callable[[list[format_files.Row]], bytes]
    said: str
    place: str = ""
    """Line, column and value, as far as Redshift tells them."""
    columns: str = TABLE
    jsonpaths: Any = None


def compressed(name: str) -> tuple[dict[str, Any], Callable[[list[format_files.Row]], bytes]]:
    return {**CSV, "compression": name}, lambda rows: COMPRESSIONS[name](format_files.csv(rows))


def as_parquet(columns: dict[str, list[Any]]) -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content)
    return content.getvalue()


def cut(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


GZIP, gzipped = compressed("gzip")
ZSTD, zstandard = compressed("zstd")
LZOP, lzopped = compressed("lzop")
BZIP2, bzipped = compressed("bzip2")

BROKEN = {
    "truncated gzip": Broken(GZIP, cut(gzipped(ROWS)), gzipped, "failed to inflate"),
    "truncated bzip2": Broken(BZIP2, cut(bzipped(ROWS)), bzipped, "failed to inflate"),
    "truncated zstd": Broken(ZSTD, cut(zstandard(ROWS)), zstandard, "failed to inflate"),
    "truncated lzop": Broken(LZOP, cut(lzopped(ROWS)), lzopped, "failed to inflate"),
    "not gzip": Broken(GZIP, format_files.csv(), gzipped, "failed to inflate"),
    "gzip unsaid": Broken(JSON, gzip.compress(b"{}", mtime=0), format_files.json_lines, "Invalid value", ":1"),
    "wrong delimiter": Broken(CSV, b"id;name\n1;Anna\n", format_files.csv, "Delimiter not found", ":2"),
    "too many fields": Broken(CSV, b"h\n1,a,2,3\n", format_files.csv, "Extra column", ":2"),
    "no number": Broken(CSV, b"h\n1,a,2\ntwo,b,3\n", format_files.csv, "Invalid digit", ":3, column id, value 'two'"),
    "open quote": Broken(CSV, b'h\n1,"a,2\n', format_files.csv, "quote", ":2"),
    "too long": Broken(CSV, b"h\n1,%b,2\n" % (b"x" * 21), format_files.csv, "length", ":2, column name, value 'xxx"),
    "csv not utf-8": Broken(CSV, b"h\n1,a\xff,2\n", format_files.csv, "UTF8", ":2"),
    "text without end quote": Broken(
        {**TEXT, "options": "REMOVEQUOTES"}, b"1|'a|2\n", lambda rows: b"1|Anna|1.5\n", "missing end quote", ":1"
    ),
    "text of csv": Broken(TEXT, b"1,a,2\n", format_files.text, "Delimiter not found", ":1"),
    "line too short": Broken(FIXED, b"001Anna\n", format_files.fixed_width, "Delimiter not found", ":1"),
    "line too long": Broken(FIXED, b"001Anna      1.50    !\n", format_files.fixed_width, "Extra column", ":1"),
    "fixed width not utf-8": Broken(FIXED, b"001\xffnna      1.50    \n", format_files.fixed_width, "UTF8", ":1"),
    "not json": Broken(JSON, b"id,name\n1,Anna\n", format_files.json_lines, "Invalid value", ":1"),
    "truncated json": Broken(JSON, format_files.json_lines()[:-9], format_files.json_lines, "Invalid value", ":3"),
    "json not utf-8": Broken(JSON, b'{"id": 1, "name": "\xff"}', format_files.json_lines, "UTF8", ":1"),
    "jsonpaths that match nothing": Broken(
        JSON, b'{"key": 1}', format_files.json_lines, "not-null", ":1, column id", NOT_NULL,
        {"jsonpaths": ["$.id", "$.name", "$.amount"]},
    ),
    "jsonpaths into what is no array": Broken(
        JSON, b'{"id": 1}', lambda rows: b'{"id": [1]}', "Not an array", ":1", "id integer", {"jsonpaths": ["$.id[0]"]}
    ),
    "truncated avro": Broken(AVRO, cut(format_files.avro()), format_files.avro, "AVRO"),
    "not avro": Broken(AVRO, format_files.json_lines(), format_files.avro, "AVRO|Avro|avro"),
    "not parquet": Broken(PARQUET, format_files.csv(), format_files.parquet, "invalid version number"),
    "truncated parquet": Broken(PARQUET, cut(format_files.parquet()), format_files.parquet, "invalid version number"),
    "parquet column missing": Broken(
        PARQUET, as_parquet({"id": [2], "name": ["Anna"]}), format_files.parquet, "Table columns: 3, Data columns: 2"
    ),
    "parquet of other types": Broken(
        PARQUET, as_parquet({"id": ["2"], "name": ["Anna"], "amount": [1]}), format_files.parquet, "incompatible",
        ", column id",
    ),
    "not orc": Broken(ORC, format_files.parquet(), format_files.orc_file, "ORC|orc|corrupt|invalid"),
    "truncated orc": Broken(ORC, cut(format_files.orc_file()), format_files.orc_file, "ORC|orc|corrupt|invalid"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_with_its_remedy_and_loaded_once_it_is_repaired(stage: Stage, name: str):
    """Until then its batch waits in `error`, and the good file with it."""
    broken = BROKEN[name]
    place = Place(stage, broken.columns)
    copy = dict(broken.copy)
    if broken.jsonpaths:
        copy["jsonpaths"] = place.put("paths.json", json.dumps(broken.jsonpaths))
    place.put("orders/good", broken.repaired(ROWS[:1]))
    bad = place.put("orders/bad", broken.content)
    place.buffer(copy)
    with pytest.raises(BadDataError) as raised:
        place.load()
    said = str(raised.value)
    for told in (f"load {place.name}", f"batch {place.batch}", f"public.{place.name}", "clear the task"):
        assert told in said
    # A Parquet or ORC file stands there as the scanner's own kind of URL.
    assert bad + broken.place in said or bad.removeprefix("s3://") in said
    assert re.search(broken.said, said)
    assert (place.stored().status, place.rows()) == (BatchStatus.ERROR, [])
    assert place.stored().progress(place.target).error == said[:2000]

    place.put("orders/bad", broken.repaired(ROWS[1:]))
    assert place.load(cleared=True).outcome is Outcome.LOADED
    assert len(place.rows()) == place.stored().progress(place.target).rows
    assert [row[0] for row in place.rows()][-1] in {1, 3}
    assert place.stored().status is BatchStatus.COMPLETE


def test_a_bad_file_holds_up_neither_other_batches_of_its_load_nor_other_loads(stage: Stage):
    place, other = Place(stage), Place(stage)
    place.put("orders/1", cut(gzipped(ROWS)))
    place.put("orders/2", gzipped(ROWS[:1]))
    place.buffer(GZIP)
    bad, tries = place.batch, place.tries
    with pytest.raises(BadDataError):
        place.load()
    for here, keys in ((other, ("1", "2")), (place, ("3", "4"))):
        for key, rows in zip(keys, (ROWS[1:2], ROWS[2:]), strict=True):
            here.put(f"orders/{key}", gzipped(rows))
        here.buffer(GZIP)
        assert (here.load().outcome, here.rows()) == (Outcome.LOADED, ROWS[1:])
    place.batch, place.tries = bad, tries
    place.put("orders/1", gzipped([]))
    assert (place.load(cleared=True).outcome, place.rows()) == (Outcome.LOADED, ROWS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"$.id", "the JSON is malformed"),
        (b'["$.id"]', "must contain a single JSON object"),
        (b'{"jsonpaths": ["$.id", "$.name"]}', "Number of jsonpaths"),
        (b'{"jsonpaths": ["$.id", "$.name", "$.*"]}', "Invalid JSONPath format"),
    ],
)
def test_a_wrong_jsonpaths_file_is_told_in_redshifts_words(stage: Stage, content: bytes, said: str):
    """No object is at fault, and all of them are named, ten at most."""
    place = Place(stage)
    objects = [place.put(f"orders/{number:02}", format_files.json_lines([row])) for number, row in enumerate(ROWS * 4)]
    paths = place.put("paths.json", content)
    place.buffer({"format": "json", "jsonpaths": paths}, files=12)
    with pytest.raises(BadDataError, match=said) as raised:
        place.load()
    assert all(url in str(raised.value) for url in objects[:10])
    assert "and 2 more" in str(raised.value)
    place.put("paths.json", json.dumps({"jsonpaths": ["$.id", "$.name", "$.amount"]}))
    assert place.load(cleared=True).outcome is Outcome.LOADED
    assert len(place.rows()) == 12


def test_a_jsonpaths_file_that_is_missing_is_named_and_the_next_run_loads(stage: Stage):
    """No object of the batch is missing, though S3 answers as if one were."""
    place = Place(stage)
    for number in (1, 2):
        place.put(f"orders/{number}", format_files.json_lines(ROWS[:1]))
    paths = f"s3://{place.name}/paths.json"
    place.buffer({"format": "json", "jsonpaths": paths})
    with pytest.raises(NotSetUpError, match=f"(?s)batch {place.batch} .*{paths}.*copy.jsonpaths.*Put it there"):
        place.load()
    assert place.stored().status is BatchStatus.LOCKED
    place.put("paths.json", json.dumps({"jsonpaths": ["$.id", "$.name", "$.amount"]}))
    assert place.load().outcome is Outcome.LOADED


def test_widths_that_are_not_as_many_as_the_tables_columns_are_a_mistake_in_the_load_file(stage: Stage):
    place = Place(stage)
    for number in (1, 2):
        place.put(f"orders/{number}", b"001Anna      \n")
    place.buffer({"format": "fixedwidth", "fixed_width": "id:3,name:10"})
    with pytest.raises(StatementError, match=r"fixedwidth_spec \(2\).*Correct `copy` or `targets`") as raised:
        place.load()
    assert f"batch {place.batch} of load {place.name} into redshift_default/public.{place.name}" in str(raised.value)
    assert place.stored().status is BatchStatus.ERROR


def test_a_file_that_is_filled_after_its_claim_is_loaded_and_its_claim_corrected(stage: Stage):
    place = Place(stage)
    place.put("orders/0", b"")
    place.put("orders/1", format_files.parquet(ROWS[:1]))
    place.buffer(PARQUET)
    content = format_files.parquet(ROWS[1:])
    place.put("orders/0", content)
    assert (place.load().outcome, place.rows()) == (Outcome.LOADED, ROWS)
    claim = stage.services.ledger.find_claim(place.name, f"{place.name}/orders/0")
    assert (place.stored().filled, claim.size_bytes) == (1, len(content))


def test_an_empty_file_and_a_header_alone_are_loaded_as_nothing_and_again_when_cleared(stage: Stage):
    """A manifest leaves out what was empty; what a person has put there since is loaded when that person asks."""
    place = Place(stage)
    place.put("orders/empty", b"")
    place.put("orders/header", format_files.csv([]))
    place.buffer(CSV)
    assert (place.load().outcome, place.rows()) == (Outcome.LOADED, [])
    place.put("orders/empty", format_files.csv())
    assert (place.load(cleared=True).outcome, place.rows()) == (Outcome.LOADED, ROWS)


@pytest.mark.parametrize(
    ("copy", "contents"),
    [(PARQUET, format_files.parquet), (ORC, format_files.orc_file), (CSV, format_files.csv)],
    ids=["parquet", "orc", "csv"],
)
def test_an_object_written_again_between_claim_and_copy(
    stage: Stage, copy: dict[str, Any], contents: Callable[[list[format_files.Row]], bytes]
):
    """Columnar files of another size are refused, and named with both sizes; of others what is there is loaded."""
    place = Place(stage)
    then, now = contents(ROWS[:1]), contents(ROWS)
    place.put("orders/1", then)
    place.put("orders/2", contents(ROWS[:1]))
    place.buffer(copy)
    url = place.put("orders/1", now)
    if copy is not CSV:
        with pytest.raises(BadDataError) as raised:
            place.load()
        said = str(raised.value)
        assert f"batch {place.batch} of load {place.name} into public.{place.name}" in said
        assert f"{url}: {len(then)} bytes in the manifest, {len(now)} in S3" in said
        assert "orders/2: " not in said
        assert "Clear the task" in said
        assert (place.stored().status, place.rows()) == (BatchStatus.ERROR, [])
        with pytest.raises(BadDataError):
            place.load()  # an automatic retry writes the same manifest
    assert place.load(cleared=copy is not CSV).outcome is Outcome.LOADED
    assert [row[0] for row in place.rows()] == [1, 1, 2, 3]
