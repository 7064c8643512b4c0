"""`rsloader new` asks what matters, takes no wrong answer, and writes a file that is good in its folder."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rsloader_provider.cli import app
from rsloader_provider.cli.new import ASKED
from rsloader_provider.core.load_file.answers import load_file_text
from rsloader_provider.core.load_file.catalog import settings, value_of
from rsloader_provider.core.load_file.reading import read_load_file

ANSWERS = (
    "orders", "s3://acme-landing/orders/", r"\.csv$", "*/5 * * * *",
    "5", "", "",  # the batch's limits
    "csv", "|", "1", "", "",  # the copy's format, delimiter, header, compression and role
    "s3://acme-loader/manifests/", "",
    "", "public.orders", "",  # connection, table, mode
    "", "",  # the topics
    "y",
)  # fmt: skip

WRITTEN = """\
load: orders
source: s3://acme-landing/orders/
file_filter: \\.csv$
schedule: '*/5 * * * *'
batch:
  max_files: 5
copy:
  format: csv
  delimiter: '|'
  ignore_header: 1
manifests: s3://acme-loader/manifests/
targets:
  - table: public.orders
"""
"""What the answers make, without comments and blank lines."""

OPTIONS = (
    "--source", "s3://acme-landing/orders/", "--schedule", "*/5 * * * *", "--format", "json",
    "--manifests", "s3://acme-loader/manifests/", "--table", "public.orders",
)  # fmt: skip


@pytest.fixture
def loads(tmp_path: Path) -> Path:
    (tmp_path / "loads").mkdir()
    return tmp_path / "loads"


def run(loads: Path, *arguments: str, answers: tuple[str, ...] = ()) -> Result:
    typed = "".join(f"{each}\n" for each in answers)
    return CliRunner().invoke(app, ["new", *arguments, "--loads", str(loads)], input=typed)


def written(text: str) -> str:
    """A load file without its comments, which are the models' own, and without blank lines."""
    return "".join(f"{line}\n" for line in text.splitlines() if line and not line.startswith("#"))


def test_the_answers_become_a_short_file_that_is_good(loads: Path) -> None:
    """What holds anyway is not in it; who wants to know looks into the reference."""
    result = run(loads, answers=ANSWERS)
    assert result.exit_code == 0, result.output
    text = (loads / "orders.yaml").read_text()
    assert written(text) == WRITTEN
    assert f"\n\n# {settings()['manifests'].summary}\nmanifests: " in text
    assert CliRunner().invoke(app, ["validate", str(loads)]).exit_code == 0


def test_only_questions_that_matter_are_asked(loads: Path) -> None:
    """The models tell: Parquet has no delimiter, and merge needs its columns."""
    answers = list(ANSWERS)
    answers[7:12] = ["parquet", ""]
    place = answers.index("public.orders")
    answers[place + 1 : place + 2] = ["merge", "id, name"]
    result = run(loads, answers=tuple(answers))
    assert result.exit_code == 0, result.output
    assert "copy.delimiter" not in result.stdout
    assert "copy.compression" not in result.stdout
    config = read_load_file((loads / "orders.yaml").read_text(), "orders.yaml")
    assert config.targets[0].merge_on == ("id", "name")


@pytest.mark.parametrize(
    ("place", "wrong", "told"),
    [
        (0, "1st", "'1st' is not a valid load name. Begin with a letter"),
        (0, "", "'load' is missing."),
        (1, "s3://acme-landing/orders", "does not end with '/'"),
        (2, "(", "RE2"),
        (3, "@often", "'@often' is not a valid schedule. Write for example"),
        (3, "", "'schedule' is missing."),
        (4, "none", "'max_files' should be a whole number."),
        (5, "a lot", "'a lot' is not a size."),
        (6, "5 min", "'5 min' is not a duration."),
        (7, "cvs", "'format' cannot be 'cvs'. Write 'csv'."),
        (8, '"', "'\"' is the quote in CSV."),
        (12, "s3://acme-landing/", "where manifests are written"),
        (15, "a.b.c", "has more than one '.'"),
        (18, "orders", "not the ARN of a standard SNS topic"),
    ],
)
def test_a_wrong_answer_is_told_as_by_validation_and_asked_for_again(
    loads: Path, place: int, wrong: str, told: str
) -> None:
    """Nobody types the other answers again."""
    result = run(loads, answers=(*ANSWERS[:place], wrong, *ANSWERS[place:]))
    assert result.exit_code == 0, result.output
    assert told in result.stdout
    assert written((loads / "orders.yaml").read_text()) == WRITTEN


def test_options_answer_without_questions(loads: Path) -> None:
    """A script makes a hundred loads."""
    result = run(loads, "orders", "--no-questions", *OPTIONS, "--max-age", "10m", "--columns", "id,amount")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"wrote {loads / 'orders.yaml'}\n"
    config = read_load_file((loads / "orders.yaml").read_text(), "orders.yaml")
    assert config.batch.model_dump(mode="json") == {"max_files": 100, "max_bytes": 1024**3, "max_age": "10m"}
    assert config.targets[0].columns == ("id", "amount")


