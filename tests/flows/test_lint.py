from typing import Any

import pytest
from msgspec.structs import replace

from gateway.config.model import Seconds
from gateway.flows.definition import faults, read
from gateway.flows.lint import Surroundings, end_code
from gateway.flows.lint import faults as lint
from gateway.flows.nodes.base import Node
from gateway.flows.nodes.receive import ReceiveNode

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
        {"ask": put("b", x="$(sms.text) $(customer.address)"), "b": put("end", y="$(x)", z="$(y)")},
        {
            "ask": RECEIVE | {"on": {"message": "again", "timeout": "ask"}},
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


SAY = {"type": "send-sms", "text": "Hello", "on": {"success": "ask", "error": "end:1"}}


def found(nodes: dict[str, Any], around: Surroundings | None = None, **more: Any) -> dict[str, str]:
    definition = {"start": next(iter(nodes)), "nodes": nodes, **more}
    return {fault.path.removeprefix("flows.f."): fault.what for fault in faults("f", definition, around)}


def test_a_variable_that_one_way_leaves_without_value_is_named_with_that_way() -> None:
    nodes = {
        "ask": RECEIVE | {"save": "name", "on": {"message": "say", "timeout": "late"}},
        "late": put("say"),
        "say": SAY | {"text": "Dear $(name), $(ask.text)", "on": {"success": "end", "error": "end:1"}},
    }
    way = "ask (timeout) -> late (done) -> say"
    assert found(nodes) == {"nodes.say.text": f"$(ask.text) has no value on the way {way}; set it before, or "
                            "declare it in `variables`"}  # fmt: skip
    assert (
        "$(name) has no value" in found(nodes | {"say": nodes["say"] | {"text": "$(name)"}})["nodes.say.text"]
    )
    declared = nodes | {"say": nodes["say"] | {"text": "$(name)"}}
    assert found(declared, variables={"name": "you"}) == {}


def test_what_a_node_sets_when_it_is_entered_or_left_has_a_value() -> None:
    nodes = {
        "ask": put("say") | {"leave": {"set": {"name": "$(x)"}}},
        "say": SAY | {"text": "$(name) $(me)", "enter": {"set": {"me": "$(name)"}},
                      "on": {"success": "end", "error": "end"}},
    }  # fmt: skip
    assert found(nodes) == {}


def test_a_name_as_sender_before_a_node_that_waits_for_an_answer() -> None:
    nodes = {"say": SAY | {"from": "PIZZA"}, "ask": RECEIVE}
    assert "nobody can answer" in found(nodes)["nodes.say.from"]
    assert found(nodes | {"say": SAY | {"from": "12345"}}) == {}
    # the question is another text's
    between = {
        "say": SAY | {"from": "PIZZA", "on": {"success": "more", "error": "end"}},
        "more": SAY,
        "ask": RECEIVE,
    }
    assert found(between) == {}
    assert "nodes.say.from" in found({"say": SAY, "ask": RECEIVE}, Surroundings(sms_sender="PIZZA"))


def test_a_text_that_may_take_more_segments_than_the_node_says() -> None:
    nodes = {"say": SAY | {"text": "x" * 150 + "$(name)", "segments": 1}, "ask": RECEIVE}
    what = "may take 2 segments with its variables at their longest; segments says 1 at most"
    assert found(nodes, variables={"name": {"longest": 11}}) == {"nodes.say.text": what}
    assert found(nodes, variables={"name": {"longest": 10}}) == {}
    assert found({"say": SAY | {"text": "x" * 1600}, "ask": RECEIVE})["nodes.say.text"].startswith("takes 11")


def test_what_a_customer_has_written_may_fill_a_text_of_its_own() -> None:
    """`segments = 1` with $(ask.text) in it passed: such a variable was taken for twenty characters."""
    ask = RECEIVE | {"save": "said", "on": {"message": "say", "timeout": "end"}}
    for variable in ("ask.text", "said", "sms.text", "sms.rest"):
        say = {"type": "send-sms", "text": f"You: $({variable})", "segments": 1}
        flow = {
            "start": "ask",
            "nodes": {"ask": ask, "say": say | {"on": {"success": "end", "error": "end"}}},
        }
        [fault] = faults("f", flow)
        assert (fault.path, fault.warning) == ("flows.f.nodes.say.text", True)
        assert "may take 2 segments" in fault.what
        read("f", flow)  # how much that will be is a guess, which keeps no flow from running


def test_an_output_that_a_node_has_not_is_found_in_conditions_too() -> None:
    """`ask.txt` in CEL was no finding, as $(ask.txt) in a text was: the branch went by `else` for ever."""
    ask = RECEIVE | {"on": {"message": "judge", "timeout": "end"}}
    judge = {"type": "branch", "cases": [{"when": 'ask.txt == "a"', "go": "end"}], "else": "end:1"}
    [(path, what)] = found({"ask": ask, "judge": judge}).items()
    assert path == "nodes.judge.cases[0].when"
    assert what == 'node ask has no output "txt"; did you mean "text"?'
    right = judge | {"cases": [{"when": 'ask.text == "txt: ask.txt"', "go": "end"}]}
    assert found({"ask": ask, "judge": right}) == {}


def test_a_text_that_says_nothing_is_found() -> None:
    """A send-sms without a text failed with each customer, and no check said so."""
    assert found({"ask": SAY | {"text": " "}}) == {
        "nodes.ask.text": "is empty; say what the customer is to read"
    }


def test_what_it_needs_of_its_service_is_there() -> None:
    around = Surroundings(
        flows={"verify": ["a"]}, chains=["alert"], auths=["crm"], logbooks={"book": ["score"]}
    )
    ends = {"success": "end", "error": "end"}
    nodes = {
        "a": {"type": "call-flow", "flow": "verfy", "on": {"done": "b", "error": "end"}},
        "b": {"type": "call-flow", "flow": "verify/x", "on": {"done": "c", "error": "end"}},
        "c": {"type": "chain", "name": "alarm", "on": {"success": "d", "error": "end"}},
        "d": {"type": "http", "url": "http://x", "auth": "cm", "on": {"success": "e", "error": "end"}},
        "e": {"type": "log", "book": "book", "row": {"scor": "1"}, "on": {"done": "g"}},
        "g": SAY | {"leave": {"log": [{"book": "boook", "row": {"x": "1"}}]}, "on": ends},
    }
    assert set(found(nodes, around)) == {
        "nodes.a.flow",
        "nodes.b.flow",
        "nodes.c.name",
        "nodes.d.auth",
        "nodes.e.row.scor",
        "nodes.g.leave.log[0].book",
    }
    assert found(nodes) == {}


class Code(Node, frozen=True, kw_only=True):
    """Gives what is good for a minute."""

    type = "code"
    events = ("done",)

    def lifetime_seconds(self) -> float:
        return 60.0


def test_what_is_good_for_less_time_than_the_customer_is_given() -> None:
    flow = read("f", {"start": "ask", "nodes": {"ask": RECEIVE}})
    code = Code(on={"done": "wait"})
    wait = ReceiveNode(timeout=Seconds(61), on={"message": "end", "timeout": "end"})
    [fault] = lint("f", replace(flow, start="code", nodes={"code": code, "wait": wait}))
    assert "good for 60 s, and wait waits up to 61 s" in fault.what
    wait = replace(wait, timeout=Seconds(60))
    assert lint("f", replace(flow, start="code", nodes={"code": code, "wait": wait})) == []


@pytest.mark.parametrize("node", ["branch", "send-sms"])
def test_a_part_of_a_text_that_there_is_not_sent_every_customer_the_other_way(node: str) -> None:
    tables: dict[str, dict[str, Any]] = {
        "branch": {"type": "branch", "cases": [{"when": '"a" in sms.wrds', "go": "end"}], "else": "end:1"},
        "send-sms": {"type": "send-sms", "text": "$(sms.wrds)", "on": {"success": "end", "error": "end:1"}},
    }
    [(path, what)] = found({"ask": tables[node]}).items()
    assert path in ("nodes.ask.cases[0].when", "nodes.ask.text")
    assert what == 'a text has no "sms.wrds"; did you mean "words"?'
