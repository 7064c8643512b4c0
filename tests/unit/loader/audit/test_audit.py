"""An audit sorts every object into one state, names what is wrong, and what it says to do ends clean."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.fakes.warehouse import Accident
from support.fakes.world import OK_TOPIC, World
from support.objects import TARGET, a_config

from rsloader_provider.core.audit import ObjectState
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import (
    AccessDeniedError,
    BadDataError,
    ConnectionLostError,
    RsloaderError,
    UnknownBatchError,
)
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, Notification, TargetState
from rsloader_provider.core.ledger.claims import Place
from rsloader_provider.core.ledger.manifest import Entry, digest_of_names
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import LoadKey, TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.audit.repair import repair_batches
from rsloader_provider.loader.audit.report import AuditReport
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch

RUN = "rsloader_orders/run-1"
ORDERS = TableName("public", "orders")
CONFIG = a_config(notify={"success": OK_TOPIC})


def buffer(world: World, config: LoadConfig = CONFIG) -> list[Batch]:
    work = buffer_objects(config, world.services, run=RUN, is_active=lambda _: False, max_work=99)
    return [each.batch for each in work]


def load(world: World, batch: Batch, *, cleared: str | None = None) -> Batch:
    asker = Asker(cleared or "try-1", RUN, cleared=cleared is not None)
    return load_batch(CONFIG, world.services, batch.batch, TARGET, asker).batch


def loaded(world: World, *keys: str) -> Batch:
    world.put(*keys)
    (batch,) = buffer(world)
    return load(world, batch)


def audit(world: World, only: list[str] | None = None) -> AuditReport:
    return audit_load(CONFIG, world.services, world.inventory, only)


def states(report: AuditReport) -> dict[str, list[str]]:
    """The keys in each state."""
    return {
        str(state): [name.removeprefix("landing/orders/") for name, _ in tally.examples]
        for state, tally in report.tallies.items()
        if tally.objects
    }


def remedies(report: AuditReport) -> str:
    return "\n".join([*report.lines()])


def in_history(world: World, batch: Batch, generation: int, query_id: int | None = None) -> sql.RecordLoaded:
    """Plant a row as a committed load leaves it."""
    key = LoadKey(ORDERS, "orders", batch.batch, generation)
    digest = digest_of_names(entry.name for entry in world.ledger.entries(batch))
    row = sql.RecordLoaded(key, attempt=1, rows=2, files=batch.files, query_id=query_id, run=RUN, names_digest=digest)
    world.warehouse.histories["public.orders"].append(row)
    return row


def test_a_load_that_is_at_work_has_nothing_wrong(world: World):
    loaded(world, "orders/1.csv", "orders/2.csv")
    world.put("orders/3.csv", "orders/4.csv", "orders/5.csv")
    buffer(world)
    world.put("orders/6.csv", "orders/folder/", "returns/1.csv")
    world.storage.write("landing", "orders/folder/", b"")
    report = audit(world)
    assert states(report) == {
        "loaded": ["1.csv", "2.csv"],
        "in a batch being loaded": ["3.csv", "4.csv"],
        "claimed and waiting": ["5.csv"],
        "not seen": ["6.csv"],
    }
    assert not report.is_wrong
    assert report.objects == 6
    assert report.findings == []
    assert world.warehouse.histories["public.orders"], "and nothing was changed"


def test_hidden_objects_are_counted_and_are_not_wrong(world: World):
    """Left out in silence, nobody would know why rows are missing."""
    world.put("orders/dt=1/_SUCCESS", "orders/.1.crc", "orders/1.csv")
    assert states(audit(world)) == {"not seen": ["1.csv"], "hidden and left out": [".1.crc", "dt=1/_SUCCESS"]}
    assert not audit(world).is_wrong
    load(world, buffer(world, a_config(hidden_files="load", batch={"max_files": 3}))[0])
    world.put("orders/_later")
    assert states(audit(world)) == {"loaded": [".1.crc", "1.csv", "dt=1/_SUCCESS"], "not seen": ["_later"]}
    ignoring = audit_load(a_config(hidden_files="ignore"), world.services, world.inventory)
    assert states(ignoring) == {"loaded": [".1.crc", "1.csv", "dt=1/_SUCCESS"], "hidden and left out": ["_later"]}


def test_a_load_that_never_ran_has_nothing_but_what_it_has_not_seen(world: World):
    world.put("orders/1.csv")
    assert states(audit(world)) == {"not seen": ["1.csv"]}


def test_objects_of_several_sources_and_buckets_are_audited_in_one_walk(world: World):
    """The buckets' names sort differently with the '/' behind them than without."""
    world.storage.create("landing-2")
    config = a_config(source=["s3://landing/orders/", "s3://landing-2", "s3://landing/eu/*/"])
    long = "x" * 1020
    for bucket, key in (
        ("landing-2", "1.csv"),
        ("landing-2", long),
        ("landing", "eu/a/1.csv"),
        ("landing", "eu/b/2.csv"),
    ):
        world.storage.write(bucket, key, b"1\n")
    world.put("orders/1.csv", "orders/2.csv")
    for batch in buffer(world, config):
        load_batch(config, world.services, batch.batch, TARGET, Asker("try-1", RUN))
    world.put("eu/1.csv", "orders/3.csv", "eu/c/3.csv")
    world.storage.delete("landing-2", "1.csv")
    report = audit_load(config, world.services, world.inventory)
    assert {str(state): tally.objects for state, tally in report.tallies.items() if tally.objects} == {
        "loaded": 5,
        "deleted since its load": 1,
        "not seen": 2,
    }
    assert not report.findings


