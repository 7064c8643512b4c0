"""Who gets in: passwords of both kinds, users and their ends, temporary passwords, encryption."""

import hashlib
import itertools
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redshift_connector
from support.redshift_fixtures import Client, new_table, server_error

from rsloader_provider.local.redshift import LocalRedshift


@pytest.fixture(scope="session")
def md5_redshift() -> Iterator[LocalRedshift]:
    with LocalRedshift(authentication="md5") as redshift:
        yield redshift


@pytest.fixture(params=["cleartext", "md5"])
def redshift(request: pytest.FixtureRequest, snapshot_redshift: LocalRedshift) -> LocalRedshift:
    """One that asks for the password and one that asks for its salted hash."""
    if request.param == "cleartext":
        return snapshot_redshift
    asked_for_a_hash: LocalRedshift = request.getfixturevalue("md5_redshift")
    return asked_for_a_hash


def through_redshift_connector(redshift: LocalRedshift, user: str, password: str) -> str:
    client = Client(redshift, user=user, password=password)
    try:
        return str(client.value("SELECT current_user"))
    finally:
        client.close()


def through_psycopg(redshift: LocalRedshift, user: str, password: str) -> str:
    with psycopg.connect(
        host=redshift.host, port=redshift.port, dbname=redshift.database, user=user, password=password
    ) as connection:
        row = connection.execute("SELECT current_user").fetchone()
        assert row is not None
        return str(row[0])


both_drivers = pytest.mark.parametrize("log_in", [through_redshift_connector, through_psycopg])
LogIn = Callable[[LocalRedshift, str, str], str]
REFUSED = (redshift_connector.InterfaceError, psycopg.OperationalError)


def administer(redshift: LocalRedshift, *statements: str) -> None:
    client = Client(redshift)
    for statement in statements:
        client.run(statement)
    client.commit()
    client.close()


_numbers = itertools.count(1)


@pytest.fixture
def new_user() -> Callable[..., str]:
    """Creates a user of a name not used before, and returns the name."""

    def create(redshift: LocalRedshift, options: str = "PASSWORD DISABLE") -> str:
        name = f"user{next(_numbers)}"
        administer(redshift, f"CREATE USER {name} {options}")
        return name

    return create


@both_drivers
def test_a_user_logs_in_with_their_password_and_no_other(redshift: LocalRedshift, log_in: LogIn) -> None:
    assert log_in(redshift, redshift.user, redshift.password) == redshift.user
    for user, password in ((redshift.user, "wrong"), ("nobody-here", redshift.password), ("rdsdb", "any")):
        with pytest.raises(REFUSED, match="password authentication failed"):
            log_in(redshift, user, password)


@both_drivers
@pytest.mark.parametrize("prefix", ["IAM:", "IAMA:", "IAMR:"])
def test_a_temporary_password_admits_to_the_database_user(
    redshift: LocalRedshift, log_in: LogIn, prefix: str, new_user: Callable[..., str]
) -> None:
    user = new_user(redshift)
    administer(redshift, f"SELECT local_redshift.grant_temporary_password('{user}', 'for a while', 900)")
    administer(redshift, f"SELECT local_redshift.grant_temporary_password('{user}', 'and another', 900)")
    assert log_in(redshift, prefix + user, "for a while") == user
    assert log_in(redshift, prefix + user, "and another") == user, "an earlier one goes on to be valid"
    with pytest.raises(REFUSED, match="password authentication failed"):
        log_in(redshift, user, "for a while")


@both_drivers
def test_a_temporary_password_ends(redshift: LocalRedshift, log_in: LogIn, new_user: Callable[..., str]) -> None:
    user = new_user(redshift)
    administer(redshift, f"SELECT local_redshift.grant_temporary_password('{user}', 'too late', 0)")
    with pytest.raises(REFUSED, match="password authentication failed"):
        log_in(redshift, f"IAM:{user}", "too late")


