"""From a text to what goes on air: alphabet and segments (3GPP TS 23.038, 23.040 section 9.2.3.24).

               alone     UDH8 part   UDH16 part   SAR part
GSM 7 bit      160       153         152          160          septets, one an octet
  one shift    155       149         148                       with a national language table
  both shifts  152       146         145
UCS-2          70        67          66           70           UTF-16 units, two octets each
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache
from itertools import pairwise
from typing import Final, NamedTuple

from msgspec import Struct

from gateway.protocol.sms import coding as codings
from gateway.protocol.sms import gsm, national, udh
from gateway.protocol.sms.coding import Coding, ucs2
from gateway.protocol.sms.national import Language, Shift

MAX_PARTS: Final = 255
_AIR_OCTETS: Final = 140
_ALONE_SEPTETS: Final = 160
_SHORT_MESSAGE_OCTETS: Final = 254  # SMPP 3.4 section 5.2.22
_PLAIN: Final = Shift()
_GSM: Final = Coding.GSM  # as a name of the module: looked up for every message
_AS_IS: Final[Mapping[Coding, int]] = {}
_ESCAPED: Final = frozenset(gsm.EXTENSION.values())


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


class TooManySegments(ValueError):
    """The text takes more than 255 segments: `segments` of them."""

    def __init__(self, segments: int) -> None:
        super().__init__(f"the text takes {segments} segments, {MAX_PARTS} are possible")
        self.segments = segments


class Segment(Struct, frozen=True, gc=False):
    """One PDU's worth of a text.

    `octets` is the short_message, header included when `udhi` (esm_class 0x40), or message_payload when
    `payload`.  With `sar`, `reference`, `total` and `part` (from 1) go into the sar_ parameters.
    """

    octets: bytes
    data_coding: int
    part: int = 1
    total: int = 1
    reference: int = 0
    udhi: bool = False
    sar: bool = False
    payload: bool = False


class _Cut(NamedTuple):
    """A text in pieces, still without headers.  `coding` is UCS2, or GSM for the SMSC's default alphabet."""

    coding: Coding
    pieces: list[bytes]
    shift: Shift = _PLAIN


def split(
    text: str,
    *,
    reference: int,
    method: LongMethod,
    alphabet: Coding = Coding.GSM,
    languages: Sequence[Language] = (),
    message_class: int | None = None,
    group_f: bool = False,
    data_codings: Mapping[Coding, int] = _AS_IS,
) -> list[Segment]:
    """Cut text into 1..255 segments: the SMSC's default alphabet when every character fits, otherwise UCS-2.

    `reference` ties the parts together; its low 8 bits (UDH8) or 16 bits (UDH16, SAR) are used.  A text that
    fits alone is one plain segment whatever the method.  Never cuts an escape pair or a surrogate pair.

    `alphabet` is the SMSC's default: GSM, PACKED (GSM as on air), LATIN1, ASCII or UTF8.  A text that the GSM
    alphabet lacks goes with tables of `languages` where that takes fewer segments than UCS-2.
    `message_class` 0 (flash) to 3 shows in data_coding, in `group_f` if set; `data_codings` says what this
    SMSC wants to see there instead of 0 (GSM) or 8 (UCS2).  Raises TooManySegments.
    """
    if alphabet is Coding.GSM and message_class is None and not data_codings and len(text) <= _ALONE_SEPTETS:
        try:  # nearly every message ends here
            octets = gsm.encode(text)
        except gsm.NotGsm:
            pass
        else:
            if len(octets) <= _ALONE_SEPTETS:
                return [Segment(octets, Coding.GSM)]
    coding, pieces, shift = _cut(text, method, alphabet, languages)
    data_coding: int = data_codings.get(coding, coding)
    if message_class is not None:
        data_coding = codings.with_class(coding, message_class, group_f=group_f)
    packed = alphabet is Coding.PACKED and coding is Coding.GSM
    return assemble(
        pieces,
        data_coding,
        lambda concat: udh.build(concat, shift),
        reference=reference,
        method=method,
        packed=packed,
    )


