"""The primary key that a table declares, which Redshift shows and does not enforce.

It is kept as a CHECK constraint that PostgreSQL does not enforce either. Redshift has no CHECK, so no client makes such
a constraint, and `driver_lookups.sql` can show every one of them as the primary key that it stands for.
"""

from itertools import pairwise

from rsloader_provider.local.redshift.sql.quoting import Fragment, identifier, join, render
from rsloader_provider.local.redshift.sql.tokens import Token


def primary_key(table: str, columns: list[str], name: str | None) -> Fragment:
    """Return the table constraint that stands for a primary key.

    Args:
        table: The table's name without its schema.
        columns: The key's columns.
        name: The constraint's name; None for Redshift's choice.

    >>> print(primary_key("orders", ["id"], None))
    CONSTRAINT "orders_pkey" CHECK (num_nulls("id") = 0) NOT ENFORCED
    """
    return render(
        "CONSTRAINT {name} CHECK (num_nulls({columns}) = 0) NOT ENFORCED",
        name=identifier(name or f"{table}_pkey"),
        columns=join(", ", map(identifier, columns)),
    )


def is_primary_key(definition: list[Token]) -> bool:
    """Tell whether a column's definition makes it the primary key."""
    return ("PRIMARY", "KEY") in pairwise(token.keyword for token in definition)