def test_a_load_that_a_person_asked_for_twice_is_right(world: World):
    load(world, loaded(world, "orders/1.csv", "orders/2.csv"), cleared="try-2")
    assert states(audit(world)) == {"loaded": ["1.csv", "2.csv"]}


def test_a_generation_that_nobody_asked_for_is_loaded_more_than_once(world: World):
    batch = loaded(world, "orders/1.csv", "orders/2.csv")
    extra = in_history(world, batch, 2, query_id=77)
    report = audit(world)
    assert states(report) == {"loaded more than once": ["1.csv", "2.csv"]}
    assert (
        f"Remove from public.orders the 2 rows of query 77; then, over connection redshift_default: {forget(extra)}"
        in (remedies(report))
    )
    world.warehouse.histories["public.orders"].remove(extra)
    assert not audit(world).is_wrong


def forget(row: sql.RecordLoaded) -> str:
    return render(sql.ForgetLoaded(row.key))


def test_an_object_in_two_loaded_batches_is_loaded_more_than_once(world: World):
    """As if the claim's condition were not there: both batches hold it, and the claim is the later one's."""
    first = loaded(world, "orders/1.csv", "orders/2.csv")
    world.warehouse.unreadable_views = True
    world.ledger.edit_claim("orders", "landing/orders/2.csv")
    second = loaded(world, "orders/3.csv")
    assert second.batch != first.batch
    report = audit(world)
    assert states(report) == {"loaded": ["1.csv", "3.csv"], "loaded more than once": ["2.csv"]}


def test_a_file_that_another_batchs_copy_read_is_loaded_more_than_once(world: World):
    first = loaded(world, "orders/1.csv", "orders/2.csv")
    loaded(world, "orders/3.csv", "orders/4.csv")
    query_id = first.targets[TARGET].query_id
    world.warehouse.files[query_id or 0].add("s3://landing/orders/4.csv")
    assert states(audit(world)) == {"loaded": ["1.csv", "2.csv", "3.csv"], "loaded more than once": ["4.csv"]}


def test_a_file_that_its_copy_did_not_read_is_not_in_the_history(world: World):
    """Somebody changed the manifest between its writing and the COPY."""
    batch = loaded(world, "orders/1.csv", "orders/2.csv")
    world.warehouse.files[batch.targets[TARGET].query_id or 0].remove("s3://landing/orders/2.csv")
    report = audit(world)
    assert states(report) == {"loaded": ["1.csv"], "recorded as loaded but not in the history": ["2.csv"]}
    assert f"clear load_batch of run {RUN}" in remedies(report)


def test_an_empty_file_is_read_by_no_copy_and_is_loaded(world: World):
    world.put("orders/1.csv")
    world.put("orders/2.csv", content="")
    load(world, *buffer(world))
    assert states(audit(world)) == {"loaded": ["1.csv", "2.csv"]}


def test_a_url_that_the_view_cuts_is_neither_missed_nor_found(world: World):
    long = "orders/" + "x" * 300
    loaded(world, long + "1", long + "2")
    assert not audit(world).is_wrong


