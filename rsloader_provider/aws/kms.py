"""Keys in KMS."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from rsloader_provider.aws.errors import as_loader_errors
from rsloader_provider.aws.redaction import redacted
from rsloader_provider.core.errors import AccessDeniedError, ConfigurationError, NotSetUpError, TransientError

_UNREADABLE = {"InvalidCiphertextException", "IncorrectKeyException"}
_UNUSABLE = {"DisabledException", "KMSInvalidStateException"}
_PASSING = {"DependencyTimeoutException", "KMSInternalException", "KeyUnavailableException"}
_WRONG = {"InvalidKeyUsageException", "ValidationException"}


class KmsKeys:
    """KMS through a boto3 client.

    Args:
        client: A boto3 KMS client.
    """

    def __init__(self, client: Any):
        self._client = client

    def encrypt(self, key: str, secret: str, context: Mapping[str, str], *, subject: str) -> bytes:
        with _as_loader_errors(f"{subject}: KMS key {key}", "kms:Encrypt", context, remedy="", secret=secret):
            answer = self._client.encrypt(KeyId=key, Plaintext=secret.encode(), EncryptionContext=dict(context))
        ciphertext: bytes = answer["CiphertextBlob"]
        return ciphertext

    def decrypt(self, ciphertext: bytes, context: Mapping[str, str], *, subject: str, remedy: str) -> str:
        with _as_loader_errors(subject, "kms:Decrypt", context, remedy=remedy):
            answer = self._client.decrypt(CiphertextBlob=ciphertext, EncryptionContext=dict(context))
        try:
            return str(answer["Plaintext"].decode())
        except UnicodeDecodeError:
            raise ConfigurationError(f"{subject}: what KMS decrypted is not text. {remedy}") from None


@contextmanager
def _as_loader_errors(
    subject: str, action: str, context: Mapping[str, str], *, remedy: str, secret: str = ""
) -> Iterator[None]:
    """Turn answers that only KMS gives into the loader's errors; `as_loader_errors` turns those of all of AWS."""
    with as_loader_errors(subject, "Create the key, or name another."):
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            words = redacted(error.response["Error"].get("Message", ""), [secret])
            said = f"{subject}: {code} {words}".rstrip()
            if code in _UNREADABLE:
                bound = ", ".join(f"{name}={value}" for name, value in context.items())
                raise ConfigurationError(
                    f"{said}. It was encrypted with another encryption context than {bound}, or its text is damaged. "
                    f"{remedy}"
                ) from None
            if code in _UNUSABLE:
                raise ConfigurationError(
                    f"{said} Enable the key in KMS or cancel its deletion, or encrypt the secret with another key."
                ) from None
            if code == "AccessDeniedException":
                raise AccessDeniedError(
                    f"{said}. Allow {action} on the key to the role or user of the Airflow connection; the key's own "
                    "policy must allow it too."
                ) from None
            if code == "NotFoundException":
                raise NotSetUpError(f"{said} KMS has no such key in this region: create it, or name another.") from None
            if code in _PASSING:
                raise TransientError(said) from None
            if code in _WRONG:
                raise ConfigurationError(
                    f"{said} A secret has 1 to 4,096 bytes, and its key is a symmetric one for encryption."
                ) from None
            raise
