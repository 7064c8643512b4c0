"""Pre-SQL and post-SQL as statements. One text may hold several; none may end the load's transaction."""

from collections.abc import Iterator
from dataclasses import dataclass

from rsloader_provider.core.config.mistakes import mistake
from rsloader_provider.core.config.sql_templates import check_template, readable_part
from rsloader_provider.core.config.sql_tokens import Token, UnreadableSqlError, tokens


@dataclass(frozen=True, slots=True)
class UserSql:
    """One statement of pre-SQL or post-SQL.

    Attributes:
        text: As it is written, including comments before and in it, without the ';' at its end.
        words: Its tokens in upper case, without comments; quoted ones keep their quotes.
        line: Line of its first word in the whole text; 1 is the first.
    """

    text: str
    words: tuple[str, ...]
    line: int


def split_sql(sql: str) -> list[UserSql]:
    """Cut a text at its semicolons. Parts that hold only blanks and comments are left out.

    >>> [each.text for each in split_sql("DELETE FROM a; /* ; */ INSERT INTO b VALUES (';'); -- done")]
    ['DELETE FROM a', "/* ; */ INSERT INTO b VALUES (';')"]

    Raises:
        UnreadableSqlError: A quote or a comment has no end.
    """
    return list(_statements(sql))


def _statements(sql: str) -> Iterator[UserSql]:
    begin = 0
    found: list[Token] = []
    for token in (*tokens(sql), Token(";", len(sql), len(sql))):
        if token.text != ";":
            found.append(token)
            continue
        if found:
            text = sql[begin : token.start].strip()
            line = sql.count("\n", 0, found[0].start) + 1
            yield UserSql(text, tuple(each.word for each in found), line)
        begin, found = token.end, []


@dataclass(frozen=True, slots=True)
class _Refused:
    """A kind of statement.

    Attributes:
        name: The words that it begins with; each `…` stands for one word or more.
        hint: What to write instead.
    """

    name: str
    hint: str = "Leave it out, or run it in a task of its own."

    def matches(self, words: tuple[str, ...]) -> bool:
        first, *others = (tuple(each.split()) for each in self.name.split("…"))
        if words[: len(first)] != first:
            return False
        at = len(first)
        for phrase in others:
            found = (start for start in range(at + 1, len(words)) if words[start : start + len(phrase)] == phrase)
            if (start := next(found, None)) is None:
                return False
            at = start + len(phrase)
        return True


_ENDS_TRANSACTION = (
    _Refused("TRUNCATE", "To empty a table write DELETE FROM, or 'mode: replace'."),
    *map(_Refused, ("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "VACUUM")),
)
"""Source: https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html"""

_NOT_IN_TRANSACTION = tuple(
    map(
        _Refused,
        (
            *("ALTER TABLE … APPEND FROM", "CLUSTER", "INDEXCAT", "REBUILDCAT", "REINDEX DATABASE"),
            *("CREATE DATABASE", "DROP DATABASE", "CREATE TABLESPACE", "DROP TABLESPACE"),
            *("CREATE LIBRARY", "CREATE OR REPLACE LIBRARY", "DROP LIBRARY"),
            *("CREATE EXTERNAL TABLE", "DROP EXTERNAL TABLE", "ALTER EXTERNAL TABLE", "RENAME EXTERNAL TABLE"),
            "GRANT … ON EXTERNAL",
            "ALTER TABLE … ALTER COLUMN … TYPE",
            # Clauses that only external tables have.
            *("ALTER TABLE … ADD PARTITION", "ALTER TABLE … ADD IF NOT EXISTS PARTITION"),
            *("ALTER TABLE … DROP PARTITION", "ALTER TABLE … SET LOCATION", "ALTER TABLE … SET FILE FORMAT"),
            "ALTER TABLE … SET TABLE PROPERTIES",
        ),
    )
)
"""Sources: https://docs.aws.amazon.com/redshift/latest/dg/r_SVL_MULTI_STATEMENT_VIOLATIONS.html (the list; COPY, which
it names too, runs in transactions but for external resources) and
https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html (external tables,
and the type of columns)"""


def refusal(statement: UserSql) -> tuple[str, str] | None:
    """Say why a statement may not run in the load's transaction, and what to write instead; None if it may.

    That a stored procedure commits cannot be seen here. Redshift refuses COMMIT, ROLLBACK and TRUNCATE in one that is
    called in a transaction block.
    Source: https://docs.aws.amazon.com/redshift/latest/dg/stored-procedure-transaction-management.html
    """
    for kind in _ENDS_TRANSACTION:
        if kind.matches(statement.words):
            said = f"{kind.name} would commit or break the load's transaction"
            return f"{said}, and a failure after it could not be undone.", kind.hint
    for kind in _NOT_IN_TRANSACTION:
        if kind.matches(statement.words):
            return f"{kind.name} cannot run in a transaction, and the load is one.", kind.hint
    return None


def check_sql(text: str) -> str:
    """Return a text of pre-SQL or post-SQL without blanks around it, if it is right as far as it can be read.

    A Jinja expression stands for a name or a value here; the rendered text is checked again.

    Raises:
        ValueError: It is not a template, not SQL, or empty; or one of its statements may not run in the transaction.
    """
    if "\0" in text:
        raise mistake("the SQL holds a NUL.", "Remove the character.")
    check_template(text)
    readable, has_expressions, has_blocks = readable_part(text)
    try:
        statements = split_sql(readable)
    except UnreadableSqlError as error:
        if has_blocks:  # either branch may close the quote, and both are in the text
            return text.strip()
        raise mistake(f"the SQL holds {error}", r"In quotes write ' as '' and \ as \\.") from None
    if not statements and not (has_expressions or has_blocks):
        raise mistake("the text holds no statement.", "Write SQL, or leave it out.")
    for statement in statements:
        if reason := refusal(statement):
            raise mistake(*reason, line=statement.line)
    return text.strip()
