from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.outbound.accept import SendRequest
from gateway.store.base import Unit
from gateway.values.errors import BadInput, StoreError, Throttled
from gateway.values.event import Event
from gateway.values.message import StepState
from gateway.values.outcome import Result, Status
from gateway.values.work import Effect, Timer

Gate = Any
Open = Any
BOB = "+447700900001"


async def due(gate: Gate, seconds: float) -> None:
    """Time passes, and what the loop does when its timer runs out."""
    gate.clock.at += seconds
    gate.timers._due()
    await gate.quiet()


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


async def test_a_bad_request_among_others_accepts_none(gate: Gate) -> None:
    good, bad = (
        SendRequest(service="alerts", to=BOB, text="hi"),
        SendRequest(service="alerts", to="x", text=""),
    )
    with pytest.raises(BadInput):
        await gate.pipeline.submit([good, bad])
    assert gate.pipeline.waiting == 0 and gate.sms.sent == []
    assert (await gate.store.counts())["messages"] == 0


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
    await due(gate, 59.9)
    assert len(gate.sms.sent) == 1
    await due(gate, 0.2)
    assert gate.sms.sent[1:] == [(message.id, 1, ())] and gate.sms.abandoned == [(message.id, 0)]
    assert await gate.effects() == [("1", "ready", "south")]
    assert await gate.store.timers() == [] and len(gate.timers) == 0


async def test_success_in_time_clears_the_timer(gate: Gate) -> None:
    message = await gate.start_chain()
    gate.tell(message, Result.ACCEPTED)
    gate.tell(message, Result.DELIVERED)
    await gate.quiet()
    assert await gate.store.timers() == []
    await due(gate, 100.0)
    assert len(gate.sms.sent) == 1


async def test_a_late_success_stops_the_step_in_progress(gate: Gate) -> None:
    message = await gate.start_chain()
    await gate.begin(message)
    gate.tell(message, Result.ACCEPTED)
    await due(gate, 61.0)
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
    await due(gate, 6.0)
    await gate.begin(message)
    assert await gate.effects() == []
    assert (await gate.stored(message)).status is Status.EXPIRED


