from typing import Any

import pytest

from gateway.flows import trial
from gateway.flows.definition import read, version


def failures(pizza: dict[str, Any], *steps: dict[str, Any], **given: Any) -> list[str]:
    trials, faults = trial.read("tests", [{"name": "it", "given": given, "steps": list(steps)}])
    assert faults == []
    flow = read("order", pizza)
    [verdict] = trial.tried(flow, {}, trials, "pizza")
    return list(verdict.failures)


def test_what_happens_as_it_was_to_happen_passes(pizza: dict[str, Any]) -> None:
    assert (
        failures(
            pizza,
            {"expect": "Which size"},
            {"text": "Huge", "expect": ["is no size"], "node": "size"},
            {"wait": "9m", "silent": True},
            {"text": "L", "expect": "One pizza l"},
            {"end": 0, "variables": {"sms.text": "L", "size.words.0": "l"}},
        )
        == []
    )


@pytest.mark.parametrize(
    ("step", "what"),
    [
        ({"expect": "Hello"}, 'step 1: no text contains "Hello"; sent were "Which size? S, M or L"'),
        ({"silent": True}, 'step 1: nothing was to be sent, but there were "Which size? S, M or L"'),
        ({"node": "check"}, "step 1: the session is at size, not at check"),
        ({"end": 0}, "step 1: the session was to end with 0, and is at size"),
        (
            {"wait": "10m", "end": 0},
            "step 1: the session was to end with 0, and has ended with 103 (size: timeout)",
        ),
        ({"press": "1"}, "step 1: no node asks for keys; the session is at size"),
        ({"hangup": True}, "step 1: the person was to hang up, and the session is at size"),
        ({"hear": "Hi"}, 'step 1: nothing that was said contains "Hi"; said were none'),
        ({"variables": {"nothing": 1}}, "step 1: $(nothing) has no value"),
        ({"variables": {"ask.status": "x"}}, "step 1: $(ask.status) is 'sent', not 'x'"),
    ],
)
def test_what_does_not_happen_fails_and_says_what_did(
    pizza: dict[str, Any], step: dict[str, Any], what: str
) -> None:
    assert failures(pizza, step) == [what]


def test_an_effect_comes_out_as_the_test_says(pizza: dict[str, Any]) -> None:
    assert failures(pizza, {"end": 102}, answers={"ask": {"event": "error"}}) == []


def test_a_week_passes_at_once() -> None:
    nodes = {"a": {"type": "delay", "for": "7d", "on": {"done": "end:5"}}}
    assert failures({"start": "a", "nodes": nodes}, {"wait": "7d", "end": 5}) == []


@pytest.mark.parametrize(
    "table",
    [
        {"steps": []},
        {"name": "x", "steps": [{"texts": "M"}]},
        {"name": "x", "steps": [{"wait": "soon"}]},
        {"name": "x", "given": {"at": "yesterday"}, "steps": []},
        {"name": "x", "steps": [{"text": "M", "wait": "1m"}]},
    ],
)
def test_a_test_that_cannot_be_read_is_a_fault(table: dict[str, Any]) -> None:
    _, faults = trial.read("flows.f.tests", [table])
    assert len(faults) == 1 and faults[0].path.startswith("flows.f.tests[0]")


def test_tests_make_no_other_version_of_a_flow(pizza: dict[str, Any]) -> None:
    assert version(pizza | {"tests": [{}], "note": "x", "author": "y", "draft": True}) == version(pizza)
    assert version(pizza | {"key": "$(sms.from)"}) != version(pizza)


def test_the_ways_of_a_flow_are_its_edges(pizza: dict[str, Any]) -> None:
    edges = trial.edges_of(read("order", pizza))
    assert ("order", "check", "case 1") in edges and len(edges) == 10
