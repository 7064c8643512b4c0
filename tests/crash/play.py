"""Plays one cell: a process is stopped at a step, somebody goes on, and what is left is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from crash.cells import BUFFERING, FAILING, TELLING, Cell, Recovery, Side
from crash.checks import Told, problems
from crash.outcomes import LOADED_AGAIN, NOTHING_LEFT, WAITED, expected
from crash.scene import BAD_BODY, OBJECTS, Scene
from crash.stage import Stage
from crash.worker import Ended, Worker
from rsloader_provider.core.ledger.batch import BatchStatus, Notification, TargetState
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.run.load_batch import Outcome, Result
from rsloader_provider.loader.run.take_over import Work


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a cell went.

    Attributes:
        outcome: What whoever went on met with in the first target, in words; None when it did not come to that.
        problems: What is not as it must be; none when every row is there exactly once, and all else agrees.
    """

    outcome: str | None
    problems: tuple[str, ...]


def play(stage: Stage, cell: Cell) -> Verdict:
    """Play a cell on a load of its own.

    Raises:
        AssertionError, StuckError: It came to something else than what is played.
    """
    with Scene(stage, cell.isolation, cell.targets, cell.mode, cell.transport) as scene:
        playing = _Play(cell, scene)
        outcome = playing.play()
        found = list(problems(scene, playing.asked, playing.told))
    if outcome != expected(cell):
        found.append(f"whoever went on met with: {outcome}; and not: {expected(cell)}")
    return Verdict(outcome, tuple(found))


@dataclass
class _Play:
    cell: Cell
    scene: Scene
    asked: dict[str, int] = field(default_factory=dict)
    work: Sequence[Work] = ()
    told: Told = field(default_factory=Told)
    first_completed: bool = False
    earlier: Worker | None = None
    results: list[Result] = field(default_factory=list)

    def play(self) -> str:
        for name, body in OBJECTS.items():
            self.scene.put(name, body)
        if self.cell.step in FAILING:
            self.scene.put("2.csv", BAD_BODY)
        self.asked = dict.fromkeys(self.scene.targets, 1)
        first = self._stopped()
        if self.cell.step in FAILING:
            self.scene.put("2.csv", OBJECTS["2.csv"])
        overlaps = self.cell.recovery in {Recovery.SECOND_WORKER, Recovery.OVERTAKEN}
        if not overlaps:
            first.kill()
        outcome = self._go_on()
        if self.cell.recovery is Recovery.OVERTAKEN:
            self._let_go_on(first)
        first.kill()
        if self.earlier is not None:
            self.earlier.go_on()
            ended = self.earlier.end()
            assert (ended.error or "").startswith("AttemptLostError"), f"the first of three attempts: {ended}"
        return outcome

    def _stopped(self) -> Worker:
        """Bring the first process to its step."""
        cell, scene = self.cell, self.scene
        hold = (cell.step, cell.side)
        if cell.step in BUFFERING:
            if cell.step is Step.ADOPT:
                scene.buffer("dag/run-0")
            first = scene.process(scene.buffering("dag/run-1"), hold)
            first.wait_until_held()
            return first
        self.work = scene.buffer("dag/run-1")
        assert [each.target for each in self.work] == list(scene.targets), f"the run has to load {self.work}"
        if cell.step in TELLING:
            for other in self.work[1:]:
                self._load(other, "dag/run-1")
        try_number = 1
        if cell.step is Step.END_SESSION:
            self.earlier = scene.process(scene.loading(self.work[0], "dag/run-1"), (Step.COPY, Side.AFTER))
            self.earlier.wait_until_held()
            try_number = 2
        first = scene.process(scene.loading(self.work[0], "dag/run-1", try_number), hold)
        first.wait_until_held()
        self._note_completion()
        if cell.step not in TELLING:
            # Mapped tasks run side by side: the other target is loaded while this one is held.
            for other in self.work[1:]:
                self._load(other, "dag/run-1")
        return first

    def _note_completion(self) -> None:
        """Count the batch as completed by the process that is held, if it is, and what its death would leave untold."""
        (batch,) = self.scene.batches()
        self.first_completed = batch.status is BatchStatus.COMPLETE
        if self.first_completed:
            undecided = self.cell.recovery is not Recovery.OVERTAKEN and batch.notification is Notification.DUE
            sent = self.scene.stage.successes(self.scene.load)
            self.told = Told(1, untold=int(undecided and not sent), undecided=undecided)

    def _go_on(self) -> str:
        """Let somebody go on, and give what that met with."""
        cell, scene = self.cell, self.scene
        match cell.recovery:
            case Recovery.NEXT_RUN:
                return self._load_all(scene.buffer("dag/run-2"), "dag/run-2")
            case Recovery.PERSON if cell.step not in BUFFERING:
                (batch,) = scene.batches()
                for each in self.work:
                    progress = batch.progress(each.target)
                    self.asked[each.target] += progress.state is TargetState.LOADED
                return self._load_all(self.work, "dag/run-1", 3, cleared=True)
            case _ if cell.step in BUFFERING:
                cleared = cell.recovery is Recovery.PERSON
                return self._load_all(scene.buffer("dag/run-1"), "dag/run-1", cleared=cleared)
            case _:
                # The task that was stopped; those of other targets only where they failed as well.
                again = self.work if cell.step in FAILING else self.work[:1]
                return self._load_all(again, "dag/run-1", 3)

    def _load_all(self, work: Sequence[Work], run: str, try_number: int = 1, *, cleared: bool = False) -> str:
        target = self.scene.targets[0]
        for each in work:
            self._load(each, run, try_number, cleared=cleared)
        mine = [result for result in self.results if result.target == target]
        outcome = str(mine[-1].outcome) if mine else NOTHING_LEFT
        if outcome == Outcome.LOADED and self.asked[target] > 1:
            outcome = LOADED_AGAIN
        (batch,) = self.scene.batches()
        failed = [name for name in self.scene.targets if batch.progress(name).state is TargetState.FAILED]
        if failed and self.cell.recovery is Recovery.NEXT_RUN:
            # Bad data: no run takes it up again by itself, and a person clears what failed.
            for name in failed:
                self._load(Work(batch, name), run, try_number + 1, cleared=True)
            outcome = WAITED if target in failed else outcome
        return outcome

    def _load(self, work: Work, run: str, try_number: int = 1, *, cleared: bool = False) -> None:
        self._note(self.scene.do(self.scene.loading(work, run, try_number, cleared=cleared)), work)

    def _note(self, ended: Ended, work: Work) -> None:
        assert ended.bug is None, ended.bug
        if not isinstance(ended.value, Result):
            expected = self.cell.step in FAILING and (ended.error or "").startswith("BadDataError")
            assert expected, f"{work.batch} into {work.target}: {ended.error}"
            return
        self.results.append(ended.value)
        self._note_told(ended.value)

    def _note_told(self, result: Result) -> None:
        done = result.outcome in {Outcome.LOADED, Outcome.FOUND_LOADED}
        if done and result.batch.status is BatchStatus.COMPLETE:
            self.told = replace(self.told, completions=self.told.completions + 1, undecided=False)

    def _let_go_on(self, first: Worker) -> None:
        """Let the first process go on after the second has ended; it may lose its place, but do no harm."""
        first.go_on()
        ended = first.end()
        assert ended.bug is None, ended.bug
        if self.cell.step in BUFFERING:
            assert ended.error is None, f"buffer_objects failed: {ended.error}"
            for each in ended.value:
                self._load(each, "dag/run-1")
        elif isinstance(ended.value, Result) and not self.first_completed:
            self._note_told(ended.value)