def assemble(
    pieces: Sequence[bytes],
    data_coding: int,
    header: Callable[[udh.Concat | None], bytes],
    *,
    reference: int,
    method: LongMethod,
    packed: bool,
) -> list[Segment]:
    """Pieces as segments that tell their place the way that `method` says.  `header` gives the octets of the
    header with a concatenation or, where none is needed, without.  Raises TooManySegments."""
    total, alone = len(pieces), header(None)
    if total == 1:
        return [Segment(on_air(alone, pieces[0], packed), data_coding, udhi=bool(alone))]
    if total > MAX_PARTS:
        raise TooManySegments(total)
    if method is LongMethod.PAYLOAD:
        whole = on_air(alone, b"".join(pieces), packed)
        return [Segment(whole, data_coding, udhi=bool(alone), payload=True)]
    reference &= 0xFF if method is LongMethod.UDH8 else 0xFFFF
    sar, wide = method is LongMethod.SAR, method is LongMethod.UDH16
    segments = []
    for part, piece in enumerate(pieces, 1):
        own = alone if sar else header(udh.Concat(reference, total, part, wide))
        octets = on_air(own, piece, packed)
        segments.append(Segment(octets, data_coding, part, total, reference, udhi=bool(own), sar=sar))
    return segments


def count(
    text: str,
    method: LongMethod = LongMethod.UDH8,
    alphabet: Coding = Coding.GSM,
    languages: Sequence[Language] = (),
) -> tuple[Coding, int]:
    """GSM (for the SMSC's default alphabet) or UCS2, and the number of segments on air, which may exceed 255.
    Never raises."""
    if alphabet is _GSM and len(text) <= _ALONE_SEPTETS:
        try:  # nearly every message ends here
            if len(gsm.encode(text)) <= _ALONE_SEPTETS:
                return _GSM, 1
        except gsm.NotGsm:
            pass
    cut = _cut(text, method, alphabet, languages)
    return cut.coding, len(cut.pieces)


class Layout(NamedTuple):
    """A text as it lies on air: `parts` may be more than 255; `units` of each part are septets (GSM), UTF-16
    units (UCS2) or octets (other alphabets), headers left out; `shift` are national language tables."""

    coding: Coding
    parts: list[str]
    units: list[int]
    shift: Shift


