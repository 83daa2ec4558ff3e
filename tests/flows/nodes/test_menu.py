from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.call_effects import Collect
from gateway.flows.definition import BadFlow
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.values.dialogue import Ask, Utterance

MENU = {"type": "menu", "text": "Press 1 or 21", "choices": {"1": "end:1", "21": "end:2"}}
ASKED = Collect(
    key="run/1",
    prompt=(Utterance(text="Press 1 or 21"),),
    ask=Ask(most=2, choices=("1", "21"), terminator="", tries=3),
)


def outcome(event: str, digits: str = "") -> EffectDone:
    return EffectDone("run/1", event, {"digits": digits, "tries": 1})


# table, inputs -> effects, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], list[Collect], str]] = [
    (MENU, [], [ASKED], ""),
    (MENU, [outcome("digits", "1")], [ASKED], "key 1"),
    (MENU, [outcome("digits", "21")], [ASKED], "key 21"),
    (MENU, [outcome("digits", "9")], [ASKED], "invalid"),
    (MENU, [outcome("invalid", "9")], [ASKED], "invalid"),
    (MENU, [outcome("timeout")], [ASKED], "timeout"),
    (MENU, [outcome("hangup")], [ASKED], "hangup"),
    (MENU, [outcome("error")], [ASKED], "error"),
]
WRONG = [
    (MENU | {"choices": {}}, "choices"),
    (MENU | {"choices": {"x": "end"}}, "choices"),
    (MENU | {"choices": {"": "end"}}, "choices"),
    (MENU | {"text": ""}, "text"),
    (MENU | {"tries": 11}, "tries"),
]


@pytest.mark.parametrize(("table", "inputs", "effects", "event"), CASES)
def test_cases(
    play: Callable[..., Advance],
    left: Callable[[Advance], str],
    table: Any,
    inputs: Any,
    effects: Any,
    event: str,
) -> None:
    advance = play(table, *inputs)
    assert list(advance.effects) == effects
    assert left(advance) == event


def test_each_choice_has_its_way(play: Callable[..., Advance]) -> None:
    assert play(MENU, outcome("digits", "21")).run.result == 2
    with pytest.raises(BadFlow, match='goes to "nowhere", which is no node'):
        play(MENU | {"choices": {"1": "nowhere"}})


@pytest.mark.parametrize(("table", "path"), WRONG)
def test_what_cannot_be_is_said(play: Callable[..., Advance], table: dict[str, Any], path: str) -> None:
    with pytest.raises(BadFlow) as caught:
        play(table)
    assert [fault.path for fault in caught.value.faults] == [f"flows.f.nodes.node.{path}"]
