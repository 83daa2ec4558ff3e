"""DTMF digits as telephone events, both ways (RFC 4733).

A payload is four octets; `duration` counts timestamp units (8 per millisecond) since the event began:

    |     event     |E|R|  volume   |           duration            |

All packets of one press share the timestamp of its beginning; the last one, with E set, is sent three times.
"""

from collections import deque
from struct import Struct
from typing import Final, NamedTuple

from gateway.protocol.rtp.codec import FRAME
from gateway.protocol.rtp.packet import RtpError

DIGITS: Final = "0123456789*#ABCD"
PRESS_FRAMES: Final = 5  # 100 ms; Q.24 asks a receiver to take 40 ms
GAP_FRAMES: Final = 3  # 60 ms after the end packets, so that two equal digits are two
_END_PACKETS: Final = 3
_VOLUME: Final = 10  # -10 dBm0
_PAYLOAD = Struct(">BBH")
EVENT_OCTETS: Final = _PAYLOAD.size
_REMEMBERED = 8  # end packets of an older press may arrive behind the next one


class TelephoneEvent(NamedTuple):
    """One payload.  `event` 0-15 are digits, 16 is flash, others are tones that nobody presses."""

    event: int
    end: bool
    volume: int
    duration: int

    @property
    def digit(self) -> str | None:
        """The key, or None when the event is not one."""
        return DIGITS[self.event] if self.event < len(DIGITS) else None


def pack_event(event: TelephoneEvent) -> bytes:
    """The four octets of an event; the duration stops at 65535 (8 seconds)."""
    return _PAYLOAD.pack(event.event, event.volume | (0x80 if event.end else 0), min(event.duration, 0xFFFF))


def parse_event(payload: bytes) -> TelephoneEvent:
    """Read the first event of a payload.  Raises RtpError when it is too short."""
    if len(payload) < 4:
        raise RtpError(f"a telephone-event payload of {len(payload)} octets")
    event, flags, duration = _PAYLOAD.unpack_from(payload)
    return TelephoneEvent(event, flags >= 0x80, flags & 0x3F, duration)


class DigitReceiver:
    """Turns packets into digits: each press once, at the first of its packets that got through."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)

    def receive(self, timestamp: int, payload: bytes) -> str | None:
        """The digit when this packet begins a press not seen before.  Raises RtpError."""
        event = parse_event(payload)
        press = (timestamp, event.event)
        if event.digit is None or press in self._seen:
            return None
        self._seen.append(press)
        return event.digit


class EventPacket(NamedTuple):
    """What the sender puts on the wire in one frame: the payload, the press's own timestamp, the marker."""

    payload: bytes
    timestamp: int
    marker: bool


class DigitSender:
    """Spells digits, one packet per frame; the frames of the gap between two presses carry audio again."""

    def __init__(self) -> None:
        self.waiting: deque[str] = deque()  # the press under way is the first
        self._began = 0
        self._frame = 0  # frames since the press began; 0 = no press under way

    def send(self, digits: str) -> None:
        """Queue digits out of `DIGITS`.  Raises ValueError for any other character; then none is queued."""
        for digit in digits:
            if digit not in DIGITS:
                raise ValueError(f"{digit!r} is not a DTMF digit")
        self.waiting.extend(digits)

    def next_event(self, timestamp: int) -> EventPacket | None:
        """What belongs in the frame at `timestamp`; None means audio."""
        if not self.waiting:
            return None
        if self._frame == 0:
            self._began = timestamp
        self._frame += 1
        frame = self._frame
        if frame > PRESS_FRAMES + _END_PACKETS - 1:
            if frame == PRESS_FRAMES + _END_PACKETS - 1 + GAP_FRAMES:
                self._frame = 0
                self.waiting.popleft()
            return None
        event = DIGITS.index(self.waiting[0])
        duration = min(frame, PRESS_FRAMES) * FRAME
        payload = pack_event(TelephoneEvent(event, frame >= PRESS_FRAMES, _VOLUME, duration))
        return EventPacket(payload, self._began, frame == 1)
