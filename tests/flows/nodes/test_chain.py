from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.effects import StartChain
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone

ALERT = {"type": "chain", "name": "alert", "variables": {"what": "size $(size)"}}

# table, inputs -> the recipient, "" = none, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], str, str]] = [
    (ALERT, [], "+447700900123", ""),
    (ALERT, [EffectDone("run/1", "success", {"channel": "voice"})], "+447700900123", "success"),
    (ALERT, [EffectDone("run/1", "error", {"reason": "nobody"})], "+447700900123", "error"),
    (ALERT | {"to": "+447700900999"}, [], "+447700900999", ""),
    (ALERT | {"to": "$(size)"}, [], "", "error"),
]


@pytest.mark.parametrize(("table", "inputs", "recipient", "event"), CASES)
def test_a_chain_reaches_the_customer_and_the_flow_goes_on_with_its_end(
    table: dict[str, Any],
    inputs: list[EffectDone],
    recipient: str,
    event: str,
    play: Callable[..., Advance],
    left: Callable[[Advance], str],
) -> None:
    step = play(table, *inputs)
    assert left(step) == event
    if not recipient:
        assert step.effects == ()
        return
    [effect] = step.effects
    assert isinstance(effect, StartChain)
    assert (effect.name, effect.recipient) == ("alert", recipient)
    assert (effect.variables["what"], effect.variables["size"]) == ("size M", "M")
