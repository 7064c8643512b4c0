"""A secret that somebody wrote into a load file is not carried on into logs, documentation and alarms."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from support.objects import a_config
from support.secrets import MISTAKES, PLANTED

from rsloader_provider.core.load_file.reading import LoadFileError, read_load_file

LOAD: dict[str, Any] = {
    "load": "orders",
    "source": "s3://landing/orders/",
    "schedule": "@hourly",
    "copy": {"format": "csv"},
    "manifests": "s3://loader/manifests/",
    "targets": [{"table": "public.orders"}],
}


@pytest.mark.parametrize("settings", MISTAKES.values(), ids=MISTAKES)
def test_a_secret_is_refused_without_being_repeated(settings: dict[str, Any]):
    with pytest.raises(LoadFileError) as raised:
        read_load_file(yaml.safe_dump(LOAD | settings, width=1000), "orders.yaml")
    report = str(raised.value)
    assert report.startswith("orders.yaml:")
    assert [secret for secret in PLANTED if secret in report] == []


BY_HAND = {name: settings for name, settings in MISTAKES.items() if name != "unknown key that is one"}
"""In Python a key is an identifier, and pydantic names it."""


@pytest.mark.parametrize("settings", BY_HAND.values(), ids=BY_HAND)
def test_a_load_built_by_hand_does_not_repeat_it_either(settings: dict[str, Any]):
    """The message of pydantic shows what it was given."""
    with pytest.raises(ValidationError) as raised:
        a_config(**settings)
    assert [secret for secret in PLANTED if secret in str(raised.value)] == []


@pytest.mark.parametrize("source", ["s3://landing/token=*/", "s3://landing/secrets/orders/", "s3://landing/a@b:c/"])
def test_a_prefix_that_only_sounds_like_a_secret_is_taken(source: str):
    assert str(a_config(source=source).sources[0]) == source
