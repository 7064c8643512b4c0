"""COPY of what is broken: an error for that session, in Redshift's words, and no harm to another."""

import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psutil
import psycopg
import pyarrow as pa
import pytest
import redshift_connector
from pyarrow import parquet
from support.redshift_fixtures import BUCKET, Client, Landing, copy_sql, new_table, server_error

from rsloader_provider.local.redshift import LocalRedshift

MEGABYTE = 1024 * 1024


def refused(client: Client, table: str, url: str, options: str, *, role: str = "IAM_ROLE default") -> str:
    """COPY, which must fail; returns what the server answered, after a rollback."""
    with pytest.raises(redshift_connector.Error) as raised:
        client.copy(table, url, options, role=role)
    client.rollback()
    return server_error(raised.value)["M"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"entries": 1}',
        b'{"entries": ["s3://b/k"]}',
        b'{"entries": [{"mandatory": true}]}',
        b'{"entries": [{"url": "s3://b/k", "meta": {}}]}',
        b"\xff\xfe",
        b'{"entries": ' + b"[" * 100_000,
    ],
)
def test_a_broken_manifest_is_an_error(client: Client, landing: Landing, content: bytes) -> None:
    table = new_table(client, "id int")
    url = landing.put("manifest", content)
    assert refused(client, table, url, "MANIFEST CSV").startswith("Problem reading manifest file - ")


def test_a_manifest_names_only_objects_in_s3(client: Client, landing: Landing) -> None:
    table = new_table(client, "id int")
    url = landing.put("manifest", json.dumps({"entries": [{"url": "https://acme.example/k"}]}))
    assert refused(client, table, url, "MANIFEST CSV") == "The specified S3 path is invalid: https://acme.example/k"


def test_a_columnar_manifest_says_how_long_each_file_is(client: Client, landing: Landing) -> None:
    """Redshift reads these files from their end, so it has to be told where that is."""
    table = new_table(client, "id int")
    file = io.BytesIO()
    parquet.write_table(pa.table({"id": pa.array([1], pa.int32())}), file)
    url, length = landing.put("1.parquet", file.getvalue()), len(file.getvalue())
    without = landing.manifest({"url": url, "mandatory": True})
    assert refused(client, table, without, "MANIFEST PARQUET") == "File entry does not have 'meta' key."
    wrong = landing.manifest({"url": url, "mandatory": True, "meta": {"content_length": length - 1}})
    assert "content_length" in refused(client, table, wrong, "MANIFEST PARQUET")
    client.copy(
        table, landing.manifest({"url": url, "mandatory": True, "meta": {"content_length": length}}), "MANIFEST PARQUET"
    )
    assert client.run(f"SELECT * FROM {table}") == [[1]]


