from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.call_effects import HangUp
from gateway.flows.definition import BadFlow
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone

TABLE = {"type": "hangup"}
ACT = HangUp(key="run/1")

# table, inputs -> effects, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], list[HangUp], str]] = [
    (TABLE, [], [ACT], ""),
    (TABLE | {"status": 404}, [], [HangUp(key="run/1", status=404)], ""),
    (TABLE, [EffectDone("run/1", "done")], [ACT], "done"),
    (TABLE, [EffectDone("run/1", "hangup")], [ACT], "error"),
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


def test_a_call_that_is_over_already_has_been_hung_up(play: Callable[..., Advance]) -> None:
    assert play(TABLE | {"on": {"done": "end:5"}}, EffectDone("run/1", "hangup")).run.result == 5


def test_a_status_that_refuses_nobody_is_a_fault(play: Callable[..., Advance]) -> None:
    with pytest.raises(BadFlow, match="must be one of 403, 404"):
        play(TABLE | {"status": 200})
