from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.definition import faults
from gateway.flows.engine import Advance

# table -> what is logged: (id, value) of lines, (book, row) of rows
CASES: list[tuple[dict[str, Any], list[tuple[str, Any]]]] = [
    ({"id": "size", "value": "$(size)"}, [("size", "M")]),
    ({"id": "here"}, [("here", "")]),
    ({"id": "gap", "value": "<$(custom.nothing)>"}, [("gap", "<>")]),
    ({"book": "answers", "row": {"size": "$(size)", "text": "$(sms.text)"}},
     [("answers", {"size": "M", "text": "Order: Two"})]),
]  # fmt: skip


@pytest.mark.parametrize(("table", "logged"), CASES)
def test_it_logs_and_goes_on(
    table: dict[str, Any],
    logged: list[tuple[str, Any]],
    play: Callable[..., Advance],
    left: Callable[[Advance], str],
) -> None:
    step = play({"type": "log", **table})
    assert left(step) == "done"
    lines = [(e.data["id"], e.data["value"]) for e in step.events if e.type == "log"]
    assert lines + [(row.book, row.data) for row in step.rows] == logged
    assert [row.id for row in step.rows] == [f"run/{n}" for n in range(1, len(step.rows) + 1)]


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"id": "a", "book": "b"},
        {"book": "b"},
        {"id": "a", "row": {"x": "y"}},
        {"book": "b", "value": "x"},
    ],
)
def test_a_line_goes_to_one_place(table: dict[str, Any]) -> None:
    node = {"type": "log", "on": {"done": "end"}, **table}
    assert faults("f", {"start": "node", "nodes": {"node": node}})


def test_any_node_logs_and_sets_variables_when_it_is_entered_and_left(play: Callable[..., Advance]) -> None:
    step = play(
        {
            "type": "set",
            "values": {"b": "$(a)2"},
            "enter": {"set": {"a": "1"}, "log": [{"id": "in", "value": "$(a)"}]},
            "leave": {"set": {"c": "$(b)3"}, "log": [{"id": "out", "value": "$(c)"}]},
        }
    )
    lines = [(e.data["when"], e.data["id"], e.data["value"]) for e in step.events if e.type == "log"]
    assert lines == [("enter", "in", "1"), ("leave", "out", "123")]
