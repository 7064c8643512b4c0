"""What the walk over the batches finds, for the report and for the walk over the objects."""

from dataclasses import dataclass, field

from rsloader_provider.core.audit import Verdict
from rsloader_provider.loader.audit.report import AuditReport, Finding

BACKUP = "Put the items of DynamoDB back, for example from a backup of the tables."
REPAIR = "rsloader audit {load} --batch {batch} --repair"


@dataclass(slots=True)
class BatchFindings:
    """What is known of each batch.

    Attributes:
        report: Gets what is wrong.
        verdicts: By batch; one each.
        copied: Names of objects that a committed COPY read although they are not its batch's, with those batches.
            Grows with what is wrong only.
    """

    report: AuditReport
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    copied: dict[str, frozenset[str]] = field(default_factory=dict)

    def add(self, batch: str, text: str, *, remedy: str = "", is_wrong: bool = True, is_mendable: bool = False) -> None:
        """Add a finding about a batch; its remedy may name `{load}` and `{batch}`."""
        load = self.report.load
        remedy = remedy.format(load=load, batch=batch)
        subject = f"batch {batch} of load {load}"
        self.report.add(Finding(subject, text, remedy, batch, is_wrong=is_wrong, is_mendable=is_mendable))

    def note_copied(self, name: str, batch_id: str) -> None:
        """Note an object that a batch's COPY read, and that is not the batch's."""
        self.copied[name] = self.copied.get(name, frozenset()) | {batch_id}
