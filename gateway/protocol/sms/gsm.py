"""The GSM 7 bit default alphabet and its extension table (3GPP TS 23.038 sections 6.1.2, 6.2.1).

SMPP carries this alphabet *unpacked*: one septet per octet with the high bit clear.  An extension character
is two septets, escape (0x1B) and its code.  `@` is 0x00, so that a NUL octet is a character, not an end.
`pack` and `unpack` are for the SMSCs that want the form used on air, eight septets in seven octets.
"""

import codecs
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

ESCAPE: Final = 0x1B

# One character per septet from 0x00, sixteen a line.  0x1B stands for itself: it is no character.
DEFAULT: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
# Septet after the escape -> character.  0x0A is "page break".
EXTENSION: Final[Mapping[int, str]] = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
REPLACEMENT: Final = "\ufffd"
"""What `decode` gives for an octet that is no septet (high bit set)."""

_CHARACTERS: Final = DEFAULT.replace("\x1b", "")
_CHARMAP: Final[Mapping[int, int | bytes]] = {
    **{ord(char): septet for septet, char in enumerate(DEFAULT) if septet != ESCAPE},
    **{ord(char): bytes((ESCAPE, septet)) for septet, char in EXTENSION.items()},
}
_UNFIT: Final = 0xFF
# The common path: text within Latin-1 and without extension characters is two C calls.
_FROM_LATIN1: Final = bytes(
    septet if isinstance(septet := _CHARMAP.get(code, _UNFIT), int) else _UNFIT for code in range(256)
)
_UNFITTING: Final = re.compile(f"[^{re.escape(_CHARACTERS + ''.join(EXTENSION.values()))}]")
_DECODING: Final = DEFAULT + REPLACEMENT * 128
# A character of the default table and the one that the same septet means after an escape.  An escape after an
# escape, or at the end, shows as a space; a code without an entry shows as the default table's character.
_ESCAPED: Final[Mapping[str, str]] = {DEFAULT[septet]: char for septet, char in EXTENSION.items()} | {
    "\x1b": " ",
    "": " ",
}
_ESCAPE_PAIR: Final = re.compile("\x1b(.?)", re.DOTALL)


class NotGsm(ValueError):
    """A character that the alphabet and its extension lack.  `char` is the first one, at index `position`."""

    def __init__(self, char: str, position: int) -> None:
        super().__init__(f"{char!r} at {position} is not in the GSM 7 bit alphabet")
        self.char = char
        self.position = position


def encode(text: str) -> bytes:
    """The text as unpacked septets, one an octet, extension characters as 0x1B and code.  Raises NotGsm."""
    try:
        octets = text.encode("latin-1").translate(_FROM_LATIN1)
        if _UNFIT not in octets:
            return octets
    except UnicodeEncodeError:
        pass
    if unfit := _UNFITTING.search(text):
        raise NotGsm(unfit[0], unfit.start())
    return codecs.charmap_encode(text, "strict", _CHARMAP)[0]


def decode(octets: bytes) -> str:
    """The text of unpacked septets.  Never raises.

    An octet above 0x7F gives U+FFFD.  After an escape, a code without extension character gives the default
    table's character and a second escape, or the end, gives a space (TS 23.038 section 6.2.1, notes 1 and 2).
    """
    text = codecs.charmap_decode(octets, "strict", _DECODING)[0]
    if "\x1b" not in text:
        return text
    return _ESCAPE_PAIR.sub(lambda pair: _ESCAPED.get(pair[1], pair[1]), text)


def fits(text: str) -> bool:
    """Whether every character is in the default alphabet or its extension."""
    return _UNFITTING.search(text) is None


def unfitting(text: str) -> dict[str, int]:
    """The characters that the alphabet and its extension lack, each with its first place, from 1."""
    found: dict[str, int] = {}
    for unfit in _UNFITTING.finditer(text):
        found.setdefault(unfit[0], unfit.start() + 1)
    return found


def septets(text: str) -> int:
    """How many septets the text takes; an extension character counts two.  Raises NotGsm."""
    return len(encode(text))


_BITS: Final = [format(septet, "07b") for septet in range(128)]


