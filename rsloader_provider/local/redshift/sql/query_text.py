"""What the query history shows of a statement: its kind, and its text without the secrets in it."""

import re

from rsloader_provider.local.redshift.sql.tokens import Kind, Token, tokenize

SHOWN_CHARACTERS = 4000
_MASK = "'***'"
# A literal after one of these is a secret; an AS may stand between.
_SECRETS = frozenset(
    {"ACCESS_KEY_ID", "CREDENTIALS", "MASTER_SYMMETRIC_KEY", "PASSWORD", "SECRET_ACCESS_KEY", "SESSION_TOKEN"}
)
_MAY_HOLD_A_SECRET = re.compile("|".join(_SECRETS), re.IGNORECASE)
_KINDS = {
    **dict.fromkeys(("ALTER", "COMMENT", "CREATE", "DROP", "GRANT", "REVOKE", "TRUNCATE"), "DDL"),
    **dict.fromkeys(("ABORT", "BEGIN", "COMMIT", "END", "RELEASE", "ROLLBACK", "SAVEPOINT", "START"), "UTILITY"),
    **dict.fromkeys(("ANALYZE", "CALL", "CLOSE", "DEALLOCATE", "DECLARE", "EXECUTE", "FETCH", "LOCK"), "UTILITY"),
    **dict.fromkeys(("PREPARE", "RESET", "SET", "SHOW", "VACUUM"), "UTILITY"),
    **{name: name for name in ("COPY", "DELETE", "INSERT", "MERGE", "SELECT", "UNLOAD", "UPDATE")},
}


def kind(tokens: list[Token]) -> str:
    """Return a statement's `query_type`."""
    words = [token.keyword for token in tokens]
    if words[:1] == ["WITH"]:
        return next((word for word in words if word in ("INSERT", "UPDATE", "DELETE")), "SELECT")
    if words[:1] == ["CREATE"] and "TABLE" in words[1:4] and "SELECT" in words:
        return "CTAS"
    return _KINDS.get(words[0], "OTHER") if words else "OTHER"


def masked(sql: str) -> str:
    """Return a statement with its secrets starred out.

    >>> masked("COPY t FROM 's3://b/k' CREDENTIALS AS 'aws_access_key_id=a;aws_secret_access_key=b'")
    "COPY t FROM 's3://b/k' CREDENTIALS AS '***'"
    """
    pieces, position = [], 0
    for secret in _secrets(sql):
        pieces += [sql[position : secret.start], _MASK]
        position = secret.end
    return "".join([*pieces, sql[position:]])


def without_secrets(message: str, sql: str) -> str:
    """Return an error's message without the secrets of its statement, which it may quote."""
    for secret in _secrets(sql):
        for spelling in (secret.text, secret.value):
            if spelling:
                message = message.replace(spelling, "***")
    return message


def _secrets(sql: str) -> list[Token]:
    if not _MAY_HOLD_A_SECRET.search(sql):
        return []
    found: list[Token] = []
    before = ""
    for token in tokenize(sql):
        if token.kind is Kind.LITERAL and before in _SECRETS:
            found.append(token)
        if token.keyword != "AS":
            before = token.keyword
    return found
