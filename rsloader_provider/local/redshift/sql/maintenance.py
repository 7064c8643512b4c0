"""VACUUM, ANALYZE and LOCK as Redshift spells them.

Sources:
    https://docs.aws.amazon.com/redshift/latest/dg/r_VACUUM_command.html
    https://docs.aws.amazon.com/redshift/latest/dg/r_ANALYZE.html
    https://docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html
"""

from rsloader_provider.local.redshift.errors import syntax_error, unsupported
from rsloader_provider.local.redshift.sql.edits import Edits, table_end
from rsloader_provider.local.redshift.sql.tokens import Token


def rewrite_vacuum(tokens: list[Token], edits: Edits) -> None:
    """Rewrite VACUUM; how it sorts and when it stops is a matter of Redshift's storage.

    Raises:
        RedshiftError: 42601; it holds words that Redshift's VACUUM does not have.
    """
    match [token.keyword for token in tokens[1:3]]:
        case ["SORT" | "DELETE", "ONLY"]:
            start = 3
        case ["FULL" | "REINDEX" | "RECLUSTER", *_]:
            start = 2
        case _:
            start = 1
    edits.remove(tokens[1:start])
    end = start if tokens[start : start + 1] and tokens[start].keyword == "BOOST" else table_end(tokens, start)
    match [token.keyword for token in tokens[end:]]:
        case [] | ["BOOST"] | ["TO", _, "PERCENT"] | ["TO", _, "PERCENT", "BOOST"]:
            edits.remove(tokens[end:])
        case _:
            raise syntax_error(tokens[end].text)


def rewrite_analyze(tokens: list[Token], edits: Edits) -> None:
    """Rewrite ANALYZE; which columns it looks at is only a matter of speed.

    Raises:
        RedshiftError: 0A000; ANALYZE COMPRESSION is about encodings, which do not exist here.
    """
    words = [token.keyword for token in tokens]
    if "COMPRESSION" in words[1:2]:
        raise unsupported("ANALYZE COMPRESSION")
    if words[-2:] in (["PREDICATE", "COLUMNS"], ["ALL", "COLUMNS"]):
        edits.remove(tokens[-2:])


def check_lock(tokens: list[Token]) -> None:
    """Refuse what PostgreSQL's LOCK takes and Redshift's does not, such as a mode.

    Raises:
        RedshiftError: 42601; it is more than `LOCK [ TABLE ] name [, …]`.
    """
    position = 1 + (len(tokens) > 1 and tokens[1].keyword == "TABLE")
    while True:
        end = table_end(tokens, position)
        if end == position:
            raise syntax_error(tokens[end].text if end < len(tokens) else "")
        if end == len(tokens):
            return
        if tokens[end].text != ",":
            raise syntax_error(tokens[end].text)
        position = end + 1
