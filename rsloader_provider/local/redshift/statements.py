"""What a statement is to the proxy: most pass through, some need a lock or a commit, some never reach PostgreSQL."""

from dataclasses import dataclass, field
from enum import Enum, auto

from rsloader_provider.local.redshift import database_statements, ddl, user_statements
from rsloader_provider.local.redshift.copy_options import CopyOptions
from rsloader_provider.local.redshift.copy_statement import parse_copy
from rsloader_provider.local.redshift.database_statements import DatabaseChange
from rsloader_provider.local.redshift.sql_text import Fragment
from rsloader_provider.local.redshift.tokens import Kind, Token, tokenize

_TRANSACTION_CONTROL = {"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE"}
_NEVER_IN_TRANSACTION = {"VACUUM", "ALTER SYSTEM"}


class Role(Enum):
    """How the session has to treat a statement."""

    PASSED_ON = auto()
    COPY = auto()
    TRUNCATE = auto()  # commits the transaction that it runs in
    TRANSACTION = auto()  # begins or ends a transaction, or cannot run in one
    FAULT = auto()  # LOCAL FAULT …


@dataclass(frozen=True)
class Statement:
    """One statement of a client.

    Attributes:
        text: As the client wrote it; faults are matched with it.
        sql: What PostgreSQL gets; empty if it gets nothing.
        role: How to treat it.
        writes: The table that an INSERT, UPDATE, DELETE or MERGE writes rows to, as SQL, or None.
        copy: The parsed COPY, for a COPY.
        database: What a CREATE, ALTER or DROP DATABASE does.
    """

    text: str
    sql: str
    role: Role = Role.PASSED_ON
    writes: Fragment | None = None
    copy: CopyOptions | None = field(default=None, repr=False)
    database: DatabaseChange | None = None


NOTHING = Statement("", "")


def understand(text: str) -> Statement:
    """Return what a single statement is and what PostgreSQL is to be sent for it.

    Raises:
        RedshiftError: A COPY or a table definition that Redshift, or the local Redshift, refuses.
    """
    tokens = tokenize(text)
    if not tokens:
        return Statement(text, text)
    first = tokens[0].keyword
    second = tokens[1].keyword if len(tokens) > 1 else ""
    if first == "COPY":
        return Statement(text, "", Role.COPY, copy=parse_copy(tokens))
    if (first, second) == ("LOCAL", "FAULT"):
        return Statement(text, "", Role.FAULT)
    if (for_postgres := user_statements.rewrite(tokens)) is not None:
        return Statement(text, for_postgres)
    if (change := database_statements.understand(tokens)) is not None:
        return Statement(text, change.sql, Role.TRANSACTION, database=change)
    sql = ddl.rewrite(text, tokens)
    if first == "TRUNCATE":
        return Statement(text, sql, Role.TRUNCATE)
    if first in _TRANSACTION_CONTROL or not _NEVER_IN_TRANSACTION.isdisjoint((first, f"{first} {second}")):
        return Statement(text, sql, Role.TRANSACTION)
    return Statement(text, sql, writes=_written_table(tokens))


def _written_table(tokens: list[Token]) -> Fragment | None:
    """Return the table that an INSERT, UPDATE, DELETE or MERGE writes to, or None for any other statement."""
    start = _after_with(tokens)
    match [token.keyword for token in tokens[start : start + 2]]:
        case ["INSERT", "INTO"] | ["DELETE", "FROM"] | ["MERGE", "INTO"]:
            return table_name(tokens, start + 2)[0]
        case ["UPDATE" | "DELETE", _]:
            return table_name(tokens, start + 1)[0]
    return None


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


def table_name(tokens: list[Token], start: int) -> tuple[Fragment | None, int]:
    """Read a table's name, which may have a schema; returns it as SQL, or None, and the position after it."""
    end = start
    while end < len(tokens) and tokens[end].is_name:
        end += 1
        if end >= len(tokens) or tokens[end].text != "." or tokens[end].kind is not Kind.SIGN:
            break
        end += 1
    name = "".join(token.text for token in tokens[start:end])
    return (Fragment(name) if name else None), end
