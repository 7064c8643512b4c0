"""The requests of ExecuteStatement and BatchExecuteStatement, checked."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from moto.core.exceptions import JsonRESTError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.secretsmanager.models import secretsmanager_backends

from rsloader_provider.local.aws.redshift.data.errors import invalid, unsupported
from rsloader_provider.local.aws.redshift.data.parameters import NumberedSql, number_all
from rsloader_provider.local.aws.redshift.database import Login

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_SQLS = 40
_MOST_KEEP_ALIVE_SECONDS = 86_400
_MOST_WAIT_SECONDS = 30
_ID = re.compile(r"[a-z0-9]{8}(-[a-z0-9]{4}){3}-[a-z0-9]{12}(:\d{1,2})?")
# These say where to connect; a session knows that already.
_PLACES = ("ClusterIdentifier", "WorkgroupName", "Database", "DbUser", "SecretArn")


class Submission(NamedTuple):
    """A request to run SQL.

    Attributes:
        queries: Each SQL as it was written and with numbered parameters.
        values: The parameters' values.
        facts: What describes the statement, as the API names it.
        session_id: The session to run in; None for a new one.
        keep_alive_seconds: How long to keep the session; None where the request does not say.
        auto_commit: Whether each query of a batch commits by itself.
        wait_seconds: How long the answer may wait for the end.
        client_token: The same one again means the same statement.
    """

    queries: list[tuple[str, NumberedSql]]
    values: dict[str, str]
    facts: dict[str, Any]
    session_id: str | None
    keep_alive_seconds: int | None
    auto_commit: bool
    wait_seconds: int
    client_token: str | None


def submission_of(request: Mapping[str, Any], sqls: list[str]) -> Submission:
    """Read a request.

    Raises:
        ServiceError: It is not valid, or asks for something that is not supported.
    """
    if not sqls or not all(isinstance(sql, str) and sql.strip() for sql in sqls):
        raise invalid("Sql must not be empty.")
    if len(sqls) > _MOST_SQLS:
        raise invalid(f"Sqls must have at most {_MOST_SQLS} items.")
    if request.get("WithEvent"):
        raise unsupported("WithEvent")
    if request.get("ResultFormat", "JSON") != "JSON":
        raise unsupported(f"ResultFormat {request['ResultFormat']}")
    if request.get("ExecutionMode", "TRANSACTION") not in ("TRANSACTION", "AUTO_COMMIT"):
        raise invalid("ExecutionMode must be one of TRANSACTION, AUTO_COMMIT.")
    values = {str(each["name"]): str(each["value"]) for each in request.get("Parameters") or []}
    session_id = request.get("SessionId")
    _check_place(request, session_id)
    names = (*_PLACES, "StatementName")
    return Submission(
        queries=list(zip(sqls, number_all(sqls, values), strict=True)),
        values=values,
        facts={name: request[name] for name in names if request.get(name)},
        session_id=session_id,
        keep_alive_seconds=_seconds(request, "SessionKeepAliveSeconds", _MOST_KEEP_ALIVE_SECONDS),
        auto_commit=request.get("ExecutionMode") == "AUTO_COMMIT",
        wait_seconds=wait_seconds(request),
        client_token=request.get("ClientToken"),
    )


def wait_seconds(request: Mapping[str, Any]) -> int:
    """Return how long an answer may wait for a statement's end, 0 where the request does not say.

    Raises:
        ServiceError: It is longer than AWS waits.
    """
    return _seconds(request, "WaitTimeSeconds", _MOST_WAIT_SECONDS) or 0


def statement_id(request: Mapping[str, Any]) -> str:
    """Return the id that a request is about.

    Raises:
        ServiceError: It is not a statement's id.
    """
    given = str(request.get("Id", ""))
    if not _ID.fullmatch(given):
        raise invalid(r"id must satisfy regex pattern: ^[a-z0-9]{8}(-[a-z0-9]{4}){3}-[a-z0-9]{12}(:\d+)?$")
    return given


def login_of_secret(name: str, region: str) -> Login:
    """Return the user and the password that a secret of the local Secrets Manager holds.

    Raises:
        ServiceError: There is no such secret, or it is not a user and a password.
    """
    try:
        secret = secretsmanager_backends[DEFAULT_ACCOUNT_ID][region].get_secret_value(name, "", "AWSCURRENT")
        held = json.loads(secret["SecretString"])
        return Login(str(held["username"]), str(held["password"]))
    except JsonRESTError as error:
        raise invalid(error.message) from error
    except (KeyError, ValueError, TypeError):
        raise invalid(f"the secret {name} is not JSON with a username and a password") from None


def _check_place(request: Mapping[str, Any], session_id: str | None) -> None:
    given = [name for name in _PLACES if request.get(name)]
    if session_id:
        if given:
            raise invalid(f"{', '.join(given)} must not be specified together with SessionId.")
        return
    if ("ClusterIdentifier" in given) == ("WorkgroupName" in given):
        raise invalid("Either ClusterIdentifier, WorkgroupName or SessionId must be provided.")
    if "Database" not in given:
        raise invalid("Database must be provided.")
    if "DbUser" in given and ("SecretArn" in given or "WorkgroupName" in given):
        other = "SecretArn" if "SecretArn" in given else "WorkgroupName"
        raise invalid(f"DbUser must not be specified together with {other}.")


def _seconds(request: Mapping[str, Any], name: str, most: int) -> int | None:
    value = request.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or not 0 <= value <= most:
        raise invalid(f"{name} must be a number of seconds up to {most}.")
    return value
