"""User data that goes out as it is, cut into segments where it must be (3GPP TS 23.040 section 9.2.3.24).

The octets stay what they are; each segment repeats the elements of the header, such as application ports:

    UDHL  00 03 RR TT NN   05 04 DD DD SS SS ...   octets
          concatenation    the message's own
"""

from collections.abc import Sequence
from itertools import pairwise

from gateway.protocol.sms import coding, gsm, udh
from gateway.protocol.sms.coding import Coding
from gateway.protocol.sms.segments import LongMethod, Segment, TooManySegments, assemble, on_air

_AIR_OCTETS = 140
_HIGHEST_SEPTET = 0x7F


def split(
    octets: bytes,
    data_coding: int,
    *,
    header: bytes = b"",
    reference: int = 0,
    method: LongMethod = LongMethod.UDH8,
    packed: bool = False,
) -> list[Segment]:
    """1..255 segments.  `header` begins with its length and has no concatenation; `reference` and `method`
    are as in segments.split; `packed`: this SMSC wants the default alphabet packed as on air.

    Raises TooManySegments, also when the header leaves no room.
    """
    alphabet, _ = coding.classify(data_coding)
    wide = method is LongMethod.UDH16
    pack = packed and _septets(octets, alphabet)
    length = len(header)
    if len(octets) > _room(alphabet, length) and method is not LongMethod.SAR:
        length = len(udh.build(udh.Concat(1, 1, 1, wide))) + max(0, length - 1)
    cuts_packed = pack and method is not LongMethod.PAYLOAD
    pieces = _pieces(octets, alphabet, _room(alphabet, length), length if cuts_packed else None)
    return assemble(
        pieces,
        data_coding,
        lambda concat: _header(header, concat) if concat else header,
        reference=reference,
        method=method,
        packed=pack,
    )


def keep(
    parts: Sequence[tuple[bytes, bytes]],
    data_coding: int,
    *,
    reference: int,
    method: LongMethod,
    packed: bool = False,
) -> list[Segment]:
    """Segments with the same octets as these parts, each with its own header: a command packet for a SIM has
    one in its first part only (3GPP TS 31.115 section 4).  `packed` is as in `split`.

    A part that has no room for the concatenation that `method` wants has some for the shortest.  Raises
    TooManySegments if one has not even that.
    """
    alphabet, _ = coding.classify(data_coding)
    for sar, wide in ((method is LongMethod.SAR, method is LongMethod.UDH16), (False, False)):
        number = reference & (0xFFFF if sar or wide else 0xFF)
        segments = []
        for part, (own, octets) in enumerate(parts, 1):
            header = own if sar else _header(own, udh.Concat(number, len(parts), part, wide))
            if len(octets) > _room(alphabet, len(header)):
                break
            whole = on_air(header, octets, packed and _septets(octets, alphabet))
            segments.append(Segment(whole, data_coding, part, len(parts), number, udhi=bool(header), sar=sar))
        else:
            return segments
    raise TooManySegments(len(parts) + 1)


def _septets(octets: bytes, alphabet: Coding) -> bool:
    """Octets that are no septets are not of that alphabet, whatever data_coding says."""
    return alphabet is Coding.GSM and max(octets, default=0) <= _HIGHEST_SEPTET


def _header(header: bytes, concat: udh.Concat) -> bytes:
    elements = udh.build(concat)[1:] + header[1:]
    return bytes((len(elements),)) + elements


def _room(alphabet: Coding, header_octets: int) -> int:
    """How many octets fit beside a header; a septet of the default alphabet takes one here."""
    left = _AIR_OCTETS - header_octets
    return left * 8 // 7 if alphabet is Coding.GSM else left & ~1 if alphabet is Coding.UCS2 else left


def _pieces(octets: bytes, alphabet: Coding, room: int, packed_after: int | None) -> list[bytes]:
    if len(octets) <= room:
        return [octets]
    if room < 4:  # two UTF-16 units, so that a cut may step back
        raise TooManySegments(len(octets))
    if alphabet is Coding.GSM:
        return gsm.cut(octets, room, packed_after)
    cuts = [0]
    while (at := cuts[-1] + room) < len(octets):
        if alphabet is Coding.UCS2 and octets[at - 2] & 0xFC == 0xD8:
            at -= 2
        cuts.append(at)
    return [octets[start:end] for start, end in pairwise([*cuts, len(octets)])]
