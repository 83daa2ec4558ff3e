from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.tokens import fold, tokens


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Müller", "muller"), ("İYİ", "iyi"), ("ıssız", "issiz"), ("Straße", "strasse"), ("cœur’s", "coeur's")],
)
def test_folding_leaves_plain_letters(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I've 2 cats!", ["i've", "2", "cats", "!"]),
        ("l'heure d'été", ["l'", "heure", "d'", "ete"]),
        ("twenty-two", ["twenty-two"]),
        ("1,234.50 €", ["1,234.50", "€"]),
        ("1 000 000 now", ["1 000 000", "now"]),
        ("", []),
    ],
)
def test_words_numbers_and_signs(text: str, expected: list[str]) -> None:
    assert [token.text for token in tokens(text)] == expected


@given(st.text(max_size=200))
def test_tokens_stand_where_they_say(text: str) -> None:
    end = 0
    for token in tokens(text):
        assert end <= token.start < token.end <= len(text)
        assert fold(text[token.start : token.end]) == token.text
        end = token.end
