"""Words made comparable: what customers type, without the accidents of keyboards and phones."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_TOKEN = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]+")
# Emoji come with and without these: the phone chooses, not the customer
_VARIATION_SELECTORS = dict.fromkeys([*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
_ASCII_PUNCTUATION = "".join(c for c in map(chr, range(128)) if unicodedata.category(c).startswith("P"))
_AROUND_WORDS = _ASCII_PUNCTUATION + " "
# Deciding on a text asks for the same words several times
_remembered = lru_cache(maxsize=16)


@_remembered
def normalise(text: str) -> str:
    """NFKC, case folded, zero-width and formatting characters removed, blanks collapsed to one, punctuation
    trimmed at both ends: " ＳＴＯＰ! " -> "stop".  A text of nothing but punctuation keeps it."""
    if text.isascii() and text.isprintable():  # of blanks it has spaces only
        return _trimmed(" ".join(text.lower().split()))
    text = text.lower() if text.isascii() else _folded(text)
    return _trimmed(_BLANKS.sub(" ", text).strip())


def words(text: str) -> list[str]:
    """The normalised words, punctuation trimmed from each: "Order: 2, please" -> order, 2, please.

    A text of nothing but punctuation is one word.
    """
    return list(_words(text))


@_remembered
def _words(text: str) -> tuple[str, ...]:
    text = normalise(text)
    found = [_trimmed(word) for word in text.split(" ")]
    plain = tuple(word for word in found if not _all_punctuation(word))
    return plain or ((text,) if text else ())


@_remembered
def first_word(text: str) -> tuple[str, str]:
    """The first word, normalised, and what follows it as typed: "ORDER: Two" -> "order", "Two"."""
    for token in _TOKEN.finditer(text):
        found = _words(token[0])
        if found and not _all_punctuation(found[0]):
            return found[0], text[token.end() :].strip()
    return normalise(text), ""


def _folded(text: str) -> str:
    # Folding may undo NFKC and NFKC may undo folding (U+0345): this order settles (Unicode section 3.13)
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).casefold()
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFKC", text).translate(_VARIATION_SELECTORS)


def _trimmed(text: str) -> str:
    if text.isascii():
        return text.strip(_AROUND_WORDS) or text
    start, end = 0, len(text)
    while start < end and (_punctuation(text[start]) or text[start] == " "):
        start += 1
    while end > start and (_punctuation(text[end - 1]) or text[end - 1] == " "):
        end -= 1
    return text[start:end] or text


def _all_punctuation(text: str) -> bool:
    if text.isascii():
        return not text.strip(_ASCII_PUNCTUATION)
    return all(_punctuation(c) for c in text)


def _punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith("P")
