"""KMS in memory."""

from collections.abc import Mapping
from itertools import count

from rsloader_provider.core.errors import AccessDeniedError, ConfigurationError, NotSetUpError


class MemoryKeys:
    def __init__(self, *names: str):
        self.names = set(names)
        self.disabled: set[str] = set()
        self.denied = False
        self._made: dict[bytes, tuple[str, Mapping[str, str], str]] = {}
        self._numbers = count(1)

    def encrypt(self, key: str, secret: str, context: Mapping[str, str], *, subject: str) -> bytes:
        if key not in self.names:
            raise NotSetUpError(f"{subject}: there is no KMS key {key}.")
        self._usable(key, subject)
        if not 1 <= len(secret.encode()) <= 4096:
            raise ConfigurationError(f"{subject}: a secret has 1 to 4,096 bytes.")
        ciphertext = f"{key}/{next(self._numbers)}".encode()
        self._made[ciphertext] = (key, dict(context), secret)
        return ciphertext

    def decrypt(self, ciphertext: bytes, context: Mapping[str, str], *, subject: str, remedy: str) -> str:
        key, bound, secret = self._made.get(ciphertext, ("", {}, ""))
        if not key or bound != context:
            raise ConfigurationError(f"{subject}: encrypted with another context than {context}. {remedy}")
        self._usable(key, subject)
        return secret

    def _usable(self, key: str, subject: str) -> None:
        if self.denied:
            raise AccessDeniedError(f"{subject}: not allowed with {key}.")
        if key in self.disabled:
            raise ConfigurationError(f"{subject}: {key} is disabled. Enable it.")
