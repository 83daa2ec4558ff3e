"""Texts as words and numbers, each with its place: what the other parts of `text` look at."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from msgspec import Struct

# NFKD leaves these alone
_PLAIN = str.maketrans({"ı": "i", "ø": "o", "ł": "l", "đ": "d", "œ": "oe", "æ": "ae", "’": "'", "´": "'"})
_TOKEN = re.compile(
    r"(?P<number>\d+(?:[.,'\u00a0\u202f ]\d{3})+(?![\d])(?:[.,]\d+)?|\d+[.,]\d+|\d+)"
    # an article that has lost its vowel is a word of its own: l'heure, dell'ora
    r"|(?P<elided>(?:[lcdjmnst]|qu|dell|all|nell|sull|dall|un|dov)['’´](?=[^\W\d_]))"
    r"|(?P<word>[^\W\d_]+(?:['’´\-][^\W\d_]+)*['’´]?)"
    r"|(?P<sign>\S)",
    re.IGNORECASE,
)

_KINDS = {"number": "number", "elided": "word", "word": "word", "sign": "sign"}


class Token(Struct, frozen=True):
    """`kind` is word, number or sign; `text` is folded; it stands at text[start:end]."""

    kind: str
    text: str
    start: int
    end: int


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Lower case without accents: "Müller" -> "muller", "İYİ" -> "iyi", "Straße" -> "strasse"."""
    text = unicodedata.normalize("NFKD", text.replace("ı", "i")).casefold()
    return "".join(c for c in text if not unicodedata.combining(c)).translate(_PLAIN)


def tokens(text: str) -> list[Token]:
    """ "I've 2 cats!" -> i've, 2, cats, !"""
    return [
        Token(_KINDS[str(found.lastgroup)], fold(found[0]), found.start(), found.end())
        for found in _TOKEN.finditer(text)
    ]
