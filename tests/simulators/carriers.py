"""A carrier watched, and a peer written by hand, over loopback. Time is trio's mock clock: it jumps."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import MockClock

from simulators.console import Command
from simulators.sip_carrier import Carrier
from simulators.sip_handset import Behaviour, number_key

CALLER = "+447700900123"
CALLED = "+442079460000"
Event = dict[str, Any]


class Watched:
    """A running carrier, its events with the (mock) time of each, and its commands."""

    def __init__(self, name: str, handsets: dict[str, str], **options: Any) -> None:
        self.events: list[Event] = []
        self._news = trio.Event()
        known = {number_key(number): Behaviour.parse(text) for number, text in handsets.items()}
        self.carrier = Carrier(name, self._emit, handsets=known, **options)
        self.address = ("127.0.0.1", 0)

    def _emit(self, event: str, /, **fields: object) -> None:
        self.events.append({"event": event, "time": trio.current_time(), **fields})
        self._news.set()

    async def until(self, name: str) -> None:
        while not self.all(name):
            self._news = trio.Event()
            await self._news.wait()

    def names(self) -> list[str]:
        return [event["event"] for event in self.events]

    def all(self, name: str) -> list[Event]:
        return [event for event in self.events if event["event"] == name]

    def one(self, name: str) -> Event:
        found = self.all(name)
        assert len(found) == 1, (name, self.events)
        return found[0]

    async def command(self, name: str, **fields: object) -> None:
        await self.carrier.handle(Command(name, fields))

    def stats(self) -> dict[str, Any]:
        return dict(self.carrier.stats())


@asynccontextmanager
async def running(
    name: str, handsets: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[Watched]:
    watched = Watched(name, handsets or {}, **options)
    async with trio.open_nursery() as nursery:
        watched.address = ("127.0.0.1", await nursery.start(watched.carrier.serve))
        yield watched
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def two_carriers(
    handsets: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[tuple[Watched, Watched]]:
    """One whose handsets call, and one that owns the numbers called."""
    async with (
        running("west", handsets, **options) as west,
        running("east", gateway=west.address, **options) as east,
    ):
        yield east, west


class Peer:
    """A UDP socket in the test's hand. Messages are written out in full, as the RFC does."""

    def __init__(self, own: trio.socket.SocketType) -> None:
        self.socket = own
        self.address: tuple[str, int] = own.getsockname()

    async def send(self, text: str | bytes, to: tuple[str, int]) -> None:
        await self.socket.sendto(text if isinstance(text, bytes) else text.encode(), to)

    async def next(self, within: float = 1.0) -> str:
        """The next datagram; "" when nothing came."""
        with trio.move_on_after(within):
            data, _ = await self.socket.recvfrom(65535)
            return bytes(data).decode()
        return ""

    async def times(self, span: float) -> list[tuple[float, str]]:
        """All that comes in a time span, as (time in seconds since now, first line)."""
        began, found = trio.current_time(), []
        with trio.move_on_after(span):
            while True:
                data, _ = await self.socket.recvfrom(65535)
                first = bytes(data).decode("latin-1").split("\r\n")[0]
                found.append((round(trio.current_time() - began, 3), first))
        return found

    def request(
        self,
        method: str,
        to: tuple[str, int],
        *,
        number: str = CALLED,
        branch: str = "z9hG4bK1",
        to_tag: str = "",
        cseq: str = "1",
        extra: str = "",
        body: str = "",
        via: str = "",
    ) -> str:
        host, port = self.address
        sent_by = via or f"{host}:{port};rport"
        cseq_method = method
        tag = f";tag={to_tag}" if to_tag else ""
        return (
            f"{method} sip:{number}@{to[0]}:{to[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {sent_by};branch={branch}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{CALLER}@{host}>;tag=abc\r\nTo: <sip:{number}@{to[0]}>{tag}\r\n"
            f"Call-ID: call-1@{host}\r\nCSeq: {cseq} {cseq_method}\r\nContact: <sip:{host}:{port}>\r\n"
            f"{extra}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def offer(self, port: int = 4000) -> str:
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 8 0\r\n"
        )


@asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    own = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    await own.bind(("127.0.0.1", 0))
    with own:
        yield Peer(own)


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    trio.run(scenario, clock=MockClock(autojump_threshold=0))


def field(message: str, name: str) -> str:
    values = [line.partition(": ")[2] for line in message.split("\r\n") if line.startswith(name + ": ")]
    assert values, (name, message)
    return values[0]


def tag_of(message: str) -> str:
    return field(message, "To").partition(";tag=")[2]


SDP = "Content-Type: application/sdp\r\n"
