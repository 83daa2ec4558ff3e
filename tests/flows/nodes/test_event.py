from collections.abc import Callable

import pytest

from gateway.flows.definition import faults
from gateway.flows.effects import RaiseEvent
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone

# inputs -> the event by which the node is left
CASES: list[tuple[list[EffectDone], str]] = [
    ([], ""),
    ([EffectDone("run/1", "success", {"id": "e1"})], "success"),
    ([EffectDone("run/1", "error")], "error"),
]


@pytest.mark.parametrize(("inputs", "event"), CASES)
def test_an_event_about_the_customer_is_raised(
    inputs: list[EffectDone], event: str, play: Callable[..., Advance], left: Callable[[Advance], str]
) -> None:
    step = play({"type": "event", "name": "paid", "data": {"size": "$(size)", "n": 2}}, *inputs)
    assert step.effects == (RaiseEvent(key="run/1", name="paid", data={"size": "M", "n": 2}),)
    assert left(step) == event


def test_a_name_of_other_characters_is_named() -> None:
    node = {"type": "event", "name": "paid!", "on": {"success": "end", "error": "end"}}
    [fault] = faults("f", {"start": "node", "nodes": {"node": node}})
    assert fault.path == "flows.f.nodes.node.name"
