from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.effects import UseProfile
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone

FOUND = EffectDone("run/1", "success", {"attributes": {"name": "Ann"}, "customerid": "C7"})

# inputs -> the event by which the node is left, the variables a and b
CASES: list[tuple[list[EffectDone], str, tuple[Any, Any]]] = [
    ([], "", (None, None)),
    ([FOUND], "success", ("Ann", "")),
    ([EffectDone("run/1", "missing")], "missing", ("", "")),
    ([EffectDone("run/1", "error", {"reason": "withheld"})], "error", ("", "")),
]


@pytest.mark.parametrize(("inputs", "event", "variables"), CASES)
def test_a_profile_is_changed_and_read(
    inputs: list[EffectDone],
    event: str,
    variables: tuple[Any, Any],
    play: Callable[..., Advance],
    left: Callable[[Advance], str],
) -> None:
    table = {"type": "profile", "set": {"size": "$(size)", "old": ""}, "save": {"a": "name", "b": "city"}}
    step = play(table, *inputs)
    attributes = {"size": "M", "old": None}
    assert step.effects == (UseProfile(key="run/1", address="+447700900123", attributes=attributes),)
    assert left(step) == event
    assert (step.run.data.get("a"), step.run.data.get("b")) == variables
