from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.outbound import memory
from gateway.outbound.memory import Memory, being_tried, tries
from gateway.store.base import Unit
from gateway.values.message import Message, StepPlan, StepRecord, StepState
from gateway.values.outcome import Status

Gate = Any


def message(id: str = "m1", state: StepState = StepState.TRYING, step: int = 0) -> Message:
    return Message(
        id=id,
        direction="mt",
        service="alerts",
        sender="12345",
        recipient="+447700900001",
        plan=(StepPlan("sms"), StepPlan("voice")),
        steps=(StepRecord(state), StepRecord()),
        step=step,
        waits="north" if state is StepState.TRYING and step == 0 else "",
        created_at=1.0,
        updated_at=1.0,
    )


@pytest.mark.parametrize("state", list(StepState))
def test_only_the_step_that_is_being_tried_is_tried(state: StepState) -> None:
    one = message(state=state)
    assert being_tried(one) is tries(one, 0) is (state is StepState.TRYING)
    assert not tries(one, 1)


def test_a_message_before_its_first_step_is_not_being_tried() -> None:
    assert not being_tried(message(state=StepState.PENDING, step=-1))


def test_what_is_tried_is_live_until_its_step_ends(gate: Gate) -> None:
    here = Memory(gate.store)
    one = message()
    here.remember(one)
    assert (here.live("m1"), here.known("m1"), here.waiting) == (one, one, 1)
    ended = message(state=StepState.SUCCEEDED)
    here.remember(ended)
    assert (here.live("m1"), here.known("m1"), here.waiting) == (None, ended, 0)


def test_a_carrier_has_something_of_a_message_until_the_step_ends(gate: Gate) -> None:
    here = Memory(gate.store)
    here.remember(message())
    assert not here.begun("m1")
    here.begin("m1")
    here.remember(replace(message(), updated_at=2.0))
    assert here.begun("m1")
    here.remember(message(state=StepState.FAILED))
    assert not here.begun("m1")


def test_what_a_failed_unit_kept_is_as_it_was_before(gate: Gate) -> None:
    here = Memory(gate.store)
    before, changed = message(), replace(message(), text="hi")
    here.remember(before)
    unit = Unit()
    here.keep(unit, changed)
    here.keep(unit, message("m2"))
    assert unit.writes == [changed, message("m2")]
    assert here.known("m1") == changed and here.waiting == 2
    unit.take_back()
    assert here.known("m1") == before and here.known("m2") is None and here.waiting == 1


def test_what_is_left_to_the_store_is_known_but_not_live(gate: Gate) -> None:
    here = Memory(gate.store)
    here.remember(message())
    assert here.leave("m1")
    assert not here.leave("m1"), "it is not live any more"
    assert here.live("m1") is None and here.known("m1") == message() and here.waiting == 0


def test_what_is_left_to_the_store_stays_so_when_it_changes(gate: Gate) -> None:
    here = Memory(gate.store)
    here.remember(message())
    here.leave("m1")
    changed, unit = replace(message(), updated_at=2.0), Unit()
    here.keep(unit, changed, live=False)
    assert here.live("m1") is None and here.known("m1") == changed
    unit.take_back()
    assert here.live("m1") is None and here.known("m1") == message()


async def test_the_oldest_of_the_recent_ones_are_read_from_the_store(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_RECENT", 2)
    here = Memory(gate.store)
    ids = ["m1", "m2", "m3"]
    for id in ids:
        unit = Unit()
        here.keep(unit, message(id, StepState.SUCCEEDED))
        await unit.commit(gate.store)
    assert [here.known(id) is not None for id in ids] == [False, True, True]
    assert [(await here.load(id)) for id in ids] == [message(id, StepState.SUCCEEDED) for id in ids]
    assert await here.load("m4") is None


def test_those_that_are_over_make_room_for_those_that_are_not(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_OVER", 2)
    here = Memory(gate.store)
    sent = replace(message("m0", StepState.SUCCEEDED), status=Status.SENT)
    over = [replace(message(f"m{n}", StepState.SUCCEEDED), status=Status.DELIVERED) for n in range(1, 6)]
    here.remember(sent)
    unit = Unit()
    here.keep(unit, over[0])
    unit.take_back()
    here.remember(replace(over[0], status=Status.SENT))
    for each in over[1:]:
        here.remember(each)
    assert [n for n in range(6) if here.known(f"m{n}")] == [0, 1, 4, 5]


async def test_a_message_that_changes_while_it_is_read_is_given_as_changed(gate: Gate) -> None:
    here = Memory(gate.store)
    await gate.store.commit([message()])
    reading = asyncio.ensure_future(here.load("m1"))
    await asyncio.sleep(0)  # it has asked the store
    changed = replace(message(), text="changed")
    here.remember(changed)
    assert await reading == changed
