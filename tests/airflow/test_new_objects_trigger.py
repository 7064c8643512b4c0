"""Waiting in the triggerer."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.objects import a_config

from rsloader_provider.airflow_compat import AirflowSkipException
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.sensors.new_objects import NewObjectsSensor
from rsloader_provider.triggers.new_objects import NewObjectsTrigger

if TYPE_CHECKING:
    from conftest import Loads

FAR = "2100-01-01T00:00:00+00:00"


def first_event(trigger: NewObjectsTrigger, *, meanwhile: Any = None) -> dict[str, Any]:
    async def wait() -> dict[str, Any]:
        async def event() -> Any:
            async for fired in trigger.run():
                return fired.payload
            return None

        waiting = asyncio.ensure_future(event())
        if meanwhile:
            await asyncio.to_thread(meanwhile)
        return await asyncio.wait_for(waiting, 60)

    return asyncio.run(wait())


def test_a_trigger_is_made_again_from_what_it_serialises():
    trigger = NewObjectsTrigger({"load": "orders"}, 15.0, FAR)
    assert trigger.serialize() == (
        "rsloader_provider.triggers.new_objects.NewObjectsTrigger",
        {"load_config": {"load": "orders"}, "poke_interval": 15.0, "deadline": FAR},
    )
    beside = NewObjectsTrigger({"load": "orders"}, 15.0, FAR, ("broken.yaml",))
    assert NewObjectsTrigger(**beside.serialize()[1]).unread_files == ["broken.yaml"]


def test_it_fires_once_there_is_a_new_object(loads: "Loads"):
    trigger = NewObjectsTrigger(loads.write(), 0.05, FAR)
    assert first_event(trigger, meanwhile=lambda: loads.put("1.csv")) == {"found": True}


@pytest.fixture
def left_over(loads: "Loads") -> dict[str, Any]:
    """A load with a batch that its run did not load, and nothing else to do."""
    loads.put("1.csv", "2.csv")
    content = loads.write()
    buffer_objects(a_config(**content), RsloaderHook().get_conn(), run="dag/run-1", is_active=bool, max_work=9)
    return content


def test_for_nothing_but_a_batch_that_is_left_it_pauses_once(left_over: dict[str, Any]):
    began = time.monotonic()
    assert first_event(NewObjectsTrigger(left_over, 1.0, FAR)) == {"found": True}
    assert time.monotonic() - began >= 1.0
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    assert first_event(NewObjectsTrigger(left_over, 3600, past)) == {"found": True}, "but never beyond its deadline"


def test_a_sensor_that_may_wait_pauses_for_a_batch_that_is_left_and_one_that_may_not_goes_on(left_over: dict[str, Any]):
    """With `@continuous` the next run begins when this one ends; a batch without a table would make it spin."""
    NewObjectsSensor(task_id="detect", load_config=left_over, timeout=0).execute({})
    with pytest.raises(BaseException) as raised:  # noqa: PT011 (Airflow's signal is no Exception)
        NewObjectsSensor(task_id="detect", load_config=left_over, timeout=60, poke_interval=3).execute({})
    assert type(raised.value).__name__ == "TaskDeferred"


def test_it_gives_up_at_its_deadline(loads: "Loads"):
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    assert first_event(NewObjectsTrigger(loads.write(), 0.05, past)) == {"found": False}


def test_a_sensor_that_holds_its_slot_is_skipped_too(loads: "Loads"):
    sensor = NewObjectsSensor(task_id="detect", load_config=loads.write(), timeout=0, deferrable=False)
    with pytest.raises(AirflowSkipException, match="no new object"):
        sensor.execute({})
    loads.put("1.csv")
    sensor.execute({})


def test_a_sensor_is_skipped_when_there_was_nothing_and_goes_on_otherwise(loads: "Loads"):
    """Skipped, not failed: nothing to do is no fault."""
    sensor = NewObjectsSensor(task_id="detect", load_config=loads.write(), timeout=0)
    with pytest.raises(AirflowSkipException, match="no new object"):
        sensor.execute({})
    with pytest.raises(AirflowSkipException):
        sensor.execute_complete({}, {"found": False})
    sensor.execute_complete({}, {"found": True})
    loads.put("1.csv")
    sensor.execute({})


def test_a_sensor_that_has_to_wait_leaves_its_slot(loads: "Loads"):
    sensor = NewObjectsSensor(task_id="detect", load_config=loads.write(), timeout=60, poke_interval=3)
    with pytest.raises(BaseException) as raised:  # noqa: PT011 (Airflow's signal is no Exception)
        sensor.execute({})
    assert type(raised.value).__name__ == "TaskDeferred"
    assert raised.value.trigger.poke_interval == 3
    assert raised.value.method_name == "execute_complete"
