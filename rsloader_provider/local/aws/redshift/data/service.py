"""The Data API's operations."""

from __future__ import annotations

import base64
import threading
from typing import TYPE_CHECKING, Any

import psycopg

from rsloader_provider.local.aws.json_service import JsonService
from rsloader_provider.local.aws.redshift.data import running
from rsloader_provider.local.aws.redshift.data.errors import invalid, text_of
from rsloader_provider.local.aws.redshift.data.memory import Statements
from rsloader_provider.local.aws.redshift.data.requests import (
    login_of_secret,
    statement_id,
    submission_of,
    wait_seconds,
)
from rsloader_provider.local.aws.redshift.data.sessions import Session, Sessions
from rsloader_provider.local.aws.redshift.data.statements import ABORTED, FAILED, STATUSES, Statement
from rsloader_provider.local.aws.redshift.database import Login, NoRedshiftError, RedshiftDatabase

if TYPE_CHECKING:
    from rsloader_provider.local.aws.iam.access_keys import AccessKeys
    from rsloader_provider.local.aws.redshift.data.requests import Submission

_LOGIN_SECONDS = 900
_MOST_LISTED = 100
_NO_RESULT = "Query does not have result. Please check query status with DescribeStatement."


class DataApi:
    """Runs statements, each in a thread of its own.

    Args:
        database: The local Redshift.
        keys: The issued access keys and their holders.
        region: Where secrets are looked for.
    """

    def __init__(self, database: RedshiftDatabase, keys: AccessKeys, region: str) -> None:
        self._database = database
        self._keys = keys
        self._region = region
        self._statements = Statements()
        self._sessions = Sessions()

    def execute(self, key_id: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ExecuteStatement."""
        return self._submit(key_id, request, [request.get("Sql", "")], is_batch=False)

    def batch_execute(self, key_id: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer BatchExecuteStatement."""
        return self._submit(key_id, request, request.get("Sqls") or [], is_batch=True)

    def describe(self, _key_id: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DescribeStatement, of a statement or of one query of a batch."""
        wanted = statement_id(request)
        statement = self._statements.statement(wanted)
        statement.ended.wait(wait_seconds(request))
        if wanted == statement.id:
            return statement.describe()
        return self._statements.query(wanted)[1].describe() | {"RedshiftPid": statement.pid}

    def result(self, _key_id: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer GetStatementResult."""
        statement, query = self._statements.query(statement_id(request))
        statement.ended.wait(wait_seconds(request))
        if query.result is None or not statement.ended.is_set():
            raise invalid(_NO_RESULT)
        records, token = query.result.page(request.get("NextToken"))
        answer = {
            "Records": records,
            "ColumnMetadata": query.result.columns(),
            "TotalNumRows": query.result.row_count,
        }
        return answer | ({"NextToken": token} if token else {})

    def cancel(self, _key_id: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CancelStatement."""
        statement = self._statements.statement(statement_id(request))
        with statement.lock:
            if statement.ended.is_set():
                raise invalid(
                    f"Could not cancel a query that is already in {statement.status} state with ID: {statement.id}"
                )
            statement.cancelled = True
            if statement.running:
                self._database.cancel(statement.pid)
        return {"Status": True}

    def list_statements(self, _key_id: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ListStatements, the latest first."""
        wanted, prefix = request.get("Status", "ALL"), request.get("StatementName", "")
        if wanted not in (*STATUSES, "ALL"):
            raise invalid(f"Status must be one of {', '.join(STATUSES)}, ALL.")
        places = {name: request[name] for name in ("Database", "ClusterIdentifier", "WorkgroupName") if name in request}
        found = [
            each
            for each in self._statements.latest()
            if wanted in (each.status, "ALL")
            and each.facts.get("StatementName", "").startswith(prefix)
            and places.items() <= each.facts.items()
        ]
        first, most = _place(request.get("NextToken")), request.get("MaxResults") or _MOST_LISTED
        page = found[first : first + most]
        token = base64.urlsafe_b64encode(str(first + most).encode()).decode()
        return {"Statements": list(map(_listed, page))} | ({"NextToken": token} if len(found) > first + most else {})

    def _submit(self, key_id: str, request: dict[str, Any], sqls: list[str], *, is_batch: bool) -> dict[str, Any]:
        asked = submission_of(request, sqls)
        statement = Statement(
            asked.queries,
            is_batch=is_batch,
            auto_commit=asked.auto_commit,
            values=asked.values,
            facts=dict(asked.facts),
            client_token=asked.client_token,
        )
        remembered = self._statements.add(statement)
        if remembered is statement:
            try:
                session = self._session(key_id, asked)
            except BaseException:
                self._statements.drop(statement)
                raise
            statement.facts = session.facts | statement.facts
            if session.keep_alive_seconds is not None:
                statement.facts["SessionId"] = session.id
            threading.Thread(target=self._run, args=(statement, session), daemon=True).start()
        remembered.ended.wait(asked.wait_seconds)
        return _submitted(remembered)

    def _session(self, key_id: str, asked: Submission) -> Session:
        if asked.session_id:
            return self._sessions.take(asked.session_id, asked.keep_alive_seconds)
        facts = {name: value for name, value in asked.facts.items() if name != "StatementName"}
        try:
            own = self._database.user_of(self._keys.find(key_id))
        except NoRedshiftError as error:
            raise invalid(f"Redshift endpoint doesn't exist in this region. ({error})") from error
        user = facts.get("DbUser") or own
        secret = login_of_secret(facts["SecretArn"], self._region) if "SecretArn" in facts else None

        def connect() -> psycopg.Connection[Any]:
            if secret is not None:
                return self._database.connect(secret, facts["Database"])
            password = self._database.let_in(user, seconds=_LOGIN_SECONDS, create="DbUser" not in facts)
            return self._database.connect(Login(f"IAM:{user}", password), facts["Database"])

        # A session with a time of 0 is not kept.
        return self._sessions.begin(Session(connect, facts, asked.keep_alive_seconds or None))

    def _run(self, statement: Statement, session: Session) -> None:
        error: str | None = "the local AWS failed to run this"
        status = FAILED
        try:
            status, error = running.run(statement, session.connected())
        except psycopg.Error as problem:
            running.abort_unrun(statement)
            status, error = ABORTED if statement.cancelled else FAILED, text_of(problem)
        finally:
            # Before anybody can see that the statement has ended, and uses its session for the next one.
            self._sessions.give_back(session)
            statement.turn(status, error)
        self._statements.forget_surplus()


def redshift_data_service(database: RedshiftDatabase, keys: AccessKeys, region: str) -> JsonService:
    """Return the Data API as a WSGI application."""
    api = DataApi(database, keys, region)
    operations = {
        "ExecuteStatement": api.execute,
        "BatchExecuteStatement": api.batch_execute,
        "DescribeStatement": api.describe,
        "GetStatementResult": api.result,
        "CancelStatement": api.cancel,
        "ListStatements": api.list_statements,
    }
    return JsonService("redshift-data", operations, message="Message")


def _submitted(statement: Statement) -> dict[str, Any]:
    shown = {name: value for name, value in statement.facts.items() if name != "StatementName"}
    return shown | {
        "Id": statement.id,
        "CreatedAt": statement.created_at,
        "Status": statement.status,
        "HasResultSet": statement.has_result_set,
        "RedshiftPid": statement.pid,
    }


def _listed(statement: Statement) -> dict[str, Any]:
    texts = [query.text for query in statement.queries]
    shown = {
        name: statement.facts[name] for name in ("SecretArn", "StatementName", "SessionId") if name in statement.facts
    }
    return shown | {
        "Id": statement.id,
        "Status": statement.status,
        "CreatedAt": statement.created_at,
        "UpdatedAt": statement.updated_at,
        "IsBatchStatement": statement.is_batch,
        "ResultFormat": "JSON",
        **({"QueryStrings": texts} if statement.is_batch else {"QueryString": texts[0]}),
    }


def _place(token: str | None) -> int:
    try:
        return max(0, int(base64.urlsafe_b64decode(token))) if token else 0
    except ValueError:
        raise invalid("Invalid NextToken.") from None
