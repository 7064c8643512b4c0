"""The reasons for which COPY refuses a record, numbered as in Redshift's load error reference."""

from dataclasses import dataclass
from enum import IntEnum


class LoadErrorCode(IntEnum):
    """`err_code` of STL_LOAD_ERRORS and `error_code` of SYS_LOAD_ERROR_DETAIL, which alone knows SPECTRUM."""

    DELIMITER = 1201
    EXTRA_COLUMNS = 1202
    RANGE = 1204
    DATE = 1205
    TIMESTAMP = 1206
    DIGIT = 1207
    FLOAT = 1208
    DECIMAL = 1209
    BOOLEAN = 1210
    NOT_NULL = 1213
    QUOTE = 1214
    VALUE = 1216
    UTF8 = 1220
    SUPER = 1224
    SPECTRUM = 15007


@dataclass(frozen=True)
class LoadError:
    """One refused record, as the load-error views report it.

    Attributes:
        url: The object.
        line: The record's line, starting at 1.
        code: Why it was refused.
        reason: The same in words.
        raw_line: The record's text.
        column: The column's name; empty if the record as a whole is bad.
        column_type: Its type's name; empty likewise.
        column_length: Its declared length; empty for a type without one.
        value: The field's text.
        position: Where in the field's (or else the record's) text the fault is, from 0.
    """

    url: str
    line: int
    code: LoadErrorCode
    reason: str
    raw_line: str
    column: str = ""
    column_type: str = ""
    column_length: str = ""
    value: str = ""
    position: int = 0
