"""Each format with each compression that Redshift allows, through the operator that loads, to rows."""

import itertools
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from support import format_files
from support.format_files import AVRO_CODECS, COMPRESSIONS, ORC_CODECS, PARQUET_CODECS, ROWS, TABLE
from support.loader_services import loader_services, make_tables
from support.objects import a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.operators.load_batch import LoadBatchOperator

if TYPE_CHECKING:
    from rsloader_provider.loader.run.take_over import Work

Contents = Callable[[list[format_files.Row]], bytes]

CSV = {"format": "csv", "ignore_header": 1}
LINES: dict[str, tuple[dict[str, Any], Contents]] = {
    "csv": (CSV, format_files.csv),
    "text": ({"format": "text", "options": "ESCAPE"}, format_files.text),
    "fixedwidth": (
        {"format": "fixedwidth", "fixed_width": format_files.FIXED_WIDTH, "options": "TRIMBLANKS"},
        format_files.fixed_width,
    ),
    "json": ({"format": "json"}, format_files.json_lines),
}
DELIMITERS = {",": ",", ";": ";", "\t": "\t", r"\t": "\t", r"\001": "\001", r"\174": "|", "|~|": "|~|", "'": "'"}


class Stage:
    """What all these tests share: clients are slow to make."""

    def __init__(self, endpoint_url: str, aws_arguments: dict[str, Any], login: Callable[..., Any]):
        make_tables(endpoint_url, "rsloader_")
        self.services = loader_services(endpoint_url, "rsloader_", lambda _: login())
        self.s3 = boto3.client("s3", **aws_arguments)
        self.connection = login()
        self.connection.autocommit = True
        self.numbers = itertools.count()

    def query(self, text: str) -> list[tuple[Any, ...]]:
        cursor = self.connection.cursor()
        cursor.execute(text)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


@pytest.fixture(scope="module")
def stage(local_aws: Any, aws_arguments: dict[str, Any], redshift_login: Callable[..., Any]) -> Iterator[Stage]:
    made = Stage(local_aws.endpoint_url, aws_arguments, redshift_login)
    yield made
    made.connection.close()


class Place:
    """A bucket and a table of one test's own."""

    def __init__(self, stage: Stage):
        self.stage = stage
        self.name = f"formats{next(stage.numbers)}"
        self.table = TableName("public", self.name)
        stage.s3.create_bucket(Bucket=self.name)

    def put(self, key: str, content: bytes | str) -> str:
        self.stage.s3.put_object(Bucket=self.name, Key=key, Body=content)
        return f"s3://{self.name}/{key}"

    def buffer(self, copy: dict[str, Any], contents: tuple[bytes, ...], made_of: str, **target: Any) -> LoadConfig:
        """Create the table and put the objects; gives the load, with `self.work` to do."""
        self.stage.query(f"CREATE TABLE {self.table} ({made_of})")
        for statement in (sql.CreateHistorySchema(), sql.CreateHistory(self.table)):
            self.stage.query(render(statement))
        for number, content in enumerate(contents):
            self.put(f"orders/{number}", content)
        config = a_config(
            load=self.name, source=f"s3://{self.name}/orders/", manifests=f"s3://{self.name}/manifests/",
            batch={"max_files": len(contents)}, copy=copy, targets=[{"table": str(self.table), **target}],
        )  # fmt: skip
        self.work: Work
        (self.work,) = buffer_objects(config, self.stage.services, run="dag/run", is_active=lambda _: False, max_work=9)
        return config

    def load(
        self, copy: dict[str, Any], *contents: bytes, made_of: str = TABLE, **target: Any
    ) -> list[tuple[Any, ...]]:
        """Load the objects; gives the table's rows."""
        config = self.buffer(copy, contents, made_of, **target)
        done = load_batch(config, self.stage.services, self.work.batch.batch, self.work.target, Asker("try", "dag/run"))
        return self.rows(done.batch.progress(self.work.target).rows)

    def load_by_operator(self, copy: dict[str, Any], *contents: bytes) -> list[tuple[Any, ...]]:
        """The same as Airflow does it."""
        config = self.buffer(copy, contents, TABLE)
        operator = LoadBatchOperator(
            task_id="load_batch", load_config=config.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            batch=self.work.batch.batch, target=self.work.target,
        )  # fmt: skip
        task = SimpleNamespace(dag_id="dag", run_id="run", task_id="load", map_index=0, try_number=1, max_tries=0)
        context: Any = {"ti": task, "dag_run": SimpleNamespace(clear_number=0, start_date=None)}
        return self.rows(operator.execute(context)["rows"])

    def rows(self, told: int | None) -> list[tuple[Any, ...]]:
        found = self.stage.query(f"SELECT * FROM {self.table} ORDER BY 1")
        assert told == len(found), "what the ledger, the history and Airflow are told"
        return found


@pytest.fixture
def place(stage: Stage, connections: None) -> Place:
    return Place(stage)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("name", LINES)
