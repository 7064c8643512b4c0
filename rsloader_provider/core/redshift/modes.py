"""How a batch's rows get into its table: what each mode does before and after COPY, in the load's transaction."""

from dataclasses import dataclass

from rsloader_provider.core.config import Target
from rsloader_provider.core.config.target import Mode
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName, TemporaryTable, staging_name

AMBIGUOUS_KEYS_SHOWN = 10

PRIVILEGES: dict[Mode, tuple[sql.Privilege, ...]] = {
    "append": ("INSERT",),
    "replace": ("INSERT", "SELECT", "DELETE"),
    "truncate": ("INSERT", "SELECT", "DELETE", "TRUNCATE"),
    "merge": ("INSERT", "SELECT", "UPDATE", "DELETE"),
    "swap": (),
}
"""What each mode needs on the target table; `swap` needs to own it, and to create tables in its schema.

Source: https://docs.aws.amazon.com/redshift/latest/dg/r_MERGE.html, r_TRUNCATE.html and r_COPY.html.
"""


@dataclass(frozen=True, slots=True)
class Filling:
    """The parts of one load into a table.

    Attributes:
        before: Statements before COPY.
        into: Where COPY puts the rows.
        check: Asks for rows that must not go on to the table; None when all may.
        after: Statements after COPY.
    """

    before: tuple[sql.Command, ...]
    into: TableName | TemporaryTable
    check: sql.FindAmbiguousKeys | None = None
    after: tuple[sql.Command, ...] = ()


def filling(target: Target) -> Filling:
    """Give the statements that fill a target.

    In every mode all of it is undone with the transaction. Done again, it gives the same table, except with `append`,
    which adds the rows again.
    """
    table = TableName(target.schema_name, target.table_name)
    name = staging_name(table)
    match target.mode:
        case "append":
            return Filling((), table)
        case "replace" | "truncate":
            # After TRUNCATE there is usually nothing left to delete; but somebody may have committed rows since.
            return Filling((sql.DeleteAll(table),), table)
        case "swap":
            filled = TableName(table.schema, name)
            return Filling(
                (sql.CreateStaging(filled, table),),
                filled,
                after=(sql.DropTable(table), sql.RenameTable(filled, table.table)),
            )
        case "merge":
            keys, staged = target.merge_on or (), TemporaryTable(name)
            return Filling(
                (sql.CreateStaging(staged, table),),
                staged,
                check=sql.FindAmbiguousKeys(staged, keys, AMBIGUOUS_KEYS_SHOWN),
                after=(sql.Merge(table, staged, keys, target.columns),),
            )