def test_a_loaded_batch_that_is_not_in_the_history_is_told(world: World):
    """A cluster restored from a snapshot."""
    batch = loaded(world, "orders/1.csv", "orders/2.csv")
    world.warehouse.histories["public.orders"].clear()
    world.warehouse.tables["public.orders"].clear()
    report = audit(world)
    assert states(report) == {"recorded as loaded but not in the history": ["1.csv", "2.csv"]}
    assert f"clear load_batch of run {RUN} in Airflow (batch {batch.batch})" in remedies(report)
    load(world, batch, cleared="try-2")
    assert not audit(world).is_wrong


def test_a_failed_batch_ends_clean_when_it_is_repaired_and_cleared(world: World):
    world.put("orders/1.csv")
    world.put("orders/2.csv", content="bad\n")
    (batch,) = buffer(world)
    with pytest.raises(BadDataError):
        load(world, batch)
    report = audit(world)
    assert states(report) == {"failed": ["1.csv", "2.csv"]}
    assert f"clear load_batch of run {RUN} in Airflow (batch {batch.batch})" in remedies(report)
    world.storage.write_at("landing", "orders/2.csv", b"2\n", world.clock())
    world.clock.go(minutes=1)
    load(world, batch, cleared="try-2")
    assert states(audit(world)) == {"loaded": ["1.csv", "2.csv"]}, "it was changed since its claim, not since its load"


def test_an_object_that_was_overwritten_is_changed_and_its_new_content_is_loaded_under_a_new_key(world: World):
    loaded(world, "orders/1.csv", "orders/it's new.csv")
    world.storage.write_at("landing", "orders/it's new.csv", b"22\n", world.clock())
    report = audit(world)
    assert states(report)["changed since its load"] == ["it's new.csv"]
    assert """aws s3 mv 's3://landing/orders/it'"'"'s new.csv' 's3://landing/orders/new-it'"'"'s new.csv'""" in (
        remedies(report)
    )
    world.storage.delete("landing", "orders/it's new.csv")
    world.put("orders/new-it's new.csv", content="22\n")
    report = audit(world)
    assert not report.is_wrong
    assert states(report) == {
        "loaded": ["1.csv"], "deleted since its load": ["it's new.csv"], "not seen": ["new-it's new.csv"],
    }  # fmt: skip


def test_an_object_that_was_deleted_is_right_after_its_load_and_wrong_before(world: World):
    loaded(world, "orders/1.csv", "orders/2.csv")
    world.put("orders/3.csv", "orders/4.csv", "orders/5.csv")
    buffer(world)
    for number in (1, 3, 5):
        world.storage.delete("landing", f"orders/{number}.csv")
    report = audit(world)
    assert states(report) == {
        "loaded": ["2.csv"],
        "deleted since its load": ["1.csv"],
        "in a batch being loaded": ["4.csv"],
        "deleted before its load": ["3.csv", "5.csv"],
    }
    assert "Put s3://landing/orders/3.csv back" in remedies(report)
    world.put("orders/3.csv", "orders/5.csv")
    assert not audit(world).is_wrong


def test_a_batch_that_only_the_history_knows_is_told_with_its_files(world: World):
    """A DynamoDB table that was restored to yesterday: the next run would load today's files again."""
    batch = loaded(world, "orders/1.csv", "orders/2.csv")
    loaded(world, "orders/3.csv", "orders/4.csv")
    for key in ("1", "2"):
        world.ledger.edit_claim("orders", f"landing/orders/{key}.csv")
    world.ledger.edit_entries(batch, [])
    world.ledger.lose(batch)
    world.storage.delete("landing", "orders/2.csv")
    report = audit(world)
    assert states(report) == {"loaded": ["3.csv", "4.csv"], "in the history but not claimed": ["1.csv", "2.csv"]}
    assert "airflow dags pause rsloader_orders" in remedies(report)
    row = world.warehouse.histories["public.orders"][0]
    assert forget(row) in remedies(report)
    world.warehouse.unreadable_views = True
    unnamed = audit(world)
    assert unnamed.tallies[ObjectState.NOT_CLAIMED].objects == 2, "by number, where the view does not name them"
    world.warehouse.histories["public.orders"].remove(row)
    assert states(audit(world)) == {"loaded": ["3.csv", "4.csv"], "not seen": ["1.csv"]}


