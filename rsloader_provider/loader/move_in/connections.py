"""Where the connections of an import go: into a file that Airflow imports, or into the store of its secrets backend."""

import json
import os
import tempfile
from pathlib import Path
from typing import Protocol

from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.lambda_loader.load_file import AirflowConnection
from rsloader_provider.loader.ports.secret_store import SecretStore, Stored


class ConnectionSink(Protocol):
    """Takes connections, each once; a connection that exists already is never overwritten."""

    def put(self, connection: AirflowConnection) -> Stored:
        """Keep a connection."""
        ...

    def look(self, connection: AirflowConnection) -> Stored:
        """Tell what `put` would do."""
        ...

    def __str__(self) -> str:
        """Say where the connections go, for people."""
        ...


class ConnectionFile:
    """A file for `airflow connections import`, readable by its owner only: JSON, or URIs where it ends with `.env`.

    Args:
        path: The file; if it exists, connections are added to it.
    """

    def __init__(self, path: Path):
        self._path = path
        self._as_uris = path.suffix == ".env"

    def put(self, connection: AirflowConnection) -> Stored:
        """Add a connection to the file; what else it holds stays."""
        text = self._text()
        there = self._connections_in(text)
        result = self._compare(there, connection)
        if result is not Stored.CREATED:
            return result
        if self._as_uris:
            begun = f"{text}\n" if text and not text.endswith("\n") else text
            self._write(f"{begun}{connection.conn_id}={connection.as_uri()}\n")
        else:
            there[connection.conn_id] = connection.as_document()
            self._write(json.dumps(there, indent=2) + "\n")
        return result

    def look(self, connection: AirflowConnection) -> Stored:
        """Tell what `put` would do."""
        return self._compare(self._connections_in(self._text()), connection)

    def __str__(self) -> str:
        return f"file {self._path}"

    def _compare(self, there: dict[str, object], connection: AirflowConnection) -> Stored:
        if connection.conn_id not in there:
            return Stored.CREATED
        ours = connection.as_uri() if self._as_uris else connection.as_document()
        return Stored.SAME if there[connection.conn_id] == ours else Stored.OTHER

    def _text(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, ValueError):
            raise self._unreadable() from None

    def _connections_in(self, text: str) -> dict[str, object]:
        if self._as_uris:
            return {name: uri for name, _, uri in (line.partition("=") for line in text.splitlines()) if uri}
        if not text:
            return {}
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise self._unreadable() from None
        if not isinstance(found, dict):
            raise self._unreadable()
        return found

    def _unreadable(self) -> ConfigurationError:
        # The file's text is secret, so it is not repeated.
        form = "lines of id=URI" if self._as_uris else "JSON"
        return ConfigurationError(
            f"The file of connections {self._path} cannot be read as {form}. Name another with --connections."
        )

    def _write(self, text: str) -> None:
        """Replace the file; at no moment may others read it."""
        try:
            # It is readable by its owner only, from the beginning.
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as opened:
                    opened.write(text)
                Path(name).replace(self._path)
            finally:
                Path(name).unlink(missing_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The file of connections {self._path} cannot be written: {error.strerror}. Name another with "
                "--connections."
            ) from None


class ConnectionSecrets:
    """A store of secrets, in which Airflow's secrets backend finds each connection as `<prefix>/<id>`.

    Args:
        store: The store.
        prefix: The backend's `connections_prefix`.
    """

    def __init__(self, store: SecretStore, prefix: str):
        self._store = store
        self._prefix = prefix

    def put(self, connection: AirflowConnection) -> Stored:
        """Store a connection."""
        return self._store.put(f"{self._prefix}/{connection.conn_id}", connection.as_json())

    def look(self, connection: AirflowConnection) -> Stored:
        """Tell what `put` would do."""
        return self._store.look(f"{self._prefix}/{connection.conn_id}", connection.as_json())

    def __str__(self) -> str:
        return f"secrets {self._prefix}/…"
