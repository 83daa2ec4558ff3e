from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.effects import PlaceCall
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone

SPEAK = {"type": "call", "text": "Your size is $(size)"}
CALLED = PlaceCall(key="run/1", sender="", recipient="+447700900123", text="Your size is M")


def outcome(event: str) -> EffectDone:
    return EffectDone("run/1", event, {"transid": "t", "result": event})


# table, inputs -> effects, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], list[PlaceCall], str]] = [
    (SPEAK, [], [CALLED], ""),
    *((SPEAK, [outcome(event)], [CALLED], event) for event in ("answered", "busy", "no-answer", "rejected")),
    (SPEAK, [outcome("unreachable")], [CALLED], "unreachable"),
    (SPEAK, [outcome("in-doubt")], [CALLED], "error"),
    (
        {"type": "call", "wav": "hi.wav", "to": "+447700900999", "from": "+442079460000", "language": "de"},
        [],
        [
            PlaceCall(
                key="run/1", sender="+442079460000", recipient="+447700900999", wav="hi.wav", language="de"
            )
        ],
        "",
    ),
    (SPEAK | {"from": "12345"}, [], [], "error"),
    (SPEAK | {"text": "$(session.nobody)"}, [], [], "error"),
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


def test_the_number_of_the_session_calls_when_calls_can_come_from_it(play: Callable[..., Advance]) -> None:
    (effect,) = play(SPEAK, number="+442079460000").effects
    assert isinstance(effect, PlaceCall)
    assert effect.sender == "+442079460000"


def test_outcomes_that_are_not_wired_go_where_errors_go(play: Callable[..., Advance]) -> None:
    table = SPEAK | {"on": {"answered": "end", "error": "end:7"}}
    assert play(table, outcome("busy")).run.result == 7