def test_a_claim_that_was_lost_after_the_load_is_in_the_history_but_not_claimed(world: World):
    loaded(world, "orders/1.csv", "orders/2.csv")
    world.ledger.edit_claim("orders", "landing/orders/2.csv")
    for readable in (True, False):
        world.warehouse.unreadable_views = not readable
        assert states(audit(world)) == {"loaded": ["1.csv"], "in the history but not claimed": ["2.csv"]}


def test_an_open_batch_that_the_history_has_is_broken(world: World):
    """A table restored to a moment before the lock: what the batch gets now would be taken for loaded."""
    world.put("orders/1.csv")
    buffer(world)
    batch = world.ledger.open_batch("orders", world.clock())
    in_history(world, batch, 1)
    report = audit(world)
    assert states(report) == {"broken in DynamoDB": ["1.csv"]}


def test_a_batch_that_was_filled_again_with_as_many_other_objects_is_broken_and_never_taken_for_loaded(world: World):
    """DynamoDB was put back to a time before the lock. Repairing from the history would lose 3.csv."""
    world.put("orders/2.csv", "orders/3.csv")
    (batch,) = buffer(world)
    key = LoadKey(ORDERS, "orders", batch.batch, 1)
    row = sql.RecordLoaded(
        key,
        attempt=1,
        rows=2,
        files=2,
        query_id=None,
        run=RUN,
        names_digest=digest_of_names(["landing/orders/1.csv", "landing/orders/2.csv"]),
    )
    world.warehouse.histories["public.orders"].append(row)
    report = audit(world)
    assert states(report) == {"broken in DynamoDB": ["2.csv", "3.csv"]}
    assert "it was loaded with 2 objects, as many others" in remedies(report)
    assert not report.mendable
    [*repair_batches(CONFIG, world.services, [batch.batch])]
    assert world.ledger.get("orders", batch.batch).progress(TARGET).state is TargetState.WAITING


def test_a_load_of_objects_that_were_taken_out_since_is_right(world: World):
    """The history tells of all that were loaded then; the batch of those that are left."""
    world.put("orders/1.csv", "orders/2.csv", "orders/3.csv")
    (batch,) = buffer(world, a_config(batch={"max_files": 3, "max_age": "1m"}))
    load(world, batch)
    for number in (2, 3):
        place = Place(world.ledger.get("orders", batch.batch), world.ledger.segments(batch)[0])
        world.ledger.leave_out(place, [f"landing/orders/{number}.csv"], world.clock())
        report = audit(world)
        assert not report.is_wrong, remedies(report)
    assert states(report)["loaded"] == ["1.csv"]


def test_rows_of_an_earlier_release_are_compared_by_number_and_the_audit_says_so(world: World):
    world.warehouse.without_digests.add("public.orders")
    loaded(world, "orders/1.csv", "orders/2.csv")
    report = audit(world)
    assert not report.is_wrong
    assert "1 rows of its load history are of an earlier release" in report.findings[0].text


def test_a_claim_of_a_batch_that_is_not_there_or_does_not_have_it_is_broken(world: World):
    loaded(world, "orders/1.csv", "orders/2.csv")
    other = loaded(world, "orders/3.csv", "orders/4.csv")
    world.warehouse.unreadable_views = True
    world.ledger.edit_claim("orders", "landing/orders/1.csv", batch="01ARZ3NDEKTSV4RRFFQ69G5FAV")
    world.ledger.edit_claim("orders", "landing/orders/2.csv", batch=other.batch)
    assert states(audit(world)) == {"loaded": ["3.csv", "4.csv"], "broken in DynamoDB": ["1.csv", "2.csv"]}


def test_segments_that_were_edited_are_named(world: World):
    world.put("orders/1.csv", "orders/2.csv")
    (batch,) = buffer(world)
    world.ledger.edit_entries(batch, [Entry("landing/orders/1.csv", 2), Entry("landing/orders/9.csv", 2)])
    report = audit(world)
    assert states(report) == {"in a batch being loaded": ["1.csv"], "broken in DynamoDB": ["2.csv"]}
    (finding,) = report.findings
    assert f"{finding.subject}: {finding.text}" == (
        f"{batch}: its segments hold s3://landing/orders/9.csv, which has no claim."
    )
    world.ledger.edit_entries(batch, [])
    assert any("counts 2 objects, but its segments hold 0" in each.text for each in audit(world).findings)


