from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.outbound.accept import SendRequest
from gateway.store.base import Unit
from gateway.values.errors import BadInput, StoreError, Throttled
from gateway.values.message import StepState
from gateway.values.outcome import Result, Status
from gateway.values.work import Timer

Gate = Any
Open = Any
BOB = "+447700900001"


# accepting


async def test_a_message_is_durable_before_it_is_sent(gate: Gate) -> None:
    submitting = asyncio.ensure_future(gate.submit())
    await asyncio.sleep(0)
    assert gate.sms.sent == []
    message = await submitting
    assert gate.sms.sent == [(message.id, 0, ())]
    assert await gate.store.message(message.id) == message
    assert await gate.effects() == [("0", "ready", "north")]
    assert await gate.log(message) == ["message.accepted", "step.started"]


async def test_what_happens_to_a_message_is_told_and_written(gate: Gate) -> None:
    message = await gate.submit()
    await gate.begin(message)
    assert await gate.effects() == [("0", "begun", "north")]
    gate.tell(message, Result.ACCEPTED, gate.segment(message))
    assert await gate.effects() == []
    assert (await gate.stored(message)).status is Status.SENT
    assert await gate.store.segments(message.id) == [gate.segment(message)]
    gate.tell(message, Result.DELIVERED)
    assert (await gate.stored(message)).status is Status.DELIVERED
    assert gate.events == [(message.id, "sent"), (message.id, "delivered")]
    assert await gate.log(message) == [
        "message.accepted",
        "step.started",
        "step.succeeded",
        "sms.status",
        "sms.status",
    ]
    assert gate.pipeline.waiting == 0


async def test_told_of_by_a_callback_the_good_ones_are_accepted_in_one_commit(gate: Gate) -> None:
    good = SendRequest(service="alerts", to=BOB, text="hi")
    told: list[Any] = []
    gate.pipeline.submit_soon([good, SendRequest(service="alerts", to="x", text="hi"), good], told.append)
    assert told == [] and gate.sms.sent == []
    await gate.until(lambda: told)
    [[first, refused, second]] = told
    assert isinstance(refused, BadInput) and refused.field == "to"
    assert gate.sms.sent == [(first.id, 0, ()), (second.id, 0, ())]
    assert await gate.store.message(second.id) == second


async def test_a_callback_is_told_at_once_when_there_is_nothing_to_commit(gate: Gate) -> None:
    told: list[Any] = []
    gate.pipeline.submit_soon([SendRequest(service="alerts", to="x", text="hi")], told.append)
    [[refused]] = told
    assert isinstance(refused, BadInput)


async def test_a_callback_is_told_of_a_store_that_refuses(gate: Gate) -> None:
    told: list[Any] = []
    good = SendRequest(service="alerts", to=BOB, text="hi")
    gate.store.refuses = "at once"
    with pytest.raises(Throttled):
        gate.pipeline.submit_soon([good], told.append)
    assert told == []
    gate.store.refuses = "later"
    gate.pipeline.submit_soon([good], told.append)
    await gate.until(lambda: told)
    assert isinstance(told[0], StoreError)
    assert gate.sms.sent == [] and gate.pipeline.waiting == 0


async def test_a_message_that_nothing_can_carry_is_accepted_and_failed_in_one_commit(gate: Gate) -> None:
    gate.sms.unfit = "the customer has opted out"
    message = await gate.submit()
    assert message.status is Status.FAILED and message.code == "not-applicable"
    assert gate.statuses == ["failed"] and await gate.effects() == []


async def test_more_than_the_queue_holds_is_throttled(open_gate: Open) -> None:
    gate = await open_gate(queue_limit=2)
    first = await gate.submit()
    await gate.submit()
    with pytest.raises(Throttled):
        await gate.submit()
    gate.tell(first, Result.ACCEPTED)
    await gate.submit()
    assert len(gate.sms.sent) == 3


async def test_a_caller_that_is_cancelled_loses_nothing(gate: Gate) -> None:
    submitting = asyncio.ensure_future(gate.submit())
    await asyncio.sleep(0)
    submitting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await submitting
    assert await gate.effects() == [("0", "ready", "north")]
    assert len(gate.sms.sent) == 1 and gate.pipeline.waiting == 1


