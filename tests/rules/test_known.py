from typing import Any

import pytest

from gateway.config.model import Action, CustomEvent, Dial, Parameter, Raise, Rule, Send, Service, StartChain
from gateway.rules.ruleset import Ruleset

EVENTS = {"paid": CustomEvent(parameters={"amount": Parameter(type="number")})}


def found(on: str, when: str = "true", **action: Any) -> list[tuple[str, bool]]:
    rules = {"r": Rule(on=on, when=when, do=[Action(**(action or {"reply": "x"}))])}
    faults = Ruleset.build({"s": Service(name="S", rules=rules, events=EVENTS)}).faults
    where = "when" if when != "true" else "do[0]."
    assert all(fault.path.startswith(f"services.s.rules.r.{where}") for fault in faults)
    return [(fault.what, fault.warning) for fault in faults]


@pytest.mark.parametrize(
    ("on", "when", "what"),
    [
        ("sms.received", 'smss.text == "x"', 'sms.received has nothing called "smss"; did you mean "sms"?'),
        ("sms.received", 'sms.txt == "x"', 'sms.received has no "sms.txt"; did you mean "text"?'),
        (
            "call.missed",
            'sms.text == "x"',
            'call.missed has nothing called "sms" (there are: call, customer, service)',
        ),
        ("call.missed", "call.floods", 'call.missed has no "call.floods"; did you mean "flood"?'),
        ("session.ended", "session.code == 0", 'session.ended has no "session.code" (there are: id, flow'),
    ],
)
def test_a_rule_whose_condition_names_what_its_event_has_not_never_fired_and_was_not_found(
    on: str, when: str, what: str
) -> None:
    [(said, warning)] = found(on, when)
    assert said.startswith(what) and not warning


def test_a_parameter_that_is_not_declared_may_be_given_all_the_same() -> None:
    assert found("custom.paid", "custom.amout > 1") == [
        ('custom.paid declares no parameter "amout"; did you mean "amount"?', True)
    ]
    assert found("custom.paid", "has(custom.note) && custom.note != ''") == []


@pytest.mark.parametrize(
    ("on", "when"),
    [
        ("sms.received", "\"smss.txt\" == sms.text || 'call.x' in sms.words"),
        ("sms.received", 'sms.words.exists(w, w == "x") && nlp.intent == "a" && sms.text.contains("b")'),
        ("sms.status", 'status.value == "failed" && has(customer.tier) && customer.tier == "gold"'),
        ("custom.paid", "custom.amount > 1 && service.name == 'S'"),
        ("link.clicked", 'click.device == "ios" && click.count == 1'),
    ],
)
def test_what_an_event_has_is_no_finding(on: str, when: str) -> None:
    assert found(on, when) == []


@pytest.mark.parametrize(
    ("on", "action"),
    [
        ("app.received", {"reply": "You said $(sms.text)"}),
        ("sms.status", {"send": Send(to="$(status.too)", text="x")}),
        ("sms.status", {"send": Send(to="$(status.to)", text="$(what)")}),
        ("call.missed", {"call": Dial(to="$(caller)", text="x")}),
        ("call.missed", {"chain": StartChain(name="c", to="$(call.from)", variables={"x": "$(call.too)"})}),
        ("call.missed", {"event": Raise(name="paid", parameters={"amount": "$(call.cost)"})}),
        ("call.missed", {"profile": {"last": "$(call.at)"}}),
    ],
)
def test_an_action_whose_text_names_what_its_event_has_not_was_never_done_and_was_not_found(
    on: str, action: dict[str, Any]
) -> None:
    [(said, warning)] = found(on, **action)
    assert said.startswith(f"{on} has no") and not warning


def test_texts_may_name_what_the_event_brings_links_and_the_profile() -> None:
    assert found("sms.received", reply="$(sms.rest) $(link.offer) $(customer.tier) $(nlp.intent)") == []
    assert found("custom.paid", reply="$(custom.amount) $(service.name)") == []
    [(said, warning)] = found("custom.paid", reply="$(custom.amout)")
    assert warning and 'did you mean "amount"?' in said
