"""Words that offend, found under figures for letters ("sh1t"), letters drawn out or apart ("f u c k"), dots
and stars between them; never inside of another word, so that Scunthorpe stays what it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from gateway.text.lexicon import Lexicon
from gateway.text.tokens import fold

_LEET = str.maketrans("013457@$!€|", "oieastasiei")
# letters, figures and what people write for them; a star or dot within stands for nothing
_WORD = re.compile(r"(?:[^\W_]|[@$!€|])(?:[^\W_]|[@$€|*.\-_'!])*")
_DRAWN_OUT = re.compile(r"(.)\1+")
_FILLERS = re.compile(r"[*.\-_'\s]+")
_BESIDE = "!.'-_*|"  # at a word's end it is none of its letters
_APART = 3  # letters that stand apart before they are read as one word
_LONGEST_RUN = 40


class Found(Struct, frozen=True):
    """An offending word at text[start:end], and the word of the list that it is."""

    word: str
    start: int
    end: int


class Words:
    """The lists of some languages, with a service's own words."""

    def __init__(
        self, lexicons: Sequence[Lexicon], words: Iterable[str] = (), allow: Iterable[str] = ()
    ) -> None:
        """`words` and `allow` as in the lexicons: "word" or "begin*"."""
        own = [fold(word) for word in words]
        lists = [lexicon.profanity for lexicon in lexicons]
        self._words = {word for each in lists for word in each.words}
        self._words |= {word for word in own if not word.endswith("*")}
        self._stems = tuple(stem for each in lists for stem in each.stems)
        self._stems += tuple(word[:-1] for word in own if word.endswith("*"))
        self._allow = {word for each in lists for word in each.allow} | {fold(word) for word in allow}

    def find(self, text: str, check: Callable[[], None] = lambda: None) -> list[Found]:
        """In the order of the text.  `check` is called for each word and may raise to end it."""
        found: list[Found] = []
        for start, end in _spans(text):
            check()
            if found and start < found[-1].end:
                continue
            if word := self._offends(text[start:end]):
                found.append(Found(word, start, start + len(text[start:end].rstrip(_BESIDE))))
        return found

    def _offends(self, written: str) -> str:
        plain = fold(written).strip(_BESIDE)
        if plain in self._allow or not any(c.isalpha() for c in plain):
            return ""
        read = _FILLERS.sub("", plain.translate(_LEET))
        # "fuuuck": one letter or two, which the list knows; "ass" has two, "asss" three
        for word in dict.fromkeys((read, _DRAWN_OUT.sub(r"\1\1", read), _DRAWN_OUT.sub(r"\1", read))):
            if word in self._allow:
                return ""
            if word in self._words or any(word.startswith(stem) for stem in self._stems):
                return word
        return ""


def masked(text: str, found: Iterable[Found]) -> str:
    """With stars for the letters: "what the ****"."""
    for word in found:
        text = text[: word.start] + "*" * (word.end - word.start) + text[word.end :]
    return text


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """What is to be read as a word: letters that stand apart as one, then each word."""
    words = [(match.start(), match.end()) for match in _WORD.finditer(text)]
    run: list[tuple[int, int]] = []
    for start, end in [*words, (len(text), len(text))]:
        if end - start == 1 and text[start].isalnum():
            run.append((start, end))
            continue
        # "a f u c k": the word may begin with any of them
        yield from ((run[n][0], run[-1][1]) for n in range(min(len(run) - _APART + 1, _LONGEST_RUN)))
        run = []
        if end > start:
            yield start, end
