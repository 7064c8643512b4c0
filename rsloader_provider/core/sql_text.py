"""What may stand in the pieces of SQL that people write into a load: COPY options, pre-SQL and post-SQL.

This reads just enough SQL to know quotes and comments from the rest. It warns early; Redshift has the last word.
"""

import re
from collections.abc import Iterator

from rsloader_provider.core.mistakes import mistake

_TOKEN = re.compile(
    r"""
    (?P<quoted>   '(?:[^'\\]|\\.|'')*' | "(?:[^"]|"")*" | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
  | (?P<comment>  --[^\n\r]* | /\*.*?(?:\*/|\Z) )
  | (?P<unclosed> ['"] )
  | (?P<word>     [^\W\d]\w* )
  | (?P<other>    . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ENDS_TRANSACTION = {"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "TRUNCATE", "VACUUM"}


def check_statement(statement: str) -> str:
    """Return one statement of pre-SQL or post-SQL, without blanks around it and without a ';' at its end.

    Raises:
        ValueError: It is empty, it is several statements, it would end the load's transaction, or its comments nest.
    """
    statements: list[list[str]] = [[]]
    for kind, text in tokens(statement):
        if text == ";":
            statements.append([])
        elif kind == "comment" and "/*" in text[2:]:
            # Redshift's comments nest and these do not, so what is taken for SQL here may be a comment there.
            raise mistake("a comment in a comment.", "Leave the inner one out.")
        elif kind != "comment" and not text.isspace():
            statements[-1].append(text.upper())
    written = [words for words in statements if words]
    if len(written) != 1 or "\0" in statement:
        raise mistake(
            f"{'several statements' if written else 'no statement'} in one text.", "Write a list, one statement each."
        )
    words = written[0]
    if words[0] in _ENDS_TRANSACTION or (words[:2] == ["ALTER", "TABLE"] and "APPEND" in words):
        name = "ALTER TABLE … APPEND" if words[0] == "ALTER" else words[0]
        raise mistake(
            f"{name} would commit or break the load's transaction, and a failure after it could not be undone.",
            "To empty a table write DELETE FROM, or 'mode: replace'." if name == "TRUNCATE" else "Leave it out.",
        )
    return statement.strip() if statements[-1] else statement.strip().removesuffix(";").rstrip()


def tokens(sql: str) -> Iterator[tuple[str, str]]:
    """Cut SQL into its parts, each with its kind: quoted, comment, unclosed (a lone quote), word, or other."""
    for match in _TOKEN.finditer(sql):
        # A dollar quote ends with its tag's group inside: the outer group is the kind.
        kind = "quoted" if match["quoted"] is not None else str(match.lastgroup)
        yield kind, match[0]
