"""`rsloader validate` and `rsloader schema`, as somebody at a terminal or a program sees them."""

import json
from pathlib import Path

import pytest
from support.checkout import CHECKOUT
from typer.testing import CliRunner, Result

from rsloader_provider.cli import app
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.load_file.reading import read_load_file

SAMPLE = CHECKOUT / "dags" / "loads"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def five_mistakes(tmp_path: Path) -> Path:
    """A folder with five different mistakes in three files, and one good file."""
    good = (SAMPLE / "orders.yaml").read_text()
    (tmp_path / "good.yaml").write_text(
        good.replace("acme-landing/orders", "acme-landing/good").replace("orders", "good")
    )
    (tmp_path / "orders.yaml").write_text(
        """load: orders
source: s3://acme-landing/orders/
schedule: "61 * * * *"
copy:
  fomat: csv
  format: csv
manifests: s3://acme-loader/manifests/
targets:
  - table: [red]
"""
    )
    (tmp_path / "lines.yaml").write_text("load: lines\nschedule: @hourly\n")
    (tmp_path / "customers.yaml").write_text(
        good.replace("load: orders", "load: customers").replace("1m ", "1 minute ")
    )
    return tmp_path


def test_five_different_mistakes_in_three_files_are_all_printed_with_file_and_line(five_mistakes: Path) -> None:
    """The issue asks for exactly this: one run, everything that is wrong."""
    result = run("validate", five_mistakes)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert [line.split(": ")[0] for line in lines[:-1]] == [
        "customers.yaml:10",
        "lines.yaml:2",
        "orders.yaml:3",
        "orders.yaml:5",
        "orders.yaml:9",
    ]
    for said, line in zip(
        [
            "'1 minute' is not a duration",
            "this is not YAML",
            "'61 * * * *' is not a valid cron",
            "Write 'format'",
            "be text",
        ],
        lines,
        strict=False,
    ):
        assert said in line
    assert lines[-1] == "5 mistakes in 3 files."


def test_text_that_looks_like_rich_markup_is_printed_as_it_stands(tmp_path: Path) -> None:
    """A regular expression such as [/a] would otherwise end the program."""
    (tmp_path / "[bold]x.yaml").write_text("load: '[/red]'\n'[blink]k': 1\n")
    output = run("validate", tmp_path).output
    assert "[bold]x.yaml:1: '[/red]' is not a valid load name." in output
    assert "unknown key '[blink]k'." in output


def test_a_good_folder_is_a_table_of_its_loads() -> None:
    """What is going to happen, at a glance."""
    result = run("validate", SAMPLE)
    assert result.exit_code == 0
    assert "orders" in result.output


def test_a_file_alone_can_be_checked(five_mistakes: Path) -> None:
    """Editors check the file at hand."""
    assert run("validate", five_mistakes / "good.yaml").exit_code == 0
    assert "lines.yaml:2: this is not YAML" in run("validate", five_mistakes / "lines.yaml").output


def test_a_missing_folder_or_file_says_what_to_do(tmp_path: Path) -> None:
    """The default folder is 'loads', which is not everybody's."""
    for place in ("nope", "nope.yaml"):
        result = run("validate", tmp_path / place)
        assert result.exit_code == 1
        assert "does not exist" in result.output


def test_programs_get_json(five_mistakes: Path) -> None:
    """A check in CI annotates lines from it."""
    result = run("validate", five_mistakes, "--json")
    assert result.exit_code == 1
    data = json.loads(result.output)
    assert [load["load"] for load in data["loads"]] == ["good"]
    assert LoadConfig.model_validate(data["loads"][0]).load == "good"
    assert {key: data["mistakes"][1][key] for key in ("load", "file", "line")} == {
        "load": "lines",
        "file": "lines.yaml",
        "line": 2,
    }
    missing = run("validate", five_mistakes / "nope", "--json")
    assert "does not exist" in json.loads(missing.stdout)["error"]


def test_the_schema_is_one_that_editors_take_and_the_sample_uses_its_names() -> None:
    """People write `copy`, not our Python name for it, and durations and sizes as text or numbers."""
    schema = json.loads(run("schema").output)
    sample = read_load_file((SAMPLE / "orders.yaml").read_text(), "orders.yaml").model_dump(mode="json", by_alias=True)
    assert set(sample) == set(schema["properties"])
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["load", "source", "schedule", "copy", "manifests", "targets"]
    assert [each["type"] for each in schema["properties"]["source"]["anyOf"]] == ["string", "array"]
    assert schema["properties"]["schedule"]["type"] == ["string", "number"]
    limits = schema["$defs"]["BatchLimits"]["properties"]
    assert (limits["max_age"]["type"], limits["max_age"]["default"]) == (["string", "number"], "5m")
    assert (limits["max_bytes"]["type"], limits["max_bytes"]["default"]) == (["string", "integer"], "1GiB")


def test_every_setting_has_a_description_for_editors() -> None:
    """It is what people see when they point at a key."""
    schema = json.loads(run("schema").output)
    for settings in (schema, *schema["$defs"].values()):
        assert all(each.get("description") for each in settings["properties"].values())


# The DAG once rendered it, while every command took it as it stands.
JINJA = """load: jin
source: s3://land/{{ var.value.env }}/jin/
schedule: "0 6 * * *"
batch: {max_files: 1}
copy: {format: csv}
manifests: s3://man/{{ var.value.env }}/
targets:
  - table: public.jin
    pre_sql: DELETE FROM {{ target }} WHERE day = '{{ ds }}'
"""


def test_what_looks_like_a_template_of_airflows_is_told_and_is_no_mistake(tmp_path: Path) -> None:
    """Whoever wrote it would otherwise wait for objects that never come."""
    (tmp_path / "jin.yaml").write_text(JINJA)
    result = run("validate", tmp_path)
    assert result.exit_code == 0
    assert (
        "Note: jin.yaml:2: 's3://land/{{ var.value.env }}/jin/' looks like a template, but is taken as it stands, with "
        "'{{ var.value.env }}' in it. Only pre_sql and post_sql are templates" in result.output
    )
    assert result.output.count("Note:") == 2, "the SQL is one"
    told = json.loads(run("validate", tmp_path, "--json").output)
    assert [each["file"] for each in told["notes"]] == ["jin.yaml", "jin.yaml"]


def test_a_folder_in_double_braces_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "brace.yaml").write_text(JINJA.replace("{{ var.value.env }}", "{{tenant}}"))
    result = run("validate", tmp_path)
    assert (result.exit_code, "Note" in result.output) == (0, False)
