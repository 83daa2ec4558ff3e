from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.nlp import NlpNode
from gateway.flows.word_effects import ReadText

# what is looked for, what was found -> how the node is left, its value
CASES: list[tuple[str, dict[str, Any], str, Any]] = [
    ("", {"intent": "track", "confidence": 0.9}, "success", "track"),
    ("", {"intent": "", "number": 0}, "success", 0),
    ("", {"intent": "", "answer": ""}, "no-match", ""),
    ("date", {"intent": "track", "date": ""}, "no-match", ""),
    ("date", {"date": "2026-12-01"}, "success", "2026-12-01"),
    ("answer", {"answer": "no"}, "success", "no"),
    ("language", {"language": "de"}, "success", "de"),
]


def test_the_latest_text_is_read(play: Callable[..., Advance]) -> None:
    [effect] = play({"type": "nlp"}).effects
    assert isinstance(effect, ReadText) and effect.text == "Order: Two"
    assert {"language", "entities", "intent"} <= set(effect.stages)
    [effect] = play({"type": "nlp", "text": "$(size)"}).effects
    assert isinstance(effect, ReadText) and effect.text == "M"


@pytest.mark.parametrize(("find", "found", "event", "value"), CASES)
def test_how_it_is_left(
    find: str,
    found: dict[str, Any],
    event: str,
    value: Any,
    play: Callable[..., Advance],
    left: Callable[[Advance], str],
) -> None:
    save = {"save": "kept"} if find else {}
    advance = play({"type": "nlp", "find": find, **save}, EffectDone("run/1", "success", found))
    assert left(advance) == event and advance.run.data["node.value"] == value
    assert advance.run.data.get("kept", "") == (value if find else "")


def test_a_service_that_reads_nothing_is_an_error(
    play: Callable[..., Advance], left: Callable[[Advance], str]
) -> None:
    assert left(play({"type": "nlp"}, EffectDone("run/1", "error", {"reason": "no [nlp]"}))) == "error"


def test_what_is_saved_must_be_looked_for() -> None:
    assert NlpNode(save="x").mistakes() == [("save", "needs `find`: which value it is to get")]
