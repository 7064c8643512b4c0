"""Secrets in AWS Secrets Manager."""

from typing import Any

from botocore.exceptions import ClientError

from rsloader_provider.aws.errors import as_loader_errors
from rsloader_provider.loader.ports.secret_store import Stored


class SecretsManager:
    """Secrets Manager through a boto3 client.

    Args:
        client: A boto3 Secrets Manager client.
    """

    def __init__(self, client: Any):
        self._client = client

    def put(self, name: str, secret: str) -> Stored:
        with _as_loader_errors(name):
            try:
                self._client.create_secret(Name=name, SecretString=secret)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceExistsException":
                    raise
                # A secret without a value looks as if it were missing.
                return Stored.SAME if self.look(name, secret) is Stored.SAME else Stored.OTHER
        return Stored.CREATED

    def look(self, name: str, secret: str) -> Stored:
        with _as_loader_errors(name):
            try:
                found = self._client.get_secret_value(SecretId=name)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise
                return Stored.CREATED
        return Stored.SAME if found.get("SecretString") == secret else Stored.OTHER


def _as_loader_errors(name: str) -> Any:
    return as_loader_errors(f"secret {name} in Secrets Manager", "Try again.")