def lay_out(
    text: str,
    method: LongMethod = LongMethod.UDH8,
    alphabet: Coding = Coding.GSM,
    languages: Sequence[Language] = (),
) -> Layout:
    """What `split` cuts, for people.  Never raises."""
    coding, pieces, shift = _cut(text, method, alphabet, languages)
    sizes = [len(piece) for piece in pieces]
    if coding is Coding.UCS2:
        return Layout(coding, [piece.decode("utf-16-be") for piece in pieces], [n // 2 for n in sizes], shift)
    if (codec := codings.CODECS.get(alphabet)) is not None:
        return Layout(alphabet, [piece.decode(codec) for piece in pieces], sizes, shift)
    return Layout(coding, [national.decode(piece, shift) for piece in pieces], sizes, shift)


def on_air(header: bytes, piece: bytes, packed: bool) -> bytes:
    """The octets of a segment; `packed`: those of the piece are septets, to be packed behind the header."""
    if not packed:
        return header + piece
    fill_bits = gsm.fill_bits(len(header))
    filled = gsm.pack_filled(piece, fill_bits)
    if len(header) + len(filled) == _AIR_OCTETS + 1:  # no room to say that the text ends in a CR of its own
        filled = gsm.pack(piece, fill_bits)
    return header + filled


def _cut(text: str, method: LongMethod, alphabet: Coding, languages: Sequence[Language]) -> _Cut:
    if alphabet is not Coding.GSM and alphabet is not Coding.PACKED:
        pieces = _foreign(text, method, alphabet)
        return _Cut(Coding.GSM, pieces) if pieces else _wide(text, method)
    # with PAYLOAD it is the SMSC that cuts, and packs anew
    packed = alphabet is Coding.PACKED and method is not LongMethod.PAYLOAD
    try:
        octets = gsm.encode(text)
    except gsm.NotGsm:
        return _national(text, method, languages, packed) if languages else _wide(text, method)
    if len(octets) <= _ALONE_SEPTETS:
        return _Cut(Coding.GSM, [octets])
    return _Cut(Coding.GSM, _septet_pieces(octets, method, _PLAIN, packed))


def _wide(text: str, method: LongMethod) -> _Cut:
    octets = ucs2(text)
    if len(octets) <= _AIR_OCTETS:
        return _Cut(Coding.UCS2, [octets])
    size = _AIR_OCTETS - _header_octets(method, _PLAIN) & ~1
    cuts = [0]
    while (at := cuts[-1] + size) < len(octets):
        if octets[at - 2] & 0xFC == 0xD8:  # a high surrogate, so that the low one would begin the next part
            at -= 2
        cuts.append(at)
    return _Cut(Coding.UCS2, [octets[start:end] for start, end in pairwise([*cuts, len(octets)])])


def _national(text: str, method: LongMethod, languages: Sequence[Language], packed: bool) -> _Cut:
    """UCS-2, or what takes the fewest segments: national tables are not for every handset."""
    best = _wide(text, method)
    for shift in national.shifts(languages):
        try:
            octets = national.encode(text, shift)
        except gsm.NotGsm:
            continue
        alone = _septets(_AIR_OCTETS - len(udh.build(None, shift)))
        if len(octets) <= alone:
            pieces = [octets]
        elif method in (LongMethod.UDH8, LongMethod.UDH16):
            pieces = _septet_pieces(octets, method, shift, packed)
        else:
            continue  # each part needs a header, which a carrier that wants these methods does not take
        if len(pieces) < len(best.pieces):
            best = _Cut(Coding.GSM, pieces, shift)
    return best


def _septet_pieces(octets: bytes, method: LongMethod, shift: Shift, packed: bool) -> list[bytes]:
    header = _header_octets(method, shift)
    return gsm.cut(octets, _septets(_AIR_OCTETS - header), header if packed else None)


def _foreign(text: str, method: LongMethod, alphabet: Coding) -> list[bytes]:
    """Pieces in an alphabet that the SMSC turns into another one; empty if it lacks a character.

    What fits GSM is counted in septets, as it will be on air; of the rest nobody can tell, and it is counted
    so that each piece fits as UCS-2 (UTF-8) or 8 bit data (the others).
    """
    codec = codings.CODECS[alphabet]
    try:
        whole = text.encode(codec)
    except UnicodeEncodeError:
        return []
    header = _header_octets(method, _PLAIN)
    if gsm.fits(text):
        weights = [2 if char in _ESCAPED else 1 for char in text]
        alone, room = _ALONE_SEPTETS, _septets(_AIR_OCTETS - header)
    elif alphabet is Coding.UTF8:
        weights = [4 if char > "\uffff" else 2 for char in text]
        alone, room = _AIR_OCTETS, _AIR_OCTETS - header
    else:
        weights = [1] * len(text)
        alone, room = _AIR_OCTETS, _AIR_OCTETS - header
    if sum(weights) <= alone and len(whole) <= _SHORT_MESSAGE_OCTETS:
        return [whole]
    octet_room = _SHORT_MESSAGE_OCTETS - header
    pieces = [b""]
    left = room
    for char, weight in zip(text, weights, strict=True):
        encoded = char.encode(codec)
        if weight > left or len(pieces[-1]) + len(encoded) > octet_room:
            pieces.append(b"")
            left = room
        pieces[-1] += encoded
        left -= weight
    return pieces


def _septets(octets: int) -> int:
    return octets * 8 // 7


@cache
def _header_octets(method: LongMethod, shift: Shift) -> int:
    """Of each part.  With PAYLOAD the SMSC will cut as with UDH8: what is counted is what it charges for."""
    concat = udh.Concat(1, 2, 1, wide=method is LongMethod.UDH16) if method is not LongMethod.SAR else None
    return len(udh.build(concat, shift))
