"""A load's configuration: what is taken, what is refused, and that it survives being carried as JSON."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.objects import a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.config.sources import SourcePattern


def refused(**settings: Any) -> str:
    """What the refusal of a load with these settings says."""
    with pytest.raises(ValidationError) as caught:
        a_config(**settings)
    return str(caught.value)


def carried(config: LoadConfig) -> LoadConfig:
    """The load after an operator has carried it as JSON."""
    return LoadConfig.model_validate(
        json.loads(json.dumps(config.model_dump(mode="json", by_alias=True, exclude_defaults=True)))
    )


def test_a_load_with_its_required_settings_has_these_defaults() -> None:
    """The documentation promises them, and a default that changes changes everybody's loads."""
    config = a_config(batch={}, targets=[{"table": "orders"}])
    assert config.batch == BatchLimits(max_files=100, max_bytes=1024**3, max_age=timedelta(minutes=5))
    assert config.max_batches_per_run == 200
    assert (config.copy_options.ignore_header, config.copy_options.iam_role) == (0, "default")
    assert (config.aws_conn_id, config.on_clear, config.failed_manifests) == ("aws_default", "reload", None)
    assert (config.notify.success, config.notify.failure, config.exclude) == (None, None, ())
    target = config.targets[0]
    assert (target.conn_id, target.mode, target.columns, target.statement_timeout) == (
        "redshift_default",
        "append",
        None,
        None,
    )


def test_a_load_cannot_be_changed() -> None:
    """It is shared between tasks of one process; a change would be seen by some only."""
    with pytest.raises(ValidationError):
        a_config().load = "other"  # type: ignore[misc]


def test_a_load_survives_being_carried_as_json() -> None:
    """Operators keep it in the serialised DAG: what comes back must load the same."""
    config = a_config(
        source="s3://landing/orders/year=*/",
        exclude=["s3://landing/orders/year=1999/"],
        file_filter=r"\.csv$",
        schedule=90,
        batch={"max_files": 7, "max_bytes": "10 MB", "max_age": "1h30m"},
        copy={"format": "csv", "delimiter": "\\001", "ignore_header": 1, "compression": "gzip", "options": "ROUNDEC"},
        failed_manifests="s3://loader/failed",
        targets=[
            {"table": "a.b", "columns": ["x", "y"], "pre_sql": "DELETE FROM z", "statement_timeout": "2h"},
            {"conn_id": "other", "table": "a.b", "mode": "replace", "post_sql": ["ANALYZE z", "SELECT 1"]},
        ],
        notify={"failure": "arn:aws:sns:eu-west-1:123456789012:loads"},
        on_clear="skip",
    )
    assert carried(config) == config
    assert hash(carried(config)) == hash(config)


@given(
    st.integers(1, 10**6),
    st.integers(1, 2**60),
    st.timedeltas(timedelta(seconds=1), timedelta(days=366)),
    st.sampled_from(["2d", "@hourly", "*/7 * * * *", 45, "@continuous", timedelta(minutes=3)]),
    st.text(min_size=1, max_size=20),
)
def test_any_load_survives_being_carried_as_json(
    max_files: int, max_bytes: int, max_age: timedelta, schedule: object, table: str
) -> None:
    """As above, for values that nobody thought of."""
    limits = {"max_files": max_files, "max_bytes": max_bytes, "max_age": max_age}
    try:
        config = a_config(batch=limits, schedule=schedule, targets=[{"table": table}])
    except ValidationError:
        return
    assert carried(config) == config


@pytest.mark.parametrize("name", ["orders", "A", "a.b", "a-b_c.1", "x" * 200])
def test_a_load_may_have_any_name_that_a_dag_may(name: str) -> None:
    """The name is part of the DAG's id."""
    assert a_config(load=name).dag_id == f"rsloader_{name}"


@pytest.mark.parametrize("name", ["", "1a", "_a", "a b", "a/b", "a..b", "ä", "a\n", "x" * 201, "a;b", 5, None, True])
def test_a_name_that_airflow_or_dynamodb_would_trip_over_is_refused(name: object) -> None:
    """Airflow refuses '..' in ids, from 3.3 on, only when the DAG is parsed."""
    assert "load" in refused(load=name)


