import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.model import Keyword, Service
from gateway.rules.explain import explain
from gateway.rules.keywords import Keywords
from tests.rules.test_keywords import KEYWORDS, SHOP


@pytest.mark.parametrize(
    ("number", "text", "last"),
    [
        (
            "12345",
            "ORDER two",
            'Its first word is the keyword ORDER (followed by "two"): service pizza starts',
        ),
        ("12345", "pizza", '"pizza" is an alias of the keyword ORDER: service pizza starts the flow order.'),
        (
            "12345",
            "hello",
            "The number's default takes it, unless a rule on sms.received does: service pizza",
        ),
        ("12345", "taxi", "The whole text is the keyword TAXI: service taxi notifies its application."),
        ("99999", "order", "99999 is no asset of any service, so nothing answers there."),
    ],
)
def test_the_explanation_ends_with_what_happens(number: str, text: str, last: str) -> None:
    assert explain(KEYWORDS, number, text)[-1].startswith(last)


def test_the_explanation_names_owners_reading_and_failed_tries() -> None:
    assert explain(KEYWORDS, "12345", "Stop!")[:5] == [
        "12345 belongs to pizza and taxi.",
        'The text reads as "stop".',
        'It is the reserved word for "stop", which comes before every keyword.',
        "The whole text is no keyword.",
        'Its first word "stop" is no keyword.',
    ]


def test_each_keyword_that_lost_is_named_with_the_reason() -> None:
    services = {
        "a": Service(
            name="A",
            assets=["12345"],
            keywords={
                "PIN": Keyword(reply="a"),
                "B": Keyword(reply="b", prefixes=["pin"]),
                "C": Keyword(reply="c", prefixes=["pi"], pattern=".*code"),
            },
        )
    }
    assert explain(Keywords.build(services), "12345", "pin code")[-3:] == [
        "The keyword B of a (a prefix) lost: the first word comes before a prefix.",
        "The keyword C of a (a prefix) lost: the first word comes before a prefix.",
        "The keyword C of a (a pattern) lost: the first word comes before a pattern.",
    ]


def test_of_several_words_that_are_as_near_none_is_guessed() -> None:
    assert explain(SHOP, "12345", "corder")[-3] == (
        'It is one slip away from "border" and "order": which was meant is not guessed.'
    )


@given(st.sampled_from(["12345", "+442079460000", "1"]), st.text())
def test_any_text_is_explained(number: str, text: str) -> None:
    assert explain(KEYWORDS, number, text)
    assert explain(SHOP, number, text)
