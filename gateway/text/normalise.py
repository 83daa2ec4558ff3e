"""Words made comparable: what customers type, without the accidents of keyboards and phones."""

from __future__ import annotations

import re
import unicodedata

_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_TOKEN = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]+")
# Emoji come with and without these: the phone chooses, not the customer
_VARIATION_SELECTORS = dict.fromkeys([*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])


def normalise(text: str) -> str:
    """NFKC, case folded, zero-width and formatting characters removed, blanks collapsed to one, punctuation
    trimmed at both ends: " ＳＴＯＰ! " -> "stop".  A text of nothing but punctuation keeps it."""
    text = text.lower() if text.isascii() else _folded(text)
    return _trimmed(_BLANKS.sub(" ", text).strip())


def words(text: str) -> list[str]:
    """The normalised words, punctuation trimmed from each: "Order: 2, please" -> order, 2, please.

    A text of nothing but punctuation is one word.
    """
    text = normalise(text)
    found = [_trimmed(word) for word in text.split(" ")]
    plain = [word for word in found if not all(_punctuation(c) for c in word)]
    return plain or ([text] if text else [])


def first_word(text: str) -> tuple[str, str]:
    """The first word, normalised, and what follows it as typed: "ORDER: Two" -> "order", "Two"."""
    for token in _TOKEN.finditer(text):
        found = words(token[0])
        if found and not all(_punctuation(c) for c in found[0]):
            return found[0], text[token.end() :].strip()
    return normalise(text), ""


def _folded(text: str) -> str:
    # Folding may undo NFKC and NFKC may undo folding (U+0345): this order settles (Unicode section 3.13)
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).casefold()
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFKC", text).translate(_VARIATION_SELECTORS)


def _trimmed(text: str) -> str:
    start, end = 0, len(text)
    while start < end and (_punctuation(text[start]) or text[start] == " "):
        start += 1
    while end > start and (_punctuation(text[end - 1]) or text[end - 1] == " "):
        end -= 1
    return text[start:end] or text


def _punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith("P")