async def test_news_of_a_message_that_memory_has_forgotten(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.outbound.pipeline._RECENT", 0)
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
    await due(gate, 2.0)
    assert await gate.store.timers() == []


# back-pressure


async def test_what_finds_no_room_waits_in_the_store_and_comes_in_order(gate: Gate) -> None:
    gate.sms.room = 2
    ids = [(await gate.submit()).id for _ in range(10)]
    assert [id for id, *_ in gate.sms.sent] == ids[:2]
    gate.sms.room = 3
    gate.pipeline.refill("north")
    await gate.quiet()
    assert [id for id, *_ in gate.sms.sent] == ids[:5]
    # newer ones wait behind those in the store
    gate.sms.room = 100
    ids.append((await gate.submit()).id)
    assert len(gate.sms.sent) == 5
    gate.pipeline.refill("north")
    await gate.quiet()
    assert [id for id, *_ in gate.sms.sent] == ids
    ids.append((await gate.submit()).id)
    assert gate.sms.sent[-1][0] == ids[-1], "nothing waits any more"


async def test_a_full_carrier_does_not_hold_up_another(gate: Gate) -> None:
    gate.sms.room = 0
    await gate.submit()
    message = await gate.submit(channel="voice", sender="+442079460000", until=Result.ANSWERED)
    assert gate.voice.sent == [(message.id, 0, ())]


async def test_thousands_are_neither_lost_nor_doubled(gate: Gate) -> None:
    request = SendRequest(service="alerts", to=BOB, text="hi")
    gate.sms.room = 50
    wanted: list[str] = []
    told = 0
    for burst in range(40):
        wanted += [m.id for m in await gate.pipeline.submit([request] * 60)]
        for id, index, _ in gate.sms.sent[told : told + 60]:
            gate.pipeline.report(id, index, None)
        told += 60
        gate.sms.room += 70 if burst % 3 else 20
        gate.pipeline.refill("north")
        if burst % 4 == 0:
            await asyncio.sleep(0.002)
    while len(gate.sms.sent) < len(wanted):
        before = len(gate.sms.sent)
        gate.sms.room += 500
        gate.pipeline.refill("north")
        await gate.quiet()
        assert len(gate.sms.sent) > before, "some are forgotten in the store"
    assert [id for id, *_ in gate.sms.sent] == wanted


async def test_what_is_left_to_the_store_behind_a_refill_that_is_reading_is_found(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.outbound.pipeline._PAGE", 1)
    gate.sms.room = 0
    request = SendRequest(service="alerts", to=BOB, text="hi")
    first = await gate.submit()
    later: list[tuple[str, Unit]] = []
    for _ in range(2):  # durable, and what follows from that is still to come
        unit = Unit()
        later.append((gate.pipeline.accept(unit, request).id, unit))
        await gate.store.commit(unit.writes)
    gate.sms.room = 9
    gate.pipeline.refill("north")
    (behind, unit), (last, last_unit) = later
    # it has read past the second, and goes on to the third
    await gate.until(lambda: gate.pipeline._refills["north"].after == f"{behind}/0")
    for act in unit.acts:
        act()
    await gate.quiet()
    for act in last_unit.acts:
        act()
    assert [id for id, *_ in gate.sms.sent] == [first.id, behind, last]


async def test_what_runs_out_of_time_in_the_store_is_not_sent(gate: Gate) -> None:
    gate.sms.room = 0
    message = await gate.submit(validity_seconds=5.0)
    await due(gate, 6.0)
    assert (await gate.stored(message)).status is Status.EXPIRED
    gate.sms.room = 9
    gate.pipeline.refill("north")
    await gate.quiet()
    assert gate.sms.sent == [] and await gate.effects() == []


async def test_what_a_channel_gives_back_comes_again_without_the_parts_that_were_taken(gate: Gate) -> None:
    message = await gate.submit()
    await gate.begin(message)
    gate.tell(message, None, gate.segment(message, 1, 3))
    gate.pipeline.give_back(f"{message.id}/0", "north", [1])
    gate.tell(message, None, gate.segment(message, 2, 3))  # its answer came afterwards
    assert await gate.effects() == [("0", "ready", "north")]
    gate.pipeline.refill("north")
    await gate.quiet()
    assert gate.sms.sent == [(message.id, 0, ()), (message.id, 0, (1, 2))]


async def test_what_rests_with_its_carrier_is_no_doubt_after_a_crash(open_gate: Open) -> None:
    first = await open_gate()
    message = await first.submit()
    await first.begin(message)
    first.tell(message, None, first.segment(message, 1, 3))
    first.pipeline.rest(f"{message.id}/0", "north", [1])
    assert await first.effects() == [("0", "ready", "north")]
    first.pipeline.refill("north", force=True)  # it is still with its channel
    await first.quiet()
    assert len(first.sms.sent) == 1
    second = await open_gate()
    await second.pipeline.recover(lambda effect: False)
    await second.quiet()
    assert second.statuses == [] and second.sms.sent == [(message.id, 0, (1,))]


async def test_what_was_begun_again_after_a_rest_is_in_doubt_after_a_crash(open_gate: Open) -> None:
    first = await open_gate()
    message = await first.submit()
    await first.begin(message)
    first.pipeline.rest(f"{message.id}/0", "north", [])
    await first.begin(message)
    assert await first.effects() == [("0", "begun", "north")]
    second = await open_gate()
    await second.pipeline.recover(lambda effect: False)
    assert (await second.stored(message)).status is Status.IN_DOUBT and second.sms.sent == []


async def test_giving_back_what_is_decided_does_nothing(gate: Gate) -> None:
    message = await gate.submit()
    gate.tell(message, Result.REJECTED)
    gate.pipeline.give_back(f"{message.id}/0", "north", [])
    assert await gate.effects() == []
    await gate.submit()
    assert len(gate.sms.sent) == 2, "the carrier is not thought to be full"


async def test_a_refill_that_cannot_read_is_tried_again(gate: Gate) -> None:
    gate.sms.room = 0
    message = await gate.submit()
    gate.sms.room, gate.store.unreadable = 9, True
    gate.pipeline.refill("north")
    await asyncio.sleep(0.02)
    assert gate.sms.sent == []
    gate.store.unreadable = False
    await asyncio.sleep(0.02)
    await gate.quiet()
    assert gate.sms.sent == [(message.id, 0, ())]


# a store that fails for a while


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


# after a crash


async def test_what_was_not_begun_is_sent_after_a_crash(open_gate: Open) -> None:
    gate = await open_gate()
    gate.sms.room = 3
    ids = [(await gate.submit()).id for _ in range(5)]
    gate = await open_gate()
    await gate.pipeline.recover(lambda effect: False)
    await gate.quiet()
    assert gate.sms.sent == [(id, 0, ()) for id in ids], "each once"
    assert gate.pipeline.waiting == 5


async def test_recovery_leaves_what_is_no_channels_own(open_gate: Open) -> None:
    gate = await open_gate()
    ready = Effect(key="run1/1", kind="http", ref="run1", created_at=0.0)
    begun = Effect(key="run1/2", kind="http", ref="run1", state="begun", created_at=0.0)
    await gate.store.commit([ready, begun])
    ids = [(await gate.submit()).id for _ in range(3)]
    gate = await open_gate()
    await gate.pipeline.recover(lambda effect: True)
    await gate.quiet()
    assert gate.sms.sent == [(id, 0, ()) for id in ids]
    assert await gate.store.effects(after="run") == [ready, begun]


async def test_what_was_begun_is_in_doubt_after_a_crash(open_gate: Open) -> None:
    gate = await open_gate()
    message = await gate.submit()
    await gate.begin(message)
    gate = await open_gate()
    await gate.pipeline.recover(lambda effect: False)
    assert gate.sms.sent == [] and await gate.effects() == []
    stored = await gate.stored(message)
    assert stored.status is Status.IN_DOUBT and gate.statuses == ["in-doubt"]
    [segment] = await gate.store.segments(message.id)
    assert (segment.part, segment.total, segment.state) == (1, 1, "in-doubt")


async def test_a_step_in_doubt_after_a_crash_moves_the_chain_on(open_gate: Open) -> None:
    gate = await open_gate()
    message = await gate.start_chain()
    await gate.begin(message)
    gate = await open_gate()
    await gate.pipeline.recover(lambda effect: False)
    await gate.quiet()
    assert gate.sms.sent == [(message.id, 1, ())]
    assert await gate.effects() == [("1", "ready", "south")]


async def test_what_was_begun_is_sent_again_where_its_bind_says_so(open_gate: Open) -> None:
    gate = await open_gate()
    message = await gate.submit()
    await gate.begin(message)
    gate.tell(message, None, gate.segment(message, 2, 3))
    await gate.quiet()
    gate = await open_gate()
    await gate.pipeline.recover(lambda effect: effect.carrier == "north")
    await gate.quiet()
    assert gate.sms.sent == [(message.id, 0, (2,))]
    assert "step.resent" in await gate.log(message)
    await gate.begin(message)
    gate.tell(message, Result.ACCEPTED)
    assert (await gate.stored(message)).status is Status.SENT and await gate.effects() == []


async def test_within_is_kept_over_a_crash(open_gate: Open) -> None:
    gate = await open_gate()
    message = await gate.start_chain()
    await gate.begin(message)
    gate.tell(message, Result.ACCEPTED)
    await gate.quiet()
    gate.clock.at += 61.0
    gate = await open_gate()
    await gate.pipeline.recover(lambda effect: False)
    await asyncio.sleep(0.01)
    await gate.quiet()
    assert gate.sms.sent == [(message.id, 1, ())]


async def test_many_begun_ones_are_settled(open_gate: Open) -> None:
    gate = await open_gate()
    messages = await gate.pipeline.submit([SendRequest(service="alerts", to=BOB, text="hi")] * 700)
    await gate.pipeline.hand_over([f"{m.id}/0" for m in messages], "north")
    gate = await open_gate()
    await gate.pipeline.recover(lambda effect: False)
    assert await gate.effects() == []
    assert (await gate.store.counts())["messages.in-doubt"] == 700


async def test_a_record_that_nothing_can_store_does_not_hold_up_the_others(gate: Gate) -> None:
    one, two = await gate.submit(), await gate.submit()
    broken = Unit()
    broken.writes.append(Event(ref=one.id, type="broken", service="alerts", at=1.0, data={"no": object()}))
    gate.pipeline.record(broken)
    gate.tell(two, Result.ACCEPTED)
    await gate.until(lambda: not gate.pipeline.unrecorded)
    assert (await gate.stored(two)).status is Status.SENT
