from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.effects import StartFlow
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone

CALL = {"type": "call-flow", "flow": "verify", "variables": {"who": "$(size)", "n": 2}, "take": ["ok"]}
CALLED = StartFlow(key="run/1", flow="verify", variables={"who": "M", "n": 2})


def ended(event: str, **data: Any) -> EffectDone:
    return EffectDone("run/1", event, data)


# table, inputs -> effects, the event by which the node is left, the variable ok
CASES: list[tuple[dict[str, Any], list[EffectDone], StartFlow, str, Any]] = [
    (CALL, [], CALLED, "", None),
    (CALL, [ended("done", run="r2", code=0, data={"ok": True, "x": 1})], CALLED, "done", True),
    (CALL, [ended("done", run="r2", code=0, data={})], CALLED, "done", ""),
    (CALL, [ended("error", run="r2", code=7, reason="no", data={"ok": 1})], CALLED, "error", None),
    (
        {"type": "call-flow", "flow": "verify/again"},
        [],
        StartFlow(key="run/1", flow="verify", node="again"),
        "",
        None,
    ),
]


@pytest.mark.parametrize(("table", "inputs", "effect", "event", "ok"), CASES)
def test_another_flow_does_its_part(
    table: dict[str, Any],
    inputs: list[EffectDone],
    effect: StartFlow,
    event: str,
    ok: Any,
    play: Callable[..., Advance],
    left: Callable[[Advance], str],
) -> None:
    step = play(table, *inputs)
    assert step.effects == (effect,)
    assert left(step) == event
    assert step.run.data.get("ok") == ok
