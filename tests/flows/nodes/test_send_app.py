from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.effects import SendApp
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.values.outcome import Result

TEXT = {"type": "send-app", "text": "Size $(size)"}
SENT = SendApp(key="run/1", app="", recipient="+447700900123", text="Size M")
OTHER = SendApp(key="run/1", app="shop", recipient="+447700900999", text="Size M", until=Result.READ)
PATIENT = SendApp(key="run/1", app="", recipient="+447700900123", text="Size M", within_seconds=60.0)

# table, inputs -> effects, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], list[SendApp], str]] = [
    (TEXT, [], [SENT], ""),
    (TEXT, [EffectDone("run/1", "success", {"transid": "t"})], [SENT], "success"),
    (TEXT, [EffectDone("run/1", "error", {"reason": "not connected"})], [SENT], "error"),
    (TEXT | {"to": "00 44 7700 900999", "app": "shop", "until": "read"}, [], [OTHER], ""),
    (TEXT | {"within": 60.0}, [], [PATIENT], ""),
    (TEXT | {"to": "$(size)"}, [], [], "error"),
    (TEXT | {"text": " "}, [], [], "error"),
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
