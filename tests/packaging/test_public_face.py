"""What people's DAG files may import: a list that is kept, and the only one that the documents show."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest
from support.checkout import CHECKOUT

import rsloader_provider

FACE = {
    "AuditLoadOperator",
    "BufferObjectsOperator",
    "CopyOptions",
    "LoadBatchOperator",
    "LoadConfig",
    "NewObjectsSensor",
    "Target",
    "load_dag",
    "load_dags",
    "load_task_group",
}
FOR_TESTS = {"rsloader_provider.local.redshift.LocalRedshift", "rsloader_provider.local.aws.LocalAws"}
IN_AIRFLOW = {
    "rsloader_provider.operators.audit_load.AuditLoadOperator",
    "rsloader_provider.operators.buffer_objects.BufferObjectsOperator",
    "rsloader_provider.operators.invalid_load.InvalidLoadOperator",
    "rsloader_provider.operators.load_batch.LoadBatchOperator",
    "rsloader_provider.operators.operate.OperateOperator",
    "rsloader_provider.operators.target_in_order.TargetInOrderOperator",
    "rsloader_provider.sensors.new_objects.NewObjectsSensor",
    "rsloader_provider.triggers.new_objects.NewObjectsTrigger",
}
"""Paths that stand in Airflow's database."""

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
README = PAGES[0].read_text()


def test_the_face_is_what_it_was():
    """Whoever takes a name away breaks DAG files that nobody here can see."""
    assert set(rsloader_provider.__all__) == FACE
    assert set(dir(rsloader_provider)) >= FACE


@pytest.mark.parametrize("name", sorted(FACE))
def test_each_name_gives_what_it_says(name: str):
    assert getattr(rsloader_provider, name).__name__ == name


def test_another_name_is_an_attribute_error_as_of_any_module():
    with pytest.raises(AttributeError, match="module 'rsloader_provider' has no attribute 'LoadConfiguration'"):
        _ = rsloader_provider.LoadConfiguration


@pytest.mark.parametrize("path", sorted(FOR_TESTS | IN_AIRFLOW))
def test_a_path_that_others_name_leads_to_its_class(path: str):
    module, _, name = path.rpartition(".")
    found = getattr(import_module(module), name)
    assert f"{found.__module__}.{name}" == path or path in FOR_TESTS


def test_the_readme_lists_the_face_and_says_that_nothing_else_stays():
    assert {name for name in FACE if f"`{name}`" in README} == FACE
    assert {path for path in FOR_TESTS if f"`{path}`" in README} == FOR_TESTS
    assert "Everything else in the package may change at any time." in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documents_import_and_name_nothing_but_the_face(page: Path):
    allowed = {f"rsloader_provider.{name}" for name in FACE} | FOR_TESTS
    assert set(named_in(page.read_text())) <= allowed


def test_the_search_in_documents_finds_what_it_looks_for():
    code = (
        "```python\nfrom rsloader_provider.core.config import LoadConfig, Target as T\nimport rsloader_provider.cli\n"
    )
    code += "from rsloader_provider import (\n    Target,\n    load_dag,\n)\n```\nIn `rsloader_provider.aws.errors`."
    assert set(named_in(code)) == {
        "rsloader_provider.core.config.LoadConfig",
        "rsloader_provider.core.config.Target",
        "rsloader_provider.cli",
        "rsloader_provider.Target",
        "rsloader_provider.load_dag",
        "rsloader_provider.aws.errors",
    }


def test_the_sample_imports_from_the_face_and_airflow_takes_it_for_a_dag_file():
    """Airflow's DagBag passes over a file without these two words in it."""
    text = (CHECKOUT / "dags" / "rsloader_dags.py").read_text()
    assert named_in(text) == ["rsloader_provider.load_dags"]
    assert {"dag", "airflow"} <= set(re.findall("dag|airflow", text.lower()))


def test_type_checkers_are_told_the_same():
    """They read the imports below TYPE_CHECKING, and a program asks the module's `__getattr__`."""
    tree = ast.parse(Path(rsloader_provider.__file__).read_text())
    (block,) = (each for each in tree.body if isinstance(each, ast.If) and ast.unparse(each.test) == "TYPE_CHECKING")
    told = {alias.name: each.module for each in block.body for alias in each.names}
    assert set(told) == FACE
    for name, module in told.items():
        assert getattr(import_module(module), name) is getattr(rsloader_provider, name)


def named_in(text: str) -> list[str]:
    """Give each thing of the package that a text imports or names by its dotted path; links to files are none."""
    imported = re.findall(r"^from (rsloader_provider[\w.]*) import (?:\(([^)]*)\)|(.+))$", text, re.MULTILINE)
    names = [
        f"{module}.{each.split(' as ')[0].strip()}"
        for module, in_brackets, in_line in imported
        for each in (in_brackets or in_line.partition("#")[0]).split(",")
        if each.strip()
    ]
    names += re.findall(r"^import (rsloader_provider[\w.]*)", text, re.MULTILINE)
    return names + re.findall(r"`(rsloader_provider\.[\w.]+)`", text)
