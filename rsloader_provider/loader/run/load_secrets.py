"""Secrets that stand encrypted in a load file: made by `rsloader encrypt`, read on the worker right before use."""

from rsloader_provider.core.config.kms_secrets import ciphertext_of, encryption_context, secret_text
from rsloader_provider.core.config.setting_types import is_load_name
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.loader.ports.keys import Keys


def encrypt_secret(keys: Keys, *, load: str, key: str, secret: str) -> str:
    """Encrypt a secret for one load, and give the text that stands for it in the load's file.

    Args:
        keys: KMS.
        load: The load's name; the load need not be there yet.
        key: The KMS key's id, alias or ARN.
        secret: What is encrypted.

    Raises:
        ConfigurationError: This is not a valid load name, the secret is empty or too long, or the key cannot be used.
        NotSetUpError, AccessDeniedError, TransientError: As `Keys.encrypt` raises them.
    """
    if not is_load_name(load):
        raise ConfigurationError(f"{load!r} is not a valid load name. Give the name that its file has under `load`.")
    if not secret:
        raise ConfigurationError(f"load {load}: the secret is empty. Nothing was encrypted.")
    return secret_text(keys.encrypt(key, secret, encryption_context(load), subject=f"a secret of load {load}"))


def decrypt_secret(keys: Keys, *, load: str, setting: str, text: str) -> str:
    """Decrypt what stands in a load's file.

    Args:
        keys: KMS.
        load: The load's name.
        setting: Where it stands, as errors name it: `copy.secret_access_key`.
        text: A valid `KmsSecret`.

    Raises:
        ConfigurationError: It was encrypted for another load or is damaged, or its key cannot be used.
        NotSetUpError, AccessDeniedError, TransientError: As `Keys.decrypt` raises them.
    """
    return keys.decrypt(
        ciphertext_of(text),
        encryption_context(load),
        subject=f"load {load}, {setting}",
        remedy=f"Encrypt a secret copied from another load again: `rsloader encrypt {load} --key <KMS key>`.",
    )
