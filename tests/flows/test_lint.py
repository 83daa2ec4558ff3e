from typing import Any

import pytest

from gateway.flows.definition import faults
from gateway.flows.lint import end_code

RECEIVE = {"type": "receive", "timeout": "1m", "on": {"message": "end", "timeout": "end"}}


def go(**ways: str) -> dict[str, Any]:
    """A branch with a way for each keyword argument."""
    cases = [{"when": "true", "go": way} for way in ways.values()]
    return {"type": "branch", "cases": cases, "else": "end"}


def put(to: str, **values: str) -> dict[str, Any]:
    return {"type": "set", "values": values or {"x": "1"}, "on": {"done": to}}


@pytest.mark.parametrize(
    ("edge", "code"),
    [
        ("end", 0),
        ("end:0", 0),
        ("end:102", 102),
        ("ending", None),
        ("end:", None),
        ("end:x", None),
        ("a", None),
    ],
)
def test_an_edge_that_ends_the_session_has_a_code(edge: str, code: int | None) -> None:
    assert end_code(edge) == code


@pytest.mark.parametrize(
    ("nodes", "path", "what"),
    [
        (
            {"ask": put("size"), "sizes": RECEIVE},
            "nodes.ask",
            'goes to "size", which is no node; did you mean',
        ),
        ({"ask": put("end:1000")}, "nodes.ask", 'goes to "end:1000", which is no node'),
        ({"first": RECEIVE}, "start", '"ask" is no node'),
        ({"ask": RECEIVE, "lost": put("end")}, "nodes.lost", "no node leads here"),
        ({"ask": put("end"), "a": put("b"), "b": RECEIVE}, "nodes.a", "no node leads here"),
        ({"ask": RECEIVE | {"on": {"message": "end"}}}, "nodes.ask.on.timeout", "missing; say where to go"),
        (
            {"ask": RECEIVE | {"on": {"message": "end", "timeout": "end", "mesage": "end"}}},
            "nodes.ask.on.mesage",
            'a receive node has no such event; did you mean "message"? (it has: message, timeout)',
        ),
        ({"ask": go(a="end") | {"on": {"x": "end"}}}, "nodes.ask.on.x", "a branch node has no such event"),
        ({"ask": put("sms"), "sms": RECEIVE}, "nodes.sms", '"sms" has a meaning of its own'),
        (
            {"ask": put("call-back"), "call-back": RECEIVE},
            "nodes.call-back",
            "a node's name is letters, digits",
        ),
        ({"ask": put("end", **{"a b": "1"})}, "nodes.ask.values.a b", '"a b" is no name for a variable'),
        ({"ask": put("end", sms="1")}, "nodes.ask.values.sms", '"sms" is taken by a node or by the gateway'),
        ({"ask": RECEIVE | {"save": "ask"}}, "nodes.ask.save", '"ask" is taken by a node or by the gateway'),
        ({"ask": put("end", size="$(siez)")}, "nodes.ask.values.size", "nothing sets $(siez); did you mean"),
        (
            {"ask": put("size", x="$(size.txet)"), "size": RECEIVE},
            "nodes.ask.values.x",
            "$(size.txet): the outputs of size are: text, from, words",
        ),
        ({"ask": put("ask")}, "nodes.ask", "ask -> ask goes round without waiting for anything"),
        (
            {"ask": put("b"), "b": go(x="c", y="end"), "c": put("b")},
            "nodes.b",
            "b -> c -> b goes round without waiting for anything",
        ),
    ],
)
def test_a_fault_in_the_graph_names_its_place(nodes: dict[str, Any], path: str, what: str) -> None:
    found = {fault.path: fault.what for fault in faults("f", {"start": "ask", "nodes": nodes})}
    assert what in found[f"flows.f.{path}"]


def test_an_edge_gone_astray_is_one_fault_whatever_lay_behind_it() -> None:
    nodes = {"ask": put("szie"), "size": put("more"), "more": put("end")}
    [fault] = faults("f", {"start": "ask", "nodes": nodes})
    assert fault.what.startswith('on "done" it goes to "szie", which is no node; did you mean "size"?')


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        # one that cannot be read: who reaches it, and what it sets, is not known
        (put("lost", x="$(y)") | {"valeus": {}}, ["nodes.broken.valeus", "nodes.next"]),
        # one whose condition is wrong: its ways are known
        (
            go(a="lost") | {"cases": [{"when": "1 +", "go": "lost"}]},
            ["nodes.broken.cases[0].when", "nodes.next"],
        ),
    ],
)
def test_a_broken_node_hides_no_mistake_elsewhere(broken: dict[str, Any], found: list[str]) -> None:
    nodes = {"ask": put("broken"), "broken": broken, "lost": put("next"), "next": put("nowhere")}
    assert [fault.path for fault in faults("f", {"start": "ask", "nodes": nodes})] == [
        f"flows.f.{path}" for path in found
    ]


@pytest.mark.parametrize(
    "nodes",
    [
        {"ask": RECEIVE},
        {"ask": put("b", x="$(sms.text) $(customer.address) $(y)"), "b": put("end", y="$(x)")},
        {
            "ask": RECEIVE | {"on": {"message": "ask", "timeout": "again"}},
            "again": put("ask", x="$(ask.text)"),
        },
        {"ask": go(a="b", c="b"), "b": put("end")},
        {"ask": put("wait", x="1"), "wait": {"type": "delay", "for": "1s", "on": {"done": "ask"}}},
    ],
)
def test_a_graph_without_fault_has_none(nodes: dict[str, Any]) -> None:
    assert faults("f", {"start": "ask", "nodes": nodes}) == []


def test_a_long_flow_is_no_fault() -> None:
    nodes = {f"n{n}": put(f"n{n + 1}") for n in range(3000)} | {"n3000": put("end")}
    assert faults("f", {"start": "n0", "nodes": nodes}) == []
