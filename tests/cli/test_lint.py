from typing import Any

from msgspec.structs import replace

from gateway.cli.lint import lint
from gateway.config.model import Action, Keyword, Rule, Service

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


def test_a_suspended_service_has_its_rules_checked_but_claims_no_word() -> None:
    suspended = replace(SERVICE, status="suspended", rules={"r": Rule(on="x", do=[])})
    assert paths(pizza=SERVICE, quiz=suspended) == ["services.quiz.rules.r.on"]


def test_a_flow_s_faults_have_the_path_of_their_service() -> None:
    broken = replace(SERVICE, flows={"order": GOOD_FLOW | {"start": "b"}})
    assert "services.pizza.flows.order.start" in paths(pizza=broken)
