from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.call_effects import CallEffect, Play, Transfer
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.values.dialogue import Utterance

TABLE = {"type": "transfer", "to": "0044 7700 900999", "text": "One moment"}
SAID = Play(key="run/1", prompt=(Utterance(text="One moment"),))
ASKED = Transfer(key="run/2", to="+447700900999")
DONE = EffectDone("run/1", "done")

# table, inputs -> effects, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], list[CallEffect], str]] = [
    (TABLE, [], [SAID], ""),
    (TABLE, [EffectDone("run/1", "hangup")], [SAID], "hangup"),
    (TABLE, [DONE], [SAID, ASKED], ""),
    *(
        (TABLE, [DONE, EffectDone("run/2", event)], [SAID, ASKED], event)
        for event in ("transferred", "busy", "no-answer", "rejected", "unreachable", "hangup", "error")
    ),
    (TABLE | {"to": "nobody"}, [], [], "error"),
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
