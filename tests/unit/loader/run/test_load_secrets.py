"""A secret in a load's file: encrypted for that load, and for no other."""

import pytest
from pydantic import TypeAdapter, ValidationError
from support.fakes.keys import MemoryKeys

from rsloader_provider.core.config.setting_types import KmsSecret
from rsloader_provider.core.errors import AccessDeniedError, ConfigurationError, NotSetUpError
from rsloader_provider.loader.run.load_secrets import decrypt_secret, encrypt_secret

KEY, SETTING = "alias/loads", "copy.secret_access_key"
SECRET = TypeAdapter(KmsSecret)


@pytest.fixture
def keys() -> MemoryKeys:
    return MemoryKeys(KEY)


def test_a_secret_comes_back_for_its_load(keys: MemoryKeys):
    text = encrypt_secret(keys, load="orders", key=KEY, secret="hunter2")
    assert SECRET.validate_python(text) == text, "a load file may hold it"
    assert decrypt_secret(keys, load="orders", setting=SETTING, text=text) == "hunter2"


def test_another_load_cannot_use_it_and_hears_how_to_get_its_own(keys: MemoryKeys):
    text = encrypt_secret(keys, load="orders", key=KEY, secret="hunter2")
    with pytest.raises(ConfigurationError) as told:
        decrypt_secret(keys, load="others", setting=SETTING, text=text)
    assert str(told.value).startswith(f"load others, {SETTING}: ")
    assert "`rsloader encrypt others --key" in str(told.value)


def test_errors_name_load_and_setting_whatever_is_wrong_with_the_key(keys: MemoryKeys):
    text = encrypt_secret(keys, load="orders", key=KEY, secret="hunter2")
    keys.disabled.add(KEY)
    with pytest.raises(ConfigurationError, match=rf"^load orders, {SETTING}: {KEY} is disabled"):
        decrypt_secret(keys, load="orders", setting=SETTING, text=text)
    keys.denied = True
    with pytest.raises(AccessDeniedError, match=rf"^load orders, {SETTING}: not allowed with {KEY}"):
        decrypt_secret(keys, load="orders", setting=SETTING, text=text)
    with pytest.raises(NotSetUpError, match=r"^a secret of load orders: .*alias/nowhere"):
        encrypt_secret(keys, load="orders", key="alias/nowhere", secret="hunter2")


@pytest.mark.parametrize(
    ("load", "secret", "said"), [("9", "hunter2", "not a valid load name"), ("orders", "", "empty")]
)
def test_nothing_is_encrypted_that_no_load_could_use(keys: MemoryKeys, load: str, secret: str, said: str):
    with pytest.raises(ConfigurationError, match=said):
        encrypt_secret(keys, load=load, key=KEY, secret=secret)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hunter2", "rsloader encrypt"),
        ("", "rsloader encrypt"),
        ("KMS:aHVudGVyMg==", "rsloader encrypt"),
        ("kms:", "is not base64"),
        ("kms:hunter2!", "is not base64"),
        ("kms:aHVudGVyMg= =", "is not base64"),
    ],
)
def test_a_secret_as_it_is_is_refused_and_not_repeated(text: str, said: str):
    with pytest.raises(ValidationError, match=said) as told:
        SECRET.validate_python(text)
    (error,) = told.value.errors(include_input=False)
    assert "hunter2" not in error["msg"]
