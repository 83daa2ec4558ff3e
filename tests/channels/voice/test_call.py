"""One outbound call from INVITE to BYE."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.channels.voice import call
from gateway.config.model import Seconds
from gateway.protocol import sdp
from gateway.protocol.rtp.codec import Codec
from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import CallState, OfferReceived
from gateway.values.outcome import Result

OURS, CUSTOMER = "+442079460000", "+447700900123"


async def test_an_answered_call_hears_the_prompt_and_is_hung_up(exchange: Any) -> None:
    it = exchange()
    call = await it.dial()
    assert (call.to_number, call.from_number, call.peer) == (CUSTOMER, OURS, Address("127.0.0.1", 5060))
    assert b"m=audio 20000 " in it.phone.offers[0]
    it.phone.rings(call)
    it.clock.at = 4.0
    it.phone.answers(call, it.answer_sdp())
    await it.until(lambda: it.results)
    assert it.results == [Result.ANSWERED], "said at the answer, not after the prompt"
    [media] = it.media
    await it.until(lambda: media.playing)
    assert (media.target.remote_address, media.target.remote_port) == ("127.0.0.9", 30_000)
    assert media.played == [b"uHello"]
    it.clock.at = 9.0
    media.playing.set_result(True)
    await it.over()
    assert call.state is CallState.ENDING
    assert it.events == ["call.answered", "call.ended"]
    record = it.record
    assert (record.state, record.cause, record.status, record.ended_by, record.codec) == (
        "ended",
        "answered",
        200,
        "gateway",
        "PCMU",
    )
    assert record.rung_at == record.started_at
    assert (record.packets_sent, record.packets_received, record.packets_lost) == (270, 250, 2)
    assert (record.jitter_ms, record.dtmf, record.recording) == (1.25, 4, "c1.wav")
    assert (record.answered_at - record.started_at, record.ended_at - record.started_at) == (4.0, 9.0)
    assert it.results == [Result.ANSWERED]


async def test_the_prompt_is_played_in_the_codec_that_was_agreed(exchange: Any) -> None:
    it = exchange()
    call = await it.dial(text="", wav="/prompts/hello.wav")
    it.phone.answers(call, it.answer_sdp(Codec.PCMA))
    await it.until(lambda: it.media[0].played)
    assert it.media[0].played == [b"a/prompts/hello.wav"]


async def test_a_call_put_on_hold_is_followed(exchange: Any) -> None:
    it = exchange()
    call = await it.dial()
    it.phone.answers(call, it.answer_sdp())
    await it.until(lambda: it.media[0].played)
    held = sdp.build_offer("127.0.0.9", 30_002, (Codec.PCMU,), session_id=1, direction=sdp.Direction.SENDONLY)
    it.channel.event(OfferReceived(call, held))
    assert it.media[0].target.remote_port == 30_002
    assert not it.media[0].target.direction.sends
    [answer] = it.phone.answers_inside
    assert b"a=recvonly" in answer


async def test_a_person_who_hangs_up_first_ends_the_call(exchange: Any) -> None:
    it = exchange()
    call = await it.dial()
    it.phone.answers(call, it.answer_sdp())
    await it.until(lambda: it.media[0].playing)
    it.phone.hangs_up(call)
    await it.over()
    assert it.events == ["call.answered", "call.ended"]
    assert it.media[0].playing.cancelled()
    assert (it.record.cause, it.results) == ("answered", [Result.ANSWERED])
    assert it.record.ended_by == "called"


@pytest.mark.parametrize(
    ("cause", "q850", "reason"),
    [("", 0, "Sorry"), ('Q.850;cause=17;text="User busy"', 17, "User busy"), ("Q.850;cause=34", 34, "Sorry")],
)
async def test_what_a_refusal_says_is_in_the_record(
    exchange: Any, cause: str, q850: int, reason: str
) -> None:
    it = exchange()
    it.phone.fails(await it.dial(), 486, cause=cause)
    await it.over()
    record = it.record
    assert (record.status, record.q850, record.reason, record.ended_by) == (486, q850, reason, "called")


async def test_a_person_who_hangs_up_with_the_answer_has_answered(exchange: Any) -> None:
    it = exchange()
    call = await it.dial()
    it.phone.answers(call, it.answer_sdp())
    it.phone.hangs_up(call)
    await it.over()
    assert it.events == ["call.answered", "call.ended"] and it.media[0].played == []


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (486, Result.BUSY),
        (600, Result.BUSY),
        (408, Result.NO_ANSWER),
        (487, Result.NO_ANSWER),
        (403, Result.REJECTED),
        (603, Result.REJECTED),
        (404, Result.UNREACHABLE),
        (503, Result.UNREACHABLE),
    ],
)
async def test_a_refusal_is_its_own_outcome(exchange: Any, status: int, result: Result) -> None:
    it = exchange()
    call = await it.dial()
    it.phone.fails(call, status)
    await it.over()
    [(id, index, outcome)] = it.reports
    assert (id, index, outcome.result, outcome.code, outcome.carrier) == ("m", 0, result, str(status), "east")
    assert it.events == ["call.ended"]
    assert (it.record.cause, it.record.status, it.record.answered_at) == (str(result), status, 0.0)


async def test_nobody_answering_in_time_is_no_answer(exchange: Any) -> None:
    it = exchange(ring_timeout=Seconds(0.3))
    call = await it.dial()
    it.phone.rings(call)
    await it.over()
    assert call.state is CallState.ENDED
    assert it.results == [Result.NO_ANSWER] and it.events == ["call.ended"]


async def test_a_trunk_that_never_responds_is_unreachable(exchange: Any) -> None:
    it = exchange()
    it.phone.fails(await it.dial(), 408, unreachable=True)
    await it.over()
    [(_, _, outcome)] = it.reports
    assert (outcome.result, outcome.code) == (Result.UNREACHABLE, "")


async def test_a_trunk_still_silent_after_the_ring_timeout_is_unreachable(exchange: Any) -> None:
    """It counted as nobody answering, and only when SIP's timer B had run out too."""
    it = exchange(ring_timeout=Seconds(0.01))
    call = await it.dial()
    await it.over()
    assert call.state is CallState.ABANDONED
    assert it.results == [Result.UNREACHABLE] and it.events == ["call.ended"]


