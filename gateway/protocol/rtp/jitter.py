"""A jitter buffer: packets in as they come, one frame of 20 ms out per tick.

Whoever records, relays or listens to a call needs an unbroken stream; whoever only counts it does not, so a
call has one of these while somebody listens.  Time is cut into chunks of 10 ms, 80 octets of any codec here,
by the packets' timestamps: packets of 10, 20, 30 or 40 ms all fit, order does not matter, and what is missing
is silence.
"""

from typing import Final

from gateway.protocol.rtp.codec import FRAME, Codec

_CHUNK: Final = FRAME // 2
_ROOM_CHUNKS: Final = 20  # beyond the depth; more would be the peer's clock running ahead, and is skipped
_LATE_IN_A_ROW: Final = 10  # then the peer's clock has been set back, or the path has grown longer


class JitterBuffer:
    """For one stream of one codec; `late` counts packets that came after their turn."""

    def __init__(self, codec: Codec, *, depth_milliseconds: int) -> None:
        """A packet may come `depth_milliseconds` later than the first one did and is still in time."""
        self._silence = codec.silence * _CHUNK
        self._depth = depth_milliseconds // 10
        self._chunks: dict[int, bytes] = {}
        self._ssrc: int | None = None
        self._base = 0  # timestamp of chunk 0
        self._highest = 0  # chunk
        self._next = 0  # chunk that goes out next
        self._late_in_a_row = 0
        self.late = 0

    def put(self, ssrc: int, timestamp: int, payload: bytes) -> None:
        """Take a packet's octets of the codec."""
        if ssrc != self._ssrc:
            self._restart(ssrc, timestamp)
        # the chunk next to those of late, in spite of the timestamp's wrap at 2^32
        distance = (timestamp - self._base - self._highest * _CHUNK + 2**31) % 2**32 - 2**31
        first = self._highest + distance // _CHUNK
        if first < self._next:
            self.late += 1
            self._late_in_a_row += 1
            if self._late_in_a_row < _LATE_IN_A_ROW:
                return
            self._restart(ssrc, timestamp)
            first = self._highest
        elif first > self._next + self._depth + _ROOM_CHUNKS:
            self._next = first - self._depth
            self._chunks = {at: chunk for at, chunk in self._chunks.items() if at >= self._next}
        self._late_in_a_row = 0
        # one packet cannot fill more than a second; a stream of huge ones is no telephone's
        for at in range(0, min(len(payload), 100 * _CHUNK), _CHUNK):
            chunk = payload[at : at + _CHUNK]
            self._chunks[first] = chunk if len(chunk) == _CHUNK else chunk + self._silence[len(chunk) :]
            self._highest = max(self._highest, first)
            first += 1

    def pull(self) -> bytes:
        """The next 20 ms, 160 octets; silence where nothing has come."""
        at = self._next
        self._next = at + 2
        take, silence = self._chunks.pop, self._silence
        return take(at, silence) + take(at + 1, silence)

    def _restart(self, ssrc: int, timestamp: int) -> None:
        """A new source, or a clock set back: its first packet goes out after the depth."""
        self._ssrc = ssrc
        self._chunks.clear()
        self._highest = self._next + self._depth
        self._base = timestamp - self._highest * _CHUNK
