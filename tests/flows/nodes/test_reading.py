from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes import TYPES
from gateway.flows.nodes.reading import ReadingNode
from gateway.flows.word_effects import ReadText

NAMES = ("nlp", "profanity", "sentiment")


def test_every_node_that_reads_a_text_is_here() -> None:
    assert {name for name, node in TYPES.items() if issubclass(node, ReadingNode)} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_could_not_be_read_is_an_error_that_says_why(
    name: str, play: Callable[..., Advance], left: Callable[[Advance], str]
) -> None:
    table: dict[str, Any] = {"type": name, "text": "So: $(sms.text)"}
    advance = play(table, EffectDone("run/1", "error", {"reason": "the service has no [nlp]"}))
    [effect] = advance.effects
    assert isinstance(effect, ReadText)
    assert effect.text == "So: Order: Two" and effect.stages == TYPES[name].stages  # type: ignore[attr-defined]
    assert left(advance) == "error"
    assert advance.run.data["node.reason"] == "the service has no [nlp]"
