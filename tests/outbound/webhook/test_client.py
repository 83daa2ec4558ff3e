"""Against servers written by hand, on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from gateway.outbound.webhook.addresses import Addresses, Found
from gateway.outbound.webhook.client import Client
from gateway.outbound.webhook.target import post, target

TLS = Path(__file__).parents[2] / "transport"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Handle = Callable[["Peer"], Awaitable[None]]


class Peer:
    """One connection, as the server sees it."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer

    async def request(self) -> bytes:
        """The next request's body; b"" when there is none."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        self.server.heads.append(head)
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await self.reader.readexactly(length)
        self.server.bodies.append(body)
        return body

    def answer(self, data: bytes = OK) -> None:
        self.writer.write(data)


class Server:
    def __init__(self, handle: Handle, tls: ssl.SSLContext | None = None) -> None:
        self.handle, self.tls = handle, tls
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http{'s' if self.tls else ''}://localhost:{self.port}/x"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.handle(Peer(self, reader, writer))
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def stop(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks)
        await self._server.wait_closed()


Serve = Callable[..., Awaitable[Server]]
Dial = Callable[..., "Asking"]


class Asking:
    """A client, and what becomes of what it sends."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def send(self, url: str, body: bytes = b"{}") -> asyncio.Future[tuple[int, str]]:
        outcome: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        to = target(url)
        # a second outcome of the same request would raise here
        self.client.send(to, post(to, "", body), lambda status, reason: outcome.set_result((status, reason)))
        assert not outcome.done()
        return outcome


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    started: list[Server] = []

    async def serve(handle: Handle, tls: ssl.SSLContext | None = None) -> Server:
        server = Server(handle, tls)
        await server.start()
        started.append(server)
        return server

    yield serve
    for server in started:
        await server.stop()


