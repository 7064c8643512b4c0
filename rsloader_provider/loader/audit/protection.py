"""Whether the tables of DynamoDB could be put back if they were lost."""

from rsloader_provider.core.errors import RsloaderError
from rsloader_provider.loader.audit.report import AuditReport, Finding
from rsloader_provider.loader.ports.inventory import Inventory


def report_protection(inventory: Inventory, report: AuditReport) -> None:
    """Report tables without point-in-time recovery or deletion protection; no load is wrong for that."""
    try:
        tables = [*inventory.protection()]
    except RsloaderError as error:
        text = f"whether they have point-in-time recovery and deletion protection could not be found out: {error}"
        report.add(Finding("DynamoDB tables", text, is_wrong=False))
        return
    for table in tables:
        kinds = {
            "point-in-time recovery": table.point_in_time_recovery,
            "deletion protection": table.deletion_protection,
        }
        if off := " and ".join(kind for kind, is_on in kinds.items() if not is_on):
            remedy = "`rsloader setup` switches it on."
            report.add(Finding(f"DynamoDB table {table.name}", f"it has no {off}.", remedy, is_wrong=False))
