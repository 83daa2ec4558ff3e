from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.lexicon import lexicon
from gateway.text.sentiment import sentiment


@pytest.mark.parametrize(
    ("language", "text", "label"),
    [
        ("en", "I love it, great service", "positive"),
        ("en", "the worst ever!", "negative"),
        ("en", "the pizza was not good", "negative"),
        ("en", "not bad", "positive"),
        ("en", "super slow", "negative"),
        ("en", "where is my parcel", "neutral"),
        ("en", "not only late, but very friendly", "positive"),
        ("en", "no problem", "positive"),
        ("en", "😡😡", "negative"),
        ("de", "Danke, das war sehr gut", "positive"),
        ("de", "überhaupt nicht gut", "negative"),
        ("fr", "c'est nul", "negative"),
        ("fr", "merci beaucoup, très rapide", "positive"),
        ("es", "muy mal servicio", "negative"),
        ("it", "pessimo servizio", "negative"),
        ("pt", "serviço muito mau", "negative"),
        ("tr", "hizmet iyi değil", "negative"),
        ("tr", "çok iyi", "positive"),
    ],
)
def test_labels(language: str, text: str, label: str) -> None:
    assert sentiment(text, lexicon(language)).label == label


def test_words_around_one_change_its_weight() -> None:
    def score(text: str) -> float:
        return sentiment(text, lexicon("en")).score

    assert score("very good") > score("good") > score("rather good") > 0 > score("not good")
    assert score("good!") > score("good")
    assert score("not good") < 0 < score("no, good")  # a comma ends what the no denies


def test_the_words_that_decided_are_told() -> None:
    assert sentiment("not good, but fast", lexicon("en")).words == (("good", -1.4), ("fast", 2.0))


@given(st.text(max_size=200))
def test_any_text_has_a_score(text: str) -> None:
    assert -1 <= sentiment(text, lexicon("en")).score <= 1
