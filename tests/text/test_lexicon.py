from __future__ import annotations

import pytest

from gateway.text.dates import moments
from gateway.text.language import LANGUAGES
from gateway.text.lexicon import lexicon, starts


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_what_the_others_have(language: str) -> None:
    known = lexicon(language)
    assert set(known.dates.weekdays.values()) == set(range(7))
    assert set(known.dates.months.values()) == set(range(1, 13))
    assert {0, 1, -1} <= set(known.dates.days.values())
    assert {"minute", "hour", "day", "week", "month"} == set(known.dates.units.values())
    assert {2, 12, 20, 100, 1000} <= set(known.numbers.values())
    assert known.yes and known.no and not known.yes & known.no
    assert len(known.sentiment) > 60 and {1, -1} <= {
        weight // abs(weight) for weight in known.sentiment.values()
    }
    assert known.profanity.words and len(known.common) > 60


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_of_every_day_offends(language: str) -> None:
    known = lexicon(language)
    plain = known.common | known.sentiment.keys() | known.numbers.keys()
    offending = [w for w in plain if w in known.profanity.words or w.startswith(known.profanity.stems)]
    assert offending == []


def test_the_longest_phrase_counts() -> None:
    phrases = frozenset({("no",), ("no", "problem")})
    assert starts(phrases, ["no", "problem", "at"], 0) == ("no", "problem")
    assert starts(phrases, ["yes"], 0) == ()


def test_a_language_without_a_file_is_not_known() -> None:
    with pytest.raises(FileNotFoundError):
        lexicon("xx")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_pattern_is_readable(language: str) -> None:
    from datetime import UTC, datetime

    assert moments("12:30", [lexicon(language)], now=datetime(2026, 11, 30, tzinfo=UTC))