@pytest.mark.parametrize(("how", "error"), [("at once", Throttled), ("later", StoreError)])
async def test_a_store_that_refuses_accepts_nothing(gate: Gate, how: str, error: type[Exception]) -> None:
    gate.store.refuses = how
    with pytest.raises(error):
        await gate.start_chain()
    assert gate.sms.sent == [] and gate.pipeline.waiting == 0 and len(gate.timers) == 0
    gate.store.refuses = ""
    message = await gate.submit()
    assert gate.sms.sent == [(message.id, 0, ())]


# the chain


async def test_a_refused_step_and_the_start_of_the_next_are_one_commit(gate: Gate) -> None:
    message = await gate.start_chain()
    await gate.begin(message)
    gate.tell(message, Result.REJECTED)
    assert gate.sms.sent == [(message.id, 0, ())], "not before it is durable"
    assert await gate.effects() == [("1", "ready", "south")]
    assert gate.sms.sent[1:] == [(message.id, 1, ())]
    gate.tell(message, Result.REJECTED, step=1, carrier="south")
    assert await gate.effects() == [("2", "ready", "east")]
    assert gate.voice.sent == [(message.id, 2, ())]
    gate.tell(message, Result.ANSWERED, step=2, carrier="east")
    stored = await gate.stored(message)
    assert (stored.status, stored.carrier, await gate.effects()) == (Status.ANSWERED, "east", [])
    assert await gate.log(message) == [
        "message.accepted",
        "step.started",
        *["step.failed", "step.started"] * 2,
        "step.succeeded",
        "sms.status",
    ]


async def test_within_runs_out_and_the_next_step_starts(gate: Gate) -> None:
    message = await gate.start_chain()
    assert [t.due for t in await gate.store.timers()] == [gate.clock.at + 60.0]
    await gate.due(59.9)
    assert len(gate.sms.sent) == 1
    await gate.due(0.2)
    assert gate.sms.sent[1:] == [(message.id, 1, ())] and gate.sms.abandoned == [(message.id, 0)]
    assert await gate.effects() == [("1", "ready", "south")]
    assert await gate.store.timers() == [] and len(gate.timers) == 0


async def test_success_in_time_clears_the_timer(gate: Gate) -> None:
    message = await gate.start_chain()
    gate.tell(message, Result.ACCEPTED)
    gate.tell(message, Result.DELIVERED)
    await gate.quiet()
    assert await gate.store.timers() == []
    await gate.due(100.0)
    assert len(gate.sms.sent) == 1


async def test_a_repetition_begins_after_its_pause_a_restart_in_between(open_gate: Open) -> None:
    gate = await open_gate()
    message = await gate.submit(text="", chain="patient")
    gate.tell(message, Result.BUSY, carrier="east")
    await gate.quiet()
    assert [(t.due, t.data) for t in await gate.store.timers()] == [
        (gate.clock.at + 60.0, {"step": 1, "rest": True})
    ]
    assert await gate.effects() == []
    gate = await open_gate()
    await gate.pipeline.recover(lambda channel, carrier: False)
    await gate.due(59.0)
    assert gate.voice.sent == []
    await gate.due(1.1)
    assert gate.voice.sent == [(message.id, 1, ())]


async def test_what_a_step_s_condition_says_leaves_it_out(gate: Gate) -> None:
    gate.skips["previous.result == 'busy'"] = "skip_when holds"
    message = await gate.submit(text="", chain="patient")
    gate.tell(message, Result.REJECTED, carrier="east")
    stored = await gate.stored(message)
    assert gate.sms.sent == [(message.id, 3, ())]
    assert [record.reason for record in stored.steps[1:3]] == [
        "the step that it repeats came out as rejected, which is for good",
        "skip_when holds",
    ]
    assert [event.type for event in await gate.store.events(message.id)].count("step.skipped") == 2


async def test_the_time_of_a_chain_ends_what_a_carrier_never_answered(gate: Gate) -> None:
    message = await gate.submit(text="", chain="patient")
    await gate.due(90.1)
    stored = await gate.stored(message)
    assert gate.voice.abandoned == [(message.id, 0)] and gate.sms.sent == []
    assert stored.status is Status.EXPIRED and "90 s were over" in stored.reason


