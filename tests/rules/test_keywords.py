import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.model import Keyword, Service
from gateway.rules.keywords import Keywords
from gateway.rules.reserved import Word
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


def test_a_suspended_service_keeps_its_numbers_and_keywords() -> None:
    service = Service(name="s", status="suspended", assets=["12345"], keywords={"A": Keyword(reply="a")})
    keywords = Keywords.build({"s": service})
    assert keywords.match("12345", "a").service == "s"
    assert keywords.services("12345") == ("s",)


SHOP = Keywords.build(
    {
        "shop": Service(
            name="Shop",
            assets=["12345"],
            languages=["de"],
            default=Keyword(reply="?"),
            keywords={
                "ORDER": Keyword(reply="o", aliases=["BESTELLUNG"]),
                "BORDER": Keyword(reply="b"),
                "START": Keyword(reply="s"),
                "TEE": Keyword(reply="t"),
                "EXACTLY": Keyword(reply="e", fuzzy=False),
                "PIN": Keyword(reply="p", prefixes=["PIN"]),
                "LONG": Keyword(reply="l", prefixes=["pinned"]),
                "CODE": Keyword(reply="c", pattern="[a-f][0-9]{4}"),
                "GHELP": Keyword(reply="g"),
            },
        )
    }
)


@pytest.mark.parametrize(
    ("text", "how", "name", "rest"),
    [
        ("PIN1234", "prefix", "PIN", "1234"),
        ("pin-12 34!", "prefix", "PIN", "12 34!"),
        ("pinned up", "prefix", "LONG", "up"),
        ("ＰＩＮ99", "prefix", "PIN", "99"),
        ("B1234.", "pattern", "CODE", "B1234."),
        ("b1234 x", "service-default", "", "b1234 x"),
        ("ordr two", "fuzzy", "ORDER", "two"),
        ("odrer", "fuzzy", "ORDER", ""),
        ("ordder!", "fuzzy", "ORDER", ""),
        ("ordxx", "service-default", "", "ordxx"),
        ("bestelung", "fuzzy", "ORDER", ""),
        ("te", "service-default", "", "te"),
        ("exactli", "service-default", "", "exactli"),
        ("corder", "service-default", "", "corder"),  # ORDER and BORDER are as near
        ("start", "exact", "START", ""),
        ("stqrt", "service-default", "", "stqrt"),  # next to a reserved word
        ("ghilp", "fuzzy", "GHELP", ""),
        ("hilfe", "service-default", "", "hilfe"),
    ],
)
def test_prefixes_patterns_and_slips(text: str, how: str, name: str, rest: str) -> None:
    match = SHOP.match("12345", text)
    assert (match.how, match.name, match.rest) == (how, name, rest)


def test_a_pattern_that_others_take_minutes_for_is_matched_at_once() -> None:
    service = Service(name="s", assets=["12345"], keywords={"A": Keyword(reply="a", pattern="(a+)+b")})
    assert Keywords.build({"s": service}).match("12345", "a" * 5000).how == "none"


def test_what_is_no_pattern_and_one_that_two_services_claim_are_reported() -> None:
    keywords = Keywords.build(
        {
            "a": Service(name="A", assets=["12345"], keywords={"X": Keyword(reply="a", pattern="x[0-9]")}),
            "b": Service(
                name="B",
                assets=["12345"],
                keywords={
                    "Y": Keyword(reply="b", pattern="x[0-9]", prefixes=["Q"]),
                    "Z": Keyword(reply="b", pattern="(z", prefixes=["q"]),
                },
            ),
        }
    )
    assert [fault.path for fault in keywords.conflicts()] == [
        "services.b.keywords.Y",
        "services.b.keywords.Z",
        "services.b.keywords.Z.pattern",
    ]
    assert "missing )" in keywords.conflicts()[-1].what


def test_the_reserved_words_of_a_number_are_those_of_its_services_languages() -> None:
    keywords = Keywords.build(
        {
            "a": Service(name="A", assets=["12345", "54321"]),
            "b": Service(name="B", assets=["54321"], languages=["fr", "tr"]),
        }
    )
    assert keywords.reserved("12345", "arrêt") is None
    assert keywords.reserved("54321", "ARRÊT!") == Word("stop", "fr")
    assert keywords.reserved("54321", "İptal") == Word("stop", "tr")
    assert keywords.reserved("12345", "stop") == Word("stop", "en")


def test_a_language_without_reserved_words_is_reported() -> None:
    (fault,) = Keywords.build({"a": Service(name="A", languages=["en", "xx"])}).conflicts()
    assert fault.path == "services.a.languages[1]"


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


@given(st.sampled_from(["12345", "+442079460000", "1"]), st.text())
def test_any_text_matches(number: str, text: str) -> None:
    match = KEYWORDS.match(number, text)
    assert (match.keyword is None) == (match.how == "none")


def test_a_keyword_of_a_reserved_word_that_does_more_than_reply_is_reported() -> None:
    service = Service(
        name="S",
        assets=["12345"],
        languages=["de"],
        keywords={
            "HELP": Keyword(reply="Call us"),
            "Hilfe": Keyword(flow="help"),
            "BYE": Keyword(flow="bye", aliases=["stop"]),
        },
    )
    faults = Keywords.build({"s": service}).conflicts()
    assert [fault.path for fault in faults] == ["services.s.keywords.BYE", "services.s.keywords.Hilfe"]
    assert 'reserved word for "stop"' in faults[0].what
