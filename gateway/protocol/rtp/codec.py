"""The codecs of a call, by their RTP encoding names (RFC 3551 section 4.5), and what all of them share.

Each is 64 kbit/s: 8 octets are a millisecond, a frame of 20 ms is 160 octets and 160 units of the RTP clock.
"""

from enum import StrEnum
from typing import Final

SAMPLE_RATE: Final = 8000
FRAME: Final = 160  # octets, and timestamp units, of one 20 ms packet


class Codec(StrEnum):
    """What we speak."""

    PCMU = "PCMU"
    PCMA = "PCMA"

    @property
    def static_payload_type(self) -> int:
        """The number that RFC 3551 table 4 assigns: 0 or 8."""
        return 0 if self is Codec.PCMU else 8

    @property
    def silence(self) -> bytes:
        """One octet of digital silence (positive zero)."""
        return b"\xff" if self is Codec.PCMU else b"\xd5"
