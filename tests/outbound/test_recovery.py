from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.outbound.accept import SendRequest
from gateway.values.outcome import Result, Status

Open = Any
BOB = "+447700900001"


async def test_what_was_not_begun_is_sent_after_a_crash(open_gate: Open) -> None:
    gate = await open_gate()
    gate.sms.room = 3
    ids = [(await gate.submit()).id for _ in range(5)]
    gate = await open_gate()
    await gate.pipeline.recover(lambda channel, carrier: False)
    await gate.quiet()
    assert gate.sms.sent == [(id, 0, ()) for id in ids], "each once"
    assert gate.pipeline.waiting == 5


async def test_what_was_begun_is_in_doubt_after_a_crash(open_gate: Open) -> None:
    gate = await open_gate()
    message = await gate.submit()
    await gate.begin(message)
    gate = await open_gate()
    await gate.pipeline.recover(lambda channel, carrier: False)
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
    await gate.pipeline.recover(lambda channel, carrier: False)
    await gate.quiet()
    assert gate.sms.sent == [(message.id, 1, ())]
    assert await gate.effects() == [("1", "ready", "south")]


async def test_what_was_begun_is_sent_again_where_its_bind_says_so(open_gate: Open) -> None:
    gate = await open_gate()
    message = await gate.submit(text="x" * 400)
    await gate.begin(message)
    gate.tell(message, None, gate.segment(message, 2, 3))
    await gate.quiet()
    gate = await open_gate()
    await gate.pipeline.recover(lambda channel, carrier: carrier == "north")
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
    await gate.pipeline.recover(lambda channel, carrier: False)
    await asyncio.sleep(0.01)
    await gate.quiet()
    assert gate.sms.sent == [(message.id, 1, ())]


async def test_many_begun_ones_are_settled(open_gate: Open) -> None:
    gate = await open_gate()
    messages = await gate.accept([SendRequest(service="alerts", to=BOB, text="hi")] * 700)
    await gate.pipeline.hand_over([f"{m.id}/0" for m in messages], "north")
    gate = await open_gate()
    await gate.pipeline.recover(lambda channel, carrier: False)
    assert await gate.effects() == []
    assert (await gate.store.counts())["messages.in-doubt"] == 700


async def test_what_was_begun_and_never_written_goes_out_after_a_crash(
    open_gate: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = await open_gate()
    sent = await gate.submit()
    await gate.begin(sent)
    monkeypatch.setattr(gate.store, "mark", lambda id: None)  # it is killed before
    unsent = await gate.submit()
    await gate.begin(unsent)
    gate = await open_gate()
    await gate.pipeline.recover(lambda channel, carrier: False)
    await gate.quiet()
    assert gate.sms.sent == [(unsent.id, 0, ())]
    assert (await gate.stored(sent)).status is Status.IN_DOUBT
    assert await gate.store.begun() == []


async def test_where_nobody_knows_what_was_written_all_that_was_begun_is_in_doubt(
    open_gate: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = await open_gate()
    message = await gate.submit()
    await gate.begin(message)
    gate = await open_gate()
    monkeypatch.setattr(gate.store, "marked", lambda: None)
    await gate.pipeline.recover(lambda channel, carrier: False)
    assert (await gate.stored(message)).status is Status.IN_DOUBT and gate.sms.sent == []
