"""`rsloader set` changes one setting and nothing else, or nothing at all."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rsloader_provider.cli import app
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.load_file.editing import set_value, unset
from rsloader_provider.core.load_file.reading import read_load_file
from rsloader_provider.loader.load_files.drafts import write_load_file

ORDERS = """\
# Orders of the shop.
load: orders
source: s3://acme-landing/orders/       # the whole folder

file_filter: '\\.csv$'
schedule: "*/5 * * * *"
batch:                                  # small ones
  max_files: 2

  # nobody waits longer
  max_age:   1m                         # since the first file

copy: {format: csv, delimiter: '|' , ignore_header: 1}
manifests: s3://acme-loader/manifests/
targets:
  - conn_id: redshift_default           # the main one
    table: public.orders
    post_sql: |
      DELETE FROM public.orders
      WHERE id IS NULL

  # the archive
  - conn_id: redshift_archive
    table: archive.orders
    columns:
    - id
    - amount
# the end
"""

COPY = ORDERS.splitlines()[12]
TOPIC = "arn:aws:sns:eu-west-1:123456789012:failed"


@pytest.fixture
def loads(tmp_path: Path) -> Path:
    (tmp_path / "orders.yaml").write_text(ORDERS)
    return tmp_path


def run(loads: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["set", *arguments, "--loads", str(loads)])


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """Lines that are gone, and lines that are new; all others are the same, in the same order."""
    old, new = before.splitlines(), after.splitlines()
    kept = [line for line in old if line in new]
    assert kept == [line for line in new if line in old]
    return [line for line in old if line not in new], [line for line in new if line not in old]


@pytest.mark.parametrize(
    ("path", "value", "gone", "new"),
    [
        (
            "batch.max_age",
            "10m",
            ["  max_age:   1m                         # since the first file"],
            ["  max_age:   10m                         # since the first file"],
        ),
        ("schedule", "@hourly", ['schedule: "*/5 * * * *"'], ['schedule: "@hourly"']),
        ("schedule", "300", ['schedule: "*/5 * * * *"'], ["schedule: 300"]),
        ("file_filter", "[0-9]", ["file_filter: '\\.csv$'"], ["file_filter: '[0-9]'"]),
        ("batch.max_bytes", "500 MB", [], ["  max_bytes: 500 MB"]),
        ("notify.failure", TOPIC, [], [f"notify: {{failure: '{TOPIC}'}}"]),
        ("targets[0].mode", "replace", [], ["    mode: replace"]),
        ("targets[redshift_archive/archive.orders].statement_timeout", "2h", [], ["    statement_timeout: 2h"]),
        ("targets[1].columns", "[id, 'on']", ["    columns:", "    - id", "    - amount"], ["    columns: [id, 'on']"]),
        ("targets[1].columns[1]", "price", ["    - amount"], ["    - price"]),
        ("copy.delimiter", ",", [COPY], ["copy: {format: csv, delimiter: ',' , ignore_header: 1}"]),
        ("copy.compression", "gzip", [COPY], [COPY.replace("}", ", compression: gzip}")]),
        (
            "targets[0].post_sql",
            "DELETE FROM public.orders",
            ["    post_sql: |", "      DELETE FROM public.orders", "      WHERE id IS NULL"],
            ["    post_sql: DELETE FROM public.orders"],
        ),
        ("targets[1].pre_sql", "DELETE\nFROM a", [], ['    pre_sql: "DELETE\\nFROM a"']),
    ],
)  # fmt: skip
def test_a_value_changes_and_every_other_line_stays(path: str, value: str, gone: list[str], new: list[str]) -> None:
    """Comments, blank lines, quotes and columns are their author's."""
    after = set_value(ORDERS, path, value)
    assert changed_lines(ORDERS, after) == (gone, new)
    read_load_file(after, "orders.yaml")


