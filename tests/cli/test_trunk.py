import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import asyncio_dgram
import pytest
from asyncio_dgram.aio import DatagramServer

from gateway.cli.trunk import Silence, ask, timer_e
from gateway.protocol.sip.message import Request, parse, respond
from gateway.transport.tls_port import own_context

Answering = Callable[[Request], list[bytes]]


def ok(request: Request) -> bytes:
    headers = [("Server", "ExampleSBC 7.2\x07"), ("Allow", "INVITE"), ("Allow", "BYE")]
    return bytes(respond(request, 200, to_tag="peer", headers=headers))


class Peer:
    """A SIP peer that hears requests and answers each as `answering` says."""

    def __init__(self, stream: DatagramServer) -> None:
        self.port: int = stream.sockname[1]
        self.answering: Answering = lambda request: []
        self.heard: list[Request] = []
        self._stream = stream

    async def serve(self) -> None:
        while True:
            datagram, source = await self._stream.recv()
            request = parse(datagram)
            assert isinstance(request, Request)
            self.heard.append(request)
            for answer in self.answering(request):
                await self._stream.send(answer, source)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    stream = await asyncio_dgram.bind(("127.0.0.1", 0))
    peer = Peer(stream)
    serving = asyncio.create_task(peer.serve())
    yield peer
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    stream.close()


async def test_an_answer_is_printed_with_what_the_peer_is(peer: Peer, gateway: Any) -> None:
    peer.answering = lambda request: [ok(request)]
    result = await asyncio.to_thread(gateway, "trunk", "probe", f"127.0.0.1:{peer.port}")
    assert (result.exit_code, result.stderr) == (0, "")
    first, *others = result.stdout.splitlines()
    assert first.startswith(f"200 OK from 127.0.0.1:{peer.port} after ")
    assert others == ["Server: ExampleSBC 7.2\\x07", "Allow: INVITE, BYE"]


async def test_the_request_is_a_proper_options(peer: Peer) -> None:
    peer.answering = lambda request: [ok(request)]
    await ask("127.0.0.1", peer.port, timeout=5)
    [request] = peer.heard
    assert (request.method, request.uri) == ("OPTIONS", f"sip:127.0.0.1:{peer.port}")
    assert request.via.branch.startswith("z9hG4bK")
    assert "rport" in request.via.parameters
    assert (request.cseq_method, request.max_forwards, request.to_tag) == ("OPTIONS", 70, "")
    assert request.from_tag
    assert request.headers.get("Accept") == "application/sdp"


