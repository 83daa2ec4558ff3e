"""What is known of each language: gateway/text/lexicons/LANGUAGE.toml, read when it is first asked for.

In these files lists are words with blanks between; `_` stands for a blank within one ("no_problem"), and
accents are as one writes them: everything is folded (text.tokens) when it is read.  A new language is a new
file, a name in config.model.Language and, for what language a text is in, lingua's knowledge of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from msgspec import Struct

from gateway.text.tokens import fold, tokens

Phrase = tuple[str, ...]  # folded words


class Profanity(Struct, frozen=True):
    words: frozenset[str]
    stems: tuple[str, ...]  # what begins so is one too
    allow: frozenset[str]


class Dates(Struct, frozen=True):
    """How times are spoken of; `dates`, `past` and `times` are patterns of text.dates."""

    weekdays: dict[str, int]  # 0 is Monday
    months: dict[str, int]
    days: dict[Phrase, int]  # from today
    parts: dict[Phrase, int]  # of the day, by the hour that they mean
    units: dict[str, str]  # to minute, hour, day, week or month
    joiners: frozenset[str]  # between a date and a time
    morning: str  # the word that means tomorrow too; "" = none
    dates: tuple[str, ...]
    past: tuple[str, ...]
    times: tuple[str, ...]


class Lexicon(Struct, frozen=True):
    name: str
    common: frozenset[str]
    yes: frozenset[Phrase]
    no: frozenset[Phrase]
    negators: frozenset[str]
    negated_after: bool  # the negator stands behind what it denies
    stronger: frozenset[str]
    weaker: frozenset[str]
    numbers: dict[str, int]
    article: frozenset[str]
    conjunction: str  # between the words of one number
    point: str
    money: dict[str, str]
    dates: Dates
    sentiment: dict[str, int]
    phrases: dict[Phrase, int]
    profanity: Profanity


@cache
def lexicon(language: str) -> Lexicon:
    """Raises FileNotFoundError for a language that there is no file of."""
    written = files("gateway.text").joinpath("lexicons", f"{language}.toml").read_text("utf-8")
    table = tomllib.loads(written)
    numbers = _values(table["numbers"]["words"])
    profane = [fold(word) for word in table["profanity"]["words"].split()]
    return Lexicon(
        name=table["name"],
        common=_words(table["common"]),
        yes=_phrases(table["yes"]),
        no=_phrases(table["no"]),
        negators=_words(table["negators"]),
        negated_after=table.get("negation") == "after",
        stronger=_words(table["stronger"]),
        weaker=_words(table["weaker"]),
        numbers=numbers | _compounds(table["numbers"], numbers),
        article=_words(table["numbers"]["article"]),
        conjunction=fold(table["numbers"].get("and", "")),
        point=table["numbers"]["point"],
        money={fold(word): code for word, code in _pairs(table["money"]["words"])},
        dates=_dates(table["dates"]),
        sentiment={
            fold(word): int(weight)
            for weight, words in table["sentiment"].items()
            if weight != "phrases"
            for word in words.split()
        },
        phrases={_phrase(words): int(n) for words, n in _pairs(table["sentiment"]["phrases"])},
        profanity=Profanity(
            words=frozenset(word.replace("_", "") for word in profane if not word.endswith("*")),
            stems=tuple(word[:-1] for word in profane if word.endswith("*")),
            allow=_words(table["profanity"].get("allow", "")),
        ),
    )


def starts(phrases: Mapping[Phrase, Any] | frozenset[Phrase], words: list[str], at: int) -> Phrase:
    """The longest of the phrases that begins at that word; () = none."""
    for length in range(min(4, len(words) - at), 0, -1):
        found = tuple(words[at : at + length])
        if found in phrases:
            return found
    return ()


def _dates(table: Mapping[str, Any]) -> Dates:
    return Dates(
        weekdays=_groups(table["weekdays"]),
        months=_groups(table["months"], first=1),
        days={_phrase(words): int(n) for words, n in _pairs(table["days"])},
        parts={_phrase(words): int(n) for words, n in _pairs(table["parts"])},
        units={fold(word): unit for unit, words in _pairs(table["units"]) for word in words.split("|")},
        joiners=_words(table["joiners"]),
        morning=fold(table.get("morning", "")),
        dates=tuple(table["dates"]),
        past=tuple(table["past"]),
        times=tuple(table["times"]),
    )


def _compounds(table: Mapping[str, Any], numbers: Mapping[str, int]) -> dict[str, int]:
    """Numbers that are written as one word with the unit first."""
    if "compound" not in table:
        return {}
    units = _values(table["compound_units"])
    tens = {word: n for word, n in numbers.items() if 20 <= n <= 90 and n % 10 == 0}
    return {u + table["compound"] + t: tens[t] + units[u] for u in units for t in tens}


def _words(written: str) -> frozenset[str]:
    return frozenset(fold(word).replace("_", " ") for word in written.split())


def _phrase(written: str) -> Phrase:
    return tuple(token.text for token in tokens(written.replace("_", " ")))


def _phrases(written: str) -> frozenset[Phrase]:
    return frozenset(_phrase(words) for words in written.split())


def _pairs(written: str) -> Iterator[tuple[str, str]]:
    for pair in written.split():
        words, _, value = pair.partition("=")
        yield words, value


def _values(written: str) -> dict[str, int]:
    return {fold(word): int(value) for word, value in _pairs(written)}


def _groups(written: str, first: int = 0) -> dict[str, int]:
    return {
        fold(word).replace("_", " "): number
        for number, words in enumerate(written.split(), first)
        for word in words.split("|")
    }