@pytest.mark.parametrize(
    "settings",
    [
        {"colour": "red"},
        {"batch": {"max_flies": 3}},
        {"copy": {"format": "csv", "delimeter": "|"}},
        {"targets": [{"table": "a", "schema": "b"}]},
        {"notify": {"sucess": "arn:aws:sns:eu-west-1:123456789012:loads"}},
    ],
)
def test_an_unknown_key_is_refused_at_every_level(settings: dict[str, Any]) -> None:
    """A misspelled setting that is ignored works until the day it is needed."""
    assert "extra_forbidden" in refused(**settings)


@pytest.mark.parametrize(
    "limits",
    [
        {"max_files": 0},
        {"max_files": "100"},
        {"max_files": True},
        {"max_files": 1.5},
        {"max_bytes": 0},
        {"max_bytes": "1 zoo"},
        {"max_age": 0},
        {"max_age": "-5m"},
        {"max_age": None},
    ],
)
def test_a_batch_limit_that_makes_no_sense_is_refused(limits: dict[str, Any]) -> None:
    """True is 1 to Python: it would make batches of one file."""
    assert next(iter(limits)) in refused(batch=limits)


@pytest.mark.parametrize("number", [0, 1001, "200"])
def test_a_run_loads_at_most_1000_batches(number: object) -> None:
    """Airflow fails a task that maps more than 1,024."""
    assert "max_batches_per_run" in refused(max_batches_per_run=number)


def test_a_filter_that_does_not_compile_is_refused() -> None:
    """It would raise in the sensor, over and over."""
    assert "is not a valid regular expression" in refused(file_filter="(")


@pytest.mark.parametrize("topic", ["loads", "arn:aws:sqs:eu-west-1:123456789012:q", "arn:aws:sns:eu-west-1:12:loads"])
def test_what_is_no_topic_is_refused(topic: str) -> None:
    """Otherwise the first failure is the one that nobody is told of."""
    assert "arn:aws:sns:<region>" in refused(notify={"failure": topic})


def test_topics_of_other_aws_partitions_are_taken() -> None:
    """China and GovCloud have ARNs of their own."""
    assert a_config(notify={"success": "arn:aws-cn:sns:cn-north-1:123456789012:loads"}).notify.success


def test_manifest_prefixes_end_with_a_slash_and_leave_room_for_names() -> None:
    """A manifest's key adds the load and the batch, and S3 ends at 1,024 bytes."""
    config = a_config(manifests="s3://loader/m", failed_manifests="s3://loader/f/")
    assert [str(url) for url in config.manifest_prefixes] == ["s3://loader/m/", "s3://loader/f/"]
    assert "600 bytes" in refused(manifests=f"s3://loader/{'m' * 600}")
    assert "holds a '*'" in refused(manifests="s3://loader/*/")


@pytest.mark.parametrize("prefix", ["s3://landing/orders/", "s3://landing/", "s3://landing"])
@pytest.mark.parametrize("key", ["manifests", "failed_manifests"])
def test_manifests_above_the_source_are_refused(key: str, prefix: str) -> None:
    """Manifests are never data, so such a load would have none; if they were, it would load its own for ever."""
    assert "Choose another prefix for manifests" in refused(**{key: prefix})


@pytest.mark.parametrize(
    ("key", "matches"),
    [
        ("data/eu/1.csv", True),
        ("data/eu/1.csv.gz", False),
        ("data/us/1.csv", False),
        ("other/eu/1.csv", False),
        ("data/manifests/1.csv", False),
        ("data/failed/1.csv", False),
    ],
)
def test_a_load_takes_what_source_filter_and_exclusions_leave(key: str, matches: bool) -> None:
    """Manifests below the source are left alone without being asked for."""
    config = a_config(
        source="s3://landing/data/",
        exclude=["s3://landing/data/us/"],
        file_filter=r"\.csv$",
        manifests="s3://landing/data/manifests/",
        failed_manifests="s3://landing/data/failed/",
    )
    assert config.matches("landing", key) is matches
    assert not config.matches("elsewhere", key)


