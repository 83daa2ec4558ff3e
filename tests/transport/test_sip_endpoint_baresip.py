"""The endpoint against another independent peer, baresip: hold, resume, a transfer that comes to nothing."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.protocol.sdp import Direction
from gateway.protocol.sip.call import CallAnswered, CallEnded, EndedBy, OfferReceived, ReferProgress, SipEvent
from gateway.transport.sip_endpoint import SipEndpoint
from tests.peers.baresip_process import KEY_SECONDS, Baresip
from tests.transport.test_sip_endpoint_sipp import Talk

pytestmark = [pytest.mark.peer, pytest.mark.e2e]


async def test_a_telephone_holds_resumes_and_is_asked_to_call_elsewhere(tmp_path: Path) -> None:
    talk, seen, news = Talk(), list[SipEvent](), asyncio.Event()

    def on_event(event: SipEvent) -> None:
        seen.append(event)
        talk(one, event)
        news.set()

    async def heard(enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not enough():
                news.clear()
                await news.wait()

    def count(kind: type[SipEvent]) -> int:
        return sum(isinstance(event, kind) for event in seen)

    one = SipEndpoint(listen=["udp:127.0.0.1:0"], admit=lambda source: "east", on_event=on_event)
    await one.start()
    folder = tmp_path / "baresip"
    folder.mkdir()
    telephone = await asyncio.to_thread(Baresip, folder, codec="PCMA")
    try:
        telephone.dial(f"sip:+442079460000@127.0.0.1:{one.port}")
        await heard(lambda: count(CallAnswered) == 1)
        (call,) = one.calls
        await asyncio.to_thread(telephone.says, "Call established")
        telephone.type("x")
        await heard(lambda: count(OfferReceived) == 1)
        await asyncio.sleep(KEY_SECONDS)  # or it takes the next key for the same press
        telephone.type("X")
        await heard(lambda: count(OfferReceived) == 2)
        directions = [agreed.direction for agreed in talk.agreed]
        assert directions == [Direction.SENDRECV, Direction.RECVONLY, Direction.SENDRECV]
        one.refer(call, "sip:nobody@127.0.0.1:9")  # nothing listens there
        await heard(lambda: count(ReferProgress) == 1)
        telephone.type("b")  # ends that call, which it tells us
        await heard(lambda: count(ReferProgress) == 2)
        first, last = (event for event in seen if isinstance(event, ReferProgress))
        assert (first.status, first.final, last.final) == (100, False, True)
        await asyncio.sleep(KEY_SECONDS)
        telephone.type("b")
        await heard(lambda: count(CallEnded) == 1)
        assert isinstance(seen[-1], CallEnded) and seen[-1].by is EndedBy.REMOTE
    finally:
        await asyncio.to_thread(telephone.__exit__)
        await one.stop(1)
