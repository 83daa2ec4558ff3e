"""The endpoint over TCP and TLS, with a peer that is a plain socket or another endpoint."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import (
    CallAnswered,
    CallEnded,
    CallFailed,
    CallProgress,
    EndedBy,
    IncomingCall,
    OptionsAnswered,
    SipEvent,
)
from gateway.protocol.sip.framing import PING, PONG
from gateway.transport import sip_stream
from gateway.transport.sip_endpoint import SipEndpoint
from gateway.transport.tls_port import own_context

HERE = Path(__file__).parent
CERTIFICATE, KEY = HERE / "localhost.crt", HERE / "localhost.key"

Inbox = asyncio.Queue[SipEvent]

OPTIONS = (
    b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\n"
    b"From: <sip:a@h>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: %d\r\nCSeq: 1 OPTIONS\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def own() -> ssl.SSLContext:
    return own_context(str(CERTIFICATE), str(KEY), ssl.TLSVersion.TLSv1_2)


def trusting(address: Address) -> tuple[ssl.SSLContext, str]:
    return ssl.create_default_context(cafile=str(CERTIFICATE)), "localhost"


@contextlib.asynccontextmanager
async def endpoint(
    *listen: str, strangers: bool = False, **options: object
) -> AsyncIterator[tuple[SipEndpoint, Inbox]]:
    inbox = Inbox()
    one = SipEndpoint(
        listen=listen or ["udp:127.0.0.1:0", "tcp:127.0.0.1:0", "tls:127.0.0.1:0"],
        admit=lambda source: None if strangers else "east",
        on_event=inbox.put_nowait,
        tls=own,
        secured=options.pop("secured", trusting),
        **options,
    )
    await one.start()
    try:
        yield one, inbox
    finally:
        await one.stop(1)


async def call_by(transport: str) -> None:
    async with endpoint() as (us, ours), endpoint() as (peer, theirs):
        target = Address("127.0.0.1", peer.port_of(transport), transport)
        call = us.invite(target=target, to_number="+4420", from_number="+4179", sdp=b"offer")
        incoming = await theirs.get()
        assert isinstance(incoming, IncomingCall)
        assert incoming.source.transport == transport
        peer.ring(incoming.call)
        assert isinstance(await ours.get(), CallProgress)
        peer.answer(incoming.call, b"answer")
        assert await ours.get() == CallAnswered(call, b"answer")
        assert await theirs.get() == CallAnswered(incoming.call, b"")
        peer.hang_up(incoming.call)
        ended = await ours.get()
        assert isinstance(ended, CallEnded)
        assert ended.by is EndedBy.REMOTE
        assert us.counts()["sip_connections"] >= 1


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_call_goes_by_a_connection(transport: str) -> None:
    await call_by(transport)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_call_goes_by_a_connection_on_uvloop(transport: str) -> None:
    uvloop.run(call_by(transport))


async def test_one_connection_serves_everything_that_is_said_to_a_host() -> None:
    async with endpoint() as (us, ours), endpoint() as (peer, _):
        target = Address("127.0.0.1", peer.port_of("tcp"), "tcp")
        probes = [us.options(target) for _ in range(20)]
        assert {(await ours.get()).probe for _ in probes} == set(probes)
        assert us.counts()["sip_connections"] == peer.counts()["sip_connections"] == 1


@pytest.mark.parametrize("secured", [
    lambda address: (ssl.create_default_context(), "localhost"),  # signed by nobody we know
    lambda address: (ssl.create_default_context(cafile=str(CERTIFICATE)), "h.example"),  # another's name
    lambda address: (_ for _ in ()).throw(OSError("tls_ca: no such file")),
])  # fmt: skip
async def test_a_certificate_that_does_not_hold_makes_the_peer_unreachable(secured) -> None:
    async with endpoint(secured=secured) as (us, ours), endpoint() as (peer, theirs):
        target = Address("127.0.0.1", peer.port_of("tls"), "tls")
        call = us.invite(target=target, to_number="+4420", from_number="+4179", sdp=b"offer")
        failed = await ours.get()
        assert isinstance(failed, CallFailed)
        assert (failed.call, failed.status, failed.unreachable) == (call, 503, True)
        assert theirs.empty()


async def test_a_port_where_nobody_listens_is_unreachable_at_once() -> None:
    async with endpoint() as (us, ours), endpoint() as (peer, _):
        target = Address("127.0.0.1", peer.port_of("tcp"), "tcp")
        await peer.stop(0)
        probe = us.options(target)
        assert await ours.get() == OptionsAnswered(probe, None)


async def test_a_connection_that_breaks_fails_what_waits_for_an_answer() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server, endpoint() as (us, ours):
        probe = us.options(Address("127.0.0.1", server.sockets[0].getsockname()[1], "tcp"))
        assert await asyncio.wait_for(ours.get(), 30) == OptionsAnswered(probe, None)


async def test_a_large_request_goes_by_tcp_where_that_is_allowed() -> None:
    ways: dict[Address, Address] = {}
    async with endpoint(stream_for=ways.get) as (us, _), endpoint() as (peer, theirs):
        by_udp = Address("127.0.0.1", peer.port_of("udp"))
        ways[by_udp] = Address("127.0.0.1", peer.port_of("tcp"), "tcp")
        for size, transport in ((10, "udp"), (2000, "tcp")):
            us.invite(target=by_udp, to_number="+4420", from_number="+4179", sdp=b"x" * size)
            incoming = await theirs.get()
            assert incoming.source.transport == transport
            peer.reject(incoming.call, 486)


async def test_a_large_request_goes_by_udp_where_nobody_listens_by_tcp() -> None:
    ways: dict[Address, Address] = {}
    async with (
        endpoint(stream_for=ways.get) as (us, _),
        endpoint() as (peer, theirs),
        endpoint() as (gone, _),
    ):
        by_udp = Address("127.0.0.1", peer.port_of("udp"))
        ways[by_udp] = Address("127.0.0.1", gone.port_of("tcp"), "tcp")
        await gone.stop(0)
        us.invite(target=by_udp, to_number="+4420", from_number="+4179", sdp=b"x" * 2000)
        incoming = await theirs.get()
        assert (incoming.source.transport, incoming.sdp) == ("udp", b"x" * 2000)
        peer.reject(incoming.call, 486)


# --- peers that are bare sockets


@contextlib.asynccontextmanager
async def peer_of(one: SipEndpoint) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port_of("tcp"))
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_messages_that_come_together_or_in_pieces_are_answered_in_order() -> None:
    async with endpoint() as (one, _), peer_of(one) as (reader, writer):
        writer.write(OPTIONS % (1, 1) + OPTIONS % (2, 2) + (OPTIONS % (3, 3))[:40])
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write((OPTIONS % (3, 3))[40:] + PING)
        for branch in (1, 2, 3):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"SIP/2.0 200")
            assert b"branch=z9hG4bK%d" % branch in head
        assert await reader.readexactly(2) == PONG


async def test_an_answer_finds_the_peer_when_its_connection_is_gone() -> None:
    async with endpoint() as (one, inbox):
        got: asyncio.Queue[bytes] = asyncio.Queue()

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got.put_nowait(await reader.readuntil(b"\r\n\r\n"))
            writer.close()

        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        async with server:
            invite = (
                (OPTIONS % (1, 1))
                .replace(b"OPTIONS", b"INVITE")
                .replace(b":9;", b":%d;" % server.sockets[0].getsockname()[1])
            )
            async with peer_of(one) as (reader, writer):
                writer.write(invite)
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"SIP/2.0 100")
            incoming = await inbox.get()
            await asyncio.sleep(0.05)
            one.reject(incoming.call, 486)
            assert (await asyncio.wait_for(got.get(), 30)).startswith(b"SIP/2.0 486")


async def test_what_is_no_sip_closes_the_connection_only() -> None:
    async with endpoint() as (one, _):
        async with peer_of(one) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await asyncio.wait_for(reader.read(), 30) == b""
        async with peer_of(one) as (reader, writer):
            writer.write(OPTIONS % (1, 1))
            assert await reader.readuntil(b"\r\n\r\n")


async def test_a_stranger_gets_few_connections() -> None:
    async with endpoint(strangers=True) as (one, _), contextlib.AsyncExitStack() as stack:
        most = sip_stream.MOST_OF_STRANGER
        peers = [await stack.enter_async_context(peer_of(one)) for _ in range(most + 1)]
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(peers[-1][0].read(), 30) == b""
        assert one.counts()["sip_connections"] == most


async def test_who_says_nothing_or_never_ends_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip_stream, "_MESSAGE_SECONDS", 0.05)
    monkeypatch.setattr(sip_stream, "_SWEEP_SECONDS", 0.02)
    async with endpoint() as (one, _), peer_of(one) as (silent, _), peer_of(one) as (slow, writer):
        writer.write(OPTIONS[:30])
        for reader in (silent, slow):
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 30) == b""
        assert one.counts()["sip_connections"] == 0


async def test_our_connections_are_kept_alive_and_given_up_when_the_peer_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("_PING_SECONDS", "_PONG_SECONDS", "_SWEEP_SECONDS"):
        monkeypatch.setattr(sip_stream, name, 0.02)
    pings = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal pings
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")  # the OPTIONS
            while await reader.readexactly(4) == PING:
                pings += 1
                if pings < 3:
                    writer.write(PONG)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, endpoint() as (us, ours):
        probe = us.options(Address("127.0.0.1", server.sockets[0].getsockname()[1], "tcp"))
        assert await asyncio.wait_for(ours.get(), 30) == OptionsAnswered(probe, None)
        assert pings >= 3
        assert us.counts()["sip_connections"] == 0


async def test_without_a_certificate_of_ours_tls_is_not_listened_for() -> None:
    both = ["tcp:127.0.0.1:0", "tls:127.0.0.1:0"]
    one = SipEndpoint(listen=both, admit=lambda source: "east", on_event=print)
    with pytest.raises(OSError, match="TLS needs a certificate of ours"):
        await one.start()
