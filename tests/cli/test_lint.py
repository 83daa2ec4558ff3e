from typing import Any

from msgspec.structs import replace

from gateway.cli.lint import lint
from gateway.config.model import Action, Keyword, Number, Rule, Service

GOOD_FLOW: dict[str, Any] = {"start": "a", "nodes": {"a": {"type": "end"}}}
SERVICE = Service(
    name="Pizza",
    assets=["12345"],
    keywords={"ORDER": Keyword(flow="order")},
    rules={"r": Rule(on="sms.received", when="sms.text == 'x'", do=[Action(reply="y")])},
    flows={"order": GOOD_FLOW},
)


def paths(**services: Service) -> list[str]:
    return [fault.path for fault in lint(services)]


def test_a_sound_service_has_no_faults() -> None:
    assert paths(pizza=SERVICE) == []


def test_a_word_that_two_services_claim_on_one_number_is_a_fault() -> None:
    assert paths(pizza=SERVICE, quiz=SERVICE) == ["services.quiz.keywords.ORDER"]


def test_a_rule_on_an_unknown_event_with_a_broken_condition_is_two_faults() -> None:
    broken = replace(SERVICE, rules={"r": Rule(on="sms.recieved", when="sms.text ==", do=[])})
    assert paths(pizza=broken) == ["services.pizza.rules.r.on", "services.pizza.rules.r.when"]
    assert 'did you mean "sms.received"' in lint({"pizza": broken})[0].what


def test_a_suspended_service_has_its_rules_checked_and_keeps_its_words() -> None:
    suspended = replace(SERVICE, status="suspended", rules={"r": Rule(on="x", do=[])})
    found = paths(pizza=SERVICE, quiz=suspended)
    assert found == ["services.quiz.keywords.ORDER", "services.quiz.rules.r.on"]


def test_a_flow_s_faults_have_the_path_of_their_service() -> None:
    broken = replace(SERVICE, flows={"order": GOOD_FLOW | {"start": "b"}})
    assert "services.pizza.flows.order.start" in paths(pizza=broken)


ON_CALL: dict[str, Any] = {
    "start": "hello",
    "nodes": {"hello": {"type": "say", "text": "Hello", "on": {"done": "end", "error": "end"}}},
}
RING: dict[str, Any] = {"type": "call", "on": {"answered": "hello", "error": "end"}}


def test_a_flow_that_acts_on_a_call_is_begun_by_one_or_makes_one() -> None:
    keyword = replace(SERVICE, flows={"order": ON_CALL})
    [fault] = lint({"pizza": keyword})
    assert fault.path == "services.pizza.keywords.ORDER.flow"
    assert fault.what.startswith("node hello of flow order acts on a call, and none is up")
    by_rule = {"r": Rule(on="sms.received", when="true", do=[Action(reply="y"), Action(flow="order")])}
    other = replace(keyword, keywords={}, rules=by_rule, default=Keyword(flow="order"))
    assert paths(pizza=other) == ["services.pizza.default.flow", "services.pizza.rules.r.do[1].flow"]
    number = replace(keyword, keywords={}, numbers={"+442079460000": Number(policy="answer", flow="order")})
    assert paths(pizza=number) == []
    makes_one = ON_CALL | {"start": "ring", "nodes": {"ring": RING, **ON_CALL["nodes"]}}
    assert paths(pizza=replace(SERVICE, flows={"order": makes_one})) == []