def here(host: str, port: int) -> Found:
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    clients: list[Client] = []

    def dial(
        timeout_seconds: float = 5.0,
        idle_seconds: float = 15.0,
        lookup: Callable[[str, int], Found] = here,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> Asking:
        addresses = Addresses(lookup)
        clients.append(
            Client(timeout_seconds=timeout_seconds, idle_seconds=idle_seconds, addresses=addresses, tls=tls)
        )
        return Asking(clients[-1])

    yield dial
    for client in clients:
        await client.close()


async def prompt(peer: Peer) -> None:
    while await peer.request():
        peer.answer()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - several parties change what is waited for
            await asyncio.sleep(0.001)


async def test_one_after_another_they_share_a_connection(serve: Serve, dial: Dial) -> None:
    server, asking = await serve(prompt), dial()
    for n in range(5):
        assert await asking.send(server.url, b"%d" % n) == (200, "")
    assert server.bodies == [b"0", b"1", b"2", b"3", b"4"]
    assert server.connections == asking.client.connections == 1
    assert server.heads[0].startswith(b"POST /x HTTP/1.1\r\nHost: localhost:%d\r\n" % server.port)


async def test_together_each_has_a_connection_and_those_are_used_again(serve: Serve, dial: Dial) -> None:
    server, asking = await serve(prompt), dial()
    for _ in range(3):
        outcomes = await asyncio.gather(*[asking.send(server.url) for _ in range(4)])
        assert outcomes == [(200, "")] * 4
    assert server.connections == asking.client.connections == 4


async def test_an_answer_in_two_halves_is_one(serve: Serve, dial: Dial) -> None:
    async def halves(peer: Peer) -> None:
        while await peer.request():
            peer.answer(b"HTTP/1.1 200 OK\r\nContent-")
            await asyncio.sleep(0)
            peer.answer(b"Length: 2\r\n\r\n")
            await asyncio.sleep(0.001)
            peer.answer(b"ok")

    server, asking = await serve(halves), dial()
    assert [await asking.send(server.url) for _ in range(3)] == [(200, "")] * 3
    assert server.connections == 1


async def test_after_connection_close_the_next_one_connects_anew(serve: Serve, dial: Dial) -> None:
    async def once(peer: Peer) -> None:
        await peer.request()
        peer.answer(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        await peer.writer.drain()

    server, asking = await serve(once), dial()
    assert [await asking.send(server.url) for _ in range(3)] == [(200, "")] * 3
    assert server.connections == 3
    await until(lambda: asking.client.connections == 0)


async def test_a_redirect_is_a_status_like_others(serve: Serve, dial: Dial) -> None:
    async def elsewhere(peer: Peer) -> None:
        while await peer.request():
            peer.answer(b"HTTP/1.1 307 X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")

    server, asking = await serve(elsewhere), dial()
    assert await asking.send(server.url) == (307, "")
    assert len(server.bodies) == 1


async def test_a_server_that_closes_what_it_kept_gets_the_request_again_on_a_new_connection(
    serve: Serve, dial: Dial
) -> None:
    async def shy(peer: Peer) -> None:
        await peer.request()
        if peer.server.connections == 1:
            peer.answer()
            await peer.request()  # and it goes, without a word

        else:
            peer.answer()
            await peer.request()

    server, asking = await serve(shy), dial()
    assert await asking.send(server.url, b"1") == (200, "")
    assert await asking.send(server.url, b"2") == (200, "")
    assert server.bodies == [b"1", b"2", b"2"]
    assert server.connections == 2


async def test_a_server_that_always_closes_is_asked_twice_at_most(serve: Serve, dial: Dial) -> None:
    async def rude(peer: Peer) -> None:
        if peer.server.connections == 1:
            await peer.request()
            peer.answer()
        await peer.request()

    server, asking = await serve(rude), dial()
    assert await asking.send(server.url, b"1") == (200, "")
    status, reason = await asking.send(server.url, b"2")
    assert status == 0 and "closed before an answer" in reason
    assert server.bodies == [b"1", b"2", b"2"]


async def test_a_server_that_resets_is_a_failure_at_once(serve: Serve, dial: Dial) -> None:
    async def reset(peer: Peer) -> None:
        await peer.request()
        peer.writer.transport.abort()

    server, asking = await serve(reset), dial()
    status, reason = await asking.send(server.url)
    assert status == 0 and "closed before an answer" in reason
    assert server.connections == 1


async def test_a_server_that_answers_too_early_keeps_its_status(serve: Serve, dial: Dial) -> None:
    async def early(peer: Peer) -> None:
        peer.answer(b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        await peer.writer.drain()
        await asyncio.Event().wait()

    server, asking = await serve(early), dial()
    status, reason = await asking.send(server.url, b"x" * 50_000_000)
    # depending on which comes first, it is an answer or a word out of turn; never a hang
    assert status == 503 or "closed" in reason


async def test_a_server_that_says_nothing_is_given_up(serve: Serve, dial: Dial) -> None:
    async def silent(peer: Peer) -> None:
        await asyncio.Event().wait()

    server, asking = await serve(silent), dial(timeout_seconds=0.1)
    began = asyncio.get_running_loop().time()
    outcomes = await asyncio.gather(asking.send(server.url), asking.send(server.url))
    assert outcomes == [(0, "no answer within 0.1 s")] * 2
    assert asyncio.get_running_loop().time() - began < 3
    await until(lambda: asking.client.connections == 0)


async def test_a_server_that_never_ends_its_body_is_given_up_and_its_status_counts(
    serve: Serve, dial: Dial
) -> None:
    async def endless(peer: Peer) -> None:
        await peer.request()
        peer.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not peer.writer.is_closing():
            peer.answer(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
            await peer.writer.drain()
            await asyncio.sleep(0)

    server, asking = await serve(endless), dial()
    assert await asking.send(server.url) == (200, "")
    await until(lambda: asking.client.connections == 0)


async def test_a_connection_that_is_not_needed_is_closed(serve: Serve, dial: Dial) -> None:
    server, asking = await serve(prompt), dial(timeout_seconds=0.1, idle_seconds=0.02)
    assert await asking.send(server.url) == (200, "")
    await until(lambda: asking.client.connections == 0)
    assert await asking.send(server.url) == (200, "")
    assert server.connections == 2


async def test_nobody_listens(dial: Dial) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        status, reason = await dial().send(f"http://localhost:{port}/")
    assert status == 0 and reason.startswith(f"cannot connect to localhost:{port}: ")


async def test_the_next_address_of_a_name_is_tried(serve: Serve, dial: Dial) -> None:
    server = await serve(prompt)

    def two(host: str, port: int) -> Found:
        nobody = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.2", port))
        return [nobody, *here(host, port)]

    assert await dial(lookup=two).send(server.url) == (200, "")


async def test_a_name_that_is_not_known_is_a_failure(dial: Dial) -> None:
    def unknown(host: str, port: int) -> Found:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    asking = dial(lookup=unknown)
    for _ in range(2):
        status, reason = await asking.send("http://unknown.example/")
        assert status == 0 and "not known" in reason
    assert asking.client.connections == 0


async def test_a_name_that_takes_long_delays_nobody_else_and_runs_into_the_timeout(
    serve: Serve, dial: Dial
) -> None:
    answered = threading.Event()

    def slow(host: str, port: int) -> Found:
        if host == "slow.example":
            answered.wait(10)
        return here(host, port)

    server, asking = await serve(prompt), dial(timeout_seconds=0.2, lookup=slow)
    waits = asking.send("http://slow.example/")
    assert await asking.send(server.url) == (200, "")
    assert not waits.done()
    assert await waits == (0, "no answer within 0.2 s")
    answered.set()


async def test_closing_leaves_nothing_open_and_tells_nobody(serve: Serve, dial: Dial) -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.request()

    server, asking = await serve(silent), dial()
    waits = asking.send(server.url)
    await until(lambda: bool(server.bodies))
    connecting = asking.send(server.url)
    await asking.client.close()
    assert asking.client.connections == 0
    assert not waits.done() and not connecting.done()


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "localhost.crt", TLS / "localhost.key")
    return context


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(TLS / "localhost.crt"))


async def test_https_shares_connections_too(serve: Serve, dial: Dial) -> None:
    server, asking = await serve(prompt, server_context()), dial(tls=trusting)
    assert [await asking.send(server.url) for _ in range(3)] == [(200, "")] * 3
    assert server.connections == 1


async def test_https_to_somebody_whom_no_authority_vouches_for_is_a_failure(serve: Serve, dial: Dial) -> None:
    server, asking = await serve(prompt, server_context()), dial()
    status, reason = await asking.send(server.url)
    assert status == 0 and "CERTIFICATE_VERIFY_FAILED" in reason
    assert server.bodies == []


async def test_https_to_somebody_of_another_name_is_a_failure(serve: Serve, dial: Dial) -> None:
    server, asking = await serve(prompt, server_context()), dial(tls=trusting)
    status, reason = await asking.send(server.url.replace("localhost", "elsewhere.example"))
    assert status == 0 and "elsewhere.example" in reason
    assert server.bodies == []


async def test_https_to_somebody_who_speaks_plainly_is_a_failure(serve: Serve, dial: Dial) -> None:
    async def plain(peer: Peer) -> None:
        peer.answer(OK)
        await peer.reader.read()

    server, asking = await serve(plain), dial(tls=trusting)
    status, reason = await asking.send(server.url.replace("http:", "https:"))
    assert status == 0 and "cannot connect" in reason
