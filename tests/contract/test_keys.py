"""What all keys keep to, in memory as in KMS."""

from collections.abc import Callable
from typing import Any

import pytest

from rsloader_provider.core.errors import ConfigurationError, NotSetUpError

CONTEXT = {"rsloader:load": "orders"}
SUBJECT, REMEDY = "load orders, copy.secret_access_key", "Encrypt it anew."

Keys = tuple[Any, str, Callable[[], object]]


def decrypt(port: Any, ciphertext: bytes, **context: str) -> str:
    return str(port.decrypt(ciphertext, CONTEXT | context, subject=SUBJECT, remedy=REMEDY))


@pytest.mark.parametrize("secret", ["hunter2", "ü" * 2048, "a\nb'\"\\ "], ids=["short", "longest", "odd"])
def test_what_was_encrypted_is_decrypted_with_the_same_context(keys: Keys, secret: str):
    port, key, _ = keys
    first, second = (port.encrypt(key, secret, CONTEXT, subject=SUBJECT) for _ in range(2))
    assert first != second, "equal secrets cannot be told from their ciphertexts"
    assert decrypt(port, first) == decrypt(port, second) == secret
    assert secret.encode() not in first


@pytest.mark.parametrize("context", [{"rsloader:load": "others"}, {"more": "1"}], ids=["another load", "more"])
def test_with_another_context_nothing_is_decrypted(keys: Keys, context: dict[str, str]):
    port, key, _ = keys
    ciphertext = port.encrypt(key, "hunter2", CONTEXT, subject=SUBJECT)
    with pytest.raises(ConfigurationError, match=r"^load orders, copy\.secret_access_key: .*Encrypt it anew") as told:
        port.decrypt(ciphertext, CONTEXT | context, subject=SUBJECT, remedy=REMEDY)
    assert "hunter2" not in str(told.value)


def test_what_is_damaged_is_not_decrypted(keys: Keys):
    port, key, _ = keys
    ciphertext = port.encrypt(key, "hunter2", CONTEXT, subject=SUBJECT)
    for damaged in (ciphertext[:-1], ciphertext + b"x", b"x"):
        with pytest.raises(ConfigurationError, match="Encrypt it anew"):
            decrypt(port, damaged)


def test_a_key_that_is_not_there_is_named(keys: Keys):
    with pytest.raises(NotSetUpError, match="alias/nowhere"):
        keys[0].encrypt("alias/nowhere", "hunter2", CONTEXT, subject=SUBJECT)


def test_a_disabled_key_does_nothing_until_it_is_enabled(keys: Keys):
    port, key, disable = keys
    ciphertext = port.encrypt(key, "hunter2", CONTEXT, subject=SUBJECT)
    disable()
    with pytest.raises(ConfigurationError, match=r"^load orders.* is disabled.*Enable"):
        port.encrypt(key, "hunter2", CONTEXT, subject=SUBJECT)
    with pytest.raises(ConfigurationError, match=r"^load orders.* is disabled.*Enable"):
        decrypt(port, ciphertext)


@pytest.mark.parametrize("secret", ["", "x" * 4097], ids=["empty", "too long"])
def test_a_secret_has_up_to_4096_bytes_and_errors_do_not_repeat_it(keys: Keys, secret: str):
    port, key, _ = keys
    with pytest.raises(ConfigurationError, match="4,096") as told:
        port.encrypt(key, secret, CONTEXT, subject=SUBJECT)
    assert "xxxx" not in str(told.value)
