from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.call_effects import Collect
from gateway.flows.definition import BadFlow
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.values.dialogue import Ask, Utterance

PIN = {"type": "collect", "text": "Your code, please", "min": 4, "max": 6, "save": "pin"}
PROMPT = (Utterance(text="Your code, please"),)
ASKED = Collect(key="run/1", prompt=PROMPT, ask=Ask(least=4, most=6))


def outcome(event: str, digits: str = "") -> EffectDone:
    return EffectDone("run/1", event, {"digits": digits, "tries": 1})


# table, inputs -> effects, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], list[Collect], str]] = [
    (PIN, [], [ASKED], ""),
    (PIN, [outcome("digits", "1234")], [ASKED], "digits"),
    (PIN, [outcome("invalid", "12")], [ASKED], "invalid"),
    (PIN, [outcome("timeout")], [ASKED], "timeout"),
    (PIN, [outcome("hangup")], [ASKED], "hangup"),
    (PIN, [outcome("error")], [ASKED], "error"),
    (
        PIN
        | {"wav": "code.wav", "terminator": "*", "first_timeout": "7s", "next_timeout": "2s", "tries": 2}
        | {"invalid_text": "No, $(size)", "invalid_wav": ["no.wav"], "barge_in": False},
        [],
        [
            Collect(
                key="run/1",
                prompt=(*PROMPT, Utterance(wav="code.wav")),
                invalid=(Utterance(text="No, M"), Utterance(wav="no.wav")),
                ask=Ask(
                    least=4,
                    most=6,
                    terminator="*",
                    first_seconds=7.0,
                    between_seconds=2.0,
                    tries=2,
                    barge_in=False,
                ),
            )
        ],
        "",
    ),
]
WRONG = [
    (PIN | {"max": 0}, "max"),
    (PIN | {"min": 7}, "min"),
    (PIN | {"tries": 0}, "tries"),
    (PIN | {"terminator": "x"}, "terminator"),
    (PIN | {"first_timeout": 0}, "first_timeout"),
    (PIN | {"next_timeout": 0}, "next_timeout"),
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


def test_the_digits_are_outputs_and_a_variable(play: Callable[..., Advance]) -> None:
    data = play(PIN, outcome("digits", "1234")).run.data
    assert data["node.digits"] == data["pin"] == "1234"
    assert "pin" not in play(PIN, outcome("invalid", "12")).run.data


@pytest.mark.parametrize(("table", "path"), WRONG)
def test_what_cannot_be_is_said(play: Callable[..., Advance], table: dict[str, Any], path: str) -> None:
    with pytest.raises(BadFlow) as caught:
        play(table)
    assert [fault.path for fault in caught.value.faults] == [f"flows.f.nodes.node.{path}"]