@pytest.mark.parametrize(
    ("path", "gone", "new"),
    [
        ("file_filter", ["file_filter: '\\.csv$'"], []),
        ("batch.max_age", ["  max_age:   1m                         # since the first file"], []),
        ("copy.delimiter", [COPY], ["copy: {format: csv, ignore_header: 1}"]),
        ("copy.ignore_header", [COPY], ["copy: {format: csv, delimiter: '|'}"]),
        (
            "targets[0].conn_id",
            ["  - conn_id: redshift_default           # the main one", "    table: public.orders"],
            ["  - table: public.orders"],
        ),
        ("targets[1].columns", ["    columns:", "    - id", "    - amount"], []),
        (
            "targets[1]",
            ["  - conn_id: redshift_archive", "    table: archive.orders", "    columns:", "    - id", "    - amount"],
            [],
        ),
    ],
)
def test_a_setting_taken_out_takes_nothing_with_it(path: str, gone: list[str], new: list[str]) -> None:
    """Not the comment of the next setting either, which a parser counts to the one before."""
    after = unset(ORDERS, path)
    assert changed_lines(ORDERS, after) == (gone, new)
    read_load_file(after, "orders.yaml")


def test_a_mapping_that_would_be_empty_goes_as_well() -> None:
    """`batch:` with nothing below it is a mistake."""
    assert "batch" not in unset(unset(ORDERS, "batch.max_files"), "batch.max_age")


def test_newlines_of_windows_and_letters_of_other_alphabets_stay() -> None:
    """The places that the parser gives are counted in characters, not bytes."""
    text = ORDERS.replace("Orders of the shop", "Bestellungen für Jürgen 🛒").replace("\n", "\r\n")
    after = set_value(set_value(text, "batch.max_age", "10m"), "batch.max_bytes", "1GiB")
    assert "Jürgen 🛒.\r\nload" in after
    assert "max_age:   10m " in after
    assert after.count("\n") == after.count("\r\n") == text.count("\r\n") + 1


def test_an_anchor_that_is_used_twice_is_left_to_a_person() -> None:
    """The change of one setting would be a change of two."""
    text = ORDERS.replace("'\\.csv$'", "&same '\\.csv$'").replace("table: archive.orders", "table: *same")
    with pytest.raises(ConfigurationError, match="Edit the file by hand"):
        set_value(text, "file_filter", "x")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("batch..max_age", "not the path of a setting"),
        ("[0].mode", "no list"),
        (
            "targets[2].mode",
            r"The entries: \[0\] redshift_default/public.orders, \[1\] redshift_archive/archive.orders",
        ),
        ("targets.mode", "the value before 'mode' cannot hold it"),
        ("batch[0]", "no list"),
    ],
)
def test_a_path_that_leads_nowhere_says_how_to_write_one(path: str, told: str) -> None:
    """The shell knows no completion for it."""
    with pytest.raises(ConfigurationError, match=told):
        set_value(ORDERS, path, "append")


def test_the_command_writes_the_file_and_prints_the_changed_lines(loads: Path) -> None:
    """What goes into the commit is on the screen."""
    (loads / "orders.yaml").chmod(0o640)
    result = run(loads, "orders", "targets[0].mode", "replace")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["--- orders.yaml", "+++ orders.yaml", "@@ -20,0 +21 @@", "+    mode: replace"]
    assert (loads / "orders.yaml").read_text() == set_value(ORDERS, "targets[0].mode", "replace")
    assert (loads / "orders.yaml").stat().st_mode & 0o777 == 0o640
    assert [each.name for each in loads.iterdir()] == ["orders.yaml"]
    assert run(loads, "orders", "targets[0].mode", "replace").stdout == "orders.yaml: nothing to change.\n"
    assert run(loads, "orders", "targets[0].mode", "--unset").exit_code == 0
    assert (loads / "orders.yaml").read_text() == ORDERS


