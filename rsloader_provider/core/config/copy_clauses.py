"""The further clauses of COPY that a load file may give: their names, their arguments and their formats.

Mistakes are found here, while the author still looks at the file, and not by Redshift when it loads the first batch.

Sources:
    https://docs.aws.amazon.com/redshift/latest/dg/r_COPY-parameters.html
    https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
"""

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from rsloader_provider.core.config.copy_tokens import tokens
from rsloader_provider.core.config.mistakes import mistake, shown

COLUMNAR = frozenset({"parquet", "orc"})
_DELIMITED = frozenset({"csv", "text"})
_LINES = _DELIMITED | {"fixedwidth"}
_RECORDS = _LINES | {"json", "avro"}
_ALL = _RECORDS | COLUMNAR

_MAX_ERRORS = 100_000
_ENCODINGS = ("UTF8", "UTF16", "UTF16LE", "UTF16BE", "ISO88591")
_ESCAPED = re.compile(r"''|\\([0-7]{1,3}|.)", re.DOTALL)
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f"}


_Kind = Literal["word", "number", "text", "sign"]
"""What a part of the options is: a text stands in single quotes, and a sign is anything else."""


@dataclass(frozen=True, slots=True)
class _Argument:
    """What follows a clause's name; an AS may stand between them and changes nothing.

    Attributes:
        kinds: What it may be, the usual one first.
        example: A valid argument, as SQL.
        wanted: Says what the clause needs instead of a value (a text comes without its quotes); None if the value is
            valid.
        optional: Whether the clause may stand without it.
    """

    kinds: tuple[_Kind, ...]
    example: str
    wanted: Callable[[str], str | None] = lambda _: None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause.

    Attributes:
        formats: The formats that COPY takes it with.
        argument: What it takes; None for nothing.
    """

    formats: frozenset[str]
    argument: _Argument | None = None


def _one_character(value: str) -> str | None:
    return None if len(value) == 1 and "\0" < value < "\x80" else "one ASCII character"


def _not_empty(value: str) -> str | None:
    return None if value else "a text that is not empty"


def _format_or(*words: str) -> Callable[[str], str | None]:
    def wanted(value: str) -> str | None:
        if value.lower() in words and value not in words:
            return f"'{value.lower()}' in small letters"
        return _not_empty(value)

    return wanted


def _one_of(*words: str) -> Callable[[str], str | None]:
    return lambda value: None if value.upper().replace("-", "") in words else f"one of {', '.join(words)}"


def _at_most(limit: int) -> Callable[[str], str | None]:
    return lambda value: None if int(value) <= limit else f"a number of at most {limit}"


def _no_line_end(value: str) -> str | None:
    return "a text other than a line end" if value == "\n" else None


def _region(value: str) -> str | None:
    return None if re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-\d", value) else "a region's name"


_SWITCH = ("ON", "OFF", "TRUE", "FALSE")

CLAUSES: dict[str, Clause] = {
    "ACCEPTANYDATE": Clause(_RECORDS),
    "ACCEPTINVCHARS": Clause(_ALL, _Argument(("text",), "'?'", _one_character, optional=True)),
    "BLANKSASNULL": Clause(_RECORDS),
    "COMPROWS": Clause(_RECORDS, _Argument(("number",), "1000000")),
    "COMPUPDATE": Clause(_RECORDS, _Argument(("word",), "OFF", _one_of(*_SWITCH, "PRESET"), optional=True)),
    "DATEFORMAT": Clause(_RECORDS, _Argument(("text",), "'YYYY-MM-DD'", _format_or("auto"))),
    "EMPTYASNULL": Clause(_RECORDS),
    # Fixed-width files are UTF-8 always, and Avro files say themselves what they are.
    "ENCODING": Clause(_DELIMITED | {"json"}, _Argument(("word", "text"), "UTF16", _one_of(*_ENCODINGS))),
    "ESCAPE": Clause(frozenset({"text"})),
    "EXPLICIT_IDS": Clause(_ALL),
    "FILLRECORD": Clause(_LINES | COLUMNAR),
    "IGNOREALLERRORS": Clause(_RECORDS),
    "IGNOREBLANKLINES": Clause(_LINES),
    "MAXERROR": Clause(_RECORDS, _Argument(("number",), "10", _at_most(_MAX_ERRORS))),
    "NULL": Clause(_LINES, _Argument(("text",), "'NULL'", _no_line_end)),
    "QUOTE": Clause(frozenset({"csv"}), _Argument(("text",), "'%'", _one_character)),
    "REGION": Clause(_RECORDS, _Argument(("text",), "'eu-west-1'", _region)),
    "REMOVEQUOTES": Clause(frozenset({"text"})),
    "ROUNDEC": Clause(_RECORDS),
    "SERIALIZETOJSON": Clause(COLUMNAR),
    "STATUPDATE": Clause(_ALL, _Argument(("word",), "OFF", _one_of(*_SWITCH), optional=True)),
    "TIMEFORMAT": Clause(
        _RECORDS, _Argument(("text",), "'YYYY-MM-DD HH:MI:SS'", _format_or("auto", "epochsecs", "epochmillisecs"))
    ),
    "TRIMBLANKS": Clause(_RECORDS),
    "TRUNCATECOLUMNS": Clause(_RECORDS),
}
_EXCLUSIVE = frozenset({"MAXERROR", "IGNOREALLERRORS"})

_ACCESS = "set copy.iam_role, copy.aws_conn_id or copy.access_key_id"
_NOT_HERE = {
    "FROM": "the objects come from the batch's manifest",
    "MANIFEST": "every batch is loaded with a manifest",
    "IAM_ROLE": _ACCESS,
    "CREDENTIALS": _ACCESS,
    "ACCESS_KEY_ID": _ACCESS,
    "SECRET_ACCESS_KEY": _ACCESS,
    "SESSION_TOKEN": _ACCESS,
    "ENCRYPTED": "Redshift no longer supports client-side encryption; let S3 encrypt the objects with KMS",
    "MASTER_SYMMETRIC_KEY": "Redshift no longer supports client-side encryption; let S3 encrypt the objects with KMS",
    **dict.fromkeys(("FORMAT", "CSV", "PARQUET", "ORC"), "set copy.format"),
    **dict.fromkeys(("JSON", "AVRO"), "set copy.format and copy.jsonpaths"),
    "FIXEDWIDTH": "set copy.format and copy.fixed_width",
    "DELIMITER": "set copy.delimiter",
    "IGNOREHEADER": "set copy.ignore_header",
    **dict.fromkeys(("GZIP", "BZIP2", "ZSTD", "LZOP"), "set copy.compression"),
    "NOLOAD": "it loads nothing, and the objects would count as loaded",
    "JOB": "the load itself does what a COPY job does",
    "READRATIO": "it is for COPY from DynamoDB",
    **dict.fromkeys(("SHAPEFILE", "SIMPLIFY", "SSH"), "loads of this kind are not supported"),
}


@dataclass(frozen=True, slots=True)
class _Part:
    kind: _Kind
    text: str

    @property
    def name(self) -> str:
        return self.text.upper() if self.kind == "word" else ""


_END = _Part("sign", "")


def check_copy_options(options: str, *, copy_format: str | None, delimiter: str | None = None) -> str:
    """Return COPY options without blanks around them, if COPY takes each clause together with the load's settings.

    Args:
        options: Clauses that follow the ones that the loader writes.
        copy_format: The load's `copy.format`; None when that is wrong itself: then any format's clauses are accepted.
        delimiter: The load's `copy.delimiter`; None for the format's own.

    Raises:
        ValueError: There is a ';', a comment, or a quote that is not closed or that COPY does not know. Or a clause is
            unknown to COPY, lacks its argument, appears twice, does not go with the format, or is set elsewhere in the
            load. The error names all such clauses.
    """
    reader = _Reader(_parts(options), copy_format, delimiter)
    mistakes = list(reader.mistakes())
    if mistakes:
        *others, (message, hint) = mistakes
        raise mistake(" ".join([*(f"{each} {remedy}" for each, remedy in others), message]), hint)
    return options.strip()


def may_skip_rows(options: str) -> bool:
    """Tell whether COPY may leave out rows that it cannot read, and count the batch as loaded all the same.

    `MAXERROR 0` and `MAXERROR 1` both stop at the first.

    Args:
        options: What `check_copy_options` has let pass.
    """
    parts = iter(_parts(options))
    for part in parts:
        if part.name == "IGNOREALLERRORS":
            return True
        if part.name == "MAXERROR":
            return int(next(each.text for each in parts if each.kind == "number")) > 1
    return False


def _parts(options: str) -> list[_Part]:
    """Cut options into their parts; quoted ones keep their quotes."""
    parts: list[_Part] = []
    glued = False
    for kind, text in tokens(options):
        if kind == "comment":
            raise mistake("copy options hold a comment.", "Write comments in the load file, after a '#'.")
        if kind == "unclosed":
            raise mistake(
                f"copy options hold a quote ({text}) that is not closed.", "In quotes write ' as '' and \\ as \\\\."
            )
        if text == ";":
            raise mistake("copy options hold a ';' outside quotes.", "Write clauses of COPY only, without ';'.")
        if "\0" in text or text.startswith("$"):
            # COPY knows no dollar quotes, so what seems to stand inside of one may not.
            raise mistake("copy options hold a '$' outside quotes, or a NUL.", "Use single quotes.")
        is_number = text.isascii() and text.isdigit()
        if is_number and glued:
            parts[-1] = _Part("number", parts[-1].text + text)
        elif not text.isspace():
            parts.append(_Part(_kind(kind, text), text))
        glued = is_number
    return parts


def _kind(kind: str, text: str) -> _Kind:
    if kind == "word":
        return "word"
    if text.isascii() and text.isdigit():
        return "number"
    return "text" if text.startswith("'") else "sign"


class _Reader:
    """Reads the clauses one by one.

    Args:
        parts: The options, cut.
        copy_format: The load's format, or None.
        delimiter: The load's delimiter, or None.
    """

    def __init__(self, parts: list[_Part], copy_format: str | None, delimiter: str | None):
        self._parts = parts
        self._next = 0
        self._format = copy_format
        self._delimiter = delimiter
        self._seen: set[str] = set()

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Yield each mistake with what to write instead."""
        while self._next < len(self._parts):
            part = self._take()
            if part.name not in CLAUSES:
                yield self._unknown(part)
                # What seems to belong to it is not reported as another mistake.
                while self._next < len(self._parts) and self._peek().name not in {*CLAUSES, *_NOT_HERE}:
                    self._next += 1
                continue
            clause = CLAUSES[part.name]
            yield from self._misplaced(part.name, clause)
            self._seen.add(part.name)
            if clause.argument is not None:
                yield from self._argument(part.name, clause.argument)

    def _misplaced(self, name: str, clause: Clause) -> Iterator[tuple[str, str]]:
        if name in self._seen:
            yield f"the COPY clause {name} appears twice.", "Write it once."
        elif name in _EXCLUSIVE and self._seen & _EXCLUSIVE:
            yield f"COPY does not take {' and '.join(sorted(_EXCLUSIVE))} together.", "Leave one of them out."
        if self._format is not None and self._format not in clause.formats:
            formats = sorted(clause.formats)
            hint = f"or write 'format: {formats[0]}'." if len(formats) == 1 else f"it is for {', '.join(formats)}."
            yield (
                f"COPY does not take {name} with {self._format}.",
                f"Leave {name} out{',' if len(formats) == 1 else ':'} {hint}",
            )

    def _argument(self, name: str, argument: _Argument) -> Iterator[tuple[str, str]]:
        has_as = self._peek().name == "AS"
        self._next += has_as
        part = self._peek()
        fits = part.kind in argument.kinds and part.name not in {*CLAUSES, *_NOT_HERE}
        value = _value(part.text) if part.kind == "text" else part.text
        wanted = argument.wanted(value) if fits else _KINDS[argument.kinds[0]]
        if argument.optional and not has_as and (part is _END or (wanted and part.kind == "word")):
            return  # the next clause follows
        self._next += fits or part.kind in {"number", "text"}
        if wanted:
            yield f"{name} needs {wanted} after it.", f"Write for example: {name} {argument.example}"
        elif name == "QUOTE" and value in _value(f"'{self._delimiter or ','}'"):
            yield "the delimiter holds COPY's quote.", "Choose another QUOTE, or another 'delimiter'."

    def _unknown(self, part: _Part) -> tuple[str, str]:
        if reason := _NOT_HERE.get(part.name):
            return f"copy options repeat or contradict the load: {part.name}.", f"Leave {part.name} out: {reason}."
        if part.text == ",":
            return "copy options hold a ',' between clauses.", "Separate clauses with blanks."
        if part.kind != "word":
            return f"{shown(part.text)} does not belong to any COPY clause.", "Write the clause's name before it."
        taken = [name for name, clause in CLAUSES.items() if self._format is None or self._format in clause.formats]
        if close := difflib.get_close_matches(part.name, [*taken, *CLAUSES, *_NOT_HERE], n=1, cutoff=0.7):
            return f"COPY has no clause {shown(part.text)}.", f"Did you mean {close[0]}?"
        return f"COPY has no clause {shown(part.text)}.", f"It has {', '.join(taken)}."

    def _peek(self) -> _Part:
        return self._parts[self._next] if self._next < len(self._parts) else _END

    def _take(self) -> _Part:
        self._next += 1
        return self._parts[self._next - 1]


_KINDS = {"text": "a text in single quotes", "number": "a whole number", "word": "a word"}


def _value(text: str) -> str:
    """Give what a text in single quotes means."""

    def meant(match: re.Match[str]) -> str:
        escaped: str | None = match[1]
        if escaped is None:
            return "'"
        return chr(int(escaped, 8) & 0xFF) if escaped[0] in "01234567" else _CONTROLS.get(escaped, escaped)

    return _ESCAPED.sub(meant, text[1:-1])
