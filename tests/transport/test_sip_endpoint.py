"""The endpoint over real sockets on loopback."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import (
    Call,
    CallAnswered,
    CallCancelled,
    CallEnded,
    CallFailed,
    CallProgress,
    EndedBy,
    IncomingCall,
    OptionsAnswered,
    ReferProgress,
    SipEvent,
)
from gateway.transport.sip_endpoint import SipEndpoint

Inbox = asyncio.Queue[SipEvent]


@contextlib.asynccontextmanager
async def endpoint(
    admit: Callable[[str], str | None] = lambda source: "east", **options: object
) -> AsyncIterator[tuple[SipEndpoint, Inbox]]:
    inbox = Inbox()
    one = SipEndpoint(listen=["udp:127.0.0.1:0"], admit=admit, on_event=inbox.put_nowait, **options)
    await one.start()
    try:
        yield one, inbox
    finally:
        await one.stop(1)


def dial(caller: SipEndpoint, callee: SipEndpoint) -> Call:
    return caller.invite(
        target=Address("127.0.0.1", callee.port), to_number="+4420", from_number="+4179", sdp=b"offer"
    )


async def answered_call() -> list[str]:
    async with endpoint() as (us, ours), endpoint() as (peer, theirs):
        call = dial(us, peer)
        incoming = await theirs.get()
        assert isinstance(incoming, IncomingCall)
        assert (incoming.from_number, incoming.to_number, incoming.trunk, incoming.sdp) == (
            "+4179", "+4420", "east", b"offer",
        )  # fmt: skip
        assert incoming.source == Address("127.0.0.1", us.port)
        peer.ring(incoming.call)
        progress = await ours.get()
        assert isinstance(progress, CallProgress)
        assert (progress.call, progress.status, progress.sdp) == (call, 180, b"")
        peer.answer(incoming.call, b"answer")
        assert await ours.get() == CallAnswered(call, b"answer")
        assert await theirs.get() == CallAnswered(incoming.call, b"")
        us.refer(call, "sip:+4121@192.0.2.9")
        assert await ours.get() == ReferProgress(call, 405, final=True)
        us.hang_up(call)
        assert await ours.get() == CallEnded(call, EndedBy.LOCAL, "")
        assert await theirs.get() == CallEnded(
            incoming.call, EndedBy.REMOTE, 'Q.850;cause=16;text="Normal call clearing"'
        )
    return [call.state.name, incoming.call.state.name]


async def test_a_call_is_rung_answered_and_hung_up() -> None:
    assert await answered_call() == ["ENDED", "ENDED"]


def test_a_call_is_rung_answered_and_hung_up_on_uvloop() -> None:
    assert uvloop.run(answered_call()) == ["ENDED", "ENDED"]


async def test_a_call_is_cancelled() -> None:
    async with endpoint() as (us, ours), endpoint() as (peer, theirs):
        call = dial(us, peer)
        incoming = await theirs.get()
        us.hang_up(call)
        reason = 'Q.850;cause=16;text="Normal call clearing"'
        assert await theirs.get() == CallCancelled(incoming.call, reason)
        assert await ours.get() == CallFailed(call, 487, "Request Terminated", None, unreachable=False)


async def test_a_call_is_rejected_from_within_the_event() -> None:
    seen: list[SipEvent] = []

    def reject(event: SipEvent) -> None:
        seen.append(event)
        assert isinstance(event, IncomingCall)
        peer.ring(event.call)
        peer.reject(event.call, 486)

    peer = SipEndpoint(listen=["udp:127.0.0.1:0"], admit=lambda source: "east", on_event=reject)
    await peer.start()
    async with endpoint() as (us, ours):
        call = dial(us, peer)
        assert isinstance(await ours.get(), CallProgress)
        assert await ours.get() == CallFailed(
            call, 486, "Busy Here", None, unreachable=False, cause='Q.850;cause=17;text="User busy"'
        )
        await peer.stop(1)
    assert len(seen) == 1


async def test_stopping_ends_every_call_by_bye_and_refuses_new_ones() -> None:
    async with endpoint() as (us, ours), endpoint() as (peer, theirs):
        calls = [dial(us, peer) for _ in range(2)]
        first, second = await theirs.get(), await theirs.get()
        peer.answer(first.call, b"answer")
        assert await ours.get() == CallAnswered(calls[0], b"answer")
        await peer.stop(1)
        assert first.call.state.name == second.call.state.name == "ENDED"
        assert {type(await ours.get()) for _ in range(2)} == {CallEnded, CallFailed}
        assert us.calls == frozenset()


async def test_stopping_ends_with_the_grace_when_a_peer_is_silent() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        async with endpoint() as (us, _):
            us.invite(target=Address(*silent.getsockname()), to_number="1", from_number="2", sdp=b"")
            await asyncio.wait_for(us.stop(0.05), 30)


async def raw_exchange(one: SipEndpoint, data: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.setblocking(False)
        await loop.sock_connect(peer, ("127.0.0.1", one.port))
        await loop.sock_sendall(peer, data)
        return await asyncio.wait_for(loop.sock_recv(peer, 65535), 30)


OPTIONS = (
    b"OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1;rport\r\n"
    b"From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
)


async def test_a_stranger_gets_403_and_rubbish_400_where_it_can_be_answered() -> None:
    async with endpoint(admit=lambda source: None) as (one, _):
        assert (await raw_exchange(one, OPTIONS)).startswith(b"SIP/2.0 403 ")
    async with endpoint() as (one, inbox):
        assert (await raw_exchange(one, OPTIONS)).startswith(b"SIP/2.0 200 ")
        assert (await raw_exchange(one, OPTIONS.replace(b"1 OPTIONS", b"x"))).startswith(b"SIP/2.0 400 ")
        assert inbox.empty()


async def test_an_unsent_request_is_retransmitted_by_the_timer() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        async with endpoint() as (us, _):
            us.options(Address(*peer.getsockname()))
            first = await loop.sock_recv(peer, 65535)
            began = loop.time()
            again = await asyncio.wait_for(loop.sock_recv(peer, 65535), 30)
            assert first == again
            assert 0.3 < loop.time() - began < 3.5  # T1 is 0.5, T2 is 4


async def unreachable() -> SipEvent:
    async with endpoint() as (us, ours):
        us.invite(target=Address("127.0.0.1", 0), to_number="1", from_number="2", sdp=b"")
        return await asyncio.wait_for(ours.get(), 30)


async def test_what_cannot_be_sent_fails_at_once() -> None:
    event = await unreachable()
    assert isinstance(event, CallFailed)
    assert (event.status, event.unreachable) == (503, True)


def test_what_cannot_be_sent_fails_at_once_on_uvloop() -> None:
    event = uvloop.run(unreachable())
    assert isinstance(event, CallFailed)
    assert (event.status, event.unreachable) == (503, True)


async def test_an_application_that_fails_does_not_stop_the_endpoint(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: SipEvent) -> None:
        raise RuntimeError("application")

    peer = SipEndpoint(listen=["udp:127.0.0.1:0"], admit=lambda source: "east", on_event=fail)
    await peer.start()
    async with endpoint() as (us, ours):
        dial(us, peer)
        probe = us.options(Address("127.0.0.1", peer.port))
        assert await ours.get() == OptionsAnswered(probe, 200)
        await peer.stop(1)
    assert "sip.event_failed" in caplog.text


async def test_a_wildcard_address_is_advertised_by_one_that_peers_can_use() -> None:
    one = SipEndpoint(listen=["udp:0.0.0.0:0"], admit=lambda source: None, on_event=print)
    await one.start()
    assert one.host not in ("", "0.0.0.0")
    await one.stop(0)
    two = SipEndpoint(
        listen=["udp:0.0.0.0:0"], admit=lambda source: None, on_event=print, advertise="192.0.2.9"
    )
    await two.start()
    assert two.host == "192.0.2.9"
    await two.stop(0)
    await two.stop(0)


async def test_two_endpoints_cannot_share_a_port() -> None:
    async with endpoint() as (one, _):
        other = SipEndpoint(listen=[f"udp:127.0.0.1:{one.port}"], admit=lambda source: None, on_event=print)
        with pytest.raises(OSError):
            await other.start()
        with pytest.raises(RuntimeError):
            other.options(("127.0.0.1", one.port))


async def test_calls_that_come_faster_than_they_are_worked_off_get_503() -> None:
    """None is left in silence, and once the socket is nearly empty calls are taken again."""
    count, ticks = 150, itertools.count()
    invite = (
        "INVITE sip:+4420@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{n};rport\r\n"
        "From: <sip:+4179@127.0.0.1>;tag={n}\r\nTo: <sip:+4420@127.0.0.1>\r\nCall-ID: {n}\r\n"
        "CSeq: 1 INVITE\r\nContact: <sip:+4179@127.0.0.1>\r\nSubject: {padding}\r\nContent-Length: 0\r\n\r\n"
    )
    # each look at the clock takes 20 ms, as if the machine were slow
    async with endpoint(clock=lambda: next(ticks) / 50) as (one, inbox):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
            caller.bind(("127.0.0.1", 0))
            caller.setblocking(False)
            port = caller.getsockname()[1]
            for n in range(count):  # the endpoint does not get to read them meanwhile
                text = invite.format(port=port, n=n, padding="x" * 600)
                caller.sendto(text.encode(), ("127.0.0.1", one.port))
            heard: dict[str, bytes] = {}
            async with asyncio.timeout(30):
                while len(heard) < count:
                    await asyncio.sleep(0.01)
                    with contextlib.suppress(BlockingIOError):
                        while True:
                            answer = caller.recv(2000)
                            heard[answer.split(b"Call-ID: ")[1].split(b"\r\n")[0].decode()] = answer
        taken = {n for n, answer in heard.items() if answer.startswith(b"SIP/2.0 100 ")}
        refused = {n for n, answer in heard.items() if answer.startswith(b"SIP/2.0 503 ")}
        waits = {int(heard[n].split(b"Retry-After: ")[1].split(b"\r\n")[0]) for n in refused}
        assert 1 in waits and max(waits) <= 10
        assert len(taken) + len(refused) == count and len(refused) > 50
        assert {"0", str(count - 1)} <= taken
        assert len(one.calls) == inbox.qsize() == len(taken)
        assert one.counts()["sip_shed_total"] == len(refused)
