"""The voice channel: which trunk, how many calls, and that every call is reported or hung up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.channels.base import Carrier
from gateway.channels.voice import channel
from gateway.config.model import Seconds, Trunk
from gateway.content.otp import Codes
from gateway.protocol.rtp.codec import Codec
from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import CallState, OptionsAnswered, Probe, ReferProgress
from gateway.values.errors import StoreError
from gateway.values.otp import Code
from gateway.values.outcome import Result
from tests.channels.voice.conftest import FakePrompts

OURS, CUSTOMER = "+442079460000", "+447700900123"


async def test_a_step_goes_by_the_trunk_of_its_number_or_the_one_it_names(exchange: Any) -> None:
    it = exchange()
    channel, message = it.channel, it.message()
    assert channel.applicable(message, message.plan[0]) == ""
    assert channel.available(message, message.plan[0]) == Carrier("east")
    [foreign] = it.message(sender="12345").plan
    assert channel.applicable(message, foreign) == "no trunk carries '12345'"
    assert channel.available(message, foreign) == Carrier("", "no trunk")
    [named] = it.message(sender="12345", via="east").plan
    assert channel.available(message, named) == Carrier("east")
    [missing] = it.message(via="west").plan
    assert channel.applicable(message, missing) == "no trunk named 'west'"


async def test_one_who_opted_out_is_not_called(exchange: Any) -> None:
    it = exchange()
    it.opted_out.add(CUSTOMER)
    message = it.message()
    assert it.channel.applicable(message, message.plan[0]) == "has opted out"


async def test_a_call_is_handed_over_before_it_is_dialled(exchange: Any) -> None:
    it = exchange()
    await it.dial()
    assert it.begun == [("m/0", "east")]


async def test_no_more_calls_than_max_calls(exchange: Any) -> None:
    it = exchange(max_calls=1)
    call = await it.dial()
    message = it.message("n")
    assert it.channel.available(message, message.plan[0]).reason == "east has 1 calls, its max_calls"
    assert not it.channel.send(message, 0, "east")
    it.phone.fails(call, 486)
    await it.over()
    assert it.room == ["east"]
    assert it.channel.available(message, message.plan[0]).up
    await it.dial("n")


async def test_calls_begin_no_faster_than_the_trunk_allows(exchange: Any) -> None:
    it = exchange(calls_per_second=10)
    await it.dial("one")
    assert it.channel.send(it.message("two"), 0, "east")
    await asyncio.sleep(0.15)
    assert len(it.phone.calls) == 1
    it.clock.at += 0.1
    await it.until(lambda: len(it.phone.calls) == 2)


async def test_changed_trunks_hold_for_the_next_call_and_those_under_way_go_on(exchange: Any) -> None:
    it = exchange()
    call = await it.dial()
    west = Trunk(host="127.0.0.2", numbers=["+442079460009"], calls_per_second=0.0)
    it.channel.configure({"west": west})
    message = it.message()
    assert it.channel.applicable(message, message.plan[0]) == f"no trunk carries '{OURS}'"
    [other] = it.message(sender="+442079460009").plan
    assert it.channel.available(message, other) == Carrier("west")
    it.phone.fails(call, 486)
    await it.over()
    assert it.results == [Result.BUSY]


async def test_events_go_to_their_own_call(exchange: Any) -> None:
    it = exchange()
    first, second = await it.dial("one"), await it.dial("two")
    it.phone.fails(second, 486)
    it.phone.fails(first, 603)
    await it.over()
    assert {(id, o.result) for id, _, o in it.reports} == {("one", Result.REJECTED), ("two", Result.BUSY)}
    assert not it.channel.event(OptionsAnswered(Probe(Address("127.0.0.1", 5060)), 200))


async def test_no_free_port_is_an_outcome(exchange: Any) -> None:
    it = exchange()
    it.no_port = True
    assert it.channel.send(it.message(), 0, "east")
    await it.over()
    [(_, _, outcome)] = it.reports
    assert (outcome.result, outcome.reason) == (Result.UNREACHABLE, "no RTP port is free on 127.0.0.1")
    assert it.phone.calls == [] and it.room == ["east"]


async def test_a_prompt_that_cannot_be_made_is_an_outcome_and_nobody_is_called(exchange: Any) -> None:
    it = exchange()
    assert it.channel.send(it.message(language="xx"), 0, "east")
    await it.over()
    [(_, _, outcome)] = it.reports
    assert (outcome.result, outcome.reason) == (Result.UNREACHABLE, "no voice 'xx'")
    assert it.begun == [] and it.phone.calls == []


async def test_a_call_waits_for_a_store_that_refuses_the_hand_over(
    exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "_STORE_PAUSE_SECONDS", 0.001)
    it = exchange()
    it.hand_over_error = StoreError("the disk is full")
    assert it.channel.send(it.message(), 0, "east")
    await asyncio.sleep(0.05)
    assert it.phone.calls == [] and it.reports == []
    it.hand_over_error = None
    await it.until(lambda: it.phone.calls)
    it.phone.fails(it.phone.calls[0], 486)
    await it.over()
    assert it.results == [Result.BUSY]


async def test_a_defect_on_the_way_does_not_leave_the_chain_waiting(exchange: Any) -> None:
    it = exchange()
    it.hand_over_error = ZeroDivisionError("a defect")
    assert it.channel.send(it.message(), 0, "east")
    await it.over()
    [(_, _, outcome)] = it.reports
    assert (outcome.result, outcome.reason) == (Result.UNREACHABLE, "the call failed here: ZeroDivisionError")


async def test_a_trunk_that_is_gone_is_an_outcome(exchange: Any) -> None:
    it = exchange()
    assert it.channel.send(it.message(), 0, "west")
    [(_, _, outcome)] = it.reports
    assert (outcome.result, outcome.carrier) == (Result.UNREACHABLE, "west")


async def test_an_abandoned_step_that_rings_is_cancelled_and_not_reported(exchange: Any) -> None:
    it = exchange()
    call = await it.dial()
    it.phone.rings(call)
    it.channel.abandon("m", 0)
    await it.over()
    assert call.state is CallState.ENDED
    assert it.reports == [] and it.events == ["call.ended"]
    assert it.room == ["east"]


async def test_abandoning_what_is_not_under_way_is_nothing(exchange: Any) -> None:
    it = exchange()
    it.channel.abandon("m", 0)
    assert it.channel.send(it.message(), 0, "east")
    it.channel.abandon("m", 0)  # before its task had a turn
    await it.over()
    assert it.phone.calls == [] and it.reports == []


@pytest.mark.parametrize("talking", [False, True])
async def test_stopping_hangs_up_what_is_up(exchange: Any, talking: bool) -> None:
    it = exchange()
    call = await it.dial()
    it.phone.rings(call)
    if talking:
        it.phone.answers(call, it.answer_sdp())
        await it.until(lambda: it.media[0].playing)
    await it.channel.stop()
    assert call.state is (CallState.ENDING if talking else CallState.ENDED)
    assert it.events[-1] == "call.ended" and it.media[0].closed
    assert it.results == ([Result.ANSWERED] if talking else [])
    assert it.record.cause == ("answered" if talking else "no-answer")


async def test_many_calls_at_once_all_end(exchange: Any) -> None:
    it = exchange(max_calls=50)
    it.plays_at_once = True
    for n in range(50):
        it.phone.answers(await it.dial(str(n)), it.answer_sdp())
    await it.over()
    assert it.results == [Result.ANSWERED] * 50
    assert it.events.count("call.ended") == 50 and len(it.room) == 50


async def test_a_call_that_is_kept_is_a_leg_until_one_of_the_two_hangs_up(exchange: Any) -> None:
    it = exchange()
    call = await it.dial(text="", keep="call")
    it.phone.rings(call)
    it.phone.answers(call, it.answer_sdp(Codec.PCMA))
    await it.until(lambda: it.results)
    [(_, leg, keep)] = it.kept
    assert keep == "call"
    assert it.results == [Result.ANSWERED] and not leg.over
    assert it.media[0].target.codec is Codec.PCMA
    it.phone.hangs_up(call)
    await it.over()
    assert leg.over and leg.gone.result() == "the person who was called hung up"
    assert it.events == ["call.answered", "call.ended"]
    assert (it.record.cause, it.record.ended_by) == ("answered", "called")


async def test_a_leg_hangs_up_its_call(exchange: Any) -> None:
    it = exchange()
    call = await it.dial(text="", keep="call")
    it.phone.answers(call, it.answer_sdp())
    await it.until(lambda: it.results)
    it.kept[0][1].hang_up()
    await it.over()
    assert (it.record.ended_by, it.kept[0][1].gone.result()) == ("gateway", "we hung up")


async def test_a_kept_call_without_sound_is_hung_up_at_once(exchange: Any) -> None:
    it = exchange()
    it.unreachable = True
    call = await it.dial(text="", keep="call")
    it.phone.answers(call, it.answer_sdp())
    await it.over()
    assert it.results == [Result.ANSWERED] and it.kept[0][1].over


async def test_the_leg_of_a_call_that_nobody_answers_is_over(exchange: Any) -> None:
    it = exchange()
    it.phone.fails(await it.dial(text="", keep="call"), 486)
    await it.over()
    assert it.results == [Result.BUSY] and it.kept[0][1].over


async def test_a_leg_that_is_not_wanted_any_more_stops_ringing(exchange: Any) -> None:
    it = exchange()
    call = await it.dial(text="", keep="patch")
    it.phone.rings(call)
    it.kept[0][1].hang_up()
    await it.over()
    [(_, _, outcome)] = it.reports
    assert (outcome.result, outcome.code) == (Result.NO_ANSWER, "caller-gone")


async def test_a_one_time_password_is_spoken_character_by_character(exchange: Any) -> None:
    it = exchange()
    said = Code("o1", 1, "numeric", 4, (6,))
    message = it.message(text="Code: ****.", code=said)
    prompt = await it.channel._prompt(message, message.plan[0])
    digits = Codes(b"key").code("shop", message.recipient, said)
    assert prompt == await FakePrompts().from_text(f"Code: {', '.join(digits)}.")


# --- failover


A, B = Address("127.0.0.1", 5060), Address("127.0.0.2", 5060)


def two_trunks(exchange: Any, **east: Any) -> Any:
    """East and west carry the number; east has two hosts."""
    it = exchange(**east)
    it.trunks["west"] = Trunk(host="127.0.0.3", numbers=[OURS], calls_per_second=0.0)
    it.phone.hosts = {"east": [A, B]}
    it.channel.configure(it.trunks)
    return it


async def fail_next(it: Any, status: int, **how: bool) -> None:
    """The latest call fails; wait for what follows, a new one or the end."""
    before = len(it.phone.calls)
    it.phone.fails(it.phone.calls[-1], status, **how)
    await it.until(lambda: len(it.phone.calls) > before or not len(it.channel))


async def test_a_failed_call_is_tried_at_the_next_host_then_by_the_next_trunk(exchange: Any) -> None:
    it = two_trunks(exchange)
    await it.dial()
    await fail_next(it, 503)
    await fail_next(it, 408, unreachable=True)
    assert [(call.trunk, call.peer) for call in it.phone.calls[:2]] == [("east", A), ("east", B)]
    assert it.phone.calls[2].trunk == "west"
    assert (it.channel.busy["east"], it.channel.busy["west"]) == (0, 1)
    assert it.room == ["east"]
    await fail_next(it, 500)
    assert [(o.result, o.carrier, o.code) for _, _, o in it.reports] == [(Result.UNREACHABLE, "west", "500")]
    assert len(it.begun) == 1
    ended = [record for event, record in it.notes if event == "call.ended"]
    assert [(record.trunk, record.status) for record in ended] == [("east", 503), ("east", 0), ("west", 500)]


@pytest.mark.parametrize(("status", "result"), [
    (486, Result.BUSY), (600, Result.BUSY), (603, Result.REJECTED), (404, Result.UNREACHABLE),
])  # fmt: skip
async def test_who_was_reached_is_not_rung_twice(exchange: Any, status: int, result: Result) -> None:
    it = two_trunks(exchange)
    await it.dial()
    await fail_next(it, status)
    assert it.results == [result]
    assert len(it.phone.calls) == 1


async def test_the_codes_that_fail_over_are_the_trunks(exchange: Any) -> None:
    it = two_trunks(exchange, failover=[404])
    await it.dial()
    await fail_next(it, 404)
    assert len(it.phone.calls) == 2
    await fail_next(it, 503)
    assert it.results == [Result.UNREACHABLE]


async def test_one_who_does_not_lift_the_phone_is_not_rung_by_another_carrier(exchange: Any) -> None:
    it = two_trunks(exchange, ring_timeout=Seconds(0.3))
    it.phone.rings(await it.dial())
    await it.over()
    assert it.results == [Result.NO_ANSWER]
    assert len(it.phone.calls) == 1


async def test_a_step_that_names_its_trunk_stays_with_it(exchange: Any) -> None:
    it = two_trunks(exchange)
    await it.dial(via="east")
    await fail_next(it, 503)
    await fail_next(it, 503)
    assert [call.trunk for call in it.phone.calls] == ["east", "east"]
    assert it.results == [Result.UNREACHABLE]


async def test_a_trunk_that_is_down_is_passed_over_and_of_two_the_step_is_not_available(
    exchange: Any,
) -> None:
    it = two_trunks(exchange)
    it.phone.down["east"] = "no answer to OPTIONS"
    [step] = it.message().plan
    assert it.channel.available(it.message(), step) == Carrier("west")
    it.phone.down["west"] = "not registered yet"
    carrier = it.channel.available(it.message(), step)
    assert carrier.reason == "east: no answer to OPTIONS; west: not registered yet"


async def test_a_trunk_that_goes_down_before_the_call_is_an_outcome(exchange: Any) -> None:
    it = two_trunks(exchange)
    it.phone.down["east"] = "no answer to OPTIONS"
    assert it.channel.send(it.message(), 0, "east")
    await it.over()
    [(_, _, outcome)] = it.reports
    assert (outcome.result, outcome.reason) == (Result.UNREACHABLE, "east: no answer to OPTIONS")


async def test_a_kept_call_is_transferred_by_its_trunk(exchange: Any) -> None:
    it = exchange()
    call = await it.dial(text="", keep="call")
    it.phone.answers(call, it.answer_sdp())
    await it.until(lambda: it.results)
    transfer = asyncio.ensure_future(it.kept[0][1].transfer("+447700900999"))
    await it.until(lambda: it.phone.referred)
    assert it.phone.referred == [("east", "+447700900999")]
    it.channel.event(ReferProgress(call, 100, final=False))
    it.channel.event(ReferProgress(call, 486, final=True))
    assert await transfer == ("busy", 486)
