"""One call's audio over a trio UDP socket: plays 20 ms frames by absolute deadlines, listens meanwhile."""

import secrets
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Self

import trio

from simulators.rtp import (
    FRAME_SAMPLES,
    FRAME_SECONDS,
    PCMU,
    Codec,
    Listener,
    NotRtp,
    Packet,
    event_payloads,
)
from simulators.sdp import Description
from simulators.sip_transactions import Emit, show

SOUNDS = ("tone", "silence", "speech", "beep")
HERTZ = {"tone": 440, "beep": 1000}
AMPLITUDE = 8000
DIGIT_FRAMES = 5
DIGIT_PAUSE_FRAMES = 3
PORT_TRIES = 20

Part = tuple[str, float]  # a sound, and for how many seconds


@cache
def sound(codec: Codec, name: str) -> bytes:
    """One second of a sound, G.711 coded."""
    if name == "speech":
        return codec.babble(AMPLITUDE)
    return codec.tone(HERTZ[name], AMPLITUDE) if name in HERTZ else codec.tone(0, 0)


@dataclass(frozen=True, slots=True)
class Event:
    """What a key press sends in one 20 ms; `first`: of its packets, which all have that one's timestamp."""

    payload: bytes
    first: bool = False


class Audio:
    """The media of one call. `dropped` is asked for every packet, either way, if the network loses it."""

    def __init__(
        self, own: trio.socket.SocketType, host: str, emit: Emit, dropped: Callable[[], bool]
    ) -> None:
        self.host, self.port = host, int(own.getsockname()[1])
        self.listener = Listener()
        self._socket, self._emit, self._dropped = own, emit, dropped
        self._peer: Description | None = None
        self._codec = PCMU
        self._sequence, self._timestamp = secrets.randbelow(2**16), secrets.randbelow(2**32)
        self._ssrc = secrets.randbelow(2**32)
        self._frames = self._sent = self._pressed_at = self._not_rtp = 0
        self._failed = False
        self._parts: deque[Part] = deque()
        self._then = "silence"
        self._keys: deque[Event | None] = deque()

    @classmethod
    async def open(cls, host: str, emit: Emit, dropped: Callable[[], bool]) -> Self:
        """Bind an even port, as RFC 3550 section 11 asks, or any after 20 tries."""
        for attempt in count(1):
            own = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                await own.bind((host, 0))
            except BaseException:
                own.close()
                raise
            if own.getsockname()[1] % 2 == 0 or attempt == PORT_TRIES:
                break
            own.close()
        return cls(own, host, emit, dropped)

    def close(self) -> None:
        self._socket.close()

    def agree(self, peer: Description) -> None:
        """Take the peer's description: where to send, which codec, which number for telephone events."""
        self._peer, self._codec = peer, peer.codecs[0]
        self.listener.event_type = peer.event_type

    def say(self, parts: Sequence[Part], then: str) -> None:
        """What is played from now on: each part for its time, then one sound for ever."""
        self._parts, self._then = deque(parts), then

    def press(self, digits: str, *, after: float = 0.0) -> None:
        """Press keys, after those that are still to come and so many seconds."""
        if digits:
            self._keys.extend([None] * round(after / FRAME_SECONDS))
            self._keys.extend(presses(digits))

    async def run(self) -> None:
        """Play and listen until cancelled; a second run goes on where the first has ended."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            nursery.start_soon(self._play)

    async def _listen(self) -> None:
        while True:
            data, source = await self._socket.recvfrom(2048)
            if self._dropped():
                continue
            try:
                packet = Packet.parse(data)
            except NotRtp as error:
                self._not_rtp += 1
                if self._not_rtp == 1:  # once per call: a peer that sends this sends fifty a second
                    self._emit("error", reason=f"not RTP: {error}", peer=show(source))
                continue
            self.listener.hear(packet, trio.current_time())

    async def _play(self) -> None:
        began = trio.current_time() - self._frames * FRAME_SECONDS
        while True:
            await trio.sleep_until(began + self._frames * FRAME_SECONDS)
            await self._send(self._next_event() or self._next_sound())
            self._frames += 1

    async def _send(self, frame: Event | bytes) -> None:
        peer = self._peer
        if peer is None or peer.direction in ("sendonly", "inactive") or peer.host == "0.0.0.0":
            return
        marker, at = self._sent == 0, self._frames
        if isinstance(frame, Event):
            marker, at, payload, payload_type = frame.first, self._pressed_at, frame.payload, peer.event_type
        else:
            payload, payload_type = frame, self._codec.payload_type
        if payload_type is None:
            return
        timestamp = (self._timestamp + at * FRAME_SAMPLES) % 2**32
        sequence = (self._sequence + self._sent) % 2**16
        packet = Packet(payload_type, sequence, timestamp, self._ssrc, payload, marker)
        self._sent += 1
        if self._dropped():
            return
        try:
            await self._socket.sendto(packet.encode(), (peer.host, peer.port))
        except OSError as error:  # UDP: as if lost
            if not self._failed:
                self._emit("error", reason=f"RTP: {error}", peer=f"{peer.host}:{peer.port}")
            self._failed = True

    def _next_event(self) -> Event | None:
        """What a pressed key sends now."""
        if self._keys and self._peer is not None and self._peer.event_type is None:
            self._emit("error", reason="the peer takes no telephone events; digits not sent")
            self._keys.clear()
        event = self._keys.popleft() if self._keys else None
        if event is not None and event.first:
            self._pressed_at = self._frames
        return event

    def _next_sound(self) -> bytes:
        while self._parts and self._parts[0][1] < FRAME_SECONDS / 2:
            self._parts.popleft()
        name = self._then
        if self._parts:
            name, left = self._parts[0]
            self._parts[0] = name, left - FRAME_SECONDS
        whole = sound(self._codec, name)
        start = self._frames * FRAME_SAMPLES % len(whole)
        return whole[start : start + FRAME_SAMPLES]


def presses(digits: str) -> Iterator[Event | None]:
    """What key presses send, 100 ms and its end each; None in the pauses."""
    for digit in digits:
        for index, payload in enumerate(event_payloads(digit, frames=DIGIT_FRAMES)):
            yield Event(payload, first=index == 0)
        yield from [None] * DIGIT_PAUSE_FRAMES
