"""What may stand in the COPY options that people write into a load.

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
_SET_ELSEWHERE = {
    "FROM": "the objects come from the batch's manifest",
    "MANIFEST": "every batch is loaded by a manifest",
    "IAM_ROLE": "set copy.iam_role",
    **dict.fromkeys(
        ("CREDENTIALS", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"),
        "set copy.iam_role, copy.aws_conn_id or copy.access_key_id",
    ),
    "ENCRYPTED": "Redshift has ended client-side encryption; let S3 encrypt the objects with KMS",
    "MASTER_SYMMETRIC_KEY": "Redshift has ended client-side encryption; let S3 encrypt the objects with KMS",
    **dict.fromkeys(("FORMAT", "CSV", "JSON", "AVRO", "PARQUET", "ORC"), "set copy.format"),
    "DELIMITER": "set copy.delimiter",
    "IGNOREHEADER": "set copy.ignore_header",
    **dict.fromkeys(("GZIP", "BZIP2", "ZSTD", "LZOP"), "set copy.compression"),
    "NOLOAD": "it loads nothing, and the objects would count as loaded",
    **dict.fromkeys(("FIXEDWIDTH", "SHAPEFILE", "SSH"), "loads of this kind are not supported"),
}


def check_copy_options(options: str, *, copy_format: str | None) -> str:
    """Return COPY options without blanks around them, once they neither end COPY nor contradict the load.

    Args:
        options: Clauses as they stand behind the ones that the loader writes.
        copy_format: The load's `copy.format`; None when that is wrong itself.

    Raises:
        ValueError: There is a ';', a comment, a quote that is not closed or that COPY does not know, or a clause that
            the load sets elsewhere.
    """
    words = []
    for kind, text in _tokens(options):
        if kind == "comment":
            raise mistake("copy options hold a comment.", "Write comments in the load file, behind a '#'.")
        if kind == "unclosed":
            raise mistake(
                f"copy options hold a quote ({text}) that is not closed.", "In quotes write ' as '' and \\ as \\\\."
            )
        if text == ";":
            raise mistake("copy options hold a ';' outside quotes.", "Write clauses of COPY only, without ';'.")
        if "\0" in text or text.startswith("$"):
            # COPY knows no dollar quotes, so what seems to stand inside of one may not.
            raise mistake("copy options hold a '$' outside quotes, or a NUL.", "Quote with '.")
        if kind == "word":
            words.append(text.upper())
    for word in words:
        if reason := _SET_ELSEWHERE.get(word):
            raise mistake(f"copy options repeat or contradict the load: {word}.", f"Leave {word} out: {reason}.")
        if copy_format == "csv" and word in {"ESCAPE", "REMOVEQUOTES"}:
            raise mistake(f"COPY does not take {word} with CSV.", f"Leave {word} out, or write 'format: text'.")
    return options.strip()


def _tokens(sql: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(sql):
        # A dollar quote ends with its tag's group inside: the outer group is the kind.
        kind = "quoted" if match["quoted"] is not None else str(match.lastgroup)
        yield kind, match[0]
