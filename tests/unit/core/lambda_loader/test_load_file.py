"""A configuration of the Lambda loader becomes a load file that says the same."""

from typing import Any

import pytest
import yaml
from support.lambda_items import a_cluster, a_config_item, as_base64

from rsloader_provider.core.config.filters import linear
from rsloader_provider.core.lambda_loader.copy_options import move_options
from rsloader_provider.core.lambda_loader.load_file import (
    AirflowConnection,
    ConversionChoices,
    as_re2,
    as_yaml,
    connection_ids,
    convert,
    load_names,
)
from rsloader_provider.core.lambda_loader.tables import LambdaConfig, ciphertext_from, owning_prefix, read_config
from rsloader_provider.core.load_file.reading import read_load_file

PASSWORD = as_base64(b"x")


def a_lambda_config(prefix: str = "landing/orders", **fields: Any) -> LambdaConfig:
    config, _ = read_config(a_config_item(PASSWORD, prefix, **fields))
    assert config is not None
    return config


def converted(
    choices: ConversionChoices = ConversionChoices(),  # noqa: B008 (frozen)
    secret: str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    config = a_lambda_config(**fields)
    return convert(
        config, load="orders", connections=connection_ids(config.clusters), choices=choices, secret_access_key=secret
    )[0]


def notes(**fields: Any) -> str:
    config = a_lambda_config(**fields)
    _, findings = convert(
        config,
        load="orders",
        connections=connection_ids(config.clusters),
        choices=ConversionChoices(),
        secret_access_key=None,
    )
    return "\n".join(map(str, findings))


def test_a_whole_configuration_becomes_a_valid_load_file():
    settings = converted(
        filenameFilterRegex=r"\.csv$",
        batchSizeBytes="1073741824",
        ignoreCsvHeader=True,
        compression="GZIP",
        copyOptions="TIMEFORMAT 'auto' ACCEPTINVCHARS",
        successTopicARN="arn:aws:sns:us-east-1:123456789012:ok",
        failureTopicARN="arn:aws:sns:us-east-1:123456789012:failed",
        loadClusters=[
            a_cluster(PASSWORD, columnList='id, "Amount"', truncateTarget=True, presql="DELETE FROM a; DELETE FROM b;"),
            a_cluster(PASSWORD, clusterEndpoint="other.abc", targetTable='"Sales"."orders"', postsql="SELECT 1"),
        ],
    )
    assert yaml.safe_load(as_yaml(settings, "landing/orders")) == {
        "load": "orders",
        "source": "s3://landing/orders/",
        "file_filter": r"\.csv$",
        "schedule": "*/5 * * * *",
        "batch": {"max_files": 2, "max_bytes": 1073741824, "max_age": "300s"},
        "copy": {
            "format": "csv",
            "delimiter": "|",
            "ignore_header": 1,
            "compression": "gzip",
            "options": "TIMEFORMAT 'auto' ACCEPTINVCHARS",
        },
        "manifests": "s3://loader/lambda/manifests/",
        "failed_manifests": "s3://loader/lambda/failed/",
        "targets": [
            {
                "conn_id": "redshift_shop_dev_loader",
                "table": "public.orders",
                "mode": "replace",
                "columns": ["id", "Amount"],
                "pre_sql": "DELETE FROM a; DELETE FROM b;",
            },
            {"conn_id": "redshift_other_dev_loader", "table": "Sales.orders", "post_sql": "SELECT 1"},
        ],
        "notify": {
            "success": "arn:aws:sns:us-east-1:123456789012:ok",
            "failure": "arn:aws:sns:us-east-1:123456789012:failed",
        },
    }
    assert read_load_file(as_yaml(settings, "landing/orders"), "orders.yaml").load == "orders"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"csvDelimiter": "\t"}, {"format": "csv", "delimiter": r"\t"}),
        ({"csvDelimiter": r"\001"}, {"format": "csv", "delimiter": r"\001"}),
        ({"copyOptions": "REMOVEQUOTES escape"},
         {"format": "text", "delimiter": "|", "options": "REMOVEQUOTES escape"}),
        ({"dataFormat": "json", "ignoreCsvHeader": True}, {"format": "json"}),
        ({"dataFormat": "JSON", "jsonPath": "auto"}, {"format": "json"}),
        ({"dataFormat": "JSON", "jsonPath": "s3://loader/paths.json"},
         {"format": "json", "jsonpaths": "s3://loader/paths.json"}),
        ({"dataFormat": "JSON", "jsonPath": "auto ignorecase"}, {"format": "json", "jsonpaths": "auto ignorecase"}),
        ({"dataFormat": "AVRO", "jsonPath": "'auto ignorecase'"}, {"format": "avro", "jsonpaths": "auto ignorecase"}),
        ({"dataFormat": "PARQUET", "compression": "GZIP"}, {"format": "parquet"}),
        ({"dataFormat": "ORC", "copyOptions": "lzop"}, {"format": "orc"}),
        ({"copyOptions": "DELIMITER AS ';' IGNOREHEADER AS 2 bzip2"},
         {"format": "csv", "delimiter": ";", "ignore_header": 2, "compression": "bzip2"}),
        ({"copyOptions": "FIXEDWIDTH 'id:3,name:10'"}, {"format": "fixedwidth", "fixed_width": "id:3,name:10"}),
        ({"copyOptions": "IAM_ROLE 'arn:aws:iam::123456789012:role/r' MANIFEST"},
         {"format": "csv", "delimiter": "|", "iam_role": "arn:aws:iam::123456789012:role/r"}),
        ({"copyOptions": "with credentials as 'aws_iam_role=x' NULL AS 'NULL'"},
         {"format": "csv", "delimiter": "|", "options": "NULL AS 'NULL'"}),
    ],
)  # fmt: skip
def test_how_files_are_read(fields: dict[str, Any], expected: dict[str, Any]):
    """What our validation would refuse among the options is moved to its setting, or left out and told."""
    settings = converted(**fields)
    assert settings["copy"] == expected
    assert read_load_file(as_yaml(settings, "landing/orders"), "orders.yaml").load == "orders"


