"""The endpoint against an independent peer, SIPp, by the scenarios in tests/peers/sipp."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import (
    Call,
    CallAnswered,
    CallCancelled,
    CallEnded,
    CallProgress,
    EndedBy,
    IncomingCall,
    SipEvent,
)
from gateway.transport.sip_endpoint import SipEndpoint

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


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
    options = ["-i", "127.0.0.1", "-nostdin", "-nr", "-timeout", "8s", "-timeout_error"]
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
    await run(sipp, scenario, folder, "-p", str(free_port()), *rate, target)


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

    port = free_port()
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
        await asyncio.wait_for(done.wait(), 8)
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
