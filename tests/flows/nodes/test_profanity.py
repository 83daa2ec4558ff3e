from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.flows.word_effects import ReadText

CASES: list[tuple[Any, Any, Any]] = [
    ("success", {"profane": True, "masked": "****"}, "profane"),
    ("success", {"profane": False, "masked": "nice"}, "clean"),
    ("success", {"profane": False, "masked": "?", "late": ["profanity"]}, "error"),
    ("error", {}, "error"),
]


@pytest.mark.parametrize(("outcome", "data", "event"), CASES)
def test_how_it_is_left(
    outcome: str,
    data: dict[str, Any],
    event: str,
    play: Callable[..., Advance],
    left: Callable[[Advance], str],
) -> None:
    advance = play({"type": "profanity", "text": "$(size)"}, EffectDone("run/1", outcome, data))
    [effect] = advance.effects
    assert isinstance(effect, ReadText) and effect.text == "M" and "profanity" in effect.stages
    assert left(advance) == event and advance.run.data["node.masked"] == data.get("masked", "")