def test_options_are_read_with_their_quotes():
    r"""A word in quotes is no clause."""
    moved = move_options(r"NULL AS 'gzip' DATEFORMAT 'it''s' ESCAPE gzip; QUOTE AS '\''")
    assert moved.options == r"NULL AS 'gzip' DATEFORMAT 'it''s' ESCAPE QUOTE AS '\''"
    assert moved.settings == {"compression": "gzip"}


def test_what_no_load_can_do_is_told():
    assert "ENCRYPTED: Redshift no longer supports client-side encryption" in notes(copyOptions="ENCRYPTED")
    assert "left out MANIFEST" in notes(copyOptions="manifest")
    assert "compressed inside" in notes(dataFormat="PARQUET", compression="GZIP")
    assert "was not encrypted" in notes(loadClusters=[a_cluster(PASSWORD, useSSL=False)])


def test_an_access_key_is_kept_or_a_role_takes_its_place():
    keys = {"accessKeyForS3": "AKIAIOSFODNN7EXAMPLE", "secretKeyForS3": as_base64(b"y")}
    kept = converted(secret="kms:abc", **keys)["copy"]
    assert (kept["access_key_id"], kept["secret_access_key"]) == ("AKIAIOSFODNN7EXAMPLE", "kms:abc")
    role = "arn:aws:iam::123456789012:role/r"
    assert converted(ConversionChoices(iam_role=role), **keys)["copy"]["iam_role"] == role
    assert not {"iam_role", "access_key_id"} & converted(ConversionChoices(iam_role="default"), **keys)["copy"].keys()
    assert "Redshift read with an access key" in notes(**keys)
    assert "the Lambda function's own credentials" in notes()


def test_sql_that_looks_like_jinja_is_kept_as_it_is():
    settings = converted(loadClusters=[a_cluster(PASSWORD, presql="SELECT '{{ x }}'")])
    assert settings["targets"][0]["pre_sql"] == "{% raw %}SELECT '{{ x }}'{% endraw %}"
    assert read_load_file(as_yaml(settings, "landing/orders"), "orders.yaml").load == "orders"


@pytest.mark.parametrize(
    ("javascript", "key", "found"),
    [
        (r"\.csv$", "a.csv", True),
        (r"orders\/.*\.csv", "orders/a.csv", True),
        (r"(?<day>\d+)-\u00e4", "12-ä", True),
        (r"a[^]b", "a\nb", True),
        (r"\\u0041", r"\u0041", True),
        (r"\u{1F600}", "😀", True),
        (r"[\/\-]x", "-x", True),
    ],
)
def test_a_filter_finds_what_it_found(javascript: str, key: str, found: bool):
    assert (linear(as_re2(javascript)).search(key) is not None) is found


def test_names_of_loads_hang_on_their_prefixes_alone():
    assert load_names(["a-b/x y/k=*", "0bucket"]) == {"a-b/x y/k=*": "a_b_x_y_k", "0bucket": "load_0bucket"}
    names = load_names(["b/a_b", "b/a/b", "b/c"])
    assert names["b/c"] == "b_c"
    assert len({*names.values()}) == 3
    assert names["b/a_b"].startswith("b_a_b_")


def test_clusters_share_a_connection_if_they_are_one():
    same, other = (
        a_lambda_config(loadClusters=[a_cluster(as_base64(each))]).clusters[0] for each in (b"x", b"another ciphertext")
    )
    assert len({*connection_ids([same, other]).values()}) == 1
    port = a_lambda_config(loadClusters=[a_cluster(PASSWORD, clusterPort="5440")]).clusters[0]
    assert len({*connection_ids([same, port]).values()}) == 2


def test_a_connection_without_a_database_names_none():
    connection = AirflowConnection("c", "h", 5439, None, "u", "p")
    assert "schema" not in connection.as_document()
    assert connection.as_uri() == "redshift://u:p@h:5439/"


@pytest.mark.parametrize("value", [None, 7, "", "no base64!", "[1, 2", '{"type": "Buffer"}', "[999]", '["a"]'])
def test_what_is_no_ciphertext_is_refused(value: object):
    with pytest.raises(ValueError, match=r"^it is n"):
        ciphertext_from(value)


def test_the_longest_prefix_of_whole_folders_owns_a_file():
    prefixes = {"b", "b/data/year=*", "b/data", "b/literal/year=2024"}
    owners = {
        "b/x": "b", "b/data/x": "b/data", "b/data/year=1/month=2/x": "b/data/year=*", "b/database/x": "b",
        "b/literal/year=2024/x": "b/literal/year=2024", "c/x": None,
    }  # fmt: skip
    assert {name: owning_prefix(name, prefixes) for name in owners} == owners