@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [("AKIAUNKNOWN", "local", "InvalidAccessKeyId"), ("local", "wrong", "SignatureDoesNotMatch")],
)
@pytest.mark.parametrize("spelt", ["ACCESS_KEY_ID '{}' SECRET_ACCESS_KEY '{}'", "CREDENTIALS '{}'"])
def test_a_wrong_access_key_is_refused_by_s3(
    client: Client, landing: Landing, key: str, secret: str, code: str, spelt: str
) -> None:
    table = new_table(client, "id int")
    pair = f"aws_access_key_id={key};aws_secret_access_key={secret}"
    role = spelt.format(key, secret) if spelt.startswith("ACCESS") else spelt.format(pair)
    message = refused(client, table, landing.put("1.csv", "1\n"), "CSV", role=role)
    assert message.startswith("S3ServiceException:")
    assert f",Status 403,Error {code},Rid " in message
    assert secret == "local" or secret not in message


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"1,a\n2," + b"b" * 5 * MEGABYTE + b"\n", "CSV"),
        (b'1,a\n2,"' + b"b\n" * 3 * MEGABYTE, "CSV"),
        (b"1|a\n2|" + b"b" * 5 * MEGABYTE, "DELIMITER '|' ESCAPE"),
        (b'{"id": 1, "name": "' + b"b" * 5 * MEGABYTE + b'"}', "JSON 'auto'"),
    ],
)
def test_a_row_has_at_most_four_megabytes(client: Client, landing: Landing, content: bytes, options: str) -> None:
    table = new_table(client, "id int, name varchar(max)")
    assert "4194304 bytes" in refused(client, table, landing.put("1", content), options)
    assert client.run(f"SELECT count(*) FROM {table}") == [[0]]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"\0" * 1000, "CSV"),
        (b"\xff" * 1000, ""),
        (b'"' * 1001, "CSV"),
        (b"\\", "ESCAPE"),
        (b"'", "REMOVEQUOTES"),
        (b"1" * 100_000, "CSV"),
        (b"1," + b"9" * 100_000, "CSV"),
        (b"[" * 100_000, "JSON 'auto'"),
        (b"PAR1" + b"\0" * 100 + b"PAR1", "PARQUET"),
        (b"ORC", "ORC"),
        (b"Obj\x01" + b"\xff" * 100, "AVRO 'auto'"),
        (b"\x1f\x8b\x08\x00" + b"\xff" * 100, "CSV GZIP"),
    ],
)
def test_rubbish_harms_nobody_else(
    client: Client, connect: Callable[..., Client], landing: Landing, content: bytes, options: str
) -> None:
    table = new_table(client, "id int, amount decimal(10,2)")
    other = connect()
    assert refused(client, table, landing.put("1", content), options)
    assert other.run("SELECT 1") == [[1]]
    client.copy(table, landing.put("2.csv", "1,2.5\n"))
    assert client.run("SELECT pg_last_copy_count()") == [[1]]


def test_an_object_larger_than_the_memory_it_may_take_is_streamed(s3_endpoint: str, landing: Landing) -> None:
    """1 GB may add 200 MB; a smaller object, compressed to almost nothing, shows the same in less time."""
    line = b"1,some text that repeats itself,2026-01-02\n"
    plain = 192 * MEGABYTE
    url = landing.put("1.csv.gz", gzip.compress(line * (plain // len(line)), 1))
    with LocalRedshift(s3_endpoint=s3_endpoint) as redshift:
        before = psutil.Process(redshift.pid).memory_info().rss
        loading = subprocess.Popen([sys.executable, "-c", LOAD, str(redshift.port), redshift.password, url])
        peak = before
        while loading.poll() is None:
            peak = max(peak, psutil.Process(redshift.pid).memory_info().rss)
            try:
                loading.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
        assert loading.returncode == 0
        assert peak - before < 128 * MEGABYTE


LOAD = """
import sys, psycopg
port, password, url = sys.argv[1:]
with psycopg.connect(host="127.0.0.1", port=port, dbname="dev", user="awsuser", password=password) as connection:
    connection.execute("CREATE TABLE t (id int, name varchar(40), day date)")
    connection.execute(f"COPY t FROM '{url}' IAM_ROLE default CSV GZIP")
    assert connection.execute("SELECT count(*) FROM t").fetchone()[0] > 4_000_000
"""


def test_a_statement_that_is_no_copy_at_all_says_where_it_goes_wrong(
    client: Client, simple: "psycopg.Connection[Any]"
) -> None:
    for sql in ("COPY", "COPY t FROM", "COPY t FROM 's3://b/k' IAM_ROLE", "COPY t (a FROM 's3://b/k'"):
        with pytest.raises(psycopg.errors.SyntaxError, match="syntax error at"):
            simple.execute(sql)
    with pytest.raises(psycopg.Error, match="Invalid credentials"):
        simple.execute(f"COPY t FROM 's3://{BUCKET}/k' CSV")
    with pytest.raises(psycopg.Error, match="Invalid credentials"):
        simple.execute(copy_sql("t", f"s3://{BUCKET}/k", "CSV", role="CREDENTIALS 'aws_access_key_id=x'"))
    assert client.run("SELECT 1") == [[1]]
