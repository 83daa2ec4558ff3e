"""Inbound calls that may be answered: what SIP is told, and the record and the event of each."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from gateway.channels.voice.inbound import InboundCall, NoSound, Reception
from gateway.config.model import Trunk
from gateway.protocol import sdp
from gateway.protocol.rtp.codec import Codec
from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import (
    AnswerReceived,
    Call,
    CallAnswered,
    CallCancelled,
    CallCause,
    CallEnded,
    CallState,
    Direction,
    EndedBy,
    OfferReceived,
    ReferProgress,
    SipEvent,
)
from gateway.transport.rtp_ports import NoPortFree
from gateway.values.call import Call as Record
from gateway.values.dialogue import HungUp, Utterance
from tests.channels.voice.conftest import FakeClock, FakeMedia, FakePrompts
from tests.peers.virtual_time import virtual_time

OURS, CALLER = "+442079460000", "+447700900123"


class FakePhone:
    """SIP by the real table of states; our 200 is acknowledged with `ack` unless that is None."""

    def __init__(self) -> None:
        self.on_event: Callable[[SipEvent], object] = lambda event: None
        self.did: list[str] = []
        self.answers: list[bytes] = []
        self.ack: bytes | None = b""
        self.rung: list[tuple[int, bytes]] = []

    def ring(self, call: Call, sdp: bytes = b"", status: int = 180) -> None:
        call.step(CallCause.RING)
        self.rung.append((status, sdp))

    def answer(self, call: Call, sdp: bytes) -> None:
        call.step(CallCause.ANSWER)
        self.answers.append(sdp)
        if self.ack is not None:
            asyncio.get_running_loop().call_later(0.1, self._acknowledge, call, self.ack)

    def _acknowledge(self, call: Call, sdp: bytes) -> None:
        call.step(CallCause.ACK)
        self.on_event(CallAnswered(call, sdp))

    def reject(self, call: Call, status: int, reason: str = "") -> None:
        call.step(CallCause.REJECT)
        self.did.append(f"reject {status}")

    def accept_offer(self, call: Call, sdp: bytes) -> None:
        self.answers.append(sdp)

    def refuse_offer(self, call: Call, status: int = 488) -> None:
        self.did.append(f"refuse {status}")

    def hang_up(self, call: Call, why: int = 16) -> None:
        call.step(CallCause.HANG_UP)
        self.did.append("hang up")
        if call.state is CallState.ENDING:
            self.on_event(CallEnded(call, EndedBy.LOCAL, ""))


class Bench:
    def __init__(self, offer: bytes, wants_offer: bool = False) -> None:
        self.clock, self.phone, self.media = FakeClock(), FakePhone(), FakeMedia()
        self.media.plays_at_once = True
        self.notes: list[tuple[str, Record]] = []
        self.no_port = False
        self.referred: list[tuple[str, str]] = []
        peer = Address("127.0.0.1", 5060)
        self.sip = Call("sip", Direction.INBOUND, CallState.INCOMING, CALLER, OURS, peer, "east")
        self.sip.wants_offer = wants_offer
        record = Record(
            id="t",
            direction="in",
            service="shop",
            trunk="east",
            caller=CALLER,
            called=OURS,
            started_at=self.clock.now(),
        )
        reception = Reception(
            phone=self.phone,
            clock=self.clock,
            note=lambda record, event: self.notes.append((event, record)),
            open_media=self._open,
            prompts=FakePrompts(),
            media_address="127.0.0.1",
            session_id=lambda: 7,
            refer=lambda sip, trunk, to: self.referred.append((trunk, to)),
        )
        self.call = InboundCall(
            reception,
            self.sip,
            record,
            offer=offer,
            trunk=Trunk(host="127.0.0.9", codecs=["PCMA", "PCMU"]),
            refusal=603,
        )
        self.phone.on_event = self.call.event
        self.call.ring()

    async def _open(self) -> Any:
        await asyncio.sleep(0)
        if self.no_port:
            raise NoPortFree("no RTP port is free on 127.0.0.1")
        return self.media

    def caller_cancels(self) -> None:
        self.sip.step(CallCause.REMOTE_CANCEL)
        self.call.event(CallCancelled(self.sip, 'Q.850;cause=16;text="bye"'))

    def caller_hangs_up(self) -> None:
        self.sip.step(CallCause.REMOTE_BYE)
        self.call.event(CallEnded(self.sip, EndedBy.REMOTE, ""))

    @property
    def record(self) -> Record:
        return self.notes[-1][1]

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.notes]


def offer(*codecs: Codec, address: str = "127.0.0.9") -> bytes:
    return sdp.build_offer(address, 30_000, codecs or (Codec.PCMU,), session_id=1)


@pytest.fixture
async def ring() -> AsyncIterator[Callable[..., Bench]]:
    with virtual_time():
        yield Bench


async def test_it_is_answered_once_with_the_caller_s_codec(ring: Any) -> None:
    it = ring(offer())
    await it.call.answer()
    await it.call.answer()
    assert len(it.phone.answers) == 1
    assert it.media.target.codec is Codec.PCMU
    assert (it.record.state, it.record.cause, it.record.status) == ("answered", "answered", 200)
    await it.call.play([Utterance(text="Hello")], barge_in=False)
    assert it.media.played == [b"uHello"]
    it.caller_hangs_up()
    assert it.events == ["call.answered", "call.ended"]
    assert (it.record.ended_by, it.record.codec, it.record.packets_received) == ("caller", "PCMU", 250)
    assert it.media.closed and it.call.gone.result() == "the caller hung up"


async def test_a_call_that_is_over_leaves_nothing_for_the_collector_of_garbage(ring: Any) -> None:
    it = ring(offer())
    await it.call.answer()
    await it.call.play([Utterance(text="Hello")], barge_in=False)
    it.caller_hangs_up()
    await asyncio.sleep(0)
    left = weakref.ref(it.call), weakref.ref(it.call._session)
    gc.disable()
    try:
        del it.phone.on_event, it.call
        assert [one() for one in left] == [None, None]
    finally:
        gc.enable()


async def test_the_stream_follows_a_caller_who_moves(ring: Any) -> None:
    it = ring(offer())
    it.call.event(OfferReceived(it.sip, offer()))
    assert it.media.target is None, "there is no stream before the answer"
    await it.call.answer()
    moved = sdp.build_offer("127.0.0.9", 30_002, (Codec.PCMA,), session_id=1)
    it.call.event(OfferReceived(it.sip, moved))
    assert (it.media.target.remote_port, it.media.target.codec) == (30_002, Codec.PCMA)
    assert len(it.phone.answers) == 2


async def test_words_may_be_heard_before_the_answer_and_cost_nothing(ring: Any) -> None:
    it = ring(offer())
    await it.call.play([Utterance(text="Not in service")], barge_in=False, early=True)
    [(_, nothing), (status, told)] = it.phone.rung
    assert (nothing, status, sdp.parse(told).media[0].port) == (b"", 183, it.media.local_port)
    assert it.media.played == [b"uNot in service"] and it.phone.answers == []
    it.call.refusal = 404
    it.call.hang_up()
    assert it.phone.did == ["reject 404"] and it.events == ["call.missed"] and it.media.closed
    assert (it.record.billable_seconds, it.record.codec, it.record.q850) == (0, "PCMU", 1)


async def test_the_answer_repeats_what_was_agreed_before_it(ring: Any) -> None:
    it = ring(offer())
    await it.call.play([Utterance(text="One moment")], barge_in=False, early=True)
    await it.call.answer()
    await it.call.early()
    assert it.phone.answers == [it.phone.rung[1][1]] and len(it.phone.rung) == 2


async def test_nothing_is_heard_before_the_answer_by_one_who_leaves_the_offer_to_us(ring: Any) -> None:
    it = ring(b"")
    with pytest.raises(NoSound, match="leaves the offer to us"):
        await it.call.early()
    assert not it.call.over


async def test_a_caller_who_wants_it_is_offered_sound_in_the_180(ring: Any) -> None:
    it = ring(b"", wants_offer=True)
    answering = asyncio.ensure_future(it.call.answer())
    await asyncio.sleep(1)
    [(status, told)] = it.phone.rung
    assert (status, sdp.parse(told).media[0].port, it.phone.answers) == (180, it.media.local_port, [])
    it.call.event(AnswerReceived(it.sip, offer(Codec.PCMA)))
    await answering
    assert it.media.target.codec is Codec.PCMA
    assert it.phone.answers == [b""], "it was agreed before"


async def test_a_caller_whose_prack_brings_no_answer_gets_488(ring: Any) -> None:
    it = ring(b"", wants_offer=True)
    await asyncio.sleep(1)
    it.call.event(AnswerReceived(it.sip, b""))
    with pytest.raises(NoSound):
        await it.call.answer()
    assert it.phone.did == ["reject 488"]


async def test_words_answer_it_by_themselves(ring: Any) -> None:
    it = ring(offer())
    await it.call.play([Utterance(text="Hello")], barge_in=False)
    assert it.events == ["call.answered"]


async def test_an_invite_without_an_offer_gets_ours_and_its_ack_the_answer(ring: Any) -> None:
    it = ring(b"")
    it.phone.ack = offer(Codec.PCMA)
    await it.call.answer()
    assert sdp.parse(it.phone.answers[0]).media[0].port == it.media.local_port
    assert it.media.target.codec is Codec.PCMA


async def test_an_ack_without_the_answer_that_it_owes_ends_the_call(ring: Any) -> None:
    it = ring(b"")
    with pytest.raises(NoSound):
        await it.call.answer()
    assert it.phone.did == ["hang up"] and it.call.over and it.media.closed


async def test_a_caller_with_whom_there_is_no_codec_gets_488(ring: Any) -> None:
    it = ring(offer(Codec.PCMU).replace(b"PCMU", b"GSM").replace(b"AVP 0", b"AVP 3").replace(b":0 ", b":3 "))
    with pytest.raises(NoSound, match="no common codec"):
        await it.call.answer()
    assert it.phone.did == ["reject 488"] and it.events == ["call.missed"] and it.media.closed


async def test_an_address_that_cannot_be_reached_gets_488(ring: Any) -> None:
    it = ring(offer())
    it.media.unreachable = True
    with pytest.raises(NoSound, match="IP version"):
        await it.call.answer()
    assert it.phone.did == ["reject 488"] and it.media.closed


async def test_without_a_port_the_call_still_rings(ring: Any) -> None:
    it = ring(offer())
    it.no_port = True
    with pytest.raises(NoPortFree):
        await it.call.answer()
    assert it.phone.did == [] and not it.call.over
    it.no_port = False
    await it.call.answer()
    assert it.events == ["call.answered"]


async def test_who_hangs_up_before_the_answer_has_missed_us(ring: Any) -> None:
    it = ring(offer())
    it.caller_cancels()
    assert it.events == ["call.missed"]
    assert (it.record.cause, it.record.status, it.record.q850) == ("caller-cancelled", 487, 16)
    with pytest.raises(HungUp, match="the caller hung up"):
        await it.call.answer()
    assert it.phone.answers == []


async def test_who_hangs_up_while_a_port_is_looked_for_is_not_answered(ring: Any) -> None:
    it = ring(offer())
    answering = asyncio.ensure_future(it.call.answer())
    await asyncio.sleep(0)
    it.caller_cancels()
    with pytest.raises(HungUp):
        await answering
    assert it.phone.answers == [] and it.media.closed


async def test_one_that_is_not_answered_is_refused_as_its_number_says(ring: Any) -> None:
    it = ring(offer())
    it.call.hang_up()
    it.call.hang_up()
    assert it.phone.did == ["reject 603"] and it.events == ["call.missed"]
    assert (it.record.cause, it.record.status, it.record.ended_by) == ("rejected-by-flow", 603, "gateway")


async def test_it_does_not_ring_for_ever(ring: Any) -> None:
    it = ring(offer())
    await asyncio.sleep(181)
    assert it.phone.did == ["reject 603"]


async def test_one_whose_ack_never_comes_was_not_answered(ring: Any) -> None:
    it = ring(offer())
    it.phone.ack = None
    answering = asyncio.ensure_future(it.call.answer())
    await asyncio.sleep(32)
    it.sip.step(CallCause.NO_ACK)
    it.call.event(CallEnded(it.sip, EndedBy.NO_ACK, ""))
    with pytest.raises(HungUp):
        await answering
    assert it.events == ["call.missed"] and it.record.cause == "no-ack" and it.media.closed


async def test_we_hang_up_one_that_is_up(ring: Any) -> None:
    it = ring(offer())
    await it.call.answer()
    await it.call.finish()
    assert it.phone.did == ["hang up"] and it.events == ["call.answered", "call.ended"]
    assert (it.record.ended_by, it.call.gone.result()) == ("gateway", "we hung up")


async def test_it_is_transferred_by_its_own_trunk(ring: Any) -> None:
    it = ring(offer())
    transfer = asyncio.ensure_future(it.call.transfer("+447700900999"))
    await asyncio.sleep(1)
    it.call.event(ReferProgress(it.sip, 180, final=False))
    await asyncio.sleep(1)
    assert it.referred == [("east", "+447700900999")] and not transfer.done()
    it.call.event(ReferProgress(it.sip, 200, final=True))
    assert await transfer == ("transferred", 200)
    assert it.phone.did == ["hang up"] and it.events == ["call.answered", "call.ended"]
