from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.call_effects import Play
from gateway.flows.definition import BadFlow
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.values.dialogue import Utterance

HELLO = {"type": "say", "text": "Your size is $(size)", "language": "de"}
SAID = Play(key="run/1", prompt=(Utterance(text="Your size is M", language="de"),))

# table, inputs -> effects, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], list[Play], str]] = [
    (HELLO, [], [SAID], ""),
    (HELLO, [EffectDone("run/1", "done", {"digit": "5"})], [SAID], "done"),
    (HELLO, [EffectDone("run/1", "hangup")], [SAID], "hangup"),
    (HELLO, [EffectDone("run/1", "error", {"reason": "no voice"})], [SAID], "error"),
    (HELLO | {"text": "$(session.nobody)"}, [], [], "error"),
    (HELLO | {"text": " "}, [], [], "error"),
]
WRONG = [({"type": "say", "text": ""}, "text"), ({"type": "say", "text": "Hi", "wav": "hi.wav"}, "wav")]


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


@pytest.mark.parametrize(("table", "path"), WRONG)
def test_what_cannot_be_is_said(play: Callable[..., Advance], table: dict[str, Any], path: str) -> None:
    with pytest.raises(BadFlow) as caught:
        play(table)
    assert [fault.path for fault in caught.value.faults] == [f"flows.f.nodes.node.{path}"]