async def test_a_refusal_is_an_answer_too(peer: Peer, gateway: Any) -> None:
    peer.answering = lambda request: [bytes(respond(request, 404, to_tag="peer"))]
    result = await asyncio.to_thread(gateway, "trunk", "probe", f"127.0.0.1:{peer.port}", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert (found["status"], found["reason"], found["requests"]) == (404, "Not Found", 1)
    assert found["peer"] == f"127.0.0.1:{peer.port}"


async def test_a_lost_request_is_sent_again_unchanged(peer: Peer) -> None:
    peer.answering = lambda request: [ok(request)] if len(peer.heard) == 3 else []
    answer = await ask("127.0.0.1", peer.port, timeout=5, t1=0.01)
    assert (answer.status, answer.requests) == (200, 3)
    assert len({bytes(request) for request in peer.heard}) == 1


def test_the_time_between_requests_doubles_up_to_four_seconds() -> None:
    assert list(islice(timer_e(0.5), 6)) == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


async def test_what_is_not_the_answer_is_passed_over(peer: Peer) -> None:
    def answering(request: Request) -> list[bytes]:
        right = ok(request)
        other_branch = right.replace(request.via.branch.encode(), b"z9hG4bKother")
        other_call = right.replace(request.call_id.encode(), b"other")
        return [b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", bytes(request), other_branch, other_call, right]

    peer.answering = answering
    assert (await ask("127.0.0.1", peer.port, timeout=5)).status == 200


async def test_a_provisional_answer_is_not_enough(peer: Peer) -> None:
    peer.answering = lambda request: [bytes(respond(request, 100))]
    with pytest.raises(Silence, match="but a provisional one"):
        await ask("127.0.0.1", peer.port, timeout=0.5, t1=0.1)
    assert len(peer.heard) == 2  # the next wait is T2


async def test_a_peer_that_speaks_something_else(peer: Peer) -> None:
    peer.answering = lambda request: [b"hello\r\n"]
    with pytest.raises(Silence, match="what came was no SIP: neither a request nor a response"):
        await ask("127.0.0.1", peer.port, timeout=0.1)


async def test_nothing_listens_there() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(Silence, match=r"nothing listens there \(Connection refused\)"):
        await ask("127.0.0.1", port, timeout=5, t1=0.01)


async def test_silence_exits_with_1(peer: Peer, gateway: Any) -> None:
    arguments = ("probe", f"127.0.0.1:{peer.port}", "--timeout", "0.1")
    result = await asyncio.to_thread(partial(gateway, "trunk", *arguments))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: 127.0.0.1:{peer.port}: no answer to 1 request in 0.1 s\n"
    result = await asyncio.to_thread(partial(gateway, "trunk", *arguments, "--json"))
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "peer": f"127.0.0.1:{peer.port}",
        "status": 0,
        "reason": "no answer to 1 request in 0.1 s",
    }


@pytest.mark.parametrize("written", ["127.0.0.1:0", "127.0.0.1:sip", "a b", "300.1.1.1", "[::1", ""])
def test_what_is_no_peer(gateway: Any, written: str) -> None:
    result = gateway("trunk", "probe", written)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is no HOST[:PORT]" in result.stderr


async def test_ipv6(gateway: Any) -> None:
    stream = await asyncio_dgram.bind(("::1", 0))
    peer = Peer(stream)
    peer.answering = lambda request: [ok(request)]
    serving = asyncio.create_task(peer.serve())
    result = await asyncio.to_thread(gateway, "trunk", "probe", f"[::1]:{peer.port}")
    serving.cancel()
    stream.close()
    assert result.stdout.startswith(f"200 OK from [::1]:{peer.port} after ")
    assert peer.heard[0].uri == f"sip:[::1]:{peer.port}"


# --- over a connection


TLS = Path(__file__).parent.parent / "transport"


@contextlib.asynccontextmanager
async def stream_peer(
    answer: Callable[[Request], bytes], context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A peer by TCP or TLS; its port."""

    served: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            request = parse(await reader.readuntil(b"\r\n\r\n"))
            assert isinstance(request, Request)
            writer.write(answer(request))
            await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*served)


async def test_a_peer_is_asked_by_tcp() -> None:
    heard: list[Request] = []

    def answer(request: Request) -> bytes:
        heard.append(request)
        return bytes(respond(request, 100)) + ok(request)

    async with stream_peer(answer) as port:
        found = await ask("127.0.0.1", port, transport="tcp", timeout=5)
    assert (found.status, found.requests) == (200, 1)
    assert heard[0].via.transport == "TCP"
    assert heard[0].headers.get("Contact").endswith(";transport=tcp>")


async def test_a_peer_is_asked_by_tls_and_its_certificate_checked(gateway: Any) -> None:
    context = own_context(str(TLS / "localhost.crt"), str(TLS / "localhost.key"), ssl.TLSVersion.TLSv1_2)
    async with stream_peer(ok, context) as port:
        arguments = ("trunk", "probe", f"localhost:{port}", "--transport", "tls")
        trusted = await asyncio.to_thread(gateway, *arguments, "--ca", str(TLS / "localhost.crt"))
        assert trusted.stdout.startswith(f"200 OK from 127.0.0.1:{port} after ")
        distrusted = await asyncio.to_thread(gateway, *arguments)
        assert distrusted.exit_code == 1
        assert "cannot be reached: " in distrusted.stderr
        assert "certificate verify failed" in distrusted.stderr
        missing = await asyncio.to_thread(gateway, *arguments, "--ca", "nowhere.pem")
        assert missing.exit_code == 2
        assert "nowhere.pem" in missing.stderr


async def test_a_peer_by_tcp_that_speaks_something_else_or_hangs_up() -> None:
    async with stream_peer(lambda request: b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        with pytest.raises(Silence, match="what came was no SIP: no Content-Length"):
            await ask("127.0.0.1", port, transport="tcp", timeout=5)
    async with stream_peer(lambda request: b"") as port:
        with pytest.raises(Silence, match=r"no answer to 1 request in 0\.2 s"):
            await ask("127.0.0.1", port, transport="tcp", timeout=0.2)
    with pytest.raises(Silence, match="cannot be reached"):
        await ask("127.0.0.1", port, transport="tcp", timeout=5)
