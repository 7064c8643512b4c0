"""What a statement is to the proxy: most pass through, some need a lock or a commit, some never reach PostgreSQL."""

import re
from dataclasses import dataclass, field
from enum import Enum, auto

from rsloader_provider.local.redshift.copy.options import CopyOptions
from rsloader_provider.local.redshift.copy.statement import parse_copy
from rsloader_provider.local.redshift.sql import database_statements, dialect, query_text, user_statements
from rsloader_provider.local.redshift.sql.alter_table import alters_a_column
from rsloader_provider.local.redshift.sql.database_statements import DatabaseChange
from rsloader_provider.local.redshift.sql.edits import table_end
from rsloader_provider.local.redshift.sql.quoting import Fragment
from rsloader_provider.local.redshift.sql.table_append import TableAppend, parse_append
from rsloader_provider.local.redshift.sql.tokens import Token, tokenize

_TRANSACTION_CONTROL = {"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE"}
_NEVER_IN_TRANSACTION = {"VACUUM", "ALTER SYSTEM"}
_SYSTEM_VIEW = re.compile(r"\b(?:sys|stl|svl|stv)_\w", re.IGNORECASE)
_LAST = re.compile(r"\bpg_last_(?:copy|query)_", re.IGNORECASE)


class Role(Enum):
    """How the session has to treat a statement."""

    PASSED_ON = auto()
    COPY = auto()
    APPEND = auto()  # ALTER TABLE … APPEND
    LOCK = auto()
    TRUNCATE = auto()  # commits the transaction that it runs in
    ALONE = auto()  # Redshift refuses it in a transaction block, PostgreSQL does not
    TRANSACTION = auto()  # begins or ends a transaction, or cannot run in one
    FAULT = auto()  # LOCAL FAULT …


@dataclass(frozen=True)
class Statement:
    """One statement of a client.

    Attributes:
        text: As the client wrote it; faults are matched with it.
        sql: What PostgreSQL gets; empty if it gets nothing.
        role: How to treat it.
        kind: What the query history calls it, such as SELECT or DDL.
        writes: The table that an INSERT, UPDATE, DELETE or MERGE writes rows to, as SQL, or None.
        copy: The parsed COPY, for a COPY.
        append: The parsed ALTER TABLE APPEND, for one.
        database: What a CREATE, ALTER or DROP DATABASE does.
    """

    text: str
    sql: str
    role: Role = Role.PASSED_ON
    kind: str = "OTHER"
    writes: Fragment | None = None
    copy: CopyOptions | None = field(default=None, repr=False)
    append: TableAppend | None = None
    database: DatabaseChange | None = None

    @property
    def reads_the_log(self) -> bool:
        """Whether it may read a system view, whose rows the proxy has to write first."""
        return _SYSTEM_VIEW.search(self.text) is not None

    @property
    def asks_what_was_last(self) -> bool:
        """Whether it asks for the last COPY or the last query of its session."""
        return _LAST.search(self.text) is not None


NOTHING = Statement("", "")


def understand(text: str) -> Statement:
    """Return what a single statement is and what PostgreSQL is to be sent for it.

    Raises:
        RedshiftError: A COPY or another statement that Redshift, or the local Redshift, refuses.
    """
    tokens = tokenize(text)
    if not tokens:
        return Statement(text, text)
    first = tokens[0].keyword
    second = tokens[1].keyword if len(tokens) > 1 else ""
    kind = query_text.kind(tokens)
    if first == "COPY":
        return Statement(text, "", Role.COPY, kind, copy=parse_copy(tokens))
    if (first, second) == ("LOCAL", "FAULT"):
        return Statement(text, "", Role.FAULT)
    if (append := parse_append(tokens)) is not None:
        return Statement(text, "", Role.APPEND, kind, append=append)
    if (for_postgres := user_statements.rewrite(tokens)) is not None:
        return Statement(text, for_postgres, kind=kind)
    if (change := database_statements.understand(tokens)) is not None:
        return Statement(text, change.sql, Role.TRANSACTION, kind, database=change)
    sql = dialect.rewrite(text, tokens)
    if first == "TRUNCATE":
        return Statement(text, sql, Role.TRUNCATE, kind)
    if first == "LOCK":
        return Statement(text, sql, Role.LOCK, kind)
    if first in _TRANSACTION_CONTROL or not _NEVER_IN_TRANSACTION.isdisjoint((first, f"{first} {second}")):
        return Statement(text, sql, Role.TRANSACTION, kind)
    if alters_a_column(tokens):
        return Statement(text, sql, Role.ALONE, kind)
    return Statement(text, sql, kind=kind, writes=_written_table(tokens))


def _written_table(tokens: list[Token]) -> Fragment | None:
    """Return the table that an INSERT, UPDATE, DELETE or MERGE writes to, or None for any other statement."""
    start = _after_with(tokens)
    match [token.keyword for token in tokens[start : start + 2]]:
        case ["INSERT", "INTO"] | ["DELETE", "FROM"] | ["MERGE", "INTO"]:
            start += 2
        case ["UPDATE" | "DELETE", _]:
            start += 1
        case _:
            return None
    name = "".join(token.text for token in tokens[start : table_end(tokens, start)])
    return Fragment(name) if name else None


def _after_with(tokens: list[Token]) -> int:
    """Return where the statement proper begins, after a WITH clause if there is one."""
    if tokens[0].keyword != "WITH":
        return 0
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.keyword in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            return index
    return 0
