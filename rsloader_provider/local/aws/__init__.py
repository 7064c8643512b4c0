"""A local AWS: moto's server, with a DynamoDB whose writes are atomic and an S3 listing that does not slow down.

`python -m rsloader_provider.local.aws --port 0` serves it and prints one JSON line when it is ready.
Beside AWS's own interface it answers, for tests:

- `GET /_local/requests`: requests counted by service and operation, and the DynamoDB write units consumed;
- `DELETE /_local/requests`: counts from nothing again;
- `POST /_local/objects`: JSON lines `{"bucket": …, "key": …, "size": bytes}` or with `"body"`: text. Puts them into
  S3 without a request for each, and without notifications. The bucket must exist, without versioning.
  `"last_modified"` (ISO 8601) is optional.
"""

from rsloader_provider.local.aws.server import LocalAws

__all__ = ["LocalAws"]