def test_a_manifest_that_somebody_changed_is_written_again(world: World):
    batch = loaded(world, "orders/1.csv", "orders/2.csv")
    key = f"manifests/orders/{batch.batch}.manifest"
    right = world.storage.read("loader", key) or b""
    for wrong in (b"{}", right.replace(b"1.csv", b"9.csv")):
        world.storage.write("loader", key, wrong)
        report = audit(world)
        assert "manifest s3://loader/manifests/orders/" in remedies(report)
        assert list(report.mendable) == [batch.batch]
        assert list(repair(world, report)) == [f"{batch}: repaired; it is complete."]
        assert world.storage.read("loader", key) == right
        assert not audit(world).is_wrong


def test_a_manifest_with_the_sizes_of_repaired_objects_has_a_name_of_its_own_and_is_left_alone(world: World):
    """Attempts that saw the sizes otherwise may still write theirs, and an audit must not put the old sizes back."""
    world.put("orders/1.csv", content="")
    batch = loaded(world, "orders/2.csv")
    world.put("orders/1.csv", content="11\n")
    load(world, batch, cleared="asked")
    prefix = f"manifests/orders/{batch.batch}"
    (own,) = (each.key for each in world.storage.objects("loader", f"{prefix}-"))
    written = world.storage.read("loader", own) or b""
    assert b"orders/1.csv" in written
    assert not audit(world).findings
    world.storage.write("loader", f"{prefix}.manifest", b"{}")
    assert not audit(world).findings, "of attempts that saw it empty"
    world.storage.write("loader", f"manifests/{world.ledger.get('orders', batch.batch).manifest_name}", b"{}")
    assert "was changed" in "".join(each.text for each in audit(world).findings)
    assert list(repair(world, audit(world))) == [f"{batch}: repaired; it is complete."]
    assert world.storage.read("loader", own) == written


def repair(world: World, report: AuditReport) -> Iterator[str]:
    return repair_batches(CONFIG, world.services, report.mendable)


def test_a_batch_whose_commit_nobody_heard_of_is_finished_and_told_once(world: World):
    world.put("orders/1.csv", "orders/2.csv")
    (batch,) = buffer(world)
    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    with pytest.raises(ConnectionLostError):
        load(world, batch)
    report = audit(world)
    assert "recorded as loading, but its generation 1 is in the history" in remedies(report)
    assert f"rsloader audit orders --batch {batch.batch} --repair" in remedies(report)
    list(repair(world, report))
    now = world.ledger.get("orders", batch.batch)
    assert (now.status, now.notification) == (BatchStatus.COMPLETE, Notification.SENT)
    progress = now.targets[TARGET]
    assert (progress.state, progress.rows, progress.attempt, progress.session) == (TargetState.LOADED, 2, 1, None)
    assert progress.query_id == world.warehouse.histories["public.orders"][0].query_id
    assert len(world.notifier.messages[OK_TOPIC]) == 1
    assert not audit(world).is_wrong
    assert list(repair(world, report)) == [f"{batch}: repaired; it is complete."], "again changes nothing"
    assert len(world.notifier.messages[OK_TOPIC]) == 1
    assert world.warehouse.tables["public.orders"] == ["1", "1"]


def test_a_live_attempt_finds_its_own_write_done_when_an_audit_was_faster(world: World):
    """The repair writes what the attempt was about to write, so that neither of them fails."""
    world.put("orders/1.csv", "orders/2.csv")
    (batch,) = buffer(world)
    services = world.services

    class RepairingAfterCommit:
        """Hears of the last step before its write."""

        def taking(self, step: object, subject: object) -> object:
            if step == "finish attempt":
                list(repair_batches(CONFIG, services, [batch.batch]))
            return services.steps.taking(step, subject)  # type: ignore[arg-type]

    done = load_batch(CONFIG, replace(services, steps=RepairingAfterCommit()), batch.batch, TARGET, Asker("t", RUN))  # type: ignore[arg-type]
    assert done.batch.status is BatchStatus.COMPLETE
    assert not audit(world).is_wrong


@pytest.mark.parametrize("state", [TargetState.WAITING, TargetState.FAILED])
def test_a_target_whose_attempt_ended_wrongly_is_finished_as_the_history_says(world: World, state: TargetState):
    """A ghost commit, after the next attempt could not even connect."""
    batch = loaded(world, "orders/1.csv", "orders/2.csv")
    wrong = replace(batch.targets[TARGET], state=state, rows=None, query_id=None, error="no connection", session=7)
    status = BatchStatus.ERROR if state is TargetState.FAILED else BatchStatus.LOCKED
    world.ledger.edit(replace(batch, status=status, targets={TARGET: wrong}))
    list(repair(world, audit(world)))
    now = world.ledger.get("orders", batch.batch).targets[TARGET]
    assert (now.state, now.attempt, now.rows, now.session, now.error) == (TargetState.LOADED, 2, 2, None, None)
    assert not audit(world).is_wrong


