from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.definition import faults
from gateway.flows.engine import Advance

XML = '<order id="7"><item><price>2</price></item><item><price>3</price></item></order>'
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'

# table -> the event by which it is left, the variables x and y
CASES: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"as": "json", "text": '{"a": [{"b": 5}]}', "save": {"x": "$.a[0].b"}}, "success", {"x": 5}),
    ({"as": "json", "text": '{"a": 1}', "save": {"x": "$.b"}}, "invalid", {}),
    ({"as": "json", "text": "{", "save": {"x": "$.b"}}, "invalid", {}),
    ({"as": "json", "text": "[" * 40 + "]" * 40}, "invalid", {}),
    (
        {"as": "xml", "text": XML, "save": {"x": "order/item[2]/price", "y": "order/@id"}},
        "success",
        {"x": "3", "y": "7"},
    ),
    ({"as": "xml", "text": XML, "save": {"x": "order/nothing"}}, "invalid", {}),
    ({"as": "xml", "text": BOMB, "save": {"x": "x"}}, "invalid", {}),
    ({"as": "xml", "text": "<a>", "save": {"x": "a"}}, "invalid", {}),
    ({"as": "csv", "text": "name,price\nsmall,2\nlarge,3", "save": {"x": "price"}}, "success", {"x": "2"}),
    ({"as": "csv", "text": "a;b\n1;2", "separator": ";", "save": {"x": "b"}}, "success", {"x": "2"}),
    ({"as": "csv", "text": 'a\n"1', "save": {"x": "a"}}, "invalid", {}),
    (
        {"as": "regex", "text": "pay 12 EUR", "pattern": r"(?P<n>\d+) (\w+)", "save": {"x": "n", "y": "2"}},
        "success",
        {"x": "12", "y": "EUR"},
    ),
    ({"as": "regex", "text": "nothing", "pattern": r"\d", "save": {"x": "0"}}, "invalid", {}),
    # a pattern that takes for ever where matching goes back: here it takes no time
    ({"as": "regex", "text": "a" * 5000, "pattern": "(a+)+b", "save": {"x": "0"}}, "invalid", {}),
    ({"as": "pairs", "text": "a=1; b = 2=3\nc", "save": {"x": "b"}}, "success", {"x": "2=3"}),
    ({"as": "pairs", "text": "nothing", "save": {"x": "a"}}, "invalid", {}),
    ({"as": "json", "text": '"$(size)"'}, "success", {}),
]  # fmt: skip


@pytest.mark.parametrize(("table", "event", "variables"), CASES)
def test_what_is_asked_for_is_found_or_the_text_is_invalid(
    table: dict[str, Any],
    event: str,
    variables: dict[str, Any],
    play: Callable[..., Advance],
    left: Callable[[Advance], str],
) -> None:
    step = play({"type": "parse", **table})
    assert left(step) == event
    assert {name: step.run.data[name] for name in ("x", "y") if name in step.run.data} == variables
    assert bool(step.run.data["node.reason"]) == (event == "invalid")


def test_the_whole_value_can_be_read(play: Callable[..., Advance]) -> None:
    step = play({"type": "parse", "as": "csv", "text": "name,price\nsmall,2\nlarge,3"})
    assert step.run.data["node.value"] == [{"name": "small", "price": "2"}, {"name": "large", "price": "3"}]


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ({"as": "regex"}, "pattern"),
        ({"as": "regex", "pattern": "("}, "pattern"),
        ({"as": "json", "pattern": "x"}, "pattern"),
        ({"as": "json", "save": {"x": "$["}}, "save.x"),
        ({"as": "json", "separator": ";"}, "separator"),
        ({"as": "xml"}, "save"),
    ],
)
def test_mistakes_are_named(table: dict[str, Any], path: str) -> None:
    node = {"type": "parse", "text": "x", "on": {"success": "end", "invalid": "end:1"}, **table}
    [fault] = faults("f", {"start": "node", "nodes": {"node": node}})
    assert fault.path == f"flows.f.nodes.node.{path}"
