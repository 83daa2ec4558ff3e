"""gateway trunk probe: does a SIP peer answer an OPTIONS request (RFC 3261 section 11)?"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from socket import gaierror
from typing import Protocol

import asyncio_dgram
import click
from asyncio_dgram.aio import DatagramClient
from msgspec import Struct

from gateway import __version__
from gateway.cli.output import clean, print_json
from gateway.cli.settings import json_option
from gateway.config.endpoint import host_port, is_host
from gateway.protocol.sip.address import DEFAULT_PORTS, Transport
from gateway.protocol.sip.framing import Framer, StreamError
from gateway.protocol.sip.headers import MAGIC_COOKIE, Via
from gateway.protocol.sip.message import Request, Response, SipParseError, make_request, parse
from gateway.protocol.sip.timers import T1, T2


@click.group(
    epilog="""\b
Example:
  gateway trunk probe sip.example.net --transport tls
"""
)
def trunk() -> None:
    """SIP trunks."""


@trunk.command(
    epilog="""\b
Example:
  $ gateway trunk probe 192.0.2.10:5080
  200 OK from 192.0.2.10:5080 after 3.1 ms
  Server: ExampleSBC 7.2
  Allow: INVITE, ACK, BYE, CANCEL, OPTIONS
"""
)
@click.argument("peer", metavar="HOST[:PORT]")
@click.option(
    "--transport",
    type=click.Choice(["udp", "tcp", "tls"]),
    default="udp",
    show_default=True,
    help="What to ask by; tls checks the peer's certificate.",
)
@click.option(
    "--ca",
    metavar="FILE",
    default="",
    help="PEM: who must have signed it; default: the system's.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 32),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to go on asking.",
)
@json_option
def probe(peer: str, transport: Transport, ca: str, timeout: float, as_json: bool) -> None:
    """Ask a SIP peer by OPTIONS whether it is there.

    Any final answer counts, 404 and 405 too: it comes from a SIP stack.  Over UDP the request is repeated
    after 0.5, 1, 2, 4, 4, ... seconds until one comes.  Exits with 1 if none comes.  A peer may answer only
    addresses that it knows: probe from the machine that the gateway runs on.
    """
    host, port = _peer(peer, DEFAULT_PORTS[transport])
    try:
        answer = asyncio.run(ask(host, port, transport=transport, ca=ca, timeout=timeout))
    except Silence as silence:
        if as_json:
            print_json({"peer": peer, "status": 0, "reason": str(silence)})
        raise click.ClickException(f"{peer}: {silence}") from None
    if as_json:
        print_json(
            {
                "peer": f"{answer.address}:{answer.port}",
                "status": answer.status,
                "reason": answer.reason,
                "milliseconds": round(answer.seconds * 1000, 1),
                "requests": answer.requests,
                "headers": answer.headers,
            }
        )
        return
    repeated = f", {answer.requests} requests" if answer.requests > 1 else ""
    place = f"[{answer.address}]" if ":" in answer.address else answer.address
    line = f"{answer.status} {answer.reason} from {place}:{answer.port}"
    click.echo(clean(f"{line} after {answer.seconds * 1000:.1f} ms{repeated}"))
    for name, value in answer.headers.items():
        click.echo(clean(f"{name}: {value}"))


class Silence(Exception):
    """No final answer came; the text says what is known of the reason."""


class Answer(Struct, frozen=True):
    """`seconds` from the first request on; `requests` sent up to the answer."""

    status: int
    reason: str
    address: str
    port: int
    seconds: float
    requests: int
    headers: dict[str, str]


_TOLD = ("User-Agent", "Server", "Allow", "Supported", "Accept", "Contact", "Warning")


async def ask(
    host: str, port: int, *, timeout: float, transport: Transport = "udp", ca: str = "", t1: float = T1
) -> Answer:
    """Send OPTIONS until a final answer comes.  Raises Silence."""
    try:
        async with asyncio.timeout(timeout):
            wire: _Wire = (
                _Datagrams(await asyncio_dgram.connect((host, port)))
                if transport == "udp"
                else (await _connected(host, port, transport, ca))
            )
    except gaierror:
        raise Silence("no such host") from None
    except OSError as error:
        raise Silence(f"cannot be reached: {error.strerror or error or 'no connection in time'}") from None
    try:
        return await _Probe(wire, host, port, transport).run(timeout, t1)
    finally:
        await wire.close()


class _Wire(Protocol):
    """A connected socket; both ends as (IP address, port)."""

    local: tuple[str, int]
    remote: tuple[str, int]

    async def send(self, message: bytes) -> None: ...
    async def receive(self) -> bytes: ...
    async def close(self) -> None: ...


class _Datagrams:
    def __init__(self, stream: DatagramClient) -> None:
        self._stream = stream
        self.local, self.remote = stream.sockname[:2], stream.peername[:2]

    async def send(self, message: bytes) -> None:
        await self._stream.send(message)

    async def receive(self) -> bytes:
        datagram, _ = await self._stream.recv()
        return bytes(datagram)

    async def close(self) -> None:
        self._stream.close()


class _Stream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._framer = Framer()
        self._messages: deque[bytes] = deque()
        self.local = writer.get_extra_info("sockname")[:2]
        self.remote = writer.get_extra_info("peername")[:2]

    async def send(self, message: bytes) -> None:
        self._writer.write(message)
        await self._writer.drain()

    async def receive(self) -> bytes:
        while not self._messages:
            data = await self._reader.read(65_536)
            if not data:
                raise ConnectionError(0, "it has closed the connection")
            try:
                self._messages += self._framer.feed(data)
            except StreamError as error:
                raise ConnectionError(0, f"what came was no SIP: {error}") from None
        return self._messages.popleft()

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


async def _connected(host: str, port: int, transport: Transport, ca: str) -> _Stream:
    """Raises OSError."""
    context = None
    if transport == "tls":
        try:
            context = ssl.create_default_context(cafile=ca or None)
        except OSError as error:
            raise click.BadParameter(f"{ca}: {error}", param_hint="--ca") from None
    return _Stream(*await asyncio.open_connection(host, port, ssl=context))


class _Probe:
    """One non-INVITE client transaction (section 17.1.2) on a connected socket."""

    def __init__(self, wire: _Wire, host: str, port: int, transport: Transport) -> None:
        self._wire = wire
        self._reliable = transport != "udp"
        self._request = _options(host, port, wire.local, transport)
        self._sent = 0
        self._garbled = ""
        self._provisional = False

    async def run(self, timeout: float, t1: float) -> Answer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        final, repeating = asyncio.create_task(self._final()), asyncio.create_task(self._repeat(t1))
        try:
            await asyncio.wait({final, repeating}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            seconds = loop.time() - began
            if repeating.done():
                repeating.result()
            if not final.done():
                raise Silence(self._silence(timeout))
            response = final.result()
        except OSError as error:
            if self._reliable:
                raise Silence(str(error.strerror or error)) from None
            # an ICMP error of the peer's machine, or of one on the way
            raise Silence(f"nothing listens there ({error.strerror})") from None
        finally:
            final.cancel()
            repeating.cancel()
            await asyncio.gather(final, repeating, return_exceptions=True)
        address, port = self._wire.remote
        told = {name: ", ".join(response.headers.lines(name)) for name in _TOLD if name in response.headers}
        return Answer(response.status, response.reason, address, port, seconds, self._sent, told)

    def _silence(self, timeout: float) -> str:
        said = f"no answer to {self._sent} request{'' if self._sent == 1 else 's'} in {timeout:g} s"
        if self._provisional:
            return f"{said}, but a provisional one"
        return f"{said}; what came was no SIP: {self._garbled}" if self._garbled else said

    async def _repeat(self, t1: float) -> None:
        """Raises OSError for what an earlier datagram has met with."""
        datagram = bytes(self._request)
        for wait in timer_e(t1):
            await self._wire.send(datagram)
            self._sent += 1
            if self._reliable:  # what is sent arrives, or the connection breaks
                await asyncio.Event().wait()
            await asyncio.sleep(T2 if self._provisional else wait)

    async def _final(self) -> Response:
        while True:
            datagram = await self._wire.receive()
            try:
                message = parse(datagram)
            except SipParseError as error:
                self._garbled = error.reason
                continue
            if not isinstance(message, Response) or not self._is_ours(message):
                continue
            if message.status >= 200:
                return message
            self._provisional = True

    def _is_ours(self, response: Response) -> bool:
        """Section 17.1.3; the Call-ID besides, for peers that mix up branches."""
        ours = self._request
        return (response.via.branch, response.cseq_method, response.call_id) == (
            ours.via.branch,
            ours.method,
            ours.call_id,
        )


def timer_e(t1: float) -> Iterator[float]:
    """Seconds from one request to the next: T1, then twice as long each time up to T2 (section 17.1.2.2)."""
    wait = t1
    while True:
        yield wait
        wait = min(2 * wait, T2)


def _options(host: str, port: int, local: tuple[str, int], transport: Transport) -> Request:
    """RFC 3261 section 11.1, from a user agent that takes no calls."""
    here = f"[{local[0]}]" if ":" in local[0] else local[0]
    there = f"[{host}]" if ":" in host else host
    uri = f"sip:{there}" if port == DEFAULT_PORTS[transport] else f"sip:{there}:{port}"
    way = "" if transport == "udp" else f";transport={transport}"
    token = secrets.token_hex(8)
    return make_request(
        "OPTIONS",
        uri,
        via=Via(transport.upper(), here, local[1], {"rport": None, "branch": MAGIC_COOKIE + token}),
        from_=f"<sip:probe@{here}>;tag={secrets.token_hex(4)}",
        to=f"<{uri}>",
        call_id=f"{token}@{here}",
        cseq=1,
        headers=[
            ("Contact", f"<sip:probe@{here}:{local[1]}{way}>"),
            ("Accept", "application/sdp"),
            ("User-Agent", f"trunkline/{__version__}"),
        ],
    )


def _peer(written: str, default: int) -> tuple[str, int]:
    """HOST, HOST:PORT, [::1], [::1]:PORT, ::1."""
    bare = written[1:-1] if written.startswith("[") and written.endswith("]") else written
    if is_host(bare):
        return bare, default
    try:
        host, port = host_port(written)
    except ValueError:
        port = 0
    if port == 0:
        raise click.BadParameter(f"{written!r} is no HOST[:PORT]", param_hint="HOST[:PORT]")
    return host, port
