"""Who gets in: passwords of both kinds, users and their ends, temporary passwords, encryption."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import redshift_connector
from local.redshift_fixtures import Client, server_error

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


@both_drivers
def test_a_user_logs_in_with_their_password_and_no_other(redshift: LocalRedshift, log_in: LogIn) -> None:
    assert log_in(redshift, redshift.user, redshift.password) == redshift.user
    for user, password in ((redshift.user, "wrong"), ("nobody-here", redshift.password), ("rdsdb", "")):
        with pytest.raises(REFUSED, match="password authentication failed|no password supplied"):
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