def test_a_new_name_is_told_to_load_everything_again(loads: Path) -> None:
    """Claims and history stand under the old one, and nobody thinks of them when a name is made nicer."""
    assert "load sales loads everything again" in run(loads, "orders", "load", "sales").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("orders", "batch.max_age", "10 minutes"), "orders.yaml:11: '10 minutes' is not a duration."),
        (("orders", "batch.max_agee", "10m"), "unknown key 'max_agee'. Write 'max_age'."),
        (("orders", "max_age", "10m"), "It belongs under 'batch'."),
        (("orders", "batch.max_files", "many"), "orders.yaml:8: 'max_files' should be a whole number."),
        (("orders", "targets[0].mode", "upsert"), "'mode' cannot be 'upsert'."),
        (("orders", "schedule", "--unset"), "'schedule' is missing."),
        (("orders", "on_clear", "--unset"), "nothing to remove"),
        (("lines", "batch.max_age", "10m"), "declares the load 'lines'"),
        (("orders", "source", "s3://acme-landing/returns/"), "returns.yaml"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_as_by_validation_and_changes_nothing(
    loads: Path, arguments: tuple[str, ...], told: str
) -> None:
    """A folder that was good stays good; the mistakes of another file are its own affair."""
    returns = ORDERS.replace("orders/", "returns/").replace("load: orders", "load: returns")
    (loads / "returns.yaml").write_text(returns)
    (loads / "broken.yaml").write_text("load: broken\n")
    result = run(loads, *arguments)
    assert result.exit_code == 1
    assert told in result.stderr
    assert "broken.yaml" not in result.stderr
    assert (loads / "orders.yaml").read_text() == ORDERS


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("copy.options", "CREDENTIALS 'aws_access_key_id=AKIAIOSFODNN7EXAMPLE'"),
        ("targets[0].conn_id", "redshift://loader:hunter2-AKIAIOSFODNN7EXAMPLE@host/db"),
        ("source", "s3://AKIAIOSFODNN7EXAMPLE:secret@bucket/"),
    ],
)
def test_a_secret_is_refused_and_not_repeated(loads: Path, key: str, value: str) -> None:
    """A terminal is recorded, and so are the logs of CI."""
    result = run(loads, "orders", key, value)
    assert result.exit_code == 1
    assert "AKIA" not in result.output
    assert (loads / "orders.yaml").read_text() == ORDERS


def test_objects_that_get_another_owner_are_told(loads: Path) -> None:
    """The load around it silently loses them otherwise."""
    text = ORDERS.replace("/orders/ ", "/ ").replace("load: orders", "load: rest").replace("public.orders", "rest")
    (loads / "rest.yaml").write_text(text.replace("s3://acme-loader/manifests/", "s3://acme-loader/rest/"))
    result = run(loads, "orders", "source", "s3://acme-landing/new/")
    assert result.exit_code == 0
    assert "Load rest leaves what is below s3://acme-landing/new/ to load orders." in result.stdout


def test_a_file_that_is_no_yaml_is_told_as_by_validation(loads: Path) -> None:
    """There is nothing to keep in it."""
    (loads / "orders.yaml").write_text("load: orders\nschedule: @hourly\n")
    assert "orders.yaml:2: this is not YAML" in run(loads, "orders", "schedule", "5m").stderr


def test_two_files_of_one_load_are_left_to_a_person(loads: Path) -> None:
    """Which of them is meant cannot be told."""
    (loads / "copy.yaml").write_text(ORDERS)
    result = run(loads, "orders", "schedule", "5m")
    assert result.exit_code == 1
    assert "declare the load 'orders': copy.yaml, orders.yaml." in result.stderr


def test_a_link_is_followed_and_a_file_that_cannot_be_written_stays(loads: Path, tmp_path: Path) -> None:
    """Configuration is often mounted, and Airflow may read the file at any moment."""
    real = tmp_path / "elsewhere.txt"
    (loads / "orders.yaml").rename(real)
    (loads / "orders.yaml").symlink_to(real)
    assert run(loads, "orders", "schedule", "5m").exit_code == 0
    assert (loads / "orders.yaml").is_symlink()
    assert 'schedule: "5m"' in real.read_text()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_load_file(tmp_path / "nowhere" / "orders.yaml", ORDERS)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_load_file(real / "orders.yaml", ORDERS)


def test_a_value_or_unset_is_needed(loads: Path) -> None:
    """Which of the two is meant must be said."""
    assert run(loads, "orders", "schedule").exit_code == 2
    assert run(loads, "orders", "schedule", "5m", "--unset").exit_code == 2
