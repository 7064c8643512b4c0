"""Which statements run, and which are remembered after their end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rsloader_provider.local.aws.redshift.data.errors import invalid, no_such_statement, too_many_statements

if TYPE_CHECKING:
    from rsloader_provider.local.aws.redshift.data.statements import Query, Statement

# AWS allows 500 of each; the PostgreSQL underneath takes 300 sessions in all.
_MOST_ACTIVE = 200
_MOST_REMEMBERED = 1000
_MOST_RESULT_BYTES = 500_000_000


class Statements:
    """All statements that are remembered, in their order. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_id: dict[str, Statement] = {}
        self._by_token: dict[str, Statement] = {}

    def add(self, statement: Statement) -> Statement:
        """Remember and return a statement; if an earlier one had the same client token, return that one instead.

        Raises:
            ServiceError: Too many are running.
        """
        with self._lock:
            token = statement.client_token
            if token and token in self._by_token:
                return self._by_token[token]
            if sum(not each.ended.is_set() for each in self._by_id.values()) >= _MOST_ACTIVE:
                raise too_many_statements()
            self._by_id[statement.id] = statement
            if token:
                self._by_token[token] = statement
            return statement

    def drop(self, statement: Statement) -> None:
        """Forget a statement that could not begin."""
        with self._lock:
            self._drop(statement)

    def _drop(self, statement: Statement) -> None:
        del self._by_id[statement.id]
        if statement.client_token:
            del self._by_token[statement.client_token]

    def forget_surplus(self) -> None:
        """Forget the oldest ended statements while there are too many, or their results are too large.

        The latest one stays in any case.
        """
        with self._lock:
            size = {each.id: _result_bytes(each) for each in self._by_id.values()}
            surplus, held = len(self._by_id) - _MOST_REMEMBERED, sum(size.values())
            for statement in list(self._by_id.values())[:-1]:
                too_large = held > _MOST_RESULT_BYTES and size[statement.id]
                if statement.ended.is_set() and (surplus > 0 or too_large):
                    self._drop(statement)
                    surplus, held = surplus - 1, held - size[statement.id]

    def statement(self, statement_id: str) -> Statement:
        """Return a statement by its id or one of its queries'.

        Raises:
            ServiceError: There is none.
        """
        with self._lock:
            found = self._by_id.get(statement_id.partition(":")[0])
        if found is None:
            raise no_such_statement(statement_id)
        return found

    def query(self, statement_id: str) -> tuple[Statement, Query]:
        """Return a query by its id, and the statement that it belongs to.

        Raises:
            ServiceError: There is none, or the id belongs to a whole batch.
        """
        statement = self.statement(statement_id)
        for query in statement.queries:
            if query.id == statement_id:
                return statement, query
        if statement_id == statement.id:
            raise invalid("Query does not have result. Please check query status with DescribeStatement.")
        raise no_such_statement(statement_id)

    def latest(self) -> list[Statement]:
        """Return all, the latest first."""
        with self._lock:
            return list(reversed(self._by_id.values()))


def _result_bytes(statement: Statement) -> int:
    return sum(query.result.size_bytes for query in statement.queries if query.result)
