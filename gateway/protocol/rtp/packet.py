"""One RTP packet (RFC 3550 section 5.1), packed and parsed flat.

0                   1                   2                   3
|V=2|P|X|  CC   |M|     PT      |       sequence number         |
|                           timestamp                           |
|                             SSRC                              |
|             CSRC (CC words), extension when X                 |
"""

from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import NamedTuple

_HEADER = Struct(">BBHII")
_EXTENSION = Struct(">HH")
_VERSION_2 = 0x80


class RtpError(ValueError):
    """The octets are not an RTP packet; the peer broke the rules."""


class RtpPacket(NamedTuple):
    """Header and payload.  `timestamp` counts samples; `extension` is the body of a header extension."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrc: tuple[int, ...] = ()
    extension: bytes | None = None


# As RtpPacket(...), without the Python call in it: this is once per packet of each call
_packet: Callable[[tuple[int, int, int, int, bytes, bool, tuple[()], None]], RtpPacket] = partial(
    tuple.__new__, RtpPacket
)


def pack(
    payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, marker: bool = False
) -> bytes:
    """A packet without CSRC, extension or padding.  Sequence and timestamp are taken modulo 2^16 and 2^32."""
    second = payload_type | 0x80 if marker else payload_type
    return _HEADER.pack(_VERSION_2, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


def parse(data: bytes) -> RtpPacket:
    """Read one datagram; padding is removed.  Raises RtpError."""
    if len(data) < 12:
        raise RtpError(f"{len(data)} octets are too short for an RTP header")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first & 0xC0 != _VERSION_2:
        raise RtpError(f"RTP version {first >> 6}, not 2")
    if first == _VERSION_2:  # nearly every packet
        return _packet((second & 0x7F, sequence, timestamp, ssrc, data[12:], second >= 0x80, (), None))
    return _parse_rest(data, first, RtpPacket(second & 0x7F, sequence, timestamp, ssrc, b"", second >= 0x80))


def _parse_rest(data: bytes, first: int, head: RtpPacket) -> RtpPacket:
    start, end = 12 + 4 * (first & 0x0F), len(data)
    if start > end:
        raise RtpError("the CSRC list runs past the end")
    csrc = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(12, start, 4))
    extension = None
    if first & 0x10:
        if start + 4 > end:
            raise RtpError("the header extension is cut off")
        _, words = _EXTENSION.unpack_from(data, start)
        extension = data[start + 4 : start + 4 + 4 * words]
        start += 4 + 4 * words
        if start > end:
            raise RtpError("the header extension runs past the end")
    if first & 0x20:
        padding = data[-1]
        if not 0 < padding <= end - start:
            raise RtpError(f"{padding} octets of padding in a payload of {end - start}")
        end -= padding
    return head._replace(payload=data[start:end], csrc=csrc, extension=extension)
