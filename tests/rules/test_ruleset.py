import pytest

from gateway.config.model import Action, CustomEvent, Moment, Rule, Service
from gateway.rules.ruleset import Ruleset
from gateway.values.fault import Fault

NOW = 1_800_000_000.0
EVENTS = {"paid": CustomEvent(), "refused": CustomEvent()}


def rule(
    reply: str, *, on: str = "call.missed", when: str = "true", priority: int = 0, stop: bool = False
) -> Rule:
    return Rule(on=on, when=when, priority=priority, stop=stop, do=[Action(reply=reply)])


def replies(rules: dict[str, Rule], event: str = "call.missed") -> list[str]:
    ruleset = Ruleset.build({"s": Service(name="S", rules=rules, events=EVENTS)})
    return [
        decided.action.reply for decided in ruleset.evaluate("s", event, {"call": {"to": "1"}}, NOW).decided
    ]


def test_rules_go_by_priority_then_by_name() -> None:
    assert replies({"b": rule("2"), "a": rule("1"), "c": rule("0", priority=-1)}) == ["0", "1", "2"]


def test_actions_of_one_rule_keep_their_order() -> None:
    assert replies({"a": Rule(on="call.missed", do=[Action(reply="1"), Action(reply="2")])}) == ["1", "2"]


def test_only_rules_on_the_event_whose_condition_holds_fire() -> None:
    rules = {
        "a": rule("a", on="call.ended"),
        "b": rule("b", when='call.to == "2"'),
        "c": rule("c", when='call.to == "1"'),
    }
    assert replies(rules) == ["c"]


def test_a_custom_event_is_matched_by_its_whole_name() -> None:
    rules = {"a": rule("a", on="custom.paid"), "b": rule("b", on="custom.refused")}
    assert replies(rules, "custom.paid") == ["a"]


def test_stop_ends_the_evaluation_only_when_its_rule_fires() -> None:
    assert replies({"a": rule("a", stop=True), "b": rule("b")}) == ["a"]
    assert replies({"a": rule("a", stop=True, when="false"), "b": rule("b")}) == ["b"]


def test_each_rule_on_the_event_says_why_it_fired_or_did_not() -> None:
    rules = {
        "a": Rule(on="call.missed", do=[], active=False),
        "b": rule("b", when="call.from == 1"),
        "c": rule("c", when="false"),
        "d": rule("d", stop=True),
        "e": rule("e"),
        "other": rule("x", on="call.ended"),
    }
    ruleset = Ruleset.build({"s": Service(name="S", rules=rules, events=EVENTS)})
    evaluation = ruleset.evaluate("s", "call.missed", {"call": {}}, NOW)
    assert [(c.rule, c.fired, c.reason) for c in evaluation.considered] == [
        ("a", False, "not active"),
        ("b", False, "its condition could not be evaluated: nothing is called 'from' there"),
        ("c", False, "its condition does not hold"),
        ("d", True, "it has no condition"),
        ("e", False, "rule d stopped the evaluation"),
    ]


@pytest.mark.parametrize("name", ["suspended", "unknown"])
def test_a_service_that_is_not_live_has_no_rules(name: str) -> None:
    ruleset = Ruleset.build({"suspended": Service(name="S", status="suspended", rules={"a": rule("a")})})
    assert ruleset.evaluate(name, "call.missed", {}, NOW).considered == ()


def test_a_broken_rule_is_reported_and_never_fires() -> None:
    rules = {"a": rule("a", when="call.to =="), "b": rule("b", on="call.mised")}
    ruleset = Ruleset.build({"s": Service(name="S", rules=rules, events=EVENTS)})
    assert [fault.path for fault in ruleset.faults] == ["services.s.rules.a.when", "services.s.rules.b.on"]
    what = '"call.mised" is no event; did you mean "call.missed"? (custom.NAME is one too)'
    assert Fault("services.s.rules.b.on", what) in ruleset.faults
    (considered,) = ruleset.evaluate("s", "call.missed", {}, NOW).considered
    assert considered.reason == "its condition does not compile"


def test_a_rule_holds_from_and_to_its_moments() -> None:
    rules = {
        "a": Rule(on="call.missed", do=[], valid_from=Moment(NOW + 1)),
        "b": Rule(on="call.missed", do=[], valid_to=Moment(NOW)),
        "c": Rule(on="call.missed", do=[], valid_from=Moment(NOW), valid_to=Moment(NOW + 1)),
    }
    ruleset = Ruleset.build({"s": Service(name="S", rules=rules)})
    assert [(c.fired, c.reason) for c in ruleset.evaluate("s", "call.missed", {}, NOW).considered] == [
        (False, "not valid before 2027-01-15T08:00:01.000Z"),
        (False, "not valid any more since 2027-01-15T08:00:00.000Z"),
        (True, "it has no condition"),
    ]


def test_an_event_that_is_not_declared_and_a_time_that_never_is_are_reported() -> None:
    rules = {
        "a": rule("a", on="custom.payed"),
        "b": rule("b", on="custom.zzz"),
        "c": Rule(on="call.missed", do=[], valid_from=Moment(2), valid_to=Moment(1)),
    }
    faults = Ruleset.build({"s": Service(name="S", rules=rules, events=EVENTS)}).faults
    assert [fault.path for fault in faults] == [
        "services.s.rules.a.on",
        "services.s.rules.b.on",
        "services.s.rules.c.valid_to",
    ]
    assert 'did you mean "paid"?' in faults[0].what
    assert "[events.zzz]" in faults[1].what
