from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.call_effects import Play
from gateway.flows.definition import BadFlow
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.values.dialogue import Utterance

TWO = {"type": "play", "wav": ["one.wav", "two.wav"]}
PLAYED = Play(key="run/1", prompt=(Utterance(wav="one.wav"), Utterance(wav="two.wav")))

# table, inputs -> effects, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], list[Play], str]] = [
    (TWO, [], [PLAYED], ""),
    (TWO, [EffectDone("run/1", "done", {"digit": ""})], [PLAYED], "done"),
    (TWO, [EffectDone("run/1", "hangup")], [PLAYED], "hangup"),
    (TWO, [EffectDone("run/1", "error", {"reason": "two.wav: holds no sound"})], [PLAYED], "error"),
    (
        {"type": "play", "wav": "one.wav", "barge_in": True},
        [],
        [Play(key="run/1", prompt=(Utterance(wav="one.wav"),), barge_in=True)],
        "",
    ),
    (
        {"type": "play", "wav": "one.wav", "early": True},
        [],
        [Play(key="run/1", prompt=(Utterance(wav="one.wav"),), early=True)],
        "",
    ),
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


@pytest.mark.parametrize("wav", ["", []])
def test_nothing_to_play_is_a_fault(play: Callable[..., Advance], wav: Any) -> None:
    with pytest.raises(BadFlow, match="needs at least one file"):
        play({"type": "play", "wav": wav})
