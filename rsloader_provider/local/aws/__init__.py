"""A local AWS: moto's server, with a DynamoDB whose writes are atomic and an S3 listing that does not slow down.

`python -m rsloader_provider.local.aws --port 0` serves it and prints one JSON line when it is ready.
Besides AWS's own interface, it answers these requests of tests:

- `GET /_local/requests`: requests counted by service and operation, and the DynamoDB write units consumed;
- `DELETE /_local/requests`: sets these counts to zero;
- `POST /_local/objects`: JSON lines `{"bucket": …, "key": …, "size": bytes}` or with `"body"`: text. Puts them into
  S3 without a request for each, and without notifications. The bucket must exist, without versioning.
  `"last_modified"` (ISO 8601) is optional.
- `PUT /_local/redshift`: `{"host": …, "port": …, "database": …, "user": …, "password": …}` of a superuser. Every
  cluster and every workgroup then stands for that Redshift: its Data API, addresses and temporary passwords.

S3 accepts only requests signed with a known key: `local`, `test`, a key of an IAM user or a key of STS.
"""

from rsloader_provider.local.aws.server import LocalAws

__all__ = ["LocalAws"]
