from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.lexicon import lexicon
from gateway.text.profanity import Words, masked

ENGLISH = Words([lexicon("en")])


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("what the fuck", "what the ****"),
        ("SHIT happens", "**** happens"),
        ("sh1t", "****"),
        ("$h!t service", "**** service"),
        ("fuuuuck off", "******* off"),
        ("f u c k you", "******* you"),
        ("what a f u c k i n g mess", "what a ************* mess"),
        ("f.u.c.k it", "******* it"),
        ("f*ck", "f*ck"),  # a letter that is not there could be any
        ("motherfuckers", "*************"),
        ("b@stard", "*******"),
    ],
)
def test_words_are_found_however_they_are_written(text: str, clean: str) -> None:
    assert masked(text, ENGLISH.find(text)) == clean


@pytest.mark.parametrize(
    "text",
    [
        "Welcome to Scunthorpe, Penistone and Lightwater",
        "Dickens, cocktails and shiitake",
        "a classic assessment of the bass",
        "455 1177 5417",
        "Arsenal",
        "I am a b c",
        "",
    ],
)
def test_words_within_words_stay_what_they_are(text: str) -> None:
    assert ENGLISH.find(text) == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "so eine Scheiße"),
        ("fr", "merde!"),
        ("es", "qué mierda"),
        ("it", "che cazzo"),
        ("pt", "que merda"),
        ("tr", "siktir git"),
    ],
)
def test_each_language_has_its_words(language: str, text: str) -> None:
    assert Words([lexicon(language)]).find(text)
    assert ENGLISH.find(text) == []


def test_a_service_has_words_of_its_own_and_lets_others_pass() -> None:
    own = Words([lexicon("en")], ["competitor", "spam*"], ["shit"])
    assert [found.word for found in own.find("Competitor spammers shit")] == ["competitor", "spammers"]


@given(st.text(max_size=200))
def test_any_text_keeps_its_length(text: str) -> None:
    assert len(masked(text, ENGLISH.find(text))) == len(text)
