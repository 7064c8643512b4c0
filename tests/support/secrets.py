"""Load files into which somebody wrote a secret."""

from typing import Any

PLANTED = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "hunter2")
"""The secrets; none may stand in anything that the loader says."""

_ID, _KEY, _PASSWORD = PLANTED
_KEYS = f"aws_access_key_id={_ID};aws_secret_access_key={_KEY}"
_TARGET = {"table": "public.orders"}

MISTAKES: dict[str, dict[str, Any]] = {
    "copy with keys as its role": {"copy": {"format": "csv", "iam_role": _KEYS}},
    "copy with a key as its role": {"copy": {"format": "csv", "iam_role": _KEY}},
    "copy with credentials": {"copy": {"format": "csv", "options": f"CREDENTIALS '{_KEYS}'"}},
    "copy with a key": {"copy": {"format": "csv", "options": f"ACCESS_KEY_ID '{_ID}' SECRET_ACCESS_KEY '{_KEY}'"}},
    "copy with a master key": {"copy": {"format": "csv", "options": f"ENCRYPTED MASTER_SYMMETRIC_KEY '{_KEY}'"}},
    "copy with a key that is not closed": {"copy": {"format": "csv", "options": f"SECRET_ACCESS_KEY '{_KEY}"}},
    "copy with a format of keys": {"copy": {"format": f"aws_secret_access_key={_KEY}"}},
    "copy with a plain secret": {"copy": {"format": "csv", "access_key_id": _ID, "secret_access_key": _KEY}},
    "copy with the secret as the id": {"copy": {"format": "csv", "access_key_id": _KEY}},
    "copy with a connection's URI": {"copy": {"format": "csv", "aws_conn_id": f"aws://{_ID}:{_KEY}@"}},
    "copy with a token": {"copy": {"format": "csv", "session_token": _KEY}},
    "target with a connection's URI": {"targets": [{**_TARGET, "conn_id": f"redshift://loader:{_PASSWORD}@host/db"}]},
    "target with a URI of plain characters": {"targets": [{**_TARGET, "conn_id": f"redshift://loader:{_PASSWORD}"}]},
    "SQL with keys in a wrong template": {"targets": [{**_TARGET, "pre_sql": f"SELECT '{_KEYS}' {{% {_PASSWORD} %}}"}]},
    "target with a table's URI": {"targets": [{"table": f"redshift://loader:{_PASSWORD}@host/a.b.c"}]},
    "aws connection as a URI": {"aws_conn_id": f"aws://{_ID}:{_KEY}@/?region_name=x"},
    "source with keys": {"source": f"s3://{_ID}:{_KEY}@landing/orders/"},
    "source with keys in Hadoop's way": {"source": f"s3a://{_ID}:{_KEY}@landing/orders/"},
    "source with a password": {"source": f"ftp://loader:{_PASSWORD}@host/orders/"},
    "source that is signed": {"source": f"https://landing.s3.amazonaws.com/?X-Amz-Credential={_ID}"},
    "manifests with keys": {"manifests": f"s3://{_ID}:{_KEY}@loader/manifests/"},
    "exclude with keys": {"exclude": [f"s3://{_ID}:{_KEY}@landing/orders/old/"]},
    "topic with keys": {"notify": {"failure": f"https://{_ID}:{_KEY}@sns/topic"}},
    "unknown key with a value": {"aws_secret_access_key": _KEY},
    "unknown key that is one": {f"aws_secret_access_key={_KEY}": 1},
    "load named by a URI": {"load": f"aws://{_ID}:{_KEY}@"},
    "schedule of keys": {"schedule": f"aws_secret_access_key={_KEY}"},
    "age of keys": {"batch": {"max_age": f"aws_secret_access_key={_KEY}"}},
    "size of keys": {"batch": {"max_bytes": f"aws_secret_access_key={_KEY}"}},
    "filter of keys": {"file_filter": f"aws_secret_access_key={_KEY}("},
}  # fmt: skip
