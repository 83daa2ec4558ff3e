"""National language tables of the 7 bit alphabet (3GPP TS 23.038 annex A, TS 23.040 section 9.2.3.24.15 on).

A *locking shift* table stands in for the default alphabet, a *single shift* table for its extension, each for
one segment, by an information element in its header (25 and 24).  The tables are written as the standard
prints them: code points in hex, sixteen codes a line from 00.  Spanish has no locking shift table.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import cache
from typing import Final, NamedTuple

from gateway.protocol.sms.gsm import DEFAULT, ESCAPE, EXTENSION, REPLACEMENT, NotGsm


class Language(IntEnum):
    """The National Language Identifier (TS 23.038 section 6.2.1.2.4)."""

    DEFAULT = 0
    TURKISH = 1
    SPANISH = 2
    PORTUGUESE = 3
    BENGALI = 4
    """And Assamese."""
    GUJARATI = 5
    HINDI = 6
    KANNADA = 7
    MALAYALAM = 8
    ORIYA = 9
    PUNJABI = 10
    TAMIL = 11
    TELUGU = 12
    URDU = 13


class Shift(NamedTuple):
    """The tables of a segment, by identifier (0..255); one that nobody has assigned reads as the default."""

    locking: int = 0
    single: int = 0


_VOID: Final = "\0"
_NAMES: Final[Mapping[str, str]] = {"LF": "\n", "CR": "\r", "SP": " ", "ESC": chr(ESCAPE), "--": _VOID}


def _characters(row: str, block: int = 0) -> list[str]:
    """A character for each word: itself, its name, its code point in hex, or two digits of it in `block`."""
    return [
        word if len(word) == 1 else _NAMES.get(word) or chr(int(word, 16) + (block if len(word) == 2 else 0))
        for word in row.split()
    ]


def _latin(changes: Mapping[int, str]) -> str:
    return "".join(changes.get(code, char) for code, char in enumerate(DEFAULT))


# The blocks of Unicode for Indian scripts have one layout, and the tables follow it.
_INDIC: Final = """
    01 02 03 05 06 07 08 09 0A 0B LF 0C  0D CR 0E 0F
    10 11 12 13 14 15 16 17 18 19 1A ESC 1B 1C 1D 1E
    SP !  1F 20 21 22 23 24 )  (  25 26  ,  27 .  28
    0  1  2  3  4  5  6  7  8  9  :  ;   29 2A 2B ?
    2C 2D 2E 2F 30 31 32 33 34 35 36 37  38 39 3C 3D
    3E 3F 40 41 42 43 44 45 46 47 48 49  4A 4B 4C 4D
"""


def _indic(block: int, lacking: str, last: str) -> str:
    """`lacking` are the characters that the block has not; `last` those at 60 and at 7B to 7F."""
    void = set(_characters(lacking, block))
    common = ["\0" if char in void else char for char in _characters(_INDIC, block)]
    first, *end = _characters(last, block)
    return "".join([*common, first, *"abcdefghijklmnopqrstuvwxyz", *end])


_URDU: Final = """
    0627 0622 0628 067B 0680 067E 06A6 062A 06C2 067F LF   0679 067D CR   067A 067C
    062B 062C 0681 0684 0683 0685 0686 0687 062D 062E 062F ESC  068C 0688 0689 068A
    SP   !    068F 068D 0630 0631 0691 0693 )    (    0699 0632 ,    0696 .    0698
    0    1    2    3    4    5    6    7    8    9    :    ;    069A 0633 0634 ?
    0635 0636 0637 0638 0639 0641 0642 06A9 06AA 06AB 06AF 06B3 06B1 0644 0645 0646
    06BA 06BB 06BC 0648 06C4 06D5 06C1 06BE 0621 06CC 06D0 06D2 064D 0650 064F 0657
    0654 a    b    c    d    e    f    g    h    i    j    k    l    m    n    o
    p    q    r    s    t    u    v    w    x    y    z    0655 0651 0653 0656 0670
"""

# TS 23.038 annex A.3
LOCKING: Final[Mapping[int, str]] = {
    Language.DEFAULT: DEFAULT,
    Language.TURKISH: _latin(
        {0x04: "€", 0x07: "ı", 0x0B: "Ğ", 0x0C: "ğ", 0x1C: "Ş", 0x1D: "ş", 0x40: "İ", 0x60: "ç"}
    ),
    Language.PORTUGUESE: _latin(
        dict(zip((4, 6, 7, 8, 9, 0x0B, 0x0C, 0x0E, 0x0F), "êúíóçÔôÁá", strict=True))
        | dict(zip(range(0x12, 0x1B), "ªÇÀ∞^\\€Ó|", strict=True))
        | {0x1C: "Â", 0x1D: "â", 0x1E: "Ê", 0x24: "º", 0x40: "Í", 0x5B: "Ã", 0x5C: "Õ", 0x5D: "Ú"}
        | {0x60: "~", 0x7B: "ã", 0x7C: "õ", 0x7D: "`"}
    ),
    Language.BENGALI: _indic(0x0980, "0D 0E 11 12 29 31 33 34 35 45 46 49 4A", "4E 57 5C 5D 70 71"),
    Language.GUJARATI: _indic(0x0A80, "0E 12 29 31 34 46 4A", "50 60 61 62 63 71"),
    Language.HINDI: _indic(0x0900, "", "50 72 7B 7C 7E 7F"),
    Language.KANNADA: _indic(0x0C80, "01 0D 11 29 34 45 49", "55 56 60 61 62 63"),
    Language.MALAYALAM: _indic(0x0D00, "01 0D 11 29 3C 45 49", "57 60 61 62 63 79"),
    Language.ORIYA: _indic(0x0B00, "0D 0E 11 12 29 31 34 45 46 49 4A", "56 57 60 61 62 63"),
    Language.PUNJABI: _indic(
        0x0A00, "0B 0C 0D 0E 11 12 29 31 34 37 3D 43 44 45 46 49 4A", "51 70 71 72 73 74"
    ),
    Language.TAMIL: _indic(
        0x0B80,
        "01 0B 0C 0D 11 16 17 18 1B 1D 20 21 22 25 26 27 2B 2C 2D 3C 3D 43 44 45 49",
        "50 57 70 71 72 79",
    ),
    Language.TELUGU: _indic(0x0C00, "0D 11 29 34 3C 45 49", "55 56 60 61 62 63"),
    Language.URDU: "".join(_characters(_URDU)),
}
"""128 characters for each language; a NUL where the table has none."""


def _extension(own: str, base: Mapping[int, str]) -> Mapping[int, str]:
    """`own`: codes in hex, each followed by its character."""
    words = own.split()
    return {**base, **{int(code, 16): char for code, char in zip(words[::2], words[1::2], strict=True)}}


_ASIAN: Final = _extension(
    "00 @ 01 £ 02 $ 03 ¥ 04 ¿ 05 \" 06 ¤ 07 % 08 & 09 ' 0B * 0C + 0E - 0F / "
    "10 < 11 = 12 > 13 ¡ 14 ^ 15 ¡ 16 _ 17 # 18 * ",
    {**EXTENSION, **dict(zip(range(0x41, 0x5B), "ABCDEFGHIJKLMNOPQRSTUVWXYZ", strict=True))},
)
# Where the Asian tables differ from each other
_OWN: Final = (0x19, 0x1A, *range(0x1C, 0x28), *range(0x2A, 0x2F), *range(0x30, 0x3C), 0x3F)


def _asian(own: str, block: int) -> Mapping[int, str]:
    characters = zip(_OWN, _characters(own, block), strict=False)
    return {**_ASIAN, **{code: char for code, char in characters if char != _VOID}}


# TS 23.038 annex A.2
SINGLE: Final[Mapping[int, Mapping[int, str]]] = {
    Language.DEFAULT: EXTENSION,
    Language.TURKISH: _extension("47 Ğ 49 İ 53 Ş 63 ç 67 ğ 69 ı 73 ş", EXTENSION),
    Language.SPANISH: _extension("09 ç 41 Á 49 Í 4F Ó 55 Ú 61 á 69 í 6F ó 75 ú", EXTENSION),
    Language.PORTUGUESE: _extension(
        "05 ê 09 ç 0B Ô 0C ô 0E Á 0F á 12 Φ 13 Γ 15 Ω 16 Π 17 Ψ 18 Σ 19 Θ 1F Ê 41 À 49 Í 4F Ó 55 Ú "
        "5B Ã 5C Õ 61 Â 69 í 6F ó 75 ú 7B ã 7C õ 7F â",
        EXTENSION,
    ),
    Language.BENGALI: _asian(
        "66 67 68 69 6A 6B 6C 6D 6E 6F 5F 60 61 62 63 72 73 74 75 76 77 78 79 7A", 0x0980
    ),
    Language.GUJARATI: _asian("0964 0965 66 67 68 69 6A 6B 6C 6D 6E 6F", 0x0A80),
    Language.HINDI: _asian(
        "64 65 66 67 68 69 6A 6B 6C 6D 6E 6F 51 52 53 54 58 59 5A 5B 5C 5D 5E 5F 60 61 62 63 70 71", 0x0900
    ),
    Language.KANNADA: _asian("0964 0965 66 67 68 69 6A 6B 6C 6D 6E 6F 5E 71 72", 0x0C80),
    Language.MALAYALAM: _asian(
        "0964 0965 66 67 68 69 6A 6B 6C 6D 6E 6F 70 71 72 73 74 75 7A 7B 7C 7D 7E 7F", 0x0D00
    ),
    Language.ORIYA: _asian("0964 0965 66 67 68 69 6A 6B 6C 6D 6E 6F 5C 5D 5F 70 71", 0x0B00),
    Language.PUNJABI: _asian("0964 0965 66 67 68 69 6A 6B 6C 6D 6E 6F 59 5A 5B 5C 5E 75", 0x0A00),
    Language.TAMIL: _asian("0964 0965 66 67 68 69 6A 6B 6C 6D 6E 6F 73 74 75 76 77 78 7A", 0x0B80),
    Language.TELUGU: _asian("-- -- 66 67 68 69 6A 6B 6C 6D 6E 6F 58 59 78 79 7A 7B 7C 7D 7E 7F", 0x0C00),
    Language.URDU: _asian(
        "0600 0601 06F0 06F1 06F2 06F3 06F4 06F5 06F6 06F7 06F8 06F9 060C 060D 060E 060F 0610 0611 0612 "
        "0613 0614 061B 061F 0640 0652 0658 066B 066C 0672 0673 06CD 06D4",
        0,
    ),
}
"""Code after the escape -> character, for each language."""


def decode(octets: bytes, shift: Shift) -> str:
    """The text of unpacked septets under the tables that `shift` names.  Never raises.

    An octet above 0x7F, and a code that the locking table leaves void, give U+FFFD.  After an escape, a code
    that the single shift table leaves void gives the locking table's character, and a second escape, or the
    end, a space (annex A.2.1, notes).
    """
    locking = LOCKING.get(shift.locking, DEFAULT)
    single = SINGLE.get(shift.single, EXTENSION)
    characters: list[str] = []
    escaped = False
    for octet in octets:
        if octet == ESCAPE and not escaped:
            escaped = True
            continue
        if escaped and octet == ESCAPE:
            char = " "
        else:
            char = locking[octet] if octet < len(locking) else REPLACEMENT
            if escaped:
                char = single.get(octet, char)
        characters.append(REPLACEMENT if char == _VOID else char)
        escaped = False
    return "".join(characters) + (" " if escaped else "")


def encode(text: str, shift: Shift) -> bytes:
    """The text as unpacked septets, one an octet, under the tables that `shift` names.  Raises NotGsm."""
    septets = _septets(shift)
    try:
        return b"".join([septets[char] for char in text])
    except KeyError:
        at = next(at for at, char in enumerate(text) if char not in septets)
        raise NotGsm(text[at], at) from None


def shifts(languages: Sequence[Language]) -> list[Shift]:
    """The ways to send with these tables: single, locking, both; those that cost less header go first."""
    single = [Shift(0, language) for language in languages if language]
    locking = [Shift(language, 0) for language in languages if language and language in LOCKING]
    return single + locking + [Shift(one.locking, one.locking) for one in locking]


@cache
def _septets(shift: Shift) -> Mapping[str, bytes]:
    locking = LOCKING.get(shift.locking, DEFAULT)
    single = SINGLE.get(shift.single, EXTENSION)
    # reversed, so that of a character's several codes the first one counts
    found = {char: bytes((ESCAPE, code)) for code, char in sorted(single.items(), reverse=True)}
    found |= {char: bytes((code,)) for code, char in reversed(list(enumerate(locking)))}
    del found[chr(ESCAPE)]
    found.pop(_VOID, None)
    return found
