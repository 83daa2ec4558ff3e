"""How a customer feels, by the words of the lexicon and those near them that deny or strengthen one.

score   s / sqrt(s² + 15) of the sum s of the words' weights: -1 to 1
label   negative up to -0.2, positive from 0.2 on, else neutral
"""

from __future__ import annotations

import math
from collections.abc import Callable

from msgspec import Struct

from gateway.text.lexicon import Lexicon, starts
from gateway.text.tokens import tokens

_REACH = 3  # words
_DENIED = -0.7  # "not terrible" is better than terrible, and not great
_STRONGER, _WEAKER = 1.5, 0.6
_SHOUTED = 1.15  # with "!"
_SPREAD = 15.0
_NEUTRAL = 0.2
_SIGNS = {
    "😀": 3, "😃": 3, "😄": 3, "😊": 3, "🙂": 2, "😍": 4, "❤": 3, "👍": 2, "🎉": 3, "🙏": 2, "😂": 1,
    "😠": -3, "😡": -4, "😢": -2, "😭": -3, "🙁": -2, "😞": -2, "👎": -3, "🤬": -4, "💩": -3, "😤": -3,
}  # fmt: skip
_SMILEYS = {":)": 2, ":-)": 2, ";)": 1, ":D": 3, ":(": -2, ":-(": -2, ":/": -1}


class Sentiment(Struct, frozen=True):
    """`words` are those that decided it, with what each gave."""

    label: str  # positive | neutral | negative
    score: float
    words: tuple[tuple[str, float], ...] = ()


def sentiment(text: str, lexicon: Lexicon, check: Callable[[], None] = lambda: None) -> Sentiment:
    """`check` is called for each word and may raise to end it."""
    read = tokens(text)
    words = [token.text for token in read]
    found: list[tuple[str, float]] = [(sign, float(_SMILEYS[sign])) for sign in _SMILEYS if sign in text]
    at = 0
    while at < len(words):
        check()
        phrase = starts(lexicon.phrases, words, at)
        weight = float(lexicon.phrases[phrase]) if phrase else 0.0
        if not phrase:
            word = words[at]
            weight = float(lexicon.sentiment.get(word, 0) or _SIGNS.get(word, 0))
            # a word that strengthens another one says nothing by itself: "super slow"
            if word in lexicon.stronger and at + 1 < len(words) and words[at + 1] in lexicon.sentiment:
                weight = 0.0
            weight *= _around(words, at, lexicon) if weight else 1.0
        if weight:
            found.append((" ".join(phrase) or words[at], round(weight, 2)))
        at += len(phrase) or 1
    total = sum(weight for _, weight in found) * (_SHOUTED if "!" in text else 1.0)
    score = round(total / math.sqrt(total * total + _SPREAD), 3)
    label = "positive" if score >= _NEUTRAL else "negative" if score <= -_NEUTRAL else "neutral"
    return Sentiment(label, score, tuple(found))


def _around(words: list[str], at: int, lexicon: Lexicon) -> float:
    """By how much the words around one change it.  A clause that ends between them keeps them apart."""
    before = _clause(words[max(0, at - _REACH) : at][::-1])
    after = _clause(words[at + 1 : at + 1 + _REACH])
    factor = 1.0
    if before:
        nearest = before[0]
        factor *= _STRONGER if nearest in lexicon.stronger else _WEAKER if nearest in lexicon.weaker else 1.0
    denying = after[:1] if lexicon.negated_after else before
    if sum(word in lexicon.negators for word in denying) % 2:
        factor *= _DENIED
    return factor


def _clause(words: list[str]) -> list[str]:
    end = next((n for n, word in enumerate(words) if word in {",", ".", ";", "!", "?", ":"}), len(words))
    return words[:end]