async def test_an_invite_that_cannot_be_sent_is_unreachable_at_once(exchange: Any) -> None:
    """SIP said so before `invite` had given the call back: nobody heard it, and the call never ended."""
    it = exchange()
    it.phone.cannot_send = True
    await it.dial()
    await it.over()
    assert it.results == [Result.UNREACHABLE] and it.events == ["call.ended"]


async def test_what_comes_after_a_silent_trunk_was_given_up_changes_nothing(exchange: Any) -> None:
    it = exchange(ring_timeout=Seconds(0.01))
    call = await it.dial()
    await it.over()
    it.phone.fails(call, 487)  # what the agent tells when a 200 comes after all; it has sent the BYE
    assert it.results == [Result.UNREACHABLE] and it.events == ["call.ended"]


@pytest.mark.parametrize("answer", [b"", b"v=0\r\n", b"not sdp at all"])
async def test_an_answer_without_usable_media_is_hung_up(exchange: Any, answer: bytes) -> None:
    it = exchange()
    call = await it.dial()
    it.phone.answers(call, answer)
    await it.over()
    assert call.state is CallState.ENDING
    assert it.events == ["call.answered", "call.ended"] and it.media[0].played == []


async def test_a_media_address_that_cannot_be_reached_is_hung_up(exchange: Any) -> None:
    it = exchange()
    it.unreachable = True
    call = await it.dial()
    it.phone.answers(call, it.answer_sdp())
    await it.over()
    assert call.state is CallState.ENDING and it.events == ["call.answered", "call.ended"]


async def asked(it: Any) -> Any:
    """A call that was answered, and asks for the key 5."""
    call = await it.dial(confirm="5")
    it.phone.answers(call, it.answer_sdp())
    await it.until(lambda: it.media and it.media[0].playing)
    return call


async def test_a_call_is_confirmed_by_its_key_once_that_is_pressed(exchange: Any) -> None:
    it = exchange()
    await asked(it)
    [media] = it.media
    assert it.results == [Result.ANSWERED]
    media.digits.put_nowait("5")
    media.playing.set_result(False)  # the key has cut it
    await it.until(lambda: len(it.results) == 2)
    assert it.results == [Result.ANSWERED, Result.CONFIRMED] and media.played == [b"uHello"]
    await it.over()
    assert it.events == ["call.answered", "call.ended"] and it.record.cause == "answered"


async def test_after_a_wrong_key_or_none_it_is_asked_again_and_in_the_end_not_confirmed(
    exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call, "_KEY_SECONDS", 0.01)
    it = exchange()
    it.plays_at_once = True
    answered = await it.dial(confirm="5")
    it.phone.answers(answered, it.answer_sdp())
    await it.until(lambda: it.media and it.media[0].playing)
    for key in "12":  # the second is no answer to the next question
        it.media[0].digits.put_nowait(key)
    await it.until(lambda: len(it.results) == 2)
    assert it.media[0].played == [b"uHello"] * 3
    assert it.results == [Result.ANSWERED, Result.UNCONFIRMED]
    assert it.reports[-1][2].reason == "the key 5 was not pressed"
    await it.over()


@pytest.mark.parametrize(("key", "result"), [("5", Result.CONFIRMED), ("6", Result.UNCONFIRMED)])
async def test_who_presses_a_key_and_hangs_up_at_once_has_done_both(
    exchange: Any, key: str, result: Result
) -> None:
    it = exchange()
    up = await asked(it)
    it.media[0].digits.put_nowait(key)
    it.phone.hangs_up(up)
    await it.over()
    assert it.results == [Result.ANSWERED, result]