def pack(septets: bytes, fill_bits: int = 0) -> bytes:
    """Septets (one an octet) packed as on air, the first one in the lowest bits (TS 23.038 section 6.1.2.1).

    `fill_bits` (0..6) zero bits come first: after a user data header they lead to a septet boundary.
    Unused bits of the last octet are zero.  Raises ValueError for an octet above 0x7F.
    """
    if not septets:
        return b""
    if max(septets) > 0x7F:
        raise ValueError("an octet above 0x7F is no septet")
    bits = "".join([_BITS[septet] for septet in reversed(septets)])
    return (int(bits, 2) << fill_bits).to_bytes((len(bits) + fill_bits + 7) // 8, "little")


def unpack(octets: bytes, count: int, fill_bits: int = 0) -> bytes:
    """The first `count` septets (one an octet) of packed octets, fewer where these end before.  Never raises.

    The count has to come from outside (TP-UDL): eight septets and seven may fill the same seven octets.
    """
    count = max(0, min(count, (len(octets) * 8 - fill_bits) // 7))
    if count == 0:
        return b""
    value = (int.from_bytes(octets, "little") >> fill_bits) & ((1 << 7 * count) - 1)
    bits = format(value, f"0{7 * count}b")
    return bytes([int(bits[at : at + 7], 2) for at in range(7 * count - 7, -1, -7)])


def fill_bits(header_octets: int) -> int:
    """Bits from the end of a header to the next septet boundary (TS 23.040 section 9.2.3.24)."""
    return -header_octets * 8 % 7


def pack_filled(septets: bytes, fill_bits: int = 0) -> bytes:
    """`pack` where the number of septets does not travel along, as in SMPP.

    Seven bits left over are filled with a carriage return: zeros would read as `@`.  A carriage return that
    ends with the last octet would read as such a fill, and is doubled (TS 23.038 section 6.1.2.3.1).
    """
    return pack(septets + b"\r" if _misread(septets, fill_bits) else septets, fill_bits)


def unpack_filled(octets: bytes, fill_bits: int = 0) -> bytes:
    """All septets of packed octets, without one that fills the last seven bits: CR, or zeros.

    A message that ends there in an `@` of its own loses it; nothing tells the two apart.
    """
    septets = unpack(octets, len(octets) * 8, fill_bits)
    if _spare(len(septets), fill_bits) == 0 and septets[-1:] in (b"\r", b"\0"):
        return septets[:-1]
    doubled = septets[-1:] == b"\r" and _seems_filled(septets[:-1], fill_bits)
    return septets[:-1] if doubled else septets


def unpack_full(octets: bytes, fill_bits: int = 0) -> bytes:
    """The same of octets that take all the room there is: seven zeros at the end are an `@`, since one septet
    less would rarely have been all; a carriage return is a fill, since nobody misses one there."""
    septets = unpack(octets, len(octets) * 8, fill_bits)
    return septets[:-1] if _seems_filled(septets, fill_bits) else septets


def cut(septets: bytes, size: int, packed_after: int | None = None) -> list[bytes]:
    """Pieces of at most `size` septets, at least 4; no escape ends one.

    `packed_after` is the number of header octets before each where they go out packed: then all but the last
    are such as a reader who counts octets takes for no more and no less.
    """
    filled = fill_bits(packed_after) if packed_after is not None else None
    cuts = [0]
    while (at := cuts[-1] + size) < len(septets):
        cuts.append(
            next((end for end in range(at, at - 4, -1) if _ends(septets[cuts[-1] : end], filled)), at)
        )
    return [septets[start:end] for start, end in pairwise([*cuts, len(septets)])]


def _ends(piece: bytes, filled: int | None) -> bool:
    return piece[-1] != ESCAPE and (filled is None or not _misread(piece, filled))


def _misread(septets: bytes, fill_bits: int) -> bool:
    """Whether a reader who counts octets would take them for one more, or one less."""
    return _spare(len(septets), fill_bits) == 7 or _seems_filled(septets, fill_bits)


def _seems_filled(septets: bytes, fill_bits: int) -> bool:
    return septets[-1:] == b"\r" and _spare(len(septets), fill_bits) == 0


def _spare(count: int, fill_bits: int) -> int:
    """Bits of the last octet that so many septets leave over."""
    return -(fill_bits + 7 * count) % 8
