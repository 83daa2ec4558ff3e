"""From a text to what goes on air: alphabet and segments (3GPP TS 23.038, 23.040 section 9.2.3.24).

               alone     UDH8 part   UDH16 part   SAR part
GSM 7 bit      160       153         152          160          septets, one an octet
UCS-2          70        67          66           70           UTF-16 units, two octets each
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Final

from gateway.protocol.sms import gsm, udh
from gateway.protocol.sms.coding import Coding, ucs2

MAX_PARTS: Final = 255
_ALONE_OCTETS: Final = {Coding.GSM: 160, Coding.UCS2: 140}


class LongMethod(Enum):
    """How a text that does not fit alone is carried."""

    UDH8 = "udh8"
    """A user data header with an 8-bit reference in each segment."""
    UDH16 = "udh16"
    """The same with a 16-bit reference."""
    SAR = "sar"
    """sar_msg_ref_num, sar_total_segments and sar_segment_seqnum; no header (SMPP 3.4 section 5.3.2.22)."""
    PAYLOAD = "payload"
    """All of it in message_payload; the SMSC cuts it (SMPP 3.4 section 5.3.2.32)."""


_PART_OCTETS: Final[Mapping[tuple[LongMethod, Coding], int]] = {
    (LongMethod.UDH8, Coding.GSM): 153,
    (LongMethod.UDH8, Coding.UCS2): 134,
    (LongMethod.UDH16, Coding.GSM): 152,
    (LongMethod.UDH16, Coding.UCS2): 132,
    (LongMethod.SAR, Coding.GSM): 160,
    (LongMethod.SAR, Coding.UCS2): 140,
    # The SMSC will cut as with UDH8, so that what is counted here is what it will charge for.
    (LongMethod.PAYLOAD, Coding.GSM): 153,
    (LongMethod.PAYLOAD, Coding.UCS2): 134,
}


class TooManySegments(ValueError):
    """The text takes more than 255 segments: `segments` of them."""

    def __init__(self, segments: int) -> None:
        super().__init__(f"the text takes {segments} segments, {MAX_PARTS} are possible")
        self.segments = segments


@dataclass(frozen=True, slots=True)
class Segment:
    """One PDU's worth of a text.

    `octets` is the short_message, header included when `udhi` (esm_class 0x40), or message_payload when
    `payload`.  With `sar`, `reference`, `total` and `part` (from 1) go into the sar_ parameters.
    """

    octets: bytes
    data_coding: Coding
    part: int = 1
    total: int = 1
    reference: int = 0
    udhi: bool = False
    sar: bool = False
    payload: bool = False


def split(text: str, *, reference: int, method: LongMethod) -> list[Segment]:
    """Cut text into 1..255 segments: GSM 7 bit when every character fits, otherwise UCS-2.

    `reference` ties the parts together; its low 8 bits (UDH8) or 16 bits (UDH16, SAR) are used.  A text that
    fits alone is one plain segment whatever the method.  Never cuts an escape pair or a surrogate pair.
    Raises TooManySegments.
    """
    coding, octets = _encode(text)
    if len(octets) <= _ALONE_OCTETS[coding]:
        return [Segment(octets, coding)]
    cuts = _cuts(octets, coding, method)
    total = len(cuts) - 1
    if total > MAX_PARTS:
        raise TooManySegments(total)
    if method is LongMethod.PAYLOAD:
        return [Segment(octets, coding, payload=True)]
    reference &= 0xFF if method is LongMethod.UDH8 else 0xFFFF
    pieces = [octets[start:end] for start, end in pairwise(cuts)]
    if method is LongMethod.SAR:
        return [Segment(piece, coding, n, total, reference, sar=True) for n, piece in enumerate(pieces, 1)]
    wide = method is LongMethod.UDH16
    return [
        Segment(
            udh.build(udh.Concat(reference, total, n, wide)) + piece, coding, n, total, reference, udhi=True
        )
        for n, piece in enumerate(pieces, 1)
    ]


def count(text: str, method: LongMethod = LongMethod.UDH8) -> tuple[Coding, int]:
    """The alphabet and the number of segments on air, which may exceed 255.  Builds none, never raises."""
    coding, octets = _encode(text)
    if len(octets) <= _ALONE_OCTETS[coding]:
        return coding, 1
    return coding, len(_cuts(octets, coding, method)) - 1


def _encode(text: str) -> tuple[Coding, bytes]:
    try:
        return Coding.GSM, gsm.encode(text)
    except gsm.NotGsm:
        return Coding.UCS2, ucs2(text)


def _cuts(octets: bytes, coding: Coding, method: LongMethod) -> list[int]:
    """Offsets of the cuts, 0 and the end included."""
    size = _PART_OCTETS[method, coding]
    cuts = [0]
    while (at := cuts[-1] + size) < len(octets):
        if coding is Coding.GSM:
            if octets[at - 1] == gsm.ESCAPE:  # an encoded escape always begins a pair
                at -= 1
        elif octets[at - 2] & 0xFC == 0xD8:  # a high surrogate, so that the low one would begin the next part
            at -= 2
        cuts.append(at)
    return [*cuts, len(octets)]
