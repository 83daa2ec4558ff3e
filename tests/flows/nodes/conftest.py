from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows import engine
from gateway.flows.definition import read
from gateway.flows.inputs import Input, Start
from gateway.flows.nodes import TYPES
from gateway.rules import variables

SEEN = variables.sms(sender="+447700900123", recipient="12345", text="Order: Two")
FIRST = {"type": "set", "values": {"size": "M"}, "on": {"done": "node"}}


def _play(table: dict[str, Any], *inputs: Input, number: str = "12345", at: float = 1000.0) -> engine.Advance:
    """A flow of this node after one that sets `size`, its events wired to ends; one second passes before
    each input.

    Gives the last advance, with the effects, events and rows of all of them.
    """
    on = {event: f"end:{n}" for n, event in enumerate(TYPES[table["type"]].events, 1)}
    nodes = {"first": FIRST, "node": {"on": on} | table}
    flow = read("f", {"start": "first", "nodes": nodes})
    began = Start(run_id="run", service="s", customer="+447700900123", number=number, variables=SEEN)
    advance = engine.start(flow, began, at)
    effects, events, rows = advance.effects, advance.events, advance.rows
    for n, input in enumerate(inputs, 1):
        advance = engine.advance(advance.run, flow, input, at + n)
        effects, events = effects + advance.effects, events + advance.events
        rows += advance.rows
    return engine.Advance(advance.run, effects, events, advance.log, rows)


@pytest.fixture
def play() -> Callable[..., engine.Advance]:
    return _play


@pytest.fixture
def left() -> Callable[[engine.Advance], str]:
    """The event by which the node was left, "" while it was not."""

    def event(advance: engine.Advance) -> str:
        on = [e.data["event"] for e in advance.events if e.type == "node.left" and e.data["node"] == "node"]
        return on[0] if on else ""

    return event