def test_only_a_superuser_gives_temporary_passwords(snapshot_redshift: LocalRedshift) -> None:
    client = Client(snapshot_redshift, user="loader", password="loader's secret")
    for sql in (
        "SELECT local_redshift.grant_temporary_password('awsuser', 'mine', 900)",
        "SELECT * FROM local_redshift.temporary_password",
    ):
        with pytest.raises(redshift_connector.ProgrammingError) as raised:
            client.run(sql)
        assert server_error(raised.value)["C"] == "42501"
        client.rollback()
    client.close()


class TestUsers:
    """CREATE USER, ALTER USER and DROP USER, in Redshift's spelling."""

    @both_drivers
    @pytest.mark.parametrize("plain", [True, False])
    def test_a_password_is_plain_or_hashed(
        self, redshift: LocalRedshift, log_in: LogIn, new_user: Callable[..., str], plain: bool
    ) -> None:
        user = new_user(redshift, "PASSWORD DISABLE")
        with pytest.raises(REFUSED, match="password authentication failed"):
            log_in(redshift, user, "Wonder1and")
        password = "Wonder1and" if plain else "MD5" + hashlib.md5(f"Wonder1and{user}".encode()).hexdigest()
        administer(redshift, f"ALTER USER {user} WITH PASSWORD '{password}'")
        assert log_in(redshift, user, "Wonder1and") == user
        administer(redshift, f"ALTER USER {user} PASSWORD DISABLE")
        with pytest.raises(REFUSED, match="password authentication failed"):
            log_in(redshift, user, "Wonder1and")

    @pytest.mark.parametrize(("until", "admitted"), [("2020-01-01", False), ("2100-01-01", True), ("infinity", True)])
    def test_a_password_ends(
        self, redshift: LocalRedshift, new_user: Callable[..., str], until: str, admitted: bool
    ) -> None:
        user = new_user(redshift, f"PASSWORD 'Wonder1and' VALID UNTIL '{until}'")
        if admitted:
            assert through_psycopg(redshift, user, "Wonder1and") == user
        else:
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                through_psycopg(redshift, user, "Wonder1and")

    def test_createuser_makes_a_superuser_and_createdb_one_who_makes_databases(
        self, snapshot_redshift: LocalRedshift, new_user: Callable[..., str]
    ) -> None:
        made = new_user(snapshot_redshift, "WITH PASSWORD 'Wonder1and' CREATEDB CREATEUSER CONNECTION LIMIT UNLIMITED")
        plain = new_user(snapshot_redshift, "PASSWORD 'Wonder1and' NOCREATEDB NOCREATEUSER SYSLOG ACCESS RESTRICTED")
        client = Client(snapshot_redshift)
        rights = "SELECT usecreatedb, usesuper FROM pg_user WHERE usename = %s"
        assert client.run(rights, made) == [[True, True]]
        assert client.run(rights, plain) == [[False, False]]
        client.run(f"ALTER USER {made} NOCREATEUSER NOCREATEDB")
        assert client.run(rights, made) == [[False, False]]
        client.close()

    def test_a_new_user_may_lock_what_they_may_write_to(
        self, snapshot_redshift: LocalRedshift, client: Client, new_user: Callable[..., str]
    ) -> None:
        table = new_table(client, "id int")
        client.run(f"CREATE GROUP {table}_writers")
        client.run(f"GRANT INSERT, UPDATE ON {table} TO GROUP {table}_writers")
        client.commit()
        user = new_user(snapshot_redshift, f"PASSWORD 'Wonder1and' IN GROUP {table}_writers")
        theirs = Client(snapshot_redshift, user=user, password="Wonder1and")
        theirs.run(f"LOCK {table}")
        theirs.run(f"INSERT INTO {table} VALUES (1)")
        theirs.commit()
        theirs.close()
        assert client.value(f"SELECT count(*) FROM {table}") == 1

    def test_users_change_their_own_password_and_no_other(
        self, snapshot_redshift: LocalRedshift, new_user: Callable[..., str]
    ) -> None:
        user, other = (new_user(snapshot_redshift, "PASSWORD 'Wonder1and'") for _ in range(2))
        theirs = Client(snapshot_redshift, user=user, password="Wonder1and")
        theirs.run(f"ALTER USER {user} PASSWORD 'Changed2too'")
        theirs.commit()
        for statement in (
            f"ALTER USER {other} PASSWORD 'Changed2too'",
            f"ALTER USER {user} CREATEUSER",
            f"DROP USER {other}",
            f"CREATE USER x{user} PASSWORD 'Wonder1and'",
        ):
            with pytest.raises(redshift_connector.ProgrammingError) as raised:
                theirs.run(statement)
            assert server_error(raised.value)["C"] == "42501"
            theirs.rollback()
        theirs.close()
        assert through_psycopg(snapshot_redshift, user, "Changed2too") == user

    def test_a_user_is_renamed_and_dropped(self, client: Client, new_user: Callable[..., str]) -> None:
        client.run("CREATE USER passing PASSWORD 'Wonder1and'")
        client.run("ALTER USER passing SET search_path TO public")
        client.run("ALTER USER passing RESET search_path")
        client.run("ALTER USER passing RENAME TO passed")
        client.run("DROP USER IF EXISTS passing, passed")
        assert client.run("SELECT 1 FROM pg_user WHERE usename LIKE 'pass%%'") == []
        client.rollback()

    @pytest.mark.parametrize(
        ("statement", "code"),
        [
            ("CREATE USER u", "42601"),
            ("CREATE USER u CREATEDB", "42601"),
            ("CREATE USER u PASSWORD", "42601"),
            ("CREATE USER u PASSWORD secret", "42601"),
            ("CREATE USER 'u' PASSWORD DISABLE", "42601"),
            ("CREATE USER u PASSWORD DISABLE CONNECTION LIMIT many", "42601"),
            ("CREATE USER u PASSWORD DISABLE SYSLOG ACCESS ALL", "42601"),
            ("CREATE USER u PASSWORD DISABLE SUPERUSER", "42601"),
            ("ALTER USER u", "42601"),
            ("CREATE USER u PASSWORD 'Shor1er'", "XX000"),
            ("CREATE USER u PASSWORD 'nocapital1'", "XX000"),
            ("CREATE USER u PASSWORD 'NOSMALL1'", "XX000"),
            ("CREATE USER u PASSWORD 'NoNumber'", "XX000"),
            ("CREATE USER u PASSWORD 'With@Sign1'", "XX000"),
            ("ALTER USER u PASSWORD 'a weak one'", "XX000"),
            ("CREATE USER u PASSWORD 'sha256|Mypassword1'", "0A000"),
            ("CREATE USER u PASSWORD DISABLE SYSLOG ACCESS UNRESTRICTED", "0A000"),
            ("CREATE USER u PASSWORD DISABLE SESSION TIMEOUT 60", "0A000"),
            ("CREATE USER u PASSWORD DISABLE EXTERNALID x", "0A000"),
            ("ALTER USER u RESET SESSION TIMEOUT", "0A000"),
        ],
    )
    def test_what_redshift_refuses_or_postgresql_cannot_do_is_refused(
        self, client: Client, statement: str, code: str
    ) -> None:
        with pytest.raises(redshift_connector.ProgrammingError) as raised:
            client.run(statement)
        assert server_error(raised.value)["C"] == code


