from collections.abc import Container

import pytest

from gateway.config.model import Action, Keyword, Rule, Service
from gateway.rules import decide as rules
from gateway.rules.keywords import Keywords
from gateway.rules.ruleset import Ruleset

SERVICES = {
    "pizza": Service(
        name="Pizza",
        assets=["12345"],
        default=Keyword(reply="Text ORDER"),
        keywords={
            "ORDER": Keyword(flow="order"),
            "HELP": Keyword(reply="We bake."),
            "MENU": Keyword(reply="S M L", always=True),
        },
        rules={
            "many": Rule(on="sms.received", when="size(sms.words) > 2", do=[Action(reply="So many words")])
        },
    ),
    "taxi": Service(
        name="Taxi",
        assets=["12345", "54321"],
        rules={
            "near": Rule(
                on="sms.received",
                when='"taxi" in sms.words && !customer.opted_out && service.name == "taxi"',
                do=[Action(notify="https://example.org/taxi")],
            )
        },
    ),
}
KEYWORDS, RULESET = Keywords.build(SERVICES), Ruleset.build(SERVICES)


def decide(
    text: str, *, to: str = "12345", open_run: str = "", opted_out: Container[str] = ()
) -> rules.Decision:
    return rules.decide(
        sender="+447700900123",
        recipient=to,
        text=text,
        word=KEYWORDS.reserved(to, text),
        match=KEYWORDS.match(to, text),
        services=KEYWORDS.services(to),
        ruleset=RULESET,
        now=1_800_000_000.0,
        open_run=open_run,
        opted_out=opted_out,
    )


def test_a_reserved_word_comes_before_an_open_session_and_concerns_every_service_of_the_number() -> None:
    decision = decide("Stop.", open_run="run")
    assert isinstance(decision, rules.Reserved)
    assert (decision.word.kind, decision.services, decision.match.how) == ("stop", ("pizza", "taxi"), "none")


def test_a_keyword_of_a_reserved_word_rides_along() -> None:
    decision = decide("help")
    assert isinstance(decision, rules.Reserved)
    assert decision.match.keyword is SERVICES["pizza"].keywords["HELP"]


def test_an_open_session_comes_before_a_keyword() -> None:
    assert decide("order", open_run="run") == rules.Resume("run")


def test_a_global_keyword_comes_before_an_open_session() -> None:
    decision = decide("menu", open_run="run")
    assert isinstance(decision, rules.ByKeyword)
    assert decision.match.name == "MENU"


def test_a_keyword_comes_before_rules() -> None:
    decision = decide("order a taxi now")
    assert isinstance(decision, rules.ByKeyword)
    assert (decision.match.name, decision.match.rest) == ("ORDER", "a taxi now")


def test_rules_of_all_services_of_the_number_come_before_defaults() -> None:
    decision = decide("send a taxi")
    assert isinstance(decision, rules.ByRules)
    assert [(d.service, d.rule) for d in decision.decided] == [("pizza", "many"), ("taxi", "near")]


def test_a_rule_sees_the_consent_of_its_own_service() -> None:
    decision = decide("taxi", opted_out={"taxi"})
    assert isinstance(decision, rules.Default)
    decision = decide("taxi", opted_out={"pizza"})
    assert isinstance(decision, rules.ByRules)


def test_a_rule_sees_what_its_service_knows_of_the_customer() -> None:
    services = {
        "s": Service(
            name="S",
            assets=["12345"],
            rules={
                "gold": Rule(
                    on="sms.received",
                    when='has(customer.tier) && customer.tier == "gold"',
                    do=[Action(reply="Dear $(customer.name)")],
                )
            },
        )
    }
    keywords = Keywords.build(services)

    def decided(known: dict[str, str]) -> rules.Decision:
        return rules.decide(
            sender="+447700900123",
            recipient="12345",
            text="hi",
            word=None,
            match=keywords.match("12345", "hi"),
            services=("s",),
            ruleset=Ruleset.build(services),
            now=0.0,
            known=lambda service: known,
        )

    assert isinstance(decided({}), rules.Nothing)
    assert isinstance(decided({"tier": "gold"}), rules.ByRules)


def test_a_default_takes_what_nothing_else_took_and_says_which_rules_were_tried() -> None:
    decision = decide("hello")
    assert isinstance(decision, rules.Default)
    assert decision.match.how == "service-default"
    assert [considered.rule for considered in decision.considered] == ["many", "near"]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("54321", "no keyword, rule or default of taxi took it"),
        ("99999", "99999 is no asset of any service"),
    ],
)
def test_nothing_says_why(number: str, reason: str) -> None:
    decision = decide("hello", to=number)
    assert isinstance(decision, rules.Nothing)
    assert decision.reason == reason
