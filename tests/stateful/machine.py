"""A load and everybody who works on it at once: workers, retries, people who clear, processes that are killed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from stateful.actors import Actor
from stateful.faulty_ports import FaultyLedger, LedgerFault, PatientSession, SlowWarehouse, WarehouseOfOne, arrive
from support.fakes.notifier import MemoryNotifier
from support.fakes.storage import MemoryStorage
from support.fakes.warehouse import Accident
from support.fakes.world import OK_TOPIC
from support.objects import Clock, a_config

from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetState
from rsloader_provider.core.ledger.claims import Claim
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.operate.batches import close_now, reprocess_batch
from rsloader_provider.loader.operate.change_targets import give_up_target
from rsloader_provider.loader.operate.forget_objects import forget_objects
from rsloader_provider.loader.operate.move_objects import reprocess_objects
from rsloader_provider.loader.ports.ledger import Ledger
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.loader.services import Services

if TYPE_CHECKING:
    from rsloader_provider.core.redshift.names import LoadKey

TABLES = ("public.orders", "public.other")
MOST_ACTORS = 4
MOST_OBJECTS = 8
MOST_STEPS = 20
MOST_ROUNDS = 200
_numbers = count()

steps = st.sampled_from([0, 1, 2, 4, 5, 6, 7, 8])
someone = st.integers(0, 9)
"""Chooses among those who are there."""


def _number(entry: Entry) -> str:
    """An object holds its own number, unless it is bad."""
    return entry.name.rpartition("/")[2]


class LoadMachine(RuleBasedStateMachine):
    """One load into two tables.

    Subclasses say where the ledger is.
    """

    def make_ledger(self) -> Ledger:
        raise NotImplementedError

    @initialize(objects=st.integers(1, 5))
    def begin(self, objects: int) -> None:
        name = f"machine{next(_numbers)}"
        self.config = a_config(
            load=name,
            batch={"max_files": 2, "max_age": "5m"},
            targets=[{"table": table} for table in TABLES],
            notify={"success": OK_TOPIC},
        )
        self.ledger = self.make_ledger()
        self.storage = MemoryStorage("landing", "loader")
        self.warehouse = SlowWarehouse(self.storage)
        for table in TABLES:
            self.warehouse.create(table)
        self.notifier = MemoryNotifier(OK_TOPIC)
        self.clock = Clock()
        self.actors: list[Actor] = []
        self.ledgers: dict[Actor, FaultyLedger] = {}
        self.left_behind: list[PatientSession] = []
        self.late: list[Callable[[], object]] = []
        self.people: Counter[tuple[str, str]] = Counter()
        self.giving_up: Counter[str] = Counter()
        self.loaded: dict[LoadKey, Sequence[str]] = {}
        self.objects = 0
        self.names = count(1)
        for _ in range(objects):
            self.put(is_bad=False)

    # What happens in S3, and to the time.

    @precondition(lambda self: self.objects < MOST_OBJECTS)
    @rule(is_bad=st.sampled_from([False, False, False, True]))
    def put(self, is_bad: bool) -> None:
        self._write(self.objects, "bad" if is_bad else str(self.objects))
        self.objects += 1

    @rule(minutes=st.sampled_from([1, 6, 60, -60]))
    def pass_time(self, minutes: int) -> None:
        self.clock.go(minutes=minutes)

    # Who begins, and who goes on.

    @precondition(lambda self: len(self.actors) < MOST_ACTORS)
    @rule(believes_others_alive=st.booleans(), steps=steps)
    def begin_buffering(self, believes_others_alive: bool, steps: int) -> None:
        run = f"dag/run-{next(self.names)}"
        self._act(f"buffering of {run}", lambda services: self._buffer(services, run, believes_others_alive))
        self._advance(self.actors[-1], steps)

    @precondition(lambda self: len(self.actors) < MOST_ACTORS and self._closed())
    @rule(which=someone, table=st.sampled_from(TABLES), is_person=st.booleans(), both=st.booleans(), steps=steps)
    def begin_loading(self, which: int, table: str, is_person: bool, both: bool, steps: int) -> None:
        """A retry or a person who cleared begins to load a batch; perhaps Airflow runs the same try twice."""
        closed = self._closed()
        batch = closed[which % len(closed)].batch
        name = f"redshift_default/{table}"
        asker = Asker(f"try-{next(self.names)}", "dag/run-of-loads", cleared=is_person)
        self.people[batch, name] += is_person
        for _ in range(1 + both):
            self._advance(self._load(batch, name, asker), steps)

    @precondition(lambda self: len(self.actors) < MOST_ACTORS and self._closed())
    @rule(which=someone, table=st.sampled_from(TABLES), leaves_out=st.booleans(), steps=steps)
    def begin_asking_again(self, which: int, table: str, leaves_out: bool, steps: int) -> None:
        """A person has a batch reprocessed, perhaps without its first object."""
        closed = self._closed()
        batch = closed[which % len(closed)]
        target, by = f"redshift_default/{table}", f"request-{next(self.names)}"
        without = [entry.url for entry in sorted(self.ledger.entries(batch))[:1]] if leaves_out else []
        self.people[batch.batch, target] += 1
        self._act(
            f"{by} for {batch.batch} into {target} without {without}",
            lambda services: reprocess_batch(
                self.config, services, batch.batch, targets=[target], without=without, by=by
            ),
        )
        self._advance(self.actors[-1], steps)

    @precondition(lambda self: len(self.actors) < MOST_ACTORS and self._closed())
    @rule(which=someone, table=st.sampled_from(TABLES), steps=steps)
    def begin_giving_up(self, which: int, table: str, steps: int) -> None:
        """A person does not want a batch in one of its tables."""
        closed = self._closed()
        batch = closed[which % len(closed)].batch
        target, by = f"redshift_default/{table}", f"giving-up-{next(self.names)}"
        self.giving_up[batch] += 1
        self._act(
            f"{by} of {target} for {batch}",
            lambda services: give_up_target(self.config, services, batch, target, by=by),
        )
        self._advance(self.actors[-1], steps)

    @precondition(lambda self: len(self.actors) < MOST_ACTORS and self._claims())
    @rule(which=someone, forgets=st.booleans(), is_prefix=st.booleans(), steps=steps)
    def begin_taking_out(self, which: int, forgets: bool, is_prefix: bool, steps: int) -> None:
        """A person forgets objects, or has them loaded again in a batch of their own."""
        claims = self._claims()
        url = f"s3://{claims[which % len(claims)].name}"
        use_case = forget_objects if forgets else reprocess_objects
        what: dict[str, Any] = {"prefix": "s3://landing/orders/"} if is_prefix else {"urls": [url]}
        name = f"{use_case.__name__} {what}"
        self._act(name, lambda services: [*use_case(self.config, services, by=name, **what)])
        self._advance(self.actors[-1], steps)

    @precondition(lambda self: len(self.actors) < MOST_ACTORS)
    @rule(steps=steps)
    def begin_closing_now(self, steps: int) -> None:
        self._act("closing now", lambda services: close_now(self.config, services, by="somebody"))
        self._advance(self.actors[-1], steps)

    @precondition(lambda self: self.actors)
    @rule(which=someone, steps=steps)
    def go_on(self, which: int, steps: int) -> None:
        self._advance(self.actors[which % len(self.actors)], 1 + steps)

    @precondition(lambda self: self.actors)
    @rule(which=someone)
    def go_on_to_the_end(self, which: int) -> None:
        self._advance(self.actors[which % len(self.actors)], MOST_STEPS)

    # What goes wrong.

    @precondition(lambda self: self.actors)
    @rule(which=someone)
    def kill(self, which: int) -> None:
        """SIGKILL: nothing is cleared up, and Redshift does not know yet that its client is gone."""
        self.actors[which % len(self.actors)].kill()
        self._bury()

    @precondition(lambda self: self.left_behind)
    @rule(which=someone, commits=st.booleans())
    def notice_a_dead_client(self, which: int, commits: bool) -> None:
        """The session ends; its client may have sent COMMIT with its last breath."""
        session = self.left_behind.pop(which % len(self.left_behind))
        if commits:
            session.commit_late()
        session.close()

    @precondition(lambda self: self.actors)
    @rule(which=someone, fault=st.sampled_from(LedgerFault), good_before=st.integers(0, 2))
    def lose_an_answer(self, which: int, fault: LedgerFault, good_before: int) -> None:
        """One of the next writes of an actor meets a fault; it makes three until it has loaded a batch."""
        self.ledgers[self.actors[which % len(self.actors)]].faults = [*[None] * good_before, fault]

    @precondition(lambda self: self.late)
    @rule(which=someone)
    def let_a_write_arrive(self, which: int) -> None:
        arrive(self.late.pop(which % len(self.late)))

    @rule()
    def be_slow_or_quick_to_end_sessions(self) -> None:
        self.warehouse.is_slow = not self.warehouse.is_slow

    @precondition(lambda self: self.warehouse.ending)
    @rule(which=someone)
    def end_a_session_at_last(self, which: int) -> None:
        self.warehouse.ending.pop(which % len(self.warehouse.ending)).close()

    @precondition(lambda self: not self.warehouse.accidents)
    @rule(statement=st.sampled_from([sql.LockHistory, sql.Copy, sql.RecordLoaded, sql.Commit]), after=st.booleans())
    def break_a_connection(self, statement: type, after: bool) -> None:
        self.warehouse.accidents.append(Accident(statement, after))

    # What must hold at every moment.

    @invariant()
    def everything_holds(self) -> None:
        seen = [(each, self.ledger.entries(each)) for each in self._batches()]
        claims = {claim.name: claim.batch for claim in self._claims() if claim.left_out_at is None}
        members = [(entry.name, batch.batch) for batch, entries in seen for entry in entries]
        assert sorted(members) == sorted(claims.items()), "every object is in one batch at most"
        assert all(batch.status is not BatchStatus.OPEN for batch, _ in seen[1:]), (
            "one batch is open at most, the newest"
        )
        for batch, entries in seen:
            assert batch.files == len(entries) <= self.config.batch.max_files
            assert batch.size_bytes == sum(entry.size_bytes for entry in entries)
            self._check_status(batch)
            self._check_generations(batch)
            self._check_messages(batch)
        for table in TABLES:
            self._check_rows(table, {batch.batch: [*map(_number, entries)] for batch, entries in seen})

    def _check_status(self, batch: Batch) -> None:
        states = {each.state for each in batch.targets.values()}
        assert (batch.status is BatchStatus.OPEN) is (not states)
        done = states <= {TargetState.LOADED, TargetState.GIVEN_UP}
        assert (batch.status is BatchStatus.COMPLETE) is (bool(states) and done)
        assert (batch.status is BatchStatus.ERROR) is (TargetState.FAILED in states)

    def _check_generations(self, batch: Batch) -> None:
        for target, progress in batch.targets.items():
            committed = self._committed(batch, target)
            assert len(set(committed)) == len(committed), "a generation is loaded once at most"
            assert max(committed, default=1) <= progress.generation
            assert progress.generation <= 1 + self.people[batch.batch, target], "a person asked for each further one"
            is_given_up = progress.state is TargetState.GIVEN_UP
            assert not (is_given_up and progress.generation in committed), "what was given up is in no table, ever"
            if progress.state is TargetState.LOADED:
                is_nothing = not batch.files and progress.rows == 0
                assert is_nothing or progress.generation in committed, "what counts as loaded is in the load history"

    def _check_messages(self, batch: Batch) -> None:
        told = sum(message["batchId"] == batch.batch for _, message in self.notifier.messages[OK_TOPIC])
        ends = sum(each.generation for each in batch.targets.values()) - len(batch.targets) + 1
        # Without the target that was given up it may have been complete, and once more when that was taken back.
        ends += self.giving_up[batch.batch]
        assert told <= ends, "nobody is told twice"

    def _check_rows(self, table: str, entries: Mapping[str, Sequence[str]]) -> None:
        """Objects may leave a batch after its load, so each row of the history is remembered with what it loaded."""
        for row in self.warehouse.histories[table]:
            self.loaded.setdefault(row.key, entries[row.key.batch])
            assert row.files == len(self.loaded[row.key])
        loaded = [number for row in self.warehouse.histories[table] for number in self.loaded[row.key]]
        assert Counter(self.warehouse.tables[table]) == Counter(loaded), "the rows are those of the load history"

    def teardown(self) -> None:
        """Everybody is gone, and the next runs find everything: nothing is stuck, and nothing is lost."""
        for actor in self.actors:
            actor.kill()
        self._bury()
        self.warehouse.accidents.clear()
        self.warehouse.is_slow = False
        for session in self.warehouse.ending:
            session.close()
        for write in self.late:
            arrive(write)
        for number in range(self.objects):
            self._write(number, str(number))
        for run in ("dag/claims-the-rest", "dag/locks-the-rest"):
            self._to_the_end([self._act(run, lambda services, run=run: self._buffer(services, run, False))])
            self.clock.go(days=2)
        # All at once, as Airflow does: a batch may wait for a lock that only another one's next attempt ends.
        self._to_the_end(
            [
                self._load(batch.batch, target, Asker(f"last-try-{target}", "dag/last"))
                for batch in self._closed()
                for target, progress in batch.targets.items()
                if progress.state is not TargetState.LOADED
            ]
        )
        assert {each.status for each in self._batches()} <= {BatchStatus.OPEN, BatchStatus.COMPLETE}
        for table in TABLES:
            everything = {str(number) for number in range(self.objects)}
            missing = self._left_out() | self._given_up(table)
            assert everything - missing <= {*self.warehouse.tables[table]} <= everything
        self.everything_holds()

    # How it is done.

    def _write(self, number: int, content: str) -> None:
        self.storage.write("landing", f"orders/{number}", f"{content}\n".encode())

    def _buffer(self, services: Services, run: str, believes_others_alive: bool) -> object:
        return buffer_objects(self.config, services, run=run, is_active=lambda _: believes_others_alive, max_work=99)

    def _load(self, batch: str, target: str, asker: Asker) -> Actor:
        return self._act(
            f"loading of {batch} into {target} by {asker.task_try}",
            lambda services: load_batch(self.config, services, batch, target, asker),
        )

    def _act(self, name: str, call: Callable[[Services], object]) -> Actor:
        ledger = FaultyLedger(self.ledger, self.late)

        def act(actor: Actor) -> None:
            ledger.pause = actor.pause
            warehouse = WarehouseOfOne(self.warehouse, actor)
            services = Services(ledger, self.storage, warehouse, self.notifier, self.clock, actor)
            try:
                call(services)
            finally:
                if warehouse.left_behind:
                    self.left_behind.append(warehouse.left_behind)

        actor = Actor(name, act)
        self.actors.append(actor)
        self.ledgers[actor] = ledger
        return actor

    def _to_the_end(self, actors: Sequence[Actor]) -> None:
        for _ in range(MOST_ROUNDS):
            for actor in actors:
                if not actor.is_done:
                    actor.advance()
        assert all(actor.is_done for actor in actors), f"stuck: {[each for each in actors if not each.is_done]}"
        assert not [actor.error for actor in actors if actor.error]

    def _advance(self, actor: Actor, most: int) -> None:
        for _ in range(most):
            if not actor.is_done:
                actor.advance()
        self._bury()

    def _bury(self) -> None:
        self.actors = [each for each in self.actors if not each.is_done]

    def _batches(self) -> list[Batch]:
        return list(self.ledger.batches(self.config.load))

    def _claims(self) -> list[Claim]:
        return list(self.ledger.claims(self.config.load, "landing/"))

    def _left_out(self) -> set[str]:
        return {claim.name.rpartition("/")[2] for claim in self._claims() if claim.left_out_at is not None}

    def _given_up(self, table: str) -> set[str]:
        return {
            _number(entry)
            for batch in self._closed()
            if batch.targets[f"redshift_default/{table}"].state is TargetState.GIVEN_UP
            for entry in self.ledger.entries(batch)
        }

    def _closed(self) -> list[Batch]:
        return [each for each in self._batches() if each.status is not BatchStatus.OPEN]

    def _committed(self, batch: Batch, target: str) -> list[int]:
        history: list[Any] = self.warehouse.histories[target.partition("/")[2]]
        return [each.key.generation for each in history if each.key.batch == batch.batch]
