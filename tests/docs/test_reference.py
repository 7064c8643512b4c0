"""The reference is what the code says, and the code says something of everything."""

import runpy
from typing import Any

import pytest
from support.checkout import CHECKOUT

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.load_file.catalog import settings
from rsloader_provider.get_provider_info import get_provider_info

DOCS = CHECKOUT / "docs"
GENERATE: dict[str, Any] = runpy.run_path(str(DOCS / "generate.py"))
COMMANDS = {each.name: each for each in GENERATE["commands"]()}


@pytest.mark.parametrize("page", ["configuration", "commands"])
def test_the_pages_are_the_ones_that_the_generator_writes(page: str) -> None:
    """After a change of a setting or a command: `make docs`."""
    assert (DOCS / "reference" / f"{page}.md").read_text() == GENERATE[f"{page}_page"](), "run `make docs`"


@pytest.mark.parametrize("path", settings())
def test_every_setting_is_described_and_in_the_reference(path: str) -> None:
    """The description is the docstring under the model's field."""
    setting = settings()[path]
    assert setting.description.endswith("."), f"{path} needs a docstring in core/config/"
    assert not setting.model or (setting.section == "" and setting.model.endswith("."))
    assert f"\n| `{path}` | " in GENERATE["configuration_page"]()


def test_no_key_of_the_models_is_left_out() -> None:
    """The walk that lists them is compared with another one."""
    config = LoadConfig.model_validate(
        {
            "load": "orders",
            "source": "s3://acme-landing/orders/",
            "schedule": "5m",
            "copy": {"format": "csv"},
            "manifests": "s3://acme-loader/manifests/",
            "targets": [{"table": "public.orders"}],
        }
    ).model_dump(mode="json", by_alias=True)
    paths = set()
    for key, value in config.items():
        nested = value[0] if key == "targets" else value if isinstance(value, dict) else {}
        paths |= {f"{key}[]" if key == "targets" else key}
        paths |= {f"{key}[].{each}" if key == "targets" else f"{key}.{each}" for each in nested}
    assert set(settings()) == paths


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_described_with_all_that_it_takes(name: str) -> None:
    """The description is the function's docstring; an argument's or an option's is its `help`."""
    command = COMMANDS[name]
    assert command.description, f"{name} needs a docstring"
    assert [each.name for each in command.parameters if not each.description] == []


def test_every_option_of_airflow_cfg_is_in_the_reference() -> None:
    """They are set once and forgotten, so people look them up."""
    for section, about in get_provider_info()["config"].items():
        for name, option in about["options"].items():
            assert option["description"]
            assert f"`[{section}] {name}` | `AIRFLOW__RSLOADER__" in GENERATE["configuration_page"]()


def test_make_docs_writes_the_reference() -> None:
    """It is what the message of a failure above says."""
    assert "docs: .venv/installed\n\t$(BIN)/python docs/generate.py\n" in (DOCS.parent / "Makefile").read_text()