def test_a_stale_session_and_a_wrong_status_are_put_right(world: World):
    batch = loaded(world, "orders/1.csv", "orders/2.csv")
    progress = replace(batch.targets[TARGET], session=4711)
    world.ledger.edit(replace(batch, status=BatchStatus.LOCKED, targets={TARGET: progress}))
    report = audit(world)
    assert "still records session 4711" in remedies(report)
    assert "its status is locked, but its targets say complete" in remedies(report)
    told = len(world.notifier.messages[OK_TOPIC])
    list(repair(world, report))
    assert not audit(world).is_wrong
    assert len(world.notifier.messages[OK_TOPIC]) == told, "it is no news that the batch is loaded"


def test_a_repair_leaves_a_batch_to_whoever_writes_in_between(world: World):
    batch = loaded(world, "orders/1.csv", "orders/2.csv")
    wrong = replace(batch, targets={TARGET: replace(batch.targets[TARGET], session=4711)})
    world.ledger.edit(wrong)

    class Faster:
        def taking(self, step: object, subject: object) -> object:
            world.ledger.edit(replace(wrong, version=wrong.version + 1))
            return world.services.steps.taking(step, subject)  # type: ignore[arg-type]

    (told,) = repair_batches(CONFIG, replace(world.services, steps=Faster()), [batch.batch])  # type: ignore[arg-type]
    assert "another writer changed it" in told
    assert world.ledger.get("orders", batch.batch).targets[TARGET].session == 4711


def test_a_history_that_cannot_be_read_is_named_and_the_rest_is_audited(world: World):
    loaded(world, "orders/1.csv", "orders/2.csv")
    del world.warehouse.histories["public.orders"]
    report = audit(world)
    assert states(report) == {"loaded": ["1.csv", "2.csv"]}
    assert "target redshift_default/public.orders: its load history cannot be read" in remedies(report)
    assert "rsloader setup" in remedies(report)
    world.warehouse.unreachable = True
    assert "Redshift cannot be reached" in remedies(audit(world))


def test_a_batch_id_of_the_future_is_named_and_is_nothing_to_repair(world: World):
    world.clock.go(days=400)
    loaded(world, "orders/1.csv", "orders/2.csv")
    world.clock.go(days=-400)
    report = audit(world)
    assert not report.is_wrong
    assert ["ahead of the clock" in each.text for each in report.findings] == [True, True], "and that which follows it"


def test_an_open_batch_that_nobody_locks_is_named(world: World):
    world.put("orders/1.csv")
    buffer(world)
    orphan = world.ledger.open_batch("orders", world.clock())
    world.ledger.edit(replace(orphan, batch="01ARZ3NDEKTSV4RRFFQ69G5FAV", files=0))
    (finding,) = audit(world).findings
    assert (finding.batch, "no run will lock it" in finding.text) == ("01ARZ3NDEKTSV4RRFFQ69G5FAV", True)


def test_only_the_batches_that_were_asked_for_are_reported(world: World):
    first = loaded(world, "orders/1.csv", "orders/2.csv")
    second = loaded(world, "orders/3.csv", "orders/4.csv")
    in_history(world, first, 2)
    in_history(world, second, 2)
    world.put("orders/5.csv")
    report = audit(world, [second.batch])
    assert states(report) == {"loaded more than once": ["3.csv", "4.csv"]}
    with pytest.raises(UnknownBatchError, match="01ARZ3NDEKTSV4RRFFQ69G5FAV"):
        audit(world, ["01ARZ3NDEKTSV4RRFFQ69G5FAV"])


def test_names_that_are_too_long_for_a_key_are_sorted_too(world: World):
    long = ["orders/" + "x" * 1010 + str(number) for number in range(3)]
    loaded(world, long[0], long[1])
    world.put(long[2])
    world.storage.delete("landing", long[1])
    report = audit(world)
    assert {state: len(keys) for state, keys in states(report).items()} == {
        "loaded": 1, "deleted since its load": 1, "not seen": 1,
    }  # fmt: skip


