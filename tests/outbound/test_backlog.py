from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.outbound.accept import SendRequest
from gateway.outbound.memory import being_tried
from gateway.store.base import Unit
from gateway.values.outcome import Result, Status

Gate = Any
BOB = "+447700900001"


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
        wanted += [m.id for m in await gate.accept([request] * 60)]
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
    monkeypatch.setattr("gateway.outbound.backlog._PAGE", 1)
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
    await gate.until(lambda: gate.pipeline._backlog._refills["north"].after == behind)
    for act in unit.acts:
        act()
    await gate.quiet()
    for act in last_unit.acts:
        act()
    assert [id for id, *_ in gate.sms.sent] == [first.id, behind, last]


async def test_what_runs_out_of_time_in_the_store_is_not_sent(gate: Gate) -> None:
    gate.sms.room = 0
    message = await gate.submit(validity_seconds=5.0)
    await gate.due(6.0)
    assert (await gate.stored(message)).status is Status.EXPIRED
    gate.sms.room = 9
    gate.pipeline.refill("north")
    await gate.quiet()
    assert gate.sms.sent == [] and await gate.effects() == []


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


async def test_late_news_of_an_earlier_step_does_not_strand_the_one_that_waits_in_the_store(
    gate: Gate,
) -> None:
    message = await gate.start_chain()
    await gate.begin(message)
    gate.sms.room = 0
    await gate.due(60.1)  # `within` of the first step has run out, and the second finds no room
    before = await gate.stored(message)
    assert before.step == 1 and being_tried(before)
    gate.tell(message, Result.REJECTED)
    await gate.quiet()
    gate.sms.room = 10
    gate.pipeline.refill(before.steps[1].carrier)
    await gate.quiet()
    assert gate.sms.sent[-1] == (message.id, 1, ())


async def test_of_carriers_that_ask_by_themselves_nothing_is_remembered_and_all_is_found(gate: Gate) -> None:
    gone = {"north"}
    gate.pipeline._backlog._absent = gone.__contains__
    gate.sms.room = 0
    ids = [(await gate.submit()).id for _ in range(3)]
    gate.pipeline.refill("north", force=True)
    await gate.quiet()
    await gate.pipeline._backlog.take_up()
    assert gate.pipeline._backlog._refills == {} and gate.sms.sent == []
    gone.clear()
    gate.sms.room = 2
    gate.pipeline.refill("north", force=True)
    ids.append((await gate.submit()).id)
    await gate.quiet()
    assert [id for id, *_ in gate.sms.sent] == ids[:2]
    gate.sms.room = 9
    gate.pipeline.refill("north")
    await gate.quiet()
    assert [id for id, *_ in gate.sms.sent] == ids