def test_what_an_option_says_is_asked_only_when_it_is_wrong(loads: Path) -> None:
    """One slip in a long command is put right at the prompt."""
    options = [each.replace("*/5 * * * *", "often") for each in OPTIONS]
    answers = ("", "5m", "", "", "", "", "", "", "", "", "", "", "y")
    result = run(loads, "orders", *options, answers=answers)
    assert result.exit_code == 0, result.output
    assert "--schedule: 'often' is not a valid schedule." in result.stdout
    assert "copy.format" not in result.stdout
    assert "schedule: 5m\n" in (loads / "orders.yaml").read_text()


def test_all_that_is_wrong_or_missing_in_options_is_told_by_their_names(loads: Path) -> None:
    """As validation does, in one go."""
    result = run(loads, "orders", "--no-questions", "--source", "s3://x", "--max-files", "0")
    assert result.exit_code == 1
    for name in ("--source:", "--schedule:", "--max-files:", "--format:", "--manifests:", "--table:"):
        assert name in result.stderr
    assert list(loads.iterdir()) == []


def test_a_secret_is_refused_and_not_repeated(loads: Path) -> None:
    """An access key is a likely answer to the question of how Redshift reads."""
    key = "aws_access_key_id=AKIAIOSFODNN7EXAMPLE;aws_secret_access_key=abc"
    result = run(loads, "orders", "--no-questions", *OPTIONS, "--iam-role", key)
    assert result.exit_code == 1
    assert "neither 'default' nor a role's ARN" in result.stderr
    assert "AKIA" not in result.output


def test_a_file_that_exists_stays_unless_told_otherwise(loads: Path) -> None:
    """Its comments are somebody's work."""
    (loads / "orders.yaml").write_text(WRITTEN)
    result = run(loads, "orders", "--no-questions", *OPTIONS)
    assert result.exit_code == 1
    assert "rsloader set" in result.stderr
    assert (loads / "orders.yaml").read_text() == WRITTEN
    assert "exists. Choose another name" in run(loads, "orders", answers=("lines",)).stdout
    assert run(loads, "orders", "--no-questions", "--overwrite", *OPTIONS).exit_code == 0
    assert "format: json" in (loads / "orders.yaml").read_text()


def test_a_source_of_another_load_is_told_at_its_question(loads: Path) -> None:
    """Before the other seventeen."""
    (loads / "orders.yaml").write_text(WRITTEN)
    (loads / "broken.yaml").write_text("load: broken\n")
    result = run(loads, "copies", "--source", "s3://acme-landing/orders/", answers=("s3://acme-landing/copies/",))
    assert "the source is the same as the one of load 'orders'" in result.stdout
    assert "broken.yaml" not in result.stdout
    assert result.exit_code == 1, "the answers end here"
    result = run(loads, "copies", "--no-questions", *OPTIONS)
    assert result.exit_code == 1
    assert "the source is the same as the one of load 'orders'" in result.stderr
    assert not (loads / "copies.yaml").exists()


def test_a_load_that_loses_objects_to_the_new_one_is_told(loads: Path) -> None:
    """That is allowed, and must not be a surprise."""
    (loads / "orders.yaml").write_text(WRITTEN)
    options = [each.replace("landing/orders/", "landing/orders/eu/") for each in OPTIONS]
    result = run(loads, "eu", "--no-questions", *options)
    assert result.exit_code == 0
    assert "Load orders leaves what is below s3://acme-landing/orders/eu/ to load eu." in result.stdout


def test_no_is_an_answer(loads: Path) -> None:
    """The file is shown before it is written."""
    result = run(loads, answers=(*ANSWERS[:-1], "n"))
    assert "\n  - table: public.orders\n" in result.stdout
    assert result.exit_code == 1
    assert list(loads.iterdir()) == []


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    """A load file in the wrong place is never loaded."""
    result = run(tmp_path / "nope", "orders", "--no-questions", *OPTIONS)
    assert result.exit_code == 1
    assert "Create it" in result.stderr


def test_each_setting_that_is_asked_is_one() -> None:
    """A renamed setting leaves the questions as well."""
    assert set(settings()) >= ASKED


def test_every_setting_can_be_an_answer() -> None:
    """The models' own examples are typed as text, and the file that they make is read again."""
    whole = {"load": "orders", "source": "s3://a-bucket/in/", "schedule": "5m", "copy.format": "csv"}
    whole |= {"manifests": "s3://a-bucket/out/", "targets[].table": "orders"}
    for path, text, value in (
        ("batch.max_files", "7", 7),
        ("batch.max_bytes", "1000", 1000),
        ("schedule", "1.5", 1.5),
        ("targets[].columns", "['a,b', c]", ["a,b", "c"]),
        ("targets[].pre_sql", "[DELETE FROM a, DELETE FROM b]", ["DELETE FROM a", "DELETE FROM b"]),
        ("targets[].pre_sql", "DELETE FROM a, b", "DELETE FROM a, b"),
        ("file_filter", "[0-9", "[0-9"),
        ("copy.delimiter", "[", "["),
    ):
        assert value_of(path, text) == value
        if path in {"batch.max_files", "batch.max_bytes", "schedule", "targets[].columns", "copy.delimiter"}:
            assert read_load_file(load_file_text({**whole, path: value}), "orders.yaml").load == "orders"
