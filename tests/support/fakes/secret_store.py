"""Secrets in memory."""

from rsloader_provider.loader.ports.secret_store import Stored


class MemorySecretStore:
    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}

    def put(self, name: str, secret: str) -> Stored:
        result = self.look(name, secret)
        self.secrets.setdefault(name, secret)
        return result

    def look(self, name: str, secret: str) -> Stored:
        if name not in self.secrets:
            return Stored.CREATED
        return Stored.SAME if self.secrets[name] == secret else Stored.OTHER
