"""How many rows of a columnar file are decoded at a time, so that memory does not grow with the file."""

_ROWS = 1024
_CELLS = 1 << 17
_BYTES = 8 << 20


def rows_per_batch(columns: int, row_bytes: float) -> int:
    """Return a number of rows whose values fit in some tens of megabytes.

    Args:
        columns: Columns of the file.
        row_bytes: The file's bytes for one row, before compression; 0 if unknown. Values that repeat take none, so that
            rows are limited too.
    """
    by_bytes = _BYTES / row_bytes if row_bytes else _ROWS
    return max(1, int(min(_ROWS, _CELLS / max(1, columns), by_bytes)))
