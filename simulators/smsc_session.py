"""One TCP connection to the SMSC: octets out without waiting, PDUs in one by one, what its peer is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import trio

from simulators import smpp_pdu
from simulators.smpp_pdu import Frames, Malformed, Pdu

OUTGOING_LIMIT_OCTETS = 4_000_000  # nothing more is read from a peer that does not read its answers


class Gate:
    """Closed by the command `pause`: nothing is read, answered or sent until `resume`."""

    def __init__(self) -> None:
        self.is_open = True
        self._opened = trio.Event()

    def close(self) -> None:
        if self.is_open:
            self.is_open, self._opened = False, trio.Event()

    def open(self) -> None:
        self.is_open = True
        self._opened.set()

    async def wait(self) -> None:
        while not self.is_open:
            await self._opened.wait()


@dataclass(slots=True, eq=False)
class Delivery:
    """One deliver_sm or data_sm on its way to the ESME, kept until a response settles it.

    `system_id` None goes to anybody who can receive. `event` is what its events say about it.
    """

    kind: Literal["receipt", "mo"]
    command: str
    parameters: dict[str, object]
    event: dict[str, object]
    system_id: str | None = None
    origin: "Session | None" = None
    elsewhere: bool = False  # rather not to the session of origin
    attempt: int = 0
    settled: Callable[[], dict[str, object]] = dict


@dataclass(slots=True, eq=False)
class Session:
    stream: trio.SocketStream
    number: int
    system_id: str = ""
    mode: str = ""  # "", transmitter, receiver, transceiver
    reason: str = "closed by the peer"
    window: dict[int, Delivery] = field(default_factory=dict)
    enquired_at: float = 0.0
    enquiry: int | None = None  # sequence_number of our enquire_link that has no response yet
    closed: bool = False
    _sequence: int = 0
    _outgoing: bytearray = field(default_factory=bytearray)
    _wake: trio.Event = field(default_factory=trio.Event)
    _drained: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)
    _scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    _finishing: bool = False

    @property
    def can_submit(self) -> bool:
        return self.mode in ("transmitter", "transceiver")

    @property
    def can_receive(self) -> bool:
        return self.mode in ("receiver", "transceiver") and not self.closed and not self._finishing

    def next_sequence(self) -> int:
        self._sequence = self._sequence % 0x7FFFFFFF + 1
        return self._sequence

    def send(self, octets: bytes) -> None:
        if not self.closed:
            self._outgoing += octets
            self._wake.set()

    def finish(self, reason: str) -> None:
        """Close once all that was sent has left."""
        self.reason, self._finishing = reason, True
        self._wake.set()

    def cut(self, reason: str) -> None:
        """Close now."""
        self.reason = reason
        self._scope.cancel()

    async def run(self, handle: Callable[["Session", Pdu], None], gate: Gate) -> None:
        """Until either side ends it. `handle` gets every PDU and must not raise."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, gate)
                    await self._read(handle, gate)
                    # the peer may have closed only its half: what it is owed still goes out
                    self._finishing = True
                    self._wake.set()
        finally:
            self.closed = True
            await trio.aclose_forcefully(self.stream)

    async def _read(self, handle: Callable[["Session", Pdu], None], gate: Gate) -> None:
        frames = Frames()
        while True:
            try:
                data = await self.stream.receive_some(65536)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self.cut("reset by the peer")
                data = b""
            if not data:
                return
            try:
                for pdu in frames.feed(data):
                    if not gate.is_open:
                        await gate.wait()
                    while len(self._outgoing) > OUTGOING_LIMIT_OCTETS:
                        await self._drained.park()
                    handle(self, pdu)
                    if self._finishing:
                        return
            except Malformed as error:
                self.send(smpp_pdu.generic_nack(0, error.status))
                self.finish(f"not SMPP: {error}")
                return

    async def _write(self, gate: Gate) -> None:
        while True:
            await gate.wait()
            if self._outgoing:
                octets = bytes(self._outgoing)
                self._outgoing.clear()
                try:
                    await self.stream.send_all(octets)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    self.cut("reset by the peer")
                self._drained.unpark_all()
            elif self._finishing:
                self._scope.cancel()
                return
            else:
                self._wake = trio.Event()
                await self._wake.wait()
