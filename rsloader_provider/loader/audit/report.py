"""What an audit found: a count and examples for each state, and everything else that is not as it should be."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rsloader_provider.core.audit import ObjectState

EXAMPLES = 10
FINDINGS = 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the load's records as a whole.

    Attributes:
        subject: Load, batch, target or item.
        text: What is wrong with it.
        remedy: What to do; empty when there is nothing to do.
        batch: The batch that it is about; None if it is about no single one.
        is_wrong: False for what is only worth knowing.
        is_mendable: Whether `--repair` puts it right.
    """

    subject: str
    text: str
    remedy: str = ""
    batch: str | None = None
    is_wrong: bool = True
    is_mendable: bool = False


@dataclass(slots=True)
class Tally:
    """The objects of one state.

    Attributes:
        objects: How many.
        examples: The first of them: name, and batch or None.
        batches: Objects by batch, of states that are wrong only.
        remedies: The commands that repair them, filled in at the end.
    """

    objects: int = 0
    examples: list[tuple[str, str | None]] = field(default_factory=list)
    batches: Counter[str] = field(default_factory=Counter)
    remedies: list[str] = field(default_factory=list)


@dataclass(slots=True)
class AuditReport:
    """The result of an audit.

    Attributes:
        load: Name of the load.
        only: The batches that were asked for; None for all.
        tallies: By state; every state is there.
        findings: The first FINDINGS of them.
        more_findings: How many there are beyond.
        mendable: Batches that `--repair` can put right, in their order.
    """

    load: str
    only: frozenset[str] | None = None
    tallies: dict[ObjectState, Tally] = field(default_factory=lambda: {state: Tally() for state in ObjectState})
    findings: list[Finding] = field(default_factory=list)
    more_findings: int = 0
    mendable: dict[str, None] = field(default_factory=dict)

    def count(self, state: ObjectState, name: str | None, batch: str | None, objects: int = 1) -> None:
        """Add an object; several without a name are known by number only."""
        if self.only is not None and batch not in self.only:
            return
        tally = self.tallies[state]
        tally.objects += objects
        if name is not None and len(tally.examples) < EXAMPLES:
            tally.examples.append((name, batch))
        if state.is_wrong and batch is not None:
            tally.batches[batch] += objects

    def add(self, finding: Finding) -> None:
        """Add a finding."""
        if self.only is not None and finding.batch is not None and finding.batch not in self.only:
            return
        if finding.is_mendable and finding.batch is not None:
            self.mendable[finding.batch] = None
        if len(self.findings) < FINDINGS:
            self.findings.append(finding)
        else:
            self.more_findings += 1

    @property
    def is_wrong(self) -> bool:
        """Whether a person has to do something."""
        return (
            self.more_findings > 0
            or any(finding.is_wrong for finding in self.findings)
            or any(tally.objects for state, tally in self.tallies.items() if state.is_wrong)
        )

    @property
    def objects(self) -> int:
        """Objects that were sorted."""
        return sum(tally.objects for tally in self.tallies.values())

    @property
    def counts(self) -> dict[str, int]:
        """Objects by state, and findings that are wrong: few numbers, for programs that keep them."""
        wrong = sum(finding.is_wrong for finding in self.findings) + self.more_findings
        return {**{str(state): tally.objects for state, tally in self.tallies.items()}, "findings": wrong}

    def as_json(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {
            "load": self.load,
            "is_wrong": self.is_wrong,
            "objects": self.objects,
            "states": {str(state): _tally_json(state, tally) for state, tally in self.tallies.items()},
            "findings": [_finding_json(finding) for finding in self.findings],
            "more_findings": self.more_findings,
        }

    def lines(self) -> Iterable[str]:
        """Give what is wrong and what to do about it, as lines for a log."""
        for state, tally in self.tallies.items():
            if state.is_wrong and tally.objects:
                yield f"{tally.objects} objects {state}, for example s3://{_first(tally)}"
                yield from (f"  {remedy}" for remedy in tally.remedies)
        for finding in self.findings:
            if finding.is_wrong:
                yield f"{finding.subject}: {finding.text} {finding.remedy}".rstrip()
        if self.more_findings:
            yield f"… and {self.more_findings} more"


def _first(tally: Tally) -> str:
    return tally.examples[0][0] if tally.examples else "(not known by name)"


def _tally_json(state: ObjectState, tally: Tally) -> dict[str, Any]:
    return {
        "objects": tally.objects,
        "is_wrong": state.is_wrong,
        "examples": [{"url": f"s3://{name}", "batch": batch} for name, batch in tally.examples],
        "remedies": tally.remedies,
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "subject": finding.subject,
        "text": finding.text,
        "remedy": finding.remedy,
        "batch": finding.batch,
        "is_wrong": finding.is_wrong,
        "is_mendable": finding.is_mendable,
    }
