"""What docs/configuration.md shows works; every setting stands in the reference, which test_reference.py checks."""

import re
from typing import Any, get_args

import pytest
import yaml
from support.checkout import CHECKOUT

from rsloader_provider.core.config import CopyOptions
from rsloader_provider.core.config.copy_clauses import CLAUSES
from rsloader_provider.core.load_file.reading import read_load_file

DOC = (CHECKOUT / "docs" / "configuration.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)


def test_the_reference_is_not_repeated() -> None:
    """Two tables of the same settings differ sooner or later; the reference is the one that a test compares."""
    assert "| setting | default |" not in DOC
    assert "(reference/configuration.md)" in DOC


def test_every_clause_of_copy_is_told_with_its_formats() -> None:
    """What a load file may say in `options`."""
    formats = get_args(CopyOptions.model_fields["format"].annotation)
    told: dict[str, set[str]] = {}
    for names, written in re.findall(r"^\| ([A-Z_, ]+) \| ([a-z, ]+) \|$", DOC, re.MULTILINE):
        named = {each for each in formats if re.search(rf"\b{each}\b", written)}
        for name in names.split(", "):
            told[name] = set(formats) - named if written.startswith("all") else named
    assert told == {name: set(clause.formats) for name, clause in CLAUSES.items()}


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_valid(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """People copy examples. One that shows a part is put into the first, which is whole."""
    monkeypatch.setenv("STAGE", "prod")
    whole = EXAMPLES[0]
    if example != whole:
        parts, shown = yaml.safe_load(whole), yaml.safe_load(example)
        example += yaml.safe_dump({key: value for key, value in parts.items() if key not in shown})
    assert read_load_file(example, "example.yaml").load == "orders"


def test_the_python_example_runs() -> None:
    """Up to the DAG, which needs Airflow and is tested there."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)
    code = code.replace("LoadConfig, load_dag\n", "LoadConfig\n").replace("dag = load_dag(config)\n", "")
    names: dict[str, Any] = {}
    exec(compile(code, "docs/configuration.md", "exec"), names)
    assert names["config"].dag_id == "rsloader_orders"
