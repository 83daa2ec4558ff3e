"""The endpoint against an independent peer, SIPp, by the scenarios in tests/peers/sipp."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.protocol import sdp
from gateway.protocol.sdp import Direction
from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import (
    AnswerReceived,
    Call,
    CallAnswered,
    CallCancelled,
    CallEnded,
    CallProgress,
    EndedBy,
    IncomingCall,
    InfoReceived,
    OfferReceived,
    ReferProgress,
    SipEvent,
)
from gateway.transport.sip_endpoint import SipEndpoint
from tests.peers.ports import free_port

pytestmark = [pytest.mark.peer, pytest.mark.e2e]

SCENARIOS = Path(__file__).parent.parent / "peers" / "sipp"
CALLS = 20
OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
)


@pytest.fixture
def sipp() -> str:
    program = shutil.which("sipp")
    if program is None:
        pytest.skip("sipp is missing: apt-get install sip-tester")
    return program


@contextlib.asynccontextmanager
async def listening(
    application: Callable[[SipEndpoint, SipEvent], None],
) -> AsyncIterator[tuple[SipEndpoint, list[SipEvent]]]:
    seen: list[SipEvent] = []

    def on_event(event: SipEvent) -> None:
        seen.append(event)
        application(one, event)

    one = SipEndpoint(listen=["udp:127.0.0.1:0"], admit=lambda source: "east", on_event=on_event)
    await one.start()
    try:
        yield one, seen
    finally:
        await one.stop(1)


async def run(sipp: str, scenario: str, folder: Path, *arguments: str) -> None:
    """Run a scenario to its end; every call of it must succeed."""
    options = ["-i", "127.0.0.1", "-nostdin", "-nr", "-timeout", "30s", "-timeout_error"]
    report_to = ["-trace_err", "-error_file", "errors.log"]
    process = await asyncio.create_subprocess_exec(
        *(sipp, "-sf", str(SCENARIOS / scenario), *options, *report_to, *arguments),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    errors = folder / "errors.log"
    report = (
        errors.read_text(errors="replace") if errors.exists() else output.decode(errors="replace")[-2000:]
    )
    assert process.returncode == 0, report


async def caller(sipp: str, scenario: str, folder: Path, one: SipEndpoint) -> None:
    target = f"127.0.0.1:{one.port}"
    rate = ("-r", "200", "-m", str(CALLS), "-s", "+442079460000")
    await run(sipp, scenario, folder, "-p", str(free_port(socket.SOCK_DGRAM)), *rate, target)


async def test_a_missed_call_by_cancel(sipp: str, tmp_path: Path) -> None:
    def application(one: SipEndpoint, event: SipEvent) -> None:
        if isinstance(event, IncomingCall):
            assert (event.from_number, event.to_number) == ("+41795550102", "+442079460000")
            one.ring(event.call)

    async with listening(application) as (one, seen):
        await caller(sipp, "uac_cancel.xml", tmp_path, one)
        await one.stop(1)
        assert [type(event) for event in seen].count(IncomingCall) == CALLS
        assert [type(event) for event in seen].count(CallCancelled) == CALLS
        assert len(seen) == 2 * CALLS


async def test_a_missed_call_by_rejection_after_ringing(sipp: str, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()

    def application(one: SipEndpoint, event: SipEvent) -> None:
        assert isinstance(event, IncomingCall)
        one.ring(event.call)
        loop.call_later(0.1, one.reject, event.call, 486)

    async with listening(application) as (one, seen):
        await caller(sipp, "uac_busy.xml", tmp_path, one)
        await one.stop(1)
        assert len(seen) == CALLS
        assert one.calls == frozenset()


async def test_an_inbound_call_is_answered_and_hung_up_by_the_caller(sipp: str, tmp_path: Path) -> None:
    def application(one: SipEndpoint, event: SipEvent) -> None:
        if isinstance(event, IncomingCall):
            assert b"m=audio" in event.sdp
            one.ring(event.call)
            one.answer(event.call, OFFER)

    async with listening(application) as (one, seen):
        await caller(sipp, "uac_talk.xml", tmp_path, one)
        kinds = [type(event) for event in seen]
        assert [kinds.count(kind) for kind in (IncomingCall, CallAnswered, CallEnded)] == [CALLS] * 3


async def dialled(
    sipp: str, scenario: str, folder: Path, *, hang_up: bool
) -> tuple[list[Call], list[SipEvent]]:
    done = asyncio.Event()

    def application(one: SipEndpoint, event: SipEvent) -> None:
        if isinstance(event, CallAnswered) and hang_up:
            one.hang_up(event.call)
        if isinstance(event, CallEnded) and sum(isinstance(event, CallEnded) for event in seen) == CALLS:
            done.set()

    port = free_port(socket.SOCK_DGRAM)
    async with listening(application) as (one, seen):
        peer = asyncio.create_task(run(sipp, scenario, folder, "-p", str(port), "-m", str(CALLS)))
        # an INVITE that comes before SIPp listens is repeated half a second later
        calls = [
            one.invite(
                target=Address("127.0.0.1", port),
                to_number=f"+4179{n}",
                from_number="+442079460000",
                sdp=OFFER,
            )
            for n in range(CALLS)
        ]
        await asyncio.wait_for(done.wait(), 30)
        await peer
    return calls, seen


@pytest.mark.parametrize(
    ("scenario", "hang_up", "by"),
    [("uas_talk.xml", True, EndedBy.LOCAL), ("uas_talk_and_bye.xml", False, EndedBy.REMOTE)],
)
async def test_an_outbound_call_is_answered_and_ended_from_either_side(
    sipp: str, tmp_path: Path, scenario: str, hang_up: bool, by: EndedBy
) -> None:
    calls, seen = await dialled(sipp, scenario, tmp_path, hang_up=hang_up)
    for call in calls:
        events = [event for event in seen if event.call is call]  # type: ignore[union-attr]
        assert [type(event) for event in events] == [CallProgress, CallAnswered, CallEnded]
        assert b"m=audio" in events[1].sdp
        assert events[2].by is by
        assert call.state.name == "ENDED"


class Talk:
    """The application of calls whose sessions change: each has its own end of offers and answers."""

    def __init__(self) -> None:
        self.sessions: dict[Call, sdp.OfferAnswer] = {}
        self.agreed: list[sdp.Negotiated] = []

    def session(self, call: Call) -> sdp.OfferAnswer:
        if call not in self.sessions:
            self.sessions[call] = sdp.OfferAnswer("127.0.0.1", 40_000, session_id=1)
        return self.sessions[call]

    def answer(self, call: Call, offer: bytes) -> bytes:
        session = self.session(call)
        if not offer:
            return session.offer()
        answer = session.answer(offer)
        assert isinstance(answer, sdp.Answer)
        self.agreed.append(answer.media)
        return answer.sdp

    def accepted(self, call: Call, answer: bytes) -> None:
        agreed = self.session(call).accept(answer)
        assert isinstance(agreed, sdp.Negotiated)
        self.agreed.append(agreed)

    def __call__(self, one: SipEndpoint, event: SipEvent) -> None:
        match event:
            case IncomingCall(call):
                one.ring(call)
                one.answer(call, self.answer(call, event.sdp))
            case OfferReceived(call, offer):
                one.accept_offer(call, self.answer(call, offer))
            case CallAnswered(call, answer) | AnswerReceived(call, answer) if answer:
                self.accepted(call, answer)
            case _:
                pass


async def test_a_caller_requires_prack_holds_and_moves(sipp: str, tmp_path: Path) -> None:
    talk = Talk()
    async with listening(talk) as (one, seen):
        await caller(sipp, "uac_changes.xml", tmp_path, one)
        kinds = [type(event) for event in seen]
        wanted = (IncomingCall, CallAnswered, OfferReceived, InfoReceived, CallEnded)
        assert [kinds.count(kind) for kind in wanted] == [CALLS, CALLS, 2 * CALLS, CALLS, CALLS]
    directions = [agreed.direction for agreed in talk.agreed]
    assert directions.count(Direction.RECVONLY) == CALLS
    assert [agreed.remote_port for agreed in talk.agreed].count(40_002) == CALLS


async def test_a_caller_leaves_the_offer_to_us(sipp: str, tmp_path: Path) -> None:
    talk = Talk()
    async with listening(talk) as (one, seen):
        await caller(sipp, "uac_late_offer.xml", tmp_path, one)
        kinds = [type(event) for event in seen]
        wanted = (IncomingCall, CallAnswered, OfferReceived, AnswerReceived, CallEnded)
        assert [kinds.count(kind) for kind in wanted] == [CALLS] * 5
    assert len(talk.agreed) == 2 * CALLS
    assert [agreed.remote_port for agreed in talk.agreed].count(40_002) == CALLS


async def test_a_called_side_has_early_media_holds_and_takes_a_transfer(sipp: str, tmp_path: Path) -> None:
    talk, over = Talk(), asyncio.Event()

    def application(one: SipEndpoint, event: SipEvent) -> None:
        talk(one, event)
        match event:
            case OfferReceived(call):
                one.refer(call, "sip:+41215550100@192.0.2.9")
            case ReferProgress(call, _, final=True):
                one.hang_up(call)
            case CallEnded():
                over.set()

    port = free_port(socket.SOCK_DGRAM)
    async with listening(application) as (one, seen):
        peer = asyncio.create_task(run(sipp, "uas_changes.xml", tmp_path, "-p", str(port), "-m", "1"))
        to, offer = Address("127.0.0.1", port), sdp.build_offer("127.0.0.1", 40_000, session_id=1)
        call = one.invite(target=to, to_number="+41795550102", from_number="+442079460000", sdp=offer)
        await asyncio.wait_for(over.wait(), 30)
        await peer
    early, answered, hold, *progress, ended = seen
    assert isinstance(early, CallProgress) and isinstance(answered, CallAnswered)
    assert (early.status, early.sdp) == (183, answered.sdp)  # the 200 had none
    assert isinstance(hold, OfferReceived)
    assert progress == [ReferProgress(call, 180, final=False), ReferProgress(call, 200, final=True)]
    assert ended == CallEnded(call, EndedBy.LOCAL, "")
