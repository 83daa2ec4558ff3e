from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.engine import Advance

# expressions -> the event by which it is left, the variables
CASES: list[tuple[dict[str, str], str, dict[str, Any]]] = [
    ({"a": "1 + 2"}, "done", {"a": 3}),
    ({"a": "sms.words[0] + size", "b": "a + a"}, "done", {"a": "orderM", "b": "orderMorderM"}),
    ({"a": "sms.words.map(w, size(w))"}, "done", {"a": [5, 3]}),
    ({"a": "custom.nothing"}, "error", {}),
    ({"a": "1 / 0"}, "error", {}),
    ({"a": "b'octets'"}, "error", {}),
]


@pytest.mark.parametrize(("values", "event", "variables"), CASES)
def test_variables_get_what_the_expressions_come_to(
    values: dict[str, str],
    event: str,
    variables: dict[str, Any],
    play: Callable[..., Advance],
    left: Callable[[Advance], str],
) -> None:
    step = play({"type": "evaluate", "values": values})
    assert left(step) == event
    assert {name: step.run.data[name] for name in ("a", "b") if name in step.run.data} == variables
    assert bool(step.run.data["node.reason"]) == (event == "error")
