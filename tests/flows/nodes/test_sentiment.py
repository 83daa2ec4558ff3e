from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.flows.word_effects import ReadText

CASES: list[tuple[Any, Any, Any]] = [
    ("success", {"sentiment": "positive", "score": 0.8}, "positive"),
    ("success", {"sentiment": "neutral", "score": 0.0}, "neutral"),
    ("success", {"sentiment": "negative", "score": -0.7}, "negative"),
    ("success", {"sentiment": ""}, "error"),
    ("error", {"reason": "x"}, "error"),
]


@pytest.mark.parametrize(("outcome", "data", "event"), CASES)
def test_how_it_is_left(
    outcome: str,
    data: dict[str, Any],
    event: str,
    play: Callable[..., Advance],
    left: Callable[[Advance], str],
) -> None:
    advance = play({"type": "sentiment"}, EffectDone("run/1", outcome, data))
    [effect] = advance.effects
    assert isinstance(effect, ReadText) and effect.text == "Order: Two" and "sentiment" in effect.stages
    assert left(advance) == event and advance.run.data["node.score"] == data.get("score", "")
