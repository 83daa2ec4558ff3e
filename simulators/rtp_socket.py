"""One call's audio over a trio UDP socket: plays 20 ms frames by absolute deadlines, listens meanwhile."""

import secrets
import socket
from collections.abc import Callable, Iterator
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

SOUNDS = ("tone", "silence")
TONE_HERTZ, TONE_AMPLITUDE = 440, 8000
DIGITS_BEGIN_SECONDS = 0.5
DIGIT_FRAMES = 5
DIGIT_PAUSE_FRAMES = 3
PORT_TRIES = 20


@cache
def sound(codec: Codec, name: str) -> bytes:
    """One second of a sound, G.711 coded."""
    return codec.tone(TONE_HERTZ, TONE_AMPLITUDE if name == "tone" else 0)


@dataclass(frozen=True, slots=True)
class Frame:
    """What goes out in one 20 ms: `offset`: its time in frames; a telephone event keeps its key press's."""

    offset: int
    payload: bytes
    event: bool = False
    marker: bool = False


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
        self._sent = 0
        self._not_rtp = 0

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

    async def run(self, *, play: str, digits: str) -> None:
        """Play and listen until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            nursery.start_soon(self._play, play, digits)

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

    async def _play(self, play: str, digits: str) -> None:
        sequence, timestamp = secrets.randbelow(2**16), secrets.randbelow(2**32)
        ssrc, started = secrets.randbelow(2**32), trio.current_time()
        for number, frame in enumerate(self._frames(play, digits)):
            await trio.sleep_until(started + number * FRAME_SECONDS)
            peer = self._peer
            if peer is None or peer.direction in ("sendonly", "inactive") or peer.host == "0.0.0.0":
                continue
            payload_type = peer.event_type if frame.event else self._codec.payload_type
            if payload_type is None:
                continue
            at = (timestamp + frame.offset * FRAME_SAMPLES) % 2**32
            marker = frame.marker or self._sent == 0
            packet = Packet(payload_type, (sequence + self._sent) % 2**16, at, ssrc, frame.payload, marker)
            self._sent += 1
            if self._dropped():
                continue
            try:
                await self._socket.sendto(packet.encode(), (peer.host, peer.port))
            except OSError as error:
                self._emit("error", reason=f"RTP: {error}", peer=f"{peer.host}:{peer.port}")
                return

    def _frames(self, play: str, digits: str) -> Iterator[Frame]:
        if digits and (self._peer is None or self._peer.event_type is None):
            self._emit("error", reason="the peer takes no telephone events; digits not sent")
            digits = ""
        begin = round(DIGITS_BEGIN_SECONDS / FRAME_SECONDS)
        pressed = list(presses(digits, begin))
        for number in count():
            event = pressed[number - begin] if begin <= number < begin + len(pressed) else None
            whole = sound(self._codec, play)
            start = number * FRAME_SAMPLES % len(whole)
            yield event or Frame(number, whole[start : start + FRAME_SAMPLES])


def presses(digits: str, begin: int) -> Iterator[Frame | None]:
    """The frames of key presses, 100 ms and its end each, beginning at frame `begin`; None in the pauses."""
    for digit in digits:
        frames = list(event_payloads(digit, frames=DIGIT_FRAMES))
        for index, payload in enumerate(frames):
            yield Frame(begin, payload, event=True, marker=index == 0)
        yield from [None] * DIGIT_PAUSE_FRAMES
        begin += len(frames) + DIGIT_PAUSE_FRAMES
