"""A statement of Redshift in PostgreSQL's words: what can differ in any statement, and calls for the rest."""

from itertools import pairwise

from rsloader_provider.local.redshift.errors import syntax_error
from rsloader_provider.local.redshift.sql.alter_table import rewrite_alter_table
from rsloader_provider.local.redshift.sql.catalog_queries import rewrite_catalog_query
from rsloader_provider.local.redshift.sql.ddl import rewrite_create_table
from rsloader_provider.local.redshift.sql.edits import Edits
from rsloader_provider.local.redshift.sql.maintenance import check_lock, rewrite_analyze, rewrite_vacuum
from rsloader_provider.local.redshift.sql.merge import rewrite_merge
from rsloader_provider.local.redshift.sql.tokens import Token

# These take no parentheses; the functions that stand for them here need them.
_WITHOUT_PARENTHESES = {"SYSDATE": "sysdate()", "CURRENT_USER_ID": "current_user_id()"}
# PostgreSQL has no NVL, and something else under the other name.
_FUNCTIONS = {"NVL": "coalesce", "JSON_SERIALIZE": "pg_catalog.json_serialize"}
_GREATEST_LENGTH = {"VARCHAR": "65535", "NVARCHAR": "65535", "VARYING": "65535", "CHAR": "4096", "CHARACTER": "4096"}


def rewrite(sql: str, tokens: list[Token]) -> str:
    """Return a statement as PostgreSQL understands it, unchanged if it needs no change.

    Args:
        sql: A single statement, not a COPY.
        tokens: Its tokens, at least one.

    Raises:
        RedshiftError: Redshift refuses it, or PostgreSQL would do something different from Redshift.
    """
    words = [token.keyword for token in tokens]
    edits = Edits(sql)
    _rewrite_words(tokens, edits)
    _rewrite_temporary_names(tokens, edits)
    match words:
        case ["CREATE", *_] if "TABLE" in words[1:4]:
            table = words.index("TABLE")
            _make_temporary(tokens, table, edits)
            rewrite_create_table(tokens, table, edits)
        case ["CREATE", *_, "WITH", "NO", "SCHEMA", "BINDING"]:
            edits.remove(tokens[-4:])
        case ["ALTER", "TABLE", *_]:
            rewrite_alter_table(tokens, edits)
        case ["VACUUM", *_]:
            rewrite_vacuum(tokens, edits)
        case ["ANALYZE", *_]:
            rewrite_analyze(tokens, edits)
        case ["LOCK", *_]:
            check_lock(tokens)
        case ["MERGE", "INTO", *_]:
            return rewrite_merge(tokens, edits)
        case ["WITH", *_] if ("MERGE", "INTO") in pairwise(words):
            raise syntax_error(tokens[words.index("MERGE")].text)
        case ["DELETE", second, *_] if second != "FROM":
            edits.insert_after(tokens[0], " FROM")
        case ["SELECT" | "WITH" | "(", *_]:
            rewrite_catalog_query(sql, tokens, edits)
    return edits.apply()


def _rewrite_words(tokens: list[Token], edits: Edits) -> None:
    """Rewrite what may stand in any statement."""
    words = ["", "", *(token.keyword for token in tokens), ""]  # so that every word has neighbours
    for token, two_before, before, word, after in zip(tokens, words, words[1:], words[2:], words[3:], strict=False):
        if before == ".":
            continue
        match two_before, before, word, after:
            case _, _, "SYSDATE" | "CURRENT_USER_ID", _ if after != "(":
                edits.replace([token], _WITHOUT_PARENTHESES[word])
            case _, _, "NVL" | "JSON_SERIALIZE", "(":
                edits.replace([token], _FUNCTIONS[word])
            case _, ":" | "AS", "SUPER", _:
                edits.replace([token], "jsonb")
            case type_name, "(", "MAX", ")" if type_name in _GREATEST_LENGTH:
                edits.replace([token], _GREATEST_LENGTH[type_name])


def _rewrite_temporary_names(tokens: list[Token], edits: Edits) -> None:
    """Quote every `#name`, and make `SELECT … INTO #name` create a temporary table."""
    for index, token in enumerate(tokens):
        if token.is_temporary:
            edits.replace([token], token.text)
            before = [other.keyword for other in tokens[max(index - 2, 0) : index]]
            if before[-1:] == ["INTO"] and before[0] not in ("INSERT", "MERGE"):
                edits.insert_after(tokens[index - 1], " TEMP")


def _make_temporary(tokens: list[Token], table: int, edits: Edits) -> None:
    """Make `CREATE TABLE #name` create a temporary table."""
    name = table + 4 if [token.keyword for token in tokens[table + 1 : table + 3]] == ["IF", "NOT"] else table + 1
    if table == 1 and tokens[name : name + 1] and tokens[name].is_temporary:
        edits.insert_after(tokens[0], " TEMP")
