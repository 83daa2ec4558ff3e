from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.call_effects import Detect
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone

TABLE = {"type": "detect"}
ACT = Detect(key="run/1")
HEARD = {"answerer": "machine", "cause": "beep", "seconds": 4.2}

# table, inputs -> effects, the event by which the node is left
CASES: list[tuple[dict[str, Any], list[EffectDone], list[Detect], str]] = [
    (TABLE, [], [ACT], ""),
    *((TABLE, [EffectDone("run/1", event)], [ACT], event) for event in ("human", "machine", "unsure")),
    (TABLE, [EffectDone("run/1", "hangup")], [ACT], "hangup"),
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


def test_who_is_neither_for_sure_counts_as_a_person_where_nothing_else_is_said(
    play: Callable[..., Advance],
) -> None:
    table = TABLE | {"on": {"human": "end:1", "machine": "end:2", "error": "end:3"}}
    assert play(table, EffectDone("run/1", "unsure")).run.result == 1


def test_what_was_heard_is_known(play: Callable[..., Advance]) -> None:
    data = play(TABLE, EffectDone("run/1", "machine", HEARD)).run.data
    assert {name: data[f"node.{name}"] for name in HEARD} == HEARD