def test_a_load_may_have_several_sources_in_several_buckets() -> None:
    """Exports of one kind often come from several systems."""
    config = a_config(
        source=["s3://landing/eu/", "s3://landing/data/year=*/month=*/", "s3://archive"],
        exclude=["s3://archive/old/", "s3://landing/eu/tmp/"],
        manifests="s3://archive/manifests/",
    )
    assert [str(each) for each in config.sources] == [
        "s3://landing/eu/", "s3://landing/data/year=*/month=*/", "s3://archive/",
    ]  # fmt: skip
    taken = ["eu/1.csv", "data/year=2024/month=1/1.csv", "archive:1.csv", "archive:a/b/1.csv"]
    left = [
        *["us/1.csv", "1.csv", "eu/tmp/1.csv", "data/year=2024/1.csv", "data/year=2024/day=1/1.csv"],
        *["archive:old/1.csv", "archive:manifests/orders/1.manifest", "other:eu/1.csv"],
    ]
    for expected, names in ((True, taken), (False, left)):
        for name in names:
            bucket, _, key = name.rpartition(":")
            assert config.matches(bucket or "landing", key) is expected, name
    assert carried(config) == config


def test_one_source_is_written_as_a_text_and_several_as_a_list() -> None:
    """A load file that has one stays equal to what is carried in DAGs that were serialised before."""
    one = a_config(source=["s3://landing/orders/"])
    assert one == a_config()
    assert one.model_dump(mode="json", by_alias=True)["source"] == "s3://landing/orders/"
    two = a_config(source=("s3://landing/orders/", "s3://landing/returns/"))
    assert two.model_dump(mode="json", by_alias=True)["source"] == ["s3://landing/orders/", "s3://landing/returns/"]
    assert LoadConfig.model_validate(two.model_dump()) == two


def test_a_source_that_another_one_takes_is_refused() -> None:
    """It does nothing, so somebody meant something else."""
    assert "lies below 's3://landing/orders/'" in refused(source=["s3://landing/orders/", "s3://landing/orders/eu/"])
    assert "lies below 's3://landing/'" in refused(source=["s3://landing/orders/eu/", "s3://landing"])
    assert "appears twice" in refused(source=["s3://landing/a/*/", "s3://landing/a/*/"])
    assert "at least 1 item" in refused(source=[])
    a_config(source=["s3://landing/*/eu/", "s3://landing/orders/*/"])  # each takes something that the other does not


def test_exclusions_and_manifests_are_compared_with_every_source() -> None:
    sources = ["s3://landing/orders/", "s3://archive/orders/"]
    assert "excludes the whole source 's3://archive/orders/'" in refused(source=sources, exclude=["s3://archive/"])
    assert "is not below any source" in refused(source=sources, exclude=["s3://archive/other/"])
    assert "the source 's3://archive/orders/' lies under 's3://archive/'" in refused(
        source=sources, manifests="s3://archive/"
    )


def test_the_filter_is_searched_in_the_whole_key() -> None:
    """The Lambda loader did so, and people filter on folder names with it."""
    config = a_config(file_filter="2024")
    assert config.matches("landing", "orders/2024/a")
    assert config.matches("landing", "orders/a-2024.csv")
    assert not config.matches("landing", "orders/2023/a")


def test_a_changed_copy_of_a_load_matches_by_its_own_settings() -> None:
    """The folder reader adds exclusions with model_copy: nothing of the first load may be remembered."""
    config = a_config()
    assert config.matches("landing", "orders/eu/1")
    exclude = (SourcePattern.parse("s3://landing/orders/eu/"),)
    assert not config.model_copy(update={"exclude": exclude}).matches("landing", "orders/eu/1")


@pytest.mark.parametrize(
    ("excluded", "said"),
    [
        ("s3://landing/orders/", "excludes the whole source"),
        ("s3://landing/", "excludes the whole source"),
        ("s3://landing/other/", "is not below the source"),
        ("s3://other/orders/eu/", "is not below the source"),
    ],
)
def test_an_exclusion_that_does_nothing_or_leaves_nothing_is_refused(excluded: str, said: str) -> None:
    """Both are slips of the pen; the second would load nothing without a word."""
    assert said in refused(exclude=[excluded])


def test_settings_can_be_given_by_their_python_names() -> None:
    """People who write DAGs by hand write copy_options; files say copy."""
    settings = a_config().model_dump()
    assert "copy_options" in settings
    assert LoadConfig.model_validate(settings) == a_config()
