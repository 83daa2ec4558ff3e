from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.outbound.memory import Memory
from gateway.outbound.recorder import Recorder
from gateway.store.base import Unit
from gateway.values.event import Event
from gateway.values.outcome import Result, Status
from gateway.values.work import Timer

Gate = Any
Open = Any


@pytest.mark.parametrize("how", ["at once", "later"])
async def test_outcomes_are_recorded_later_and_in_order(gate: Gate, how: str) -> None:
    one, two = await gate.start_chain(), await gate.submit()
    gate.store.refuses = how
    gate.tell(one, Result.REJECTED)
    gate.tell(two, Result.ACCEPTED)
    gate.tell(two, Result.DELIVERED)
    await asyncio.sleep(0.02)
    assert gate.pipeline.unrecorded == 3 and len(gate.sms.sent) == 2, "the next step waits for the store"
    gate.store.refuses = ""
    assert (await gate.stored(two)).status is Status.DELIVERED
    assert (await gate.stored(one)).step == 1
    assert gate.sms.sent[2:] == [(one.id, 1, ())]
    assert [e.data["status"] for e in await gate.store.events(two.id) if e.type == "sms.status"] == [
        "sent",
        "delivered",
    ]


async def test_an_outcome_written_late_does_not_undo_a_later_one(gate: Gate) -> None:
    message = await gate.submit()
    gate.store.refuses = "later"
    gate.tell(message, Result.ACCEPTED)
    gate.store.refuses = ""
    gate.tell(message, Result.DELIVERED)
    await asyncio.sleep(0.02)
    assert (await gate.stored(message)).status is Status.DELIVERED


async def test_what_could_not_be_recorded_is_recorded_at_the_stop(open_gate: Open) -> None:
    gate = await open_gate()
    message = await gate.submit()
    gate.store.refuses = "later"
    gate.tell(message, Result.ACCEPTED)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gate.store.refuses = ""
    await gate.pipeline.stop()
    stored = await gate.store.message(message.id)
    assert stored is not None and stored.status is Status.SENT


async def test_a_record_that_nothing_can_store_does_not_hold_up_the_others(gate: Gate) -> None:
    one, two = await gate.submit(), await gate.submit()
    broken = Unit()
    broken.writes.append(Event(ref=one.id, type="broken", service="alerts", at=1.0, data={"no": object()}))
    gate.pipeline.record(broken)
    gate.tell(two, Result.ACCEPTED)
    await gate.until(lambda: not gate.pipeline.unrecorded)
    assert (await gate.stored(two)).status is Status.SENT


def unit_of(n: int, acts: list[int]) -> Unit:
    unit = Unit()
    unit.writes.append(Event(ref=f"t{n}", type="told", service="alerts", at=1.0, data={}))
    unit.acts.append(lambda: acts.append(n))
    return unit


def set_timer(gate: Gate, ref: str, *, due: float) -> str:
    unit = Unit()
    gate.timers.set(unit, Timer(kind="step", ref=ref, due=due, data={"step": 0}))
    gate.pipeline.record(unit)
    return ref


async def test_acts_follow_when_the_store_has_taken_what_it_refused(gate: Gate) -> None:
    recorder, acts = Recorder(gate.store, Memory(gate.store), gate.timers), list[int]()
    gate.store.refuses = "later"
    for n in range(3):
        recorder.record(unit_of(n, acts))
    await gate.until(lambda: recorder.unrecorded == 3)
    gate.store.refuses = ""
    assert acts == []
    await gate.until(lambda: not recorder.unrecorded)
    assert acts == [0, 1, 2]


async def test_what_is_asked_for_again_still_counts_until_it_is_taken(gate: Gate) -> None:
    recorder, acts = Recorder(gate.store, Memory(gate.store), gate.timers), list[int]()
    gate.store.refuses = "at once"
    recorder.record(unit_of(1, acts))
    gate.store.refuses = ""
    await gate.until(lambda: recorder._asked_again)
    assert recorder.unrecorded == 1 and acts == []
    await gate.until(lambda: not recorder.unrecorded)
    assert acts == [1]


async def test_a_store_that_refuses_at_the_stop_as_well_leaves_it_unrecorded(gate: Gate) -> None:
    recorder = Recorder(gate.store, Memory(gate.store), gate.timers)
    gate.store.refuses = "at once"
    recorder.record(unit_of(1, []))
    await recorder.stop()
    assert recorder.unrecorded == 1


@pytest.mark.parametrize("refused", [0, 1], ids=["taken", "refused at first"])
async def test_an_act_that_fails_does_not_take_the_others_along(
    gate: Gate, refused: int, caplog: pytest.LogCaptureFixture
) -> None:
    recorder, acts = Recorder(gate.store, Memory(gate.store), gate.timers), list[int]()
    one, two = unit_of(1, acts), unit_of(2, acts)
    one.acts.insert(0, lambda: acts.remove(99))
    gate.store.refuses = "later" if refused else ""
    recorder.record(one)
    recorder.record(two)
    if refused:
        await gate.until(lambda: recorder.unrecorded == 2)
    gate.store.refuses = ""
    await gate.until(lambda: acts == [1, 2])
    assert not recorder.unrecorded
    assert "unit.act_failed" in caplog.messages


async def test_a_timer_cleared_meanwhile_is_not_brought_back(gate: Gate) -> None:
    gate.store.refuses = "later"
    message = set_timer(gate, "one", due=1e12)
    gate.store.refuses = ""
    clearing = Unit()
    gate.timers.clear(clearing, "step", message)
    await clearing.commit(gate.store)  # the store takes it before what it has refused
    await gate.until(lambda: not gate.pipeline.unrecorded)
    assert gate.timers.pending("step", message) is None
    assert await gate.store.timers() == []


async def test_a_timer_set_meanwhile_is_not_taken_away(gate: Gate) -> None:
    set_timer(gate, "one", due=1e12)
    await gate.until(lambda: not gate.pipeline.unrecorded)
    clearing, newer = Unit(), Timer(kind="step", ref="one", due=2e12, data={"step": 1})
    gate.timers.clear(clearing, "step", "one")
    gate.store.refuses = "later"
    gate.pipeline.record(clearing)
    gate.store.refuses = ""
    setting = Unit()
    gate.timers.set(setting, newer)
    await setting.commit(gate.store)
    await gate.until(lambda: not gate.pipeline.unrecorded)
    assert await gate.store.timers() == [newer]
