"""What a customer wants, by the examples that the service file gives of it.

A text is compared with each example as two weighted bags of words: word stems, the rarer among the intents
the heavier; a slip in a word of 5 letters and more is forgiven.  The intent of the nearest example is meant,
and the words that both have, by their share in the nearness, are why:

    nearness     0 (no word in common) to 1 (the very words): the cosine of the two
    confidence   nearest² / (nearest + the nearest of another intent): half, where two are equally near
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct
from rapidfuzz.distance import OSA

from gateway.text.lexicon import lexicon
from gateway.text.tokens import tokens

_SENTENCE_END = re.compile(r"[.!?\n]+(?:\s|$)")
_SENTENCES = 5  # of a text that are looked at one by one
_LONG_ENOUGH = 5  # letters, for a slip in them to be forgiven
_UNKNOWN = 0.6  # of a known word's greatest weight: what no example has may be beside the point


class Intent(Struct, frozen=True):
    """`name` is "" when nothing is near enough.  `words` are those of the text that decided it, each with its
    share; `nearest` each intent's nearness; `example` what it was nearest to."""

    name: str
    confidence: float
    words: tuple[tuple[str, float], ...] = ()
    nearest: tuple[tuple[str, float], ...] = ()
    example: str = ""


class _Example(Struct, frozen=True):
    intent: str
    text: str
    stems: frozenset[str]


class Intents:
    """The examples of one service, read once."""

    def __init__(self, examples: Mapping[str, Sequence[str]], languages: Sequence[str]) -> None:
        """`examples` by intent; `languages` are those that they may be in."""
        self._languages = tuple(languages)
        self._examples = [
            _Example(name, text, frozenset(stems))
            for name, texts in examples.items()
            for text in texts
            if (stems := [stem for _, stem in self._stems(text)])
        ]
        self._words = {word: stem for e in self._examples for word, stem in self._stems(e.text)}
        having: dict[str, set[str]] = {}
        for example in self._examples:
            for stem in example.stems:
                having.setdefault(stem, set()).add(example.intent)
        self._weights = {stem: math.log(1 + len(examples) / len(names)) for stem, names in having.items()}
        common = {stem for text in self._common() for _, stem in self._stems(text)}
        for stem in common & self._weights.keys():
            self._weights[stem] *= 0.4
        self._heaviest = max(self._weights.values(), default=1.0)
        self._light = common

    def recognise(self, text: str, threshold: float, check: Callable[[], None] = lambda: None) -> Intent:
        """`check` is called for each word and example and may raise to end it.

        A text of several sentences is as near as the nearest of them: the others may be about something else.
        """
        sentences = [part for part in _SENTENCE_END.split(text) if part.strip()]
        parts = [text, *sentences[:_SENTENCES]] if len(sentences) > 1 else [text]
        found = [self._recognised(part, threshold, check) for part in parts]
        return max(found, key=lambda intent: intent.confidence)

    def _recognised(self, text: str, threshold: float, check: Callable[[], None]) -> Intent:
        said = self._known(self._stems(text), check)
        length = math.sqrt(sum(weight**2 for weight in said.values()))
        best: dict[str, tuple[float, _Example]] = {}
        for example in self._examples:
            check()
            near = self._nearness(said, length, example)
            if near > best.get(example.intent, (0.0, example))[0]:
                best[example.intent] = near, example
        if not best:
            return Intent("", 0.0)
        ranked = sorted(
            ((name, near) for name, (near, _) in best.items()), key=lambda pair: (-pair[1], pair[0])
        )
        name, first = ranked[0]
        second = ranked[1][1] if len(ranked) > 1 else 0.0
        confidence = round(min(1.0, first * first / (first + second)), 3)
        example = best[name][1]
        return Intent(
            name if confidence >= threshold else "",
            confidence,
            self._shares(text, example),
            tuple((intent, round(near, 3)) for intent, near in ranked),
            example.text,
        )

    def _nearness(self, said: Mapping[str, float], length: float, example: _Example) -> float:
        shared = sum(weight**2 for stem, weight in said.items() if stem in example.stems)
        own = math.sqrt(sum(self._weights[stem] ** 2 for stem in example.stems))
        return shared / (length * own) if length and own else 0.0

    def _shares(self, text: str, example: _Example) -> tuple[tuple[str, float], ...]:
        shares: dict[str, float] = {}
        for word, stem in self._stems(text):
            known = self._meant(word, stem)
            if known in example.stems:
                shares[word] = self._weights[known] ** 2
        total = sum(shares.values())
        return tuple(
            (word, round(share / total, 3))
            for word, share in sorted(shares.items(), key=lambda s: (-s[1], s[0]))
        )

    def _known(self, stems: Sequence[tuple[str, str]], check: Callable[[], None]) -> dict[str, float]:
        found = {}
        for word, stem in stems:
            check()
            known = self._meant(word, stem)
            unknown = _UNKNOWN * self._heaviest * (0.4 if stem in self._light else 1.0)
            found[known] = self._weights.get(known, unknown)
        return found

    def _meant(self, word: str, stem: str) -> str:
        """The stem of the examples' word that it is, or is one slip away from."""
        if stem in self._weights or len(word) < _LONG_ENOUGH:
            return stem
        near = (w for w in self._words if len(w) > 3 and OSA.distance(word, w, score_cutoff=1) == 1)
        return next((self._words[w] for w in near), stem)

    def _stems(self, text: str) -> list[tuple[str, str]]:
        """Each word with its stem; of several languages the shortest of its stems."""
        words = [token.text for token in tokens(text) if token.kind != "sign"]
        stemmed = [_stemmed(language, tuple(words)) for language in self._languages]
        return [(word, min(stems, key=len)) for word, *stems in zip(words, *stemmed, strict=True)]

    def _common(self) -> list[str]:
        return [" ".join(sorted(lexicon(language).common)) for language in self._languages]


@lru_cache(maxsize=256)
def _stemmed(language: str, words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_stemmer(lexicon(language).name).stemWords(words))


@lru_cache
def _stemmer(name: str) -> Any:
    from Stemmer import Stemmer  # not before somebody asks

    return Stemmer(name, 0)  # without its cache, which costs more than it saves
