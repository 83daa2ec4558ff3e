from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.entities import answer, figure, find
from gateway.text.language import LANGUAGES
from gateway.text.lexicon import lexicon

NOW = datetime(2026, 11, 30, 18, tzinfo=UTC)


def found(text: str, language: str = "en", country: str = "GB") -> list[tuple[str, Any]]:
    named = find(text, [lexicon(language)], now=NOW, country=country)
    return [(entity.kind, entity.value) for entity in named.entities]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "pay €20 or 15.50 pounds", [("EUR", 20), ("GBP", 15.5)]),
        ("de", "1.234,50 Euro, CHF 20", [("EUR", 1234.5), ("CHF", 20)]),
        ("en", "two hundred and twenty-five dollars", [("USD", 225)]),
        ("fr", "quatre-vingt-dix euros", [("EUR", 90)]),
        ("tr", "elli lira", [("TRY", 50)]),
    ],
)
def test_money(language: str, text: str, expected: list[tuple[str, float]]) -> None:
    money = [{"amount": amount, "currency": currency} for currency, amount in expected]
    assert found(text, language) == [("money", value) for value in money]


@pytest.mark.parametrize(
    ("language", "text", "number"),
    [
        ("en", "order 12345", 12345),
        ("en", "one thousand two hundred", 1200),
        ("de", "zweiundzwanzig Stück", 22),
        ("fr", "soixante et onze", 71),
        ("es", "treinta y cinco", 35),
        ("it", "ventotto", 28),
        ("pt", "quarenta e dois", 42),
        ("tr", "yirmi beş", 25),
        ("en", "1,234 items", 1234),
        ("de", "1,5 Kilo", 1.5),
    ],
)
def test_numbers_in_figures_and_words(language: str, text: str, number: float) -> None:
    assert found(text, language) == [("number", number)]


def test_numbers_and_addresses_of_people() -> None:
    assert found("bob@example.org or 020 7946 0000, +44 7700 900123") == [
        ("email", "bob@example.org"),
        ("phone", "+442079460000"),
        ("phone", "+447700900123"),
    ]
    assert found("020 7946 0000", country="DE") != [("phone", "+442079460000")]


def test_nothing_is_two_things_at_once() -> None:
    assert [kind for kind, _ in found("3 pizzas on 3 May at 5pm to a3@example.org")] == [
        "number",
        "datetime",
        "email",
    ]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Yes please!", "yes"),
        ("en", "no thanks", "no"),
        ("en", "no problem", "yes"),
        ("en", "not sure", "no"),
        ("en", "do not confirm", "no"),
        ("en", "yes and no", ""),
        ("en", "I don't know", ""),
        ("en", "where is the parcel that I have ordered, no idea", ""),
        ("en", "👍", "yes"),
        ("en", "❌", "no"),
        ("de", "ja, kein Problem", "yes"),
        ("de", "nein danke", "no"),
        ("fr", "pas de problème", "yes"),
        ("es", "sí", "yes"),
        ("it", "va bene", "yes"),
        ("pt", "não", "no"),
        ("tr", "olur", "yes"),
        ("tr", "HAYIR", "no"),
    ],
)
def test_a_yes_or_a_no(language: str, text: str, expected: str) -> None:
    assert answer(text, [lexicon(language)]) == expected


def test_an_answer_whose_language_is_not_known() -> None:
    everybody = [lexicon(name) for name in LANGUAGES]
    assert answer("ja", everybody) == "yes"
    assert answer("hayır", everybody) == "no"


@pytest.mark.parametrize(
    ("text", "point", "expected"),
    [
        ("1.234,50", ",", 1234.5),
        ("1,234.50", ".", 1234.5),
        ("1.234", ",", 1234),
        ("1.234", ".", 1.234),
        ("7", ".", 7),
    ],
)
def test_figures_by_the_point_of_the_language(text: str, point: str, expected: float) -> None:
    assert figure(text, point) == expected


@given(st.text(max_size=120))
def test_any_text_has_entities_where_they_say(text: str) -> None:
    end = 0
    for entity in find(text, [lexicon("en"), lexicon("de")], now=NOW, country="GB").entities:
        assert text[entity.start : entity.end] == entity.text and entity.start >= end
        end = entity.end
