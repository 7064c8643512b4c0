"""The README's examples work as they stand."""

import json
import re

from support.checkout import CHECKOUT

from rsloader_provider.aws.dynamodb.tables import ATTENTION_INDEX, TableNames
from rsloader_provider.core.config.load import Notify
from rsloader_provider.core.config.sources import S3Url
from rsloader_provider.core.load_file.reading import read_load_file
from rsloader_provider.core.permissions import Installation, render_policy, worker_policy

README = (CHECKOUT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_first_load_file_is_valid():
    (text,) = blocks("yaml")
    assert read_load_file(text, "orders.yaml").load == "orders"


def test_the_policy_is_the_one_that_the_command_prints():
    """Somebody copies it into IAM."""
    config = read_load_file(blocks("yaml")[0], "orders.yaml")
    config = config.model_copy(update={"failed_manifests": S3Url("acme-loader", "failed/"), "notify": Notify()})
    names = TableNames()
    installation = Installation(names.files, names.batches, ATTENTION_INDEX, "eu-west-1", "123456789012")
    (shown,) = blocks("json")
    assert json.loads(shown) == render_policy(worker_policy(config, installation))


def test_newcomers_find_the_two_commands():
    assert "make demo" in README
    assert "make test" in README
    makefile = (CHECKOUT / "Makefile").read_text()
    assert {"demo:", "test:"} <= {line.split(" ")[0] for line in makefile.splitlines()}
