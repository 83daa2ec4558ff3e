from __future__ import annotations

from typing import Any

import pytest

from gateway.outbound.reroute import Reroute
from gateway.values.errors import StoreError
from gateway.values.message import StepState
from gateway.values.outcome import Result

Gate = Any
Open = Any


def reroute(gate: Gate) -> Reroute:
    return Reroute(
        store=gate.store,
        clock=gate.clock,
        pipeline=gate.pipeline,
        channel=gate.sms,
        down=lambda: sorted(gate.sms.down),
    )


def only_south(gate: Gate) -> None:
    gate.sms.down, gate.sms.carriers = {"north"}, ("south", "north")


async def waiting(gate: Gate, **fields: object) -> Any:
    """A message in the queue of north, which goes down; south is up."""
    message = await gate.submit(**fields)
    assert await gate.effects() == [("0", "ready", "north")]
    only_south(gate)
    return message


async def test_what_waits_for_a_carrier_that_is_down_moves(gate: Gate) -> None:
    message = await waiting(gate)
    assert await reroute(gate).move_from("north") == 1
    assert await gate.effects() == [("0", "ready", "south")]
    assert gate.sms.abandoned == [(message.id, 0)]
    assert gate.sms.sent == [(message.id, 0, ())] * 2  # the first was abandoned before anybody wrote it
    stored = await gate.stored(message)
    assert (stored.steps[0].carrier, stored.steps[0].state) == ("south", StepState.TRYING)
    assert (await gate.log(message))[-1] == "step.moved"
    await gate.begin(message, carrier="south")
    gate.tell(message, Result.ACCEPTED, carrier="south")
    assert gate.statuses == ["sent"] and (await gate.stored(message)).carrier == "south"
    assert await gate.effects() == []


async def test_what_a_carrier_may_have_stays(gate: Gate) -> None:
    message = await waiting(gate)
    await gate.begin(message)
    await gate.quiet()
    assert await reroute(gate).move_from("north") == 0
    gate.pipeline.give_back(f"{message.id}/0", "north")
    assert await gate.effects() == [("0", "ready", "north")]
    assert await reroute(gate).move_from("north") == 0


async def test_parts_taken_before_a_restart_stay_with_their_carrier(open_gate: Open) -> None:
    first = await open_gate()
    message = await waiting(first, text="x" * 400)
    await first.store.commit([first.segment(message, 1, 3)])
    second = await open_gate()
    only_south(second)
    assert await reroute(second).move_from("north") == 0
    assert (await second.stored(message)).steps[0].carrier == "north"


async def test_without_another_carrier_it_waits(gate: Gate) -> None:
    await waiting(gate)
    gate.sms.down = {"north", "south"}
    assert await reroute(gate).move_from("north") == 0
    gate.sms.down, gate.sms.carriers = {"north"}, ("north",)
    assert await reroute(gate).move_from("north") == 0
    assert await gate.effects() == [("0", "ready", "north")]


async def test_a_carrier_that_is_back_keeps_its_messages(gate: Gate) -> None:
    await waiting(gate)
    gate.sms.down = set()
    assert await reroute(gate).move_from("north") == 0


async def test_what_waits_in_the_store_moves_too_and_goes_out_once(open_gate: Open) -> None:
    first = await open_gate()
    messages = [await first.submit() for _ in range(5)]
    second = await open_gate()
    only_south(second)
    assert await reroute(second).move_from("north") == 5
    await second.quiet()
    second.pipeline.refill("north", force=True)  # it comes back
    second.pipeline.refill("south", force=True)
    await second.quiet()
    assert [id for id, _, _ in second.sms.sent] == [message.id for message in messages]
    assert {carrier for _, _, carrier in await second.effects()} == {"south"}


async def test_pages_with_nothing_to_move_are_no_end(
    open_gate: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.outbound.reroute._PAGE", 2)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    first = await open_gate()
    messages = [await first.submit(text="x" * 400) for _ in range(7)]
    await first.store.commit([first.segment(message, 1, 3) for message in messages[:4]])
    second = await open_gate()
    only_south(second)
    monkeypatch.setattr("gateway.outbound.reroute.asyncio.sleep", pause)
    assert await reroute(second).move_from("north") == 3
    monkeypatch.undo()
    assert pauses == [pytest.approx(0.05)] * 2
    stored = [await second.stored(message) for message in messages]
    assert [each.steps[0].carrier for each in stored] == ["north"] * 4 + ["south"] * 3


async def test_what_the_new_carrier_has_no_room_for_waits_there(gate: Gate) -> None:
    message = await waiting(gate)
    gate.sms.room = 0
    assert await reroute(gate).move_from("north") == 1
    assert await gate.effects() == [("0", "ready", "south")]
    gate.pipeline.refill("north", force=True)
    await gate.quiet()
    gate.sms.room = 10
    gate.pipeline.refill("south")
    await gate.quiet()
    assert gate.sms.sent == [(message.id, 0, ())] * 2


async def test_it_looks_after_a_while_and_again_if_more_has_changed(gate: Gate) -> None:
    message = await waiting(gate)
    look = reroute(gate)
    look.soon(0.0)
    look.soon(0.0)
    await gate.until(lambda: look._task is None)
    assert (await gate.stored(message)).steps[0].carrier == "south"
    look.soon(60.0)
    await look.stop()
    look.soon(0.0)
    assert look._task is None


async def test_a_store_that_cannot_be_read_is_no_end(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    await waiting(gate)
    look = reroute(gate)
    gate.store.unreadable = True
    with pytest.raises(StoreError):
        await look.move_from("north")
    look.soon(0.0)
    await gate.until(lambda: look._task is None)
    assert "reroute.failed" in caplog.messages
