"""A local AWS: moto's server, with a DynamoDB whose writes are atomic and an S3 listing that does not slow down.

`python -m rsloader_provider.local.aws --port 0` serves it and prints one JSON line when it is ready.
Beside AWS's own interface it answers, for tests:

- `GET /_local/requests`: requests counted by service and operation, and the DynamoDB write units consumed;
- `DELETE /_local/requests`: counts from nothing again;
- `POST /_local/objects`: JSON lines `{"bucket": …, "key": …, "size": bytes}` or with `"body"`: text. Puts them into
  S3 without a request for each, and without notifications. The bucket must exist, without versioning.
  `"last_modified"` (ISO 8601) is optional.
- `PUT /_local/redshift`: `{"host": …, "port": …, "database": …, "user": …, "password": …}` of a superuser. Every
  cluster and every workgroup then stands for that Redshift: its Data API, addresses and temporary passwords.

S3 serves those alone who sign with a key that was issued: `local`, `test`, those of IAM users and those of STS.
"""

from rsloader_provider.local.aws.server import LocalAws

__all__ = ["LocalAws"]
