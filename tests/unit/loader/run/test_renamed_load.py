"""A load that got another name is not taken for a new one: its first batch is refused, until a person decides."""

import pytest
from support.fakes.world import World
from support.objects import TARGET, a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import RenamedLoadError
from rsloader_provider.core.ledger.batch import TargetState
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift.other_loads import FindOtherLoads
from rsloader_provider.loader.operate.operations.operation import unheard
from rsloader_provider.loader.operate.operations.rename import accepting
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch

OLD = a_config()
NEW = a_config(load="sales")


def run(world: World, config: LoadConfig) -> list[str]:
    """One run of the DAG; give the ids of the batches that it has loaded."""
    name = f"dag/run-{len(world.warehouse.log)}"
    world.clock.go(hours=1)
    work = buffer_objects(config, world.services, run=name, is_active=lambda _: False, max_work=99)
    for each in work:
        load_batch(config, world.services, each.batch.batch, each.target, Asker(name, name))
    return [each.batch.batch for each in work]


def rows(world: World, table: str = "public.orders") -> int:
    return len(world.warehouse.tables[table])


@pytest.fixture
def loaded(world: World) -> str:
    """A batch of two rows that was loaded under the old name."""
    world.put("orders/1.csv", "orders/2.csv")
    (batch,) = run(world, OLD)
    return batch


def test_a_renamed_load_claims_nothing_and_says_both_ways_out(world: World, loaded: str):
    for _ in range(2):
        with pytest.raises(RenamedLoadError) as refused:
            run(world, NEW)
    said = str(refused.value)
    assert all(part in said for part in ("1 batches of load orders", loaded, "2026-01-02", "public.orders"))
    assert "`rsloader rename-load orders sales`" in said
    assert "`rsloader accept sales orders`" in said
    assert not [*world.ledger.claims("sales", "")]
    assert rows(world) == 2


def test_what_was_claimed_while_redshift_slept_is_refused_in_the_transaction_and_waits(world: World, loaded: str):
    world.warehouse.unreachable = True
    (work,) = buffer_objects(NEW, world.services, run="dag/new", is_active=lambda _: False, max_work=99)
    world.warehouse.unreachable = False
    with pytest.raises(RenamedLoadError, match="rename-load orders sales"):
        load_batch(NEW, world.services, work.batch.batch, TARGET, Asker("try", "dag/new"))
    assert rows(world) == 2
    assert world.ledger.get("sales", work.batch.batch).progress(TARGET).state is TargetState.WAITING


@pytest.mark.parametrize("mode", ["truncate", "replace", "swap", "merge"])
def test_no_mode_touches_the_table(world: World, loaded: str, mode: str):
    target = {"table": "public.orders", "mode": mode, **({"merge_on": ["id"]} if mode == "merge" else {})}
    world.warehouse.unreachable = True
    config = a_config(load="sales", targets=[target])
    (work,) = buffer_objects(config, world.services, run="dag/new", is_active=lambda _: False, max_work=99)
    world.warehouse.unreachable = False
    with pytest.raises(RenamedLoadError):
        load_batch(config, world.services, work.batch.batch, work.target, Asker("try", "dag/new"))
    assert rows(world) == 2


def test_another_source_or_another_table_concerns_nobody(world: World, loaded: str):
    world.warehouse.create("public.other")
    world.put("sales/3.csv", "sales/4.csv")
    assert run(world, a_config(load="elsewhere", source="s3://landing/sales/"))
    assert run(world, a_config(load="sales", targets=[{"table": "public.other"}]))
    assert (rows(world), rows(world, "public.other")) == (4, 2)


def test_the_order_of_sources_does_not_matter(world: World):
    sources = ["s3://landing/a/", "s3://landing/b/"]
    world.put("a/1.csv", "b/2.csv")
    run(world, a_config(source=sources))
    with pytest.raises(RenamedLoadError):
        run(world, a_config(load="sales", source=sources[::-1]))


def test_a_history_of_an_earlier_release_refuses_nobody_and_is_not_asked(world: World):
    world.warehouse.without_sources.add("public.orders")
    world.put("orders/1.csv", "orders/2.csv")
    assert run(world, OLD)
    assert run(world, NEW)
    assert FindOtherLoads not in map(type, world.warehouse.log)


def test_a_load_that_has_rows_there_asks_nothing_more(world: World, loaded: str):
    world.put("orders/3.csv", "orders/4.csv")
    sent = len(world.warehouse.log)
    assert run(world, OLD)
    assert FindOtherLoads not in map(type, world.warehouse.log[sent:])


def test_both_go_on_once_a_person_has_accepted_it_and_the_first_word_stays(world: World, loaded: str):
    operation = accepting(NEW, world.services, "orders")
    plan = operation.plan(unheard)
    assert plan.question is not None
    assert plan.report["tables"] == {"public.orders": 1}
    assert not world.ledger.accepted("sales"), "a plan changes nothing"
    for by in ("rsloader accept by me", "rsloader accept by you"):
        operation.carry_out(by, unheard)
    (said,) = world.ledger.accepted("sales").values()
    assert (said.by, said.at) == ("rsloader accept by me", world.clock())
    again = operation.plan(unheard)
    assert again.question is None
    assert "rsloader accept by me" in again.sentences[0]
    run(world, NEW)
    world.put("orders/3.csv", "orders/4.csv")
    run(world, OLD)
    run(world, NEW)
    assert rows(world) == 8


def test_what_was_accepted_of_one_load_is_not_accepted_of_another(world: World, loaded: str):
    accepting(NEW, world.services, "orders").carry_out("me", unheard)
    run(world, NEW)
    with pytest.raises(RenamedLoadError, match="load sales"):
        run(world, a_config(load="third"))
    accepting(a_config(load="third"), world.services, "sales").carry_out("me", unheard)
    with pytest.raises(RenamedLoadError, match="load orders"):
        run(world, a_config(load="third"))


def test_there_is_nothing_to_accept_where_no_history_has_the_other_load(world: World):
    plan = accepting(NEW, world.services, "orders").plan(unheard)
    assert plan.question is None
    assert "nothing to accept" in plan.sentences[0]
