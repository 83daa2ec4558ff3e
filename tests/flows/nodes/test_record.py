from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.call_effects import Record
from gateway.flows.definition import BadFlow
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.values.dialogue import Taping, Utterance

NOTE = {"type": "record", "text": "After the tone", "maximum": "30s"}
RECORDED = Record(
    key="run/1", prompt=(Utterance(text="After the tone"),), taping=Taping(maximum_seconds=30.0)
)
KEPT = {"file": "a.wav", "seconds": 2.5, "cause": "silence"}

# table, inputs -> effects, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], list[Record], str]] = [
    (NOTE, [], [RECORDED], ""),
    (NOTE, [EffectDone("run/1", "stored", KEPT)], [RECORDED], "stored"),
    (NOTE, [EffectDone("run/1", "hangup", KEPT)], [RECORDED], "hangup"),
    (NOTE, [EffectDone("run/1", "error")], [RECORDED], "error"),
    (
        {"type": "record", "silence": 0, "terminator": "*#", "beep": False},
        [],
        [Record(key="run/1", prompt=(), taping=Taping(silence_seconds=0.0, terminators="*#", beep=False))],
        "",
    ),
]
WRONG = [(NOTE | {"maximum": "2h"}, "maximum"), (NOTE | {"terminator": "x"}, "terminator")]


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


def test_the_file_is_known_also_behind_a_hang_up(play: Callable[..., Advance]) -> None:
    assert play(NOTE, EffectDone("run/1", "hangup", KEPT)).run.data["node.file"] == "a.wav"


@pytest.mark.parametrize(("table", "path"), WRONG)
def test_what_cannot_be_is_said(play: Callable[..., Advance], table: dict[str, Any], path: str) -> None:
    with pytest.raises(BadFlow) as caught:
        play(table)
    assert [fault.path for fault in caught.value.faults] == [f"flows.f.nodes.node.{path}"]