def test_a_data_directory_keeps_a_changed_password() -> None:
    """The passwords that a start names are those of users who are not there yet."""
    with tempfile.TemporaryDirectory() as directory:
        data_dir = Path(directory) / "data"
        with LocalRedshift(data_dir=data_dir, password="at first") as redshift:
            administer(redshift, "ALTER USER awsuser PASSWORD 'Changed1too'")
        with LocalRedshift(data_dir=data_dir, password="at first", users={"late": "comer"}) as redshift:
            assert through_psycopg(redshift, "awsuser", "Changed1too") == "awsuser"
            assert through_psycopg(redshift, "late", "comer") == "late"
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                through_psycopg(redshift, "awsuser", "at first")


class TestEncryption:
    @pytest.fixture(scope="class")
    def certificate(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
        """A self-signed certificate of this machine, and its key."""
        directory = tmp_path_factory.mktemp("tls")
        certificate, key = directory / "certificate.pem", directory / "key.pem"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"
        subject = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        subprocess.run(
            [*command.split(), *subject, "-out", certificate, "-keyout", key],
            check=True,
            capture_output=True,
        )
        return certificate, key

    @pytest.fixture(scope="class")
    def encrypted(self, certificate: tuple[Path, Path]) -> Iterator[LocalRedshift]:
        with LocalRedshift(tls=certificate, authentication="md5") as redshift:
            yield redshift

    @pytest.mark.parametrize("sslmode", ["verify-ca", "verify-full"])
    def test_redshift_connector_verifies_the_certificate(
        self,
        encrypted: LocalRedshift,
        certificate: tuple[Path, Path],
        monkeypatch: pytest.MonkeyPatch,
        sslmode: str,
    ) -> None:
        def connect() -> Any:
            return redshift_connector.connect(
                host="localhost",
                port=encrypted.port,
                database=encrypted.database,
                user=encrypted.user,
                password=encrypted.password,
                sslmode=sslmode,
            )

        with pytest.raises(redshift_connector.InterfaceError, match="certificate verify failed"):
            connect()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))  # the driver trusts what OpenSSL trusts
        with connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 'x' || repeat('y', 100000)")
            assert len(cursor.fetchone()[0]) == 100_001

    def connect_encrypted(self, redshift: LocalRedshift, certificate: tuple[Path, Path]) -> "psycopg.Connection[Any]":
        return psycopg.connect(
            host="localhost",
            port=redshift.port,
            dbname=redshift.database,
            user=redshift.user,
            password=redshift.password,
            sslmode="verify-full",
            sslrootcert=str(certificate[0]),
            autocommit=True,
        )

    def test_a_statement_is_cancelled_over_an_encrypted_connection(
        self, encrypted: LocalRedshift, certificate: tuple[Path, Path]
    ) -> None:
        with self.connect_encrypted(encrypted, certificate) as connection:
            assert connection.pgconn.ssl_in_use
            cancelled = threading.Event()

            def cancel_when_it_runs() -> None:
                with self.connect_encrypted(encrypted, certificate) as observer:
                    running = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
                    while observer.execute(running).fetchone() == (0,):
                        pass
                    connection.cancel_safe()
                    cancelled.set()

            thread = threading.Thread(target=cancel_when_it_runs)
            thread.start()
            with pytest.raises(psycopg.errors.QueryCanceled):
                connection.execute("SELECT pg_sleep(60)")
            thread.join(10)
            assert cancelled.is_set()

    def test_a_long_statement_and_a_long_answer_arrive_whole(
        self, encrypted: LocalRedshift, certificate: tuple[Path, Path]
    ) -> None:
        """Longer than what the server reads ahead, so that it has to hold the client up in between."""
        with self.connect_encrypted(encrypted, certificate) as connection:
            row = connection.execute("SELECT %s || 'y'", ("x" * 5_000_000,)).fetchone()
            assert row == ("x" * 5_000_000 + "y",)

    def test_encryption_is_offered_and_not_demanded(self, encrypted: LocalRedshift) -> None:
        assert through_redshift_connector(encrypted, encrypted.user, encrypted.password) == encrypted.user

    def test_without_a_certificate_it_is_declined(self, snapshot_redshift: LocalRedshift) -> None:
        with pytest.raises(psycopg.OperationalError, match="server does not support SSL"):
            psycopg.connect(host="localhost", port=snapshot_redshift.port, sslmode="require")

    def test_a_handshake_that_fails_harms_no_other_session(
        self, encrypted: LocalRedshift, certificate: tuple[Path, Path]
    ) -> None:
        with socket.create_connection((encrypted.host, encrypted.port)) as broken:
            broken.sendall(struct.pack("!ii", 8, 80877103))
            assert broken.recv(1) == b"S"
            broken.sendall(b"no ClientHello at all" * 10)
            while broken.recv(1024):  # an alert, perhaps, and the end
                pass
        with self.connect_encrypted(encrypted, certificate) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)

    @pytest.mark.parametrize("option", ["--tls-certificate", "--tls-key"])
    def test_a_certificate_and_its_key_come_together(self, option: str) -> None:
        command = [sys.executable, "-m", "rsloader_provider.local.redshift", option, "file.pem"]
        finished = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
        assert finished.returncode == 2
        assert "--tls-certificate and --tls-key need each other" in finished.stderr
