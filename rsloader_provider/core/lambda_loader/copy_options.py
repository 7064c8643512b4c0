"""The Lambda loader's COPY options: a clause for which our load file has a setting is moved to that setting."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_PIECE = re.compile(r"'(?:[^'\\]|\\.|'')*'|[^\s']+")
_COMPRESSIONS = {"GZIP": "gzip", "BZIP2": "bzip2", "ZSTD": "zstd", "LZOP": "lzop"}
_ACCESS = {"CREDENTIALS", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "TOKEN"}
_IMPOSSIBLE = {
    "ENCRYPTED": "Redshift no longer supports client-side encryption",
    "MASTER_SYMMETRIC_KEY": "Redshift no longer supports client-side encryption",
    "NOLOAD": "it loads nothing, and the objects would count as loaded",
}


@dataclass(slots=True)
class MovedOptions:
    """What became of the clauses.

    Attributes:
        settings: Settings of `copy`, by name.
        options: The clauses that stay options.
        refused: Clauses that no load can have, each with the reason.
        dropped: Clauses that are left out because a load does the same anyway, or must not have them.
    """

    settings: dict[str, str | int] = field(default_factory=dict)
    options: str = ""
    refused: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


def move_options(text: str) -> MovedOptions:
    """Sort the clauses of COPY options.

    >>> moved = move_options("gzip DELIMITER AS '|' TIMEFORMAT 'auto'")
    >>> moved.settings, moved.options
    ({'compression': 'gzip', 'delimiter': '|'}, "TIMEFORMAT 'auto'")
    """
    moved = MovedOptions()
    # The loader put a ';' after its statement, and some people put one after their options.
    pieces = [each for piece in _PIECE.findall(text) if (each := piece if piece[0] == "'" else piece.replace(";", ""))]
    kept: list[str] = []
    while pieces:
        piece = pieces.pop(0)
        word = piece.upper()
        if word in _COMPRESSIONS:
            moved.settings["compression"] = _COMPRESSIONS[word]
        elif word in {"DELIMITER", "IGNOREHEADER", "IAM_ROLE", "FIXEDWIDTH"}:
            _set(moved, word, _operand(pieces))
        elif word == "WITH":
            continue  # COPY takes it before any clause, and it means nothing
        elif word == "MANIFEST":
            moved.dropped.append("MANIFEST: every batch is loaded with a manifest")
        elif word in _ACCESS:
            _operand(pieces)
            moved.dropped.append(f"{word}: credentials do not belong in options; see copy.iam_role")
        elif word in _IMPOSSIBLE:
            moved.refused.append(f"{word}: {_IMPOSSIBLE[word]}")
        else:
            kept.append(piece)
    moved.options = " ".join(kept)
    return moved


def _operand(pieces: list[str]) -> str:
    """Take what follows a clause's word, without its AS, '=' and quotes."""
    while pieces and pieces[0].upper() in {"AS", "="}:
        pieces.pop(0)
    return _unquoted(pieces.pop(0)) if pieces else ""


def _unquoted(piece: str) -> str:
    return piece[1:-1].replace("''", "'") if piece.startswith("'") else piece


def _set(moved: MovedOptions, word: str, operand: str) -> None:
    if word == "IGNOREHEADER":
        moved.settings["ignore_header"] = int(operand) if operand.isdecimal() else operand
    elif word == "FIXEDWIDTH":
        moved.settings |= {"format": "fixedwidth", "fixed_width": operand}
    else:
        moved.settings[word.lower()] = operand


def names_one_of(options: str, words: Sequence[str]) -> bool:
    """Tell whether options hold one of these words, quoted or not, as the Lambda loader did."""
    return any(word in options.upper() for word in words)
