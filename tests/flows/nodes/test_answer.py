from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.call_effects import Answer
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone

TABLE = {"type": "answer"}
ACT = Answer(key="run/1")

# table, inputs -> effects, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], list[Answer], str]] = [
    (TABLE, [], [ACT], ""),
    (TABLE, [EffectDone("run/1", "answered", {"transid": "t"})], [ACT], "answered"),
    (TABLE, [EffectDone("run/1", "hangup")], [ACT], "hangup"),
    (TABLE, [EffectDone("run/1", "error", {"reason": "no RTP port is free"})], [ACT], "error"),
    (TABLE, [EffectDone("run/1", "what")], [ACT], "error"),
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
