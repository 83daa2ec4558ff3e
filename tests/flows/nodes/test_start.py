from collections.abc import Callable

import pytest

from gateway.flows.definition import faults
from gateway.flows.engine import Advance

# inputs of the node -> the event by which it is left, the reason
CASES: list[tuple[list[str], str, str]] = [
    ([], "done", ""),
    (["size"], "done", ""),
    (["size", "colour"], "error", "without a value: colour"),
]


@pytest.mark.parametrize(("inputs", "event", "reason"), CASES)
def test_it_lets_in_who_brings_what_is_needed(
    inputs: list[str], event: str, reason: str, play: Callable[..., Advance], left: Callable[[Advance], str]
) -> None:
    step = play({"type": "start", "inputs": inputs})
    assert left(step) == event
    assert step.run.data["node.reason"] == reason


def test_a_start_node_that_nothing_leads_to_is_an_entrance_for_other_flows() -> None:
    nodes = {
        "it": {"type": "set", "values": {"name": "you"}, "on": {"done": "hello"}},
        "again": {"type": "start", "inputs": ["name"], "on": {"done": "hello"}},
        "hello": {"type": "end", "reason": "$(name)"},
    }
    assert faults("f", {"start": "it", "nodes": nodes}) == []