def test_lines_are_loaded_in_every_compression(place: Place, name: str, compression: str | None):
    copy, contents = LINES[name]
    compressed = [COMPRESSIONS[compression](contents(rows)) for rows in (ROWS[:1], ROWS[1:])]
    assert place.load_by_operator({**copy, "compression": compression}, *compressed) == ROWS


@pytest.mark.parametrize("codec", AVRO_CODECS)
def test_avro_is_loaded_in_every_codec(place: Place, codec: str):
    files = [format_files.avro(rows, codec) for rows in (ROWS[:1], ROWS[1:])]
    assert place.load_by_operator({"format": "avro"}, *files) == ROWS


@pytest.mark.parametrize("codec", PARQUET_CODECS)
def test_parquet_is_loaded_in_every_codec(place: Place, codec: str):
    files = [format_files.parquet(rows, codec) for rows in (ROWS[:1], ROWS[1:])]
    assert place.load_by_operator({"format": "parquet"}, *files) == ROWS


@pytest.mark.parametrize("codec", ORC_CODECS)
def test_orc_is_loaded_in_every_codec(place: Place, codec: str):
    files = [format_files.orc_file(rows, codec) for rows in (ROWS[:1], ROWS[1:])]
    assert place.load_by_operator({"format": "orc"}, *files) == ROWS


@pytest.mark.parametrize("written", DELIMITERS)
def test_csv_is_loaded_with_any_delimiter(place: Place, written: str):
    """A tab and other characters that no editor shows have notations of their own."""
    content = format_files.csv(delimiter=DELIMITERS[written])
    assert place.load({**CSV, "delimiter": written}, content) == ROWS


def test_text_loses_its_quotes_and_escapes_where_the_options_say_so(place: Place):
    content = "1|'Anna'|1.50\n2|\"Zoé, |'x\"|-20.25\n3|CCCCC\\CCCCC|0\n".encode()
    assert place.load({"format": "text", "options": "REMOVEQUOTES ESCAPE"}, content) == ROWS


@pytest.mark.parametrize(
    ("mapping", "names", "content"),
    [
        ("auto", ("id", "name", "amount"), None),
        ("auto ignorecase", ("ID", "Name", "aMOUNT"), None),
        ("file", ("key", "who", "what"), {"jsonpaths": ["$.key", "$.who", "$.what"]}),
        ("file", ("key", "who", "what"), {"jsonpaths": ["$['key']", "$['who']", "$['what']"]}),
    ],
    ids=["auto", "auto ignorecase", "dots", "brackets"],
)
def test_json_finds_its_columns(place: Place, mapping: str, names: tuple[str, str, str], content: Any):
    if content is not None:
        mapping = place.put("paths/orders.json", json.dumps(content))
    assert place.load({"format": "json", "jsonpaths": mapping}, format_files.json_lines(ROWS, names)) == ROWS


def test_json_goes_into_one_super_column_without_shredding(place: Place):
    found = place.load(
        {"format": "json", "jsonpaths": "noshred"}, b'{"id": 1, "tags": ["a"]}', made_of="document super"
    )
    assert [json.loads(document) for (document,) in found] == [{"id": 1, "tags": ["a"]}]


def test_avro_finds_its_columns_by_a_jsonpaths_file(place: Place):
    paths = place.put("paths.json", json.dumps({"jsonpaths": ["$.amount", "$.id"]}))
    copy = {"format": "avro", "jsonpaths": paths}
    found = place.load(copy, format_files.avro(), made_of="amount decimal(8,2), id integer")
    assert sorted(found) == sorted((amount, key) for key, _, amount in ROWS)


@pytest.mark.parametrize("copy", [*(copy for copy, _ in LINES.values()), {"format": "parquet"}, {"format": "orc"}])
def test_a_column_list_says_which_columns_the_fields_fill(place: Place, copy: dict[str, Any]):
    contents = {**{name: each for name, (_, each) in LINES.items()}, "parquet": format_files.parquet}
    content = contents.get(copy["format"], format_files.orc_file)(ROWS)
    found = place.load(
        copy, content, made_of=f"noted varchar(5) default 'x', {TABLE}", columns=["id", "name", "amount"]
    )
    assert sorted(row[1:] for row in found) == ROWS
    assert {row[0] for row in found} == {"x"}


@pytest.mark.parametrize("options", ["MAXERROR 3", "IGNOREALLERRORS"])
def test_rows_that_copy_may_skip_are_counted_by_nobody(place: Place, options: str):
    """Ledger, history and Airflow tell the rows that are in the table."""
    content = b"1,Anna,1.50\nfour,Dora,4\n5,Eva\n"
    assert place.load({"format": "csv", "options": options}, content) == ROWS[:1]
    history = place.stage.query(f'SELECT "rows", "files" FROM rsloader."public__{place.name}"')
    assert history == [(1, 1)]
