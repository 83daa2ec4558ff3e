from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes import TYPES
from gateway.flows.nodes.on_call import RESULT_HUNG_UP, OnCallNode

GONE = EffectDone("run/1", "hangup", {"reason": "the caller hung up"})
TABLES: dict[str, dict[str, Any]] = {
    "answer": {},
    "play": {"wav": "a.wav"},
    "say": {"text": "Hello"},
    "collect": {"text": "Keys"},
    "menu": {"text": "1", "choices": {"1": "end"}},
    "record": {},
    "detect": {},
    "transfer": {"to": "+447700900999"},
    "patch": {"to": "+447700900999"},
}


def test_every_node_that_acts_on_a_call_is_here() -> None:
    on_calls = {name for name, node in TYPES.items() if issubclass(node, OnCallNode)}
    assert on_calls == {*TABLES, "hangup"}


@pytest.mark.parametrize("name", TABLES)
def test_a_hang_up_that_is_not_wired_ends_the_session_with_a_code_of_its_own(
    play: Callable[..., Advance], name: str
) -> None:
    on = {event: "end:7" for event in TYPES[name].events if event != "hangup"}
    run = play({"type": name, "on": on} | TABLES[name], GONE).run
    assert (run.state, run.result, run.reason) == ("ended", RESULT_HUNG_UP, "node: hangup")
    assert run.data["node.reason"] == "the caller hung up"


@pytest.mark.parametrize("name", TABLES)
def test_a_hang_up_goes_where_it_is_wired(play: Callable[..., Advance], name: str) -> None:
    on = dict.fromkeys(TYPES[name].events, "end:7") | {"hangup": "end:8"}
    assert play({"type": name, "on": on} | TABLES[name], GONE).run.result == 8
