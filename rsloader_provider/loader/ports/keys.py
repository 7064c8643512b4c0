"""Keys that encrypt and decrypt without ever leaving their place: what KMS is asked for."""

from collections.abc import Mapping
from typing import Protocol


class Keys(Protocol):
    """KMS, as far as the loader needs it. No error repeats the secret.

    Raises, both of them:
        NotSetUpError: There is no such key.
        ConfigurationError: The key is disabled, or is about to be deleted.
        AccessDeniedError, TransientError: As their names say.
    """

    def encrypt(self, key: str, secret: str, context: Mapping[str, str], *, subject: str) -> bytes:
        """Encrypt a secret; twice gives two different ciphertexts.

        Args:
            key: The key's id, alias (`alias/…`) or ARN.
            secret: 1 to 4,096 bytes of UTF-8.
            context: What has to be given again to decrypt it. Not secret: it stands in AWS's logs.
            subject: What is encrypted, as errors name it: `a secret of load orders`.

        Raises:
            ConfigurationError: The secret is too long or empty, or the key is not one for this.
        """
        ...

    def decrypt(self, ciphertext: bytes, context: Mapping[str, str], *, subject: str, remedy: str) -> str:
        """Decrypt what `encrypt` gave. The ciphertext itself says with which key.

        Args:
            ciphertext: The bytes.
            context: The context that they were encrypted with.
            subject: What is decrypted, as errors name it: `load orders, copy.secret_access_key`.
            remedy: What to do about a ciphertext that cannot be decrypted, as a sentence.

        Raises:
            ConfigurationError: It was encrypted with another context, or is damaged.
        """
        ...
