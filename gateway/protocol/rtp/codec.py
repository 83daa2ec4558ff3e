"""The codecs of a call, by their RTP encoding names (RFC 3551 section 4.5), and what all of them share.

Each is 64 kbit/s: 8 octets are a millisecond, a frame of 20 ms is 160 octets and 160 units of the RTP clock.
"""

from enum import StrEnum
from typing import Final

SAMPLE_RATE: Final = 8000  # of the RTP clock: G.722's too, by an old mistake (RFC 3551 section 4.5.2)
FRAME: Final = 160  # octets, and timestamp units, of one 20 ms packet


class Codec(StrEnum):
    """What we speak.  The two laws of G.711 carry 8000 samples a second, G.722 carries 16,000."""

    PCMU = "PCMU"
    PCMA = "PCMA"
    G722 = "G722"

    @property
    def static_payload_type(self) -> int:
        """The number that RFC 3551 table 4 assigns."""
        return _PAYLOAD_TYPES[self]

    @property
    def silence(self) -> bytes:
        """One octet of digital silence: positive zero; for G.722 no change in either band."""
        return _SILENCE[self]

    @property
    def law(self) -> "Codec":
        """The law of G.711 in which what comes by this codec is recorded and listened to."""
        return Codec.PCMU if self is Codec.G722 else self


LAWS: Final = (Codec.PCMU, Codec.PCMA)
_PAYLOAD_TYPES: Final = {Codec.PCMU: 0, Codec.PCMA: 8, Codec.G722: 9}
_SILENCE: Final = {Codec.PCMU: b"\xff", Codec.PCMA: b"\xd5", Codec.G722: b"\xfc"}
