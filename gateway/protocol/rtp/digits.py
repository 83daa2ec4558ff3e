"""One list of pressed keys out of the several ways by which a peer may tell of the same press.

Telephone events (RFC 4733), SIP INFO and the tones themselves may all come for one press: some gateways
send two of them, and a tone leaks into the audio before its event begins.  Whichever comes first counts.
"""

import re
from collections import deque
from enum import StrEnum
from typing import Final

from gateway.protocol.rtp.telephone_event import DIGITS

_SAME_SECONDS: Final = 2.0  # INFO is often sent only when the key is let go
_REMEMBERED: Final = 16
_SIGNAL = re.compile(rb"^\s*signal\s*=\s*([0-9*#A-Da-d]{1,2})\s*$", re.IGNORECASE | re.MULTILINE)


class Way(StrEnum):
    """How a key came."""

    EVENT = "event"  # RFC 4733
    INFO = "info"  # SIP INFO
    TONE = "tone"  # in the audio


class Presses:
    """Tells a new press from the same one told in another way."""

    def __init__(self) -> None:
        self._recent: deque[tuple[str, float, set[Way]]] = deque(maxlen=_REMEMBERED)

    def is_new(self, digit: str, way: Way, now: float) -> bool:
        """Whether a press of `digit`, told at `now` (monotonic seconds) by `way`, has not been told before.

        Two presses told by the same way are two, however near; each is matched by one telling of another way.
        """
        for known, at, ways in self._recent:
            if known == digit and way not in ways and now - at < _SAME_SECONDS:
                ways.add(way)
                return False
        self._recent.append((digit, now, {way}))
        return True


INFO_TYPES: Final = ("application/dtmf-relay", "application/dtmf")


def digit_of_info(content_type: str, body: bytes) -> str:
    """The key that a SIP INFO of one of INFO_TYPES tells of.  Raises ValueError: there is none.

        application/dtmf-relay    Signal=5, Duration=160, each on a line
        application/dtmf          the key alone, or its number 10 for * and 11 for #

    No standard says this; it is what Cisco's gateways began and others copied.
    """
    match content_type.partition(";")[0].strip().lower():
        case "application/dtmf-relay":
            found = _SIGNAL.search(body)
            if found is None:
                raise ValueError("the INFO has no Signal= with a key")
            text = found[1].decode()
        case "application/dtmf":
            text = body.decode("ascii", "replace").strip()
        case other:
            raise ValueError(f"{other!r} tells of no key")
    text = {"10": "*", "11": "#"}.get(text, text.upper())
    if len(text) != 1 or text not in DIGITS:
        raise ValueError("the INFO names no key")
    return text
