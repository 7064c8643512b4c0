"""Rows of the catalog that an open transaction may not see, because they were written after its snapshot.

Redshift's system views are not part of a transaction: they show everything that has happened until now, also in the
reader's own transaction. PostgreSQL's tables are part of it, so the proxy gives a session the rows that its snapshot
may lack.
"""

from collections import deque
from itertools import islice

_KEPT = 5000


class RecentRows:
    """The rows written last.

    Attributes:
        written: How many rows there have been; a transaction remembers this number at its start.
    """

    def __init__(self) -> None:
        self._rows: deque[tuple[str, str]] = deque(maxlen=_KEPT)
        self.written = 0

    def add(self, table: str, row: str) -> None:
        """Keep a row.

        Args:
            table: The table that it has been written to.
            row: The row as a JSON object.
        """
        self._rows.append((table, row))
        self.written += 1

    def since(self, written: int) -> str:
        """Return the rows written since then as a JSON object with a list for each table.

        Args:
            written: What `written` was then. Of more rows than are kept, the oldest are missing.
        """
        first = max(len(self._rows) - (self.written - written), 0)
        found: dict[str, list[str]] = {}
        for table, row in islice(self._rows, first, None):
            found.setdefault(table, []).append(row)
        return "{" + ", ".join(f'"{table}": [{", ".join(rows)}]' for table, rows in found.items()) + "}"
