from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.smart_link import SmartLinkNode
from gateway.flows.word_effects import MakeLink

CASES: list[tuple[Any, Any]] = [
    ("", "+447700900123"),
    ("+44 7700 900999", "+447700900999"),
]


@pytest.mark.parametrize(("to", "address"), CASES)
def test_whose_link_it_is(to: str, address: str, play: Callable[..., Advance]) -> None:
    advance = play({"type": "smart-link", "link": "offer", "to": to})
    assert advance.effects == (MakeLink(key="run/1", name="offer", address=address),)


@pytest.mark.parametrize(("outcome", "event"), [("success", "success"), ("error", "error")])
def test_how_it_is_left(
    outcome: str, event: str, play: Callable[..., Advance], left: Callable[[Advance], str]
) -> None:
    done = EffectDone("run/1", outcome, {"url": "https://s.example.org/l/a"})
    advance = play({"type": "smart-link", "link": "offer"}, done)
    assert left(advance) == event and advance.run.data["node.url"] == "https://s.example.org/l/a"


def test_the_service_must_have_it() -> None:
    assert SmartLinkNode(link="offer").refers() == [("link", "link", "offer")]