def test_claims_from_before_the_source_was_changed_are_judged_without_s3(world: World):
    """Whether they are still there is not known; that they are loaded is."""
    loaded(world, "orders/1.csv", "orders/2.csv")
    config = a_config(source="s3://landing/elsewhere/")
    report = audit_load(config, world.services, world.inventory)
    assert states(report) == {"loaded": ["1.csv", "2.csv"]}


def test_objects_that_were_claimed_and_no_longer_match_are_still_known(world: World):
    loaded(world, "orders/1.csv", "orders/2.csv")
    world.put("orders/3.csv")
    report = audit_load(a_config(file_filter="never"), world.services, world.inventory)
    assert states(report) == {"loaded": ["1.csv", "2.csv"]}


def test_a_report_is_plain_json_and_its_counts_are_small(world: World):
    loaded(world, "orders/1.csv", "orders/2.csv")
    report = audit(world)
    told = report.as_json()
    assert told["states"]["loaded"] == {
        "objects": 2,
        "is_wrong": False,
        "examples": [
            {"url": f"s3://landing/orders/{n}.csv", "batch": report.tallies[ObjectState.LOADED].examples[0][1]}
            for n in (1, 2)
        ],
        "remedies": [],
    }
    assert report.counts == {**{str(state): 0 for state in ObjectState}, "loaded": 2, "findings": 0}


def test_a_batch_that_is_loaded_while_the_audit_reads_is_no_contradiction(world: World):
    """The streams are read at different moments; whatever looks wrong is read once more."""
    world.put("orders/1.csv", "orders/2.csv")
    (batch,) = buffer(world)

    class LoadingMeanwhile:
        def __getattr__(self, name: str) -> object:
            return getattr(world.inventory, name)

        def segments(self, name: str) -> object:
            load(world, batch)
            return world.inventory.segments(name)

    report = audit_load(CONFIG, world.services, LoadingMeanwhile())  # type: ignore[arg-type]
    assert not report.is_wrong, remedies(report)
    assert states(report) == {"loaded": ["1.csv", "2.csv"]}


def test_an_object_is_loaded_only_when_it_is_in_every_target(world: World):
    world.warehouse.create("public.copies")
    config = a_config(targets=[{"table": "public.orders"}, {"table": "public.copies"}])
    world.put("orders/1.csv", "orders/2.csv")
    batch, _ = buffer(world, config)  # once for each target

    def into(target: str) -> None:
        load_batch(config, world.services, batch.batch, f"redshift_default/{target}", Asker("try-1", RUN))

    into("public.orders")
    assert states(audit_load(config, world.services, world.inventory)) == {
        "in a batch being loaded": ["1.csv", "2.csv"]
    }
    into("public.copies")
    assert states(audit_load(config, world.services, world.inventory)) == {"loaded": ["1.csv", "2.csv"]}
    world.warehouse.histories["public.copies"].clear()
    report = audit_load(config, world.services, world.inventory)
    assert states(report) == {"recorded as loaded but not in the history": ["1.csv", "2.csv"]}
    assert ["public.copies" in each.text for each in report.findings] == [True]


def test_a_target_without_a_history_is_judged_by_dynamodb_and_that_is_said(world: World):
    """Where a DBA allows no history there is none to miss."""
    loaded(world, "orders/1.csv", "orders/2.csv")
    del world.warehouse.histories["public.orders"]
    config = a_config(targets=[{"table": "public.orders", "history": "none"}])
    report = audit_load(config, world.services, world.inventory)
    assert states(report) == {"loaded": ["1.csv", "2.csv"]}
    assert ["history: none" in each.text for each in report.findings] == [True]
    assert not report.is_wrong


@pytest.mark.parametrize(
    ("protected", "told"),
    [
        (True, []),
        (False, ["it has no point-in-time recovery and deletion protection."] * 2),
        (AccessDeniedError("no dynamodb:DescribeTable"), ["whether they have .*could not be found out: no dynamodb"]),
    ],
)
def test_tables_that_could_not_be_put_back_are_told_and_no_load_is_wrong_for_that(
    world: World, protected: bool | RsloaderError, told: list[str]
):
    inventory = world.inventory
    inventory.protected = protected
    report = audit_load(CONFIG, world.services, inventory)
    found = [each.text for each in report.findings]
    assert len(found) == len(told)
    assert all(re.search(pattern, text) for pattern, text in zip(told, found, strict=True))
    assert not report.is_wrong
