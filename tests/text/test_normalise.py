import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.normalise import first_word, normalise, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("STOP", "stop"),
        ("  Stop!! ", "stop"),
        ("“stop.”", "stop"),
        ("ＳＴＯＰ", "stop"),
        ("st\u200bop", "stop"),
        ("\ufeffstop\u200e", "stop"),
        ("order \t\r\n now", "order now"),
        ("order\u00a0now", "order now"),
        ("Straße", "strasse"),
        ("CAFÉ", "café"),
        ("Cafe\u0301", "café"),
        ("❤\ufe0f", "❤"),
        ("🍕", "🍕"),
        ("don't", "don't"),
        ("?!", "?!"),
        ("stop\x00", "stop"),
        ("", ""),
        (" \u200b ", ""),
    ],
)
def test_what_reads_the_same_becomes_the_same(text: str, expected: str) -> None:
    assert normalise(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Order: 2, please", ["order", "2", "please"]),
        ("- order -", ["order"]),
        ("?", ["?"]),
        ("", []),
        ("   ", []),
    ],
)
def test_words_are_trimmed_one_by_one(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ORDER: Two Large", ("order", "Two Large")),
        ("order", ("order", "")),
        ("- Order  A  B ", ("order", "A  B")),
        ("?", ("?", "")),
        ("", ("", "")),
    ],
)
def test_the_first_word_leaves_the_rest_as_typed(text: str, expected: tuple[str, str]) -> None:
    assert first_word(text) == expected


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(alphabet=" \t\x00.!-?\u200b\u0345aBß☎\u00a8"))
def test_the_first_word_is_the_first_of_the_words(text: str) -> None:
    assert first_word(text)[0] == next(iter(words(text)), "")