async def test_a_late_success_stops_the_step_in_progress(gate: Gate) -> None:
    message = await gate.start_chain()
    await gate.begin(message)
    gate.tell(message, Result.ACCEPTED)
    await gate.due(61.0)
    gate.tell(message, Result.DELIVERED)
    stored = await gate.stored(message)
    assert stored.status is Status.DELIVERED and stored.steps[1].state is StepState.SKIPPED
    assert gate.sms.abandoned == [(message.id, 1)] and await gate.effects() == []


async def test_a_step_abandoned_before_it_is_durable_is_not_sent(gate: Gate) -> None:
    submitting = asyncio.ensure_future(gate.start_chain())
    await asyncio.sleep(0)
    gate.clock.at += 61.0
    gate.timers._due()
    message = await submitting
    await gate.quiet()
    assert gate.sms.sent == [(message.id, 1, ())]
    assert await gate.effects() == [("1", "ready", "south")]


async def test_handing_over_what_was_abandoned_brings_no_effect_back(gate: Gate) -> None:
    message = await gate.submit(validity_seconds=5.0)
    await gate.due(6.0)
    await gate.begin(message)
    assert await gate.effects() == []
    assert (await gate.stored(message)).status is Status.EXPIRED


async def test_news_of_a_message_that_memory_has_forgotten(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.outbound.memory._RECENT", 0)
    message = await gate.submit()
    gate.tell(message, Result.ACCEPTED)
    await gate.quiet()
    gate.store.unreadable = True
    gate.tell(message, Result.DELIVERED, gate.segment(message))
    await asyncio.sleep(0.01)
    gate.store.unreadable = False
    await asyncio.sleep(0.01)
    assert (await gate.stored(message)).status is Status.DELIVERED
    assert await gate.store.segments(message.id) == [gate.segment(message)]


async def test_a_timer_of_a_message_that_is_gone_goes_too(gate: Gate) -> None:
    unit = Unit()
    gate.timers.set(unit, Timer(kind="step", ref="gone", due=gate.clock.at + 1.0, data={"step": 0}))
    await unit.commit(gate.store)
    await gate.due(2.0)
    assert await gate.store.timers() == []


# what a channel gives back


async def test_what_a_channel_gives_back_comes_again_without_the_parts_that_were_taken(gate: Gate) -> None:
    message = await gate.submit(text="x" * 400)
    await gate.begin(message)
    gate.tell(message, None, gate.segment(message, 1, 3))
    gate.pipeline.give_back(f"{message.id}/0", "north")
    gate.tell(message, None, gate.segment(message, 2, 3))  # its answer came afterwards
    assert await gate.effects() == [("0", "ready", "north")]
    gate.pipeline.refill("north")
    await gate.quiet()
    assert gate.sms.sent == [(message.id, 0, ()), (message.id, 0, (1, 2))]


async def test_what_rests_with_its_carrier_is_no_doubt_after_a_crash(open_gate: Open) -> None:
    first = await open_gate()
    message = await first.submit(text="x" * 400)
    await first.begin(message)
    first.tell(message, None, first.segment(message, 1, 3))
    first.pipeline.rest(f"{message.id}/0")
    assert await first.effects() == [("0", "ready", "north")]
    first.pipeline.refill("north", force=True)  # it is still with its channel
    await first.quiet()
    assert len(first.sms.sent) == 1
    second = await open_gate()
    await second.pipeline.recover(lambda channel, carrier: False)
    await second.quiet()
    assert second.statuses == [] and second.sms.sent == [(message.id, 0, (1,))]


async def test_what_was_begun_again_after_a_rest_is_in_doubt_after_a_crash(open_gate: Open) -> None:
    first = await open_gate()
    message = await first.submit()
    await first.begin(message)
    first.pipeline.rest(f"{message.id}/0")
    await first.begin(message)
    assert await first.effects() == [("0", "begun", "north")]
    second = await open_gate()
    await second.pipeline.recover(lambda channel, carrier: False)
    assert (await second.stored(message)).status is Status.IN_DOUBT and second.sms.sent == []


async def test_giving_back_what_is_decided_does_nothing(gate: Gate) -> None:
    message = await gate.submit()
    gate.tell(message, Result.REJECTED)
    gate.pipeline.give_back(f"{message.id}/0", "north")
    assert await gate.effects() == []
    await gate.submit()
    assert len(gate.sms.sent) == 2, "the carrier is not thought to be full"
