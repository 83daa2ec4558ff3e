import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.model import Keyword, Service
from gateway.rules.keywords import Keywords, reserved
from gateway.values.fault import Fault

PIZZA = Service(
    name="Pizza",
    assets=["12345", "+44 20 7946 0000"],
    default=Keyword(reply="Text ORDER"),
    keywords={
        "ORDER": Keyword(number="12345", aliases=["PIZZA", "gimme pizza"], flow="order"),
        "ORDER NOW": Keyword(reply="At once"),
        "Menu": Keyword(reply="S M L"),
        "*": Keyword(number="12345", reply="Sorry?"),
    },
)
TAXI = Service(name="Taxi", assets=["12345"], keywords={"TAXI": Keyword(notify=True)})
KEYWORDS = Keywords.build({"pizza": PIZZA, "taxi": TAXI})


@pytest.mark.parametrize(
    ("number", "text", "expected"),
    [
        ("12345", "order", ("exact", "pizza", "ORDER", "order", "")),
        ("12345", " Order! ", ("exact", "pizza", "ORDER", "order", "")),
        ("12345", "ORDER NOW", ("exact", "pizza", "ORDER NOW", "order now", "")),
        ("12345", "ORDER now please", ("first-word", "pizza", "ORDER", "order", "now please")),
        ("12345", "order: Two Large", ("first-word", "pizza", "ORDER", "order", "Two Large")),
        ("12345", "pizza", ("alias", "pizza", "ORDER", "pizza", "")),
        ("12345", "Pizza for two", ("alias", "pizza", "ORDER", "pizza", "for two")),
        ("12345", "gimme pizza!", ("alias", "pizza", "ORDER", "gimme pizza", "")),
        ("12345", "gimme pizza now", ("number-default", "pizza", "*", "gimme", "gimme pizza now")),
        ("12345", "taxi", ("exact", "taxi", "TAXI", "taxi", "")),
        ("12345", "hello", ("number-default", "pizza", "*", "hello", "hello")),
        ("12345", "", ("number-default", "pizza", "*", "", "")),
        ("+442079460000", "menu", ("exact", "pizza", "Menu", "menu", "")),
        ("+442079460000", "order", ("service-default", "pizza", "", "order", "order")),
        ("+442079460000", "*", ("service-default", "pizza", "", "*", "*")),
        ("99999", "order", ("none", "", "", "order", "order")),
    ],
)
def test_the_order_of_matching(number: str, text: str, expected: tuple[str, ...]) -> None:
    match = KEYWORDS.match(number, text)
    assert (match.how, match.service, match.name, match.word, match.rest) == expected


def test_a_match_carries_its_keyword_and_all_words() -> None:
    match = KEYWORDS.match("12345", "Order: TWO")
    assert match.keyword is PIZZA.keywords["ORDER"]
    assert match.words == ("order", "two")


def test_an_asterisk_without_a_number_is_the_service_default() -> None:
    service = Service(name="s", assets=["12345"], keywords={"*": Keyword(reply="hm")})
    assert Keywords.build({"s": service}).match("12345", "hello").how == "service-default"


def test_a_suspended_service_matches_nothing_but_keeps_its_numbers() -> None:
    service = Service(name="s", status="suspended", assets=["12345"], keywords={"A": Keyword(reply="a")})
    keywords = Keywords.build({"s": service})
    assert keywords.match("12345", "a").how == "none"
    assert keywords.services("12345") == ("s",)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        *((word, "stop") for word in ("STOP", "stopall", "Unsubscribe", "CANCEL", "end", "Quit.", " stop! ")),
        ("START", "start"),
        ("unstop", "start"),
        ("HELP", "help"),
        ("info?", "help"),
        ("stop sending", ""),
        ("please stop", ""),
        ("yes", ""),
        ("", ""),
    ],
)
def test_a_reserved_word_is_one_only_as_the_whole_text(text: str, word: str) -> None:
    assert reserved(text) == word


def test_two_services_that_claim_one_word_are_reported_and_the_first_by_name_has_it() -> None:
    keywords = Keywords.build(
        {
            "b": Service(name="B", assets=["12345"], keywords={"Go!": Keyword(reply="b")}),
            "a": Service(name="A", assets=["12345"], keywords={"GO": Keyword(reply="a")}),
        }
    )
    assert keywords.match("12345", "go").service == "a"
    what = '"go" on 12345 already goes to services.a.keywords.GO; here it never matches'
    assert keywords.conflicts() == [Fault("services.b.keywords.Go!", what)]


def test_an_alias_that_a_keyword_hides_and_a_second_default_are_reported() -> None:
    keywords = Keywords.build(
        {
            "a": Service(name="A", assets=["12345"], default=Keyword(reply="a")),
            "b": Service(
                name="B",
                assets=["12345"],
                default=Keyword(reply="b"),
                keywords={"ONE": Keyword(reply="1", aliases=["two"]), "TWO": Keyword(reply="2")},
            ),
        }
    )
    assert [fault.path for fault in keywords.conflicts()] == ["services.b.default", "services.b.keywords.ONE"]


def test_a_keyword_on_a_number_that_its_service_has_not_is_reported() -> None:
    service = Service(name="s", assets=["12345"], keywords={"A": Keyword(number="54321", reply="a")})
    (fault,) = Keywords.build({"s": service}).conflicts()
    assert fault.path == "services.s.keywords.A.number"
    assert "54321" in fault.what


def test_a_service_file_without_conflicts_has_none() -> None:
    assert KEYWORDS.conflicts() == []


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
    assert KEYWORDS.explain(number, text)[-1].startswith(last)


def test_the_explanation_names_owners_reading_and_failed_tries() -> None:
    assert KEYWORDS.explain("12345", "Stop!")[:5] == [
        "12345 belongs to pizza and taxi.",
        'The text reads as "stop".',
        'It is the reserved word for "stop", which comes before every keyword.',
        "The whole text is no keyword.",
        'Its first word "stop" is no keyword.',
    ]


@given(st.sampled_from(["12345", "+442079460000", "1"]), st.text())
def test_any_text_matches_and_explains(number: str, text: str) -> None:
    match = KEYWORDS.match(number, text)
    assert (match.keyword is None) == (match.how == "none")
    assert KEYWORDS.explain(number, text)
