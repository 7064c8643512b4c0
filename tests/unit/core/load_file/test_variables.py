"""`${env:NAME}` in a load file, and what may not stand for it."""

import pytest

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.load_file.answers import complaint
from rsloader_provider.core.load_file.reading import LoadFileError, prefixes_in, read_load_file, sources_named
from rsloader_provider.core.load_file.variables import differing, resolved

GOOD = """\
load: orders
source: s3://landing-${env:STAGE}/orders/
schedule: "@hourly"
copy:
  format: csv
  iam_role: arn:aws:iam::${env:ACCOUNT}:role/reader
batch: {max_age: "${env:AGE}"}
manifests: s3://loader/${env:STAGE}/${env:TEAM}/
targets:
  - table: ${env:TEAM}.orders
    conn_id: redshift_${env:STAGE}
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {"STAGE": "prod", "ACCOUNT": "123456789012", "TEAM": "sales", "AGE": "10m"}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def mistakes(text: str) -> list[str]:
    with pytest.raises(LoadFileError) as raised:
        read_load_file(text, "orders.yaml")
    return [str(each) for each in raised.value.mistakes]


def test_a_variable_stands_for_its_value_in_every_text():
    """And the plain JSON, which tasks get, has the values."""
    config = read_load_file(GOOD, "orders.yaml")
    assert [*map(str, config.sources)] == ["s3://landing-prod/orders/"]
    assert (str(config.manifests), config.targets[0].name) == ("s3://loader/prod/sales/", "redshift_prod/sales.orders")
    assert (config.copy_options.iam_role, config.batch.max_age.seconds) == (
        "arn:aws:iam::123456789012:role/reader",
        600,
    )
    plain = config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    assert "${" not in str(plain)
    assert LoadConfig.model_validate(plain).resolved_with(config.variables) == config
    assert {*config.variables} == {"STAGE", "ACCOUNT", "TEAM", "AGE"}


def test_a_folder_that_looks_like_another_template_is_a_folder():
    text = GOOD.replace("orders/\n", "{{tenant}}/$X/${date}/${ENV:STAGE}/$STAGE/\n")
    (source,) = read_load_file(text, "orders.yaml").sources
    assert source.pattern == "{{tenant}}/$X/${date}/${ENV:STAGE}/$STAGE/"


def test_every_variable_without_a_value_is_reported_with_its_line(environment: pytest.MonkeyPatch):
    environment.delenv("STAGE")
    environment.setenv("TEAM", "")
    found = mistakes(GOOD)
    assert [each.partition(": ")[0] for each in found] == [
        "orders.yaml:2", "orders.yaml:8", "orders.yaml:8", "orders.yaml:10", "orders.yaml:11",
    ]  # fmt: skip
    assert "STAGE is not set where this file was read. Set it for schedulers" in found[0]
    assert any("TEAM is empty" in each for each in found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("load: orders", "load: ${env:TEAM}", "no variable may stand in 'load'"),
        ('schedule: "@hourly"', "schedule: ${env:AGE}", "no variable may stand in 'schedule'"),
        ("  format: csv", "  format: csv\n  secret_access_key: ${env:TEAM}", "it is a secret"),
        ("  format: csv", "  format: csv\n  access_key_id: ${env:TEAM}", "it belongs to a secret"),
        ("    conn_id: redshift_${env:STAGE}", "    pre_sql: DELETE FROM ${env:TEAM}", "may stand in SQL"),
        ("${env:TEAM}.orders", "${var:TEAM}.orders", "'${var:TEAM}' is an Airflow variable"),
        ("${env:TEAM}.orders", "${env:}.orders", "'' is not the name of an environment variable"),
        ("${env:TEAM}.orders", "${env:a-b}.orders", "'a-b' is not the name of an environment variable"),
    ],
)
def test_where_a_variable_may_not_stand(old: str, new: str, said: str):
    """The name and the schedule must be the same everywhere; secrets and SQL have ways of their own."""
    assert [each for each in mistakes(GOOD.replace(old, new)) if said in each]


@pytest.mark.parametrize(
    "name",
    ["AWS_SECRET_ACCESS_KEY", "AIRFLOW__CORE__X", "AIRFLOW_VAR_X", "MY_token", "DB_PASSWORD", "X_CONN", "SENTRY_DSN"],
)
def test_the_secrets_of_workers_are_not_for_authors_of_load_files(environment: pytest.MonkeyPatch, name: str):
    """A bucket of the author's with a password in a prefix would carry it away."""
    environment.setenv(name, "hunter2")
    (said,) = mistakes(GOOD.replace("${env:TEAM}.orders", f"${{env:{name}}}.orders"))
    assert f"{name} may hold a secret" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "value", ["postgres://u:hunter2@host/db", "AKIAHUNTER2HUNTER222", "a\nhunter2", "${env:X}hunter2"]
)
def test_a_value_that_no_setting_may_hold_is_not_shown(environment: pytest.MonkeyPatch, value: str):
    environment.setenv("TEAM", value)
    found = mistakes(GOOD)
    assert {line.split(":")[1] for line in found} == {"8", "10"}
    assert "hunter2" not in str(found).lower()


def test_sources_of_a_broken_file_are_known_only_with_its_variables(environment: pytest.MonkeyPatch):
    """Otherwise the load round it would take its objects while a machine lacks a variable."""
    broken = GOOD.replace("format: csv", "fomat: csv")
    (known,) = sources_named(broken) or ()
    assert str(known) == "s3://landing-prod/orders/"
    environment.delenv("STAGE")
    assert sources_named(broken) is None
    assert "source" not in prefixes_in(broken)


def test_questions_take_variables_as_files_do(environment: pytest.MonkeyPatch):
    answers = {"load": "orders", "schedule": "@hourly"}
    assert complaint(answers, "source", "s3://landing-${env:STAGE}/") is None
    environment.delenv("STAGE")
    assert "STAGE is not set" in (complaint(answers, "source", "s3://landing-${env:STAGE}/") or "")


def test_a_digest_tells_other_values_and_not_the_value():
    one, other = (resolved("${env:A}${env:B}", {"A": value, "B": "same"}).variables for value in ("1", "2"))
    assert differing(one, other) == ["A"]
    assert differing(one, one) == differing(one, None) == differing({"C": "x"}, one) == []
    assert differing(resolved("${env:B}", {"B": "1"}).variables, one) == ["B"], "the name is in the digest"
