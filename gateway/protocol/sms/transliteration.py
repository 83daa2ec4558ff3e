"""Characters that the GSM alphabet lacks, as ones that it has: what word processors put in unasked.

Only typography is touched: an accent, a letter or a sign that says something else stays, and the text UCS-2.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from gateway.protocol.sms import gsm

_INSTEAD: Final[Mapping[str, str]] = {
    "'": "‘’‚‛′ʹʻʼʽ‹›´`",
    '"': "“”„‟″«»",
    "-": "‐‑‒–—―−⁃﹘",
    "...": "…",
    "*": "•‣∙",
    " ": "\t\xa0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
    "\n": "\u2028\u2029\x0b\x85",
    "": "\xad\u200b\u2060\ufeff",  # soft hyphen, blanks without width, byte order mark
    "ff": "ﬀ",
    "fi": "ﬁ",
    "fl": "ﬂ",
    "ffi": "ﬃ",
    "ffl": "ﬄ",
    "st": "ﬅﬆ",
    "oe": "œ",
    "OE": "Œ",
    "ij": "ĳ",
    "IJ": "Ĳ",
    "(c)": "©",
    "(r)": "®",
    "TM": "™",
    "1/2": "½",
    "1/4": "¼",
    "3/4": "¾",
    "->": "→",
    "<-": "←",
    "<=": "≤",
    ">=": "≥",
    "/": "⁄∕",
    "x": "×",
}
_TABLE: Final[Mapping[int, str]] = str.maketrans(
    {char: instead for instead, chars in _INSTEAD.items() for char in chars}
    | {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F) if chr(code) != "`"}  # full width
)
_COMBINING: Final = re.compile("[\u0300-\u036f]")


def transliterate(text: str) -> str:
    """Typographic quotes, dashes, dots, blanks and ligatures as the GSM alphabet has them, and letters that
    came apart (e and an acute accent) as one.  All else is as it was."""
    if gsm.fits(text):
        return text
    if _COMBINING.search(text):
        text = unicodedata.normalize("NFC", text)
    return text.translate(_TABLE)
