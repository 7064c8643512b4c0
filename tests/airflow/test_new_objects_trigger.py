"""Waiting in the triggerer."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rsloader_provider.airflow_compat import AirflowSkipException
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


def test_it_fires_once_there_is_a_new_object(loads: "Loads"):
    trigger = NewObjectsTrigger(loads.write(), 0.05, FAR)
    assert first_event(trigger, meanwhile=lambda: loads.put("1.csv")) == {"found": True}


def test_it_gives_up_at_its_deadline(loads: "Loads"):
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    assert first_event(NewObjectsTrigger(loads.write(), 0.05, past)) == {"found": False}


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
