"""Secrets in load files: `kms:` and base64 of the secret, encrypted by KMS for one load alone.

KMS binds a ciphertext to its encryption context. A secret copied into another load's file can therefore not be
decrypted, and a policy can let a worker decrypt the secrets of its own loads only.
Source: https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
"""

import base64
import binascii

KMS = "kms:"
CONTEXT_KEY = "rsloader:load"


def encryption_context(load: str) -> dict[str, str]:
    """Give the context that the secrets of a load are bound to.

    >>> encryption_context("orders")
    {'rsloader:load': 'orders'}
    """
    return {CONTEXT_KEY: load}


def secret_text(ciphertext: bytes) -> str:
    """Write a ciphertext as a load file holds it.

    >>> secret_text(b"from KMS")
    'kms:ZnJvbSBLTVM='
    """
    return KMS + base64.b64encode(ciphertext).decode()


def ciphertext_of(text: str) -> bytes:
    """Read what `secret_text` wrote.

    Raises:
        ValueError: The text does not have this form. The error does not repeat it.
    """
    try:
        ciphertext = base64.b64decode(text.removeprefix(KMS), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("this is not base64") from None
    if not text.startswith(KMS) or not ciphertext:
        raise ValueError(f"this is not '{KMS}' and base64")
    return ciphertext
