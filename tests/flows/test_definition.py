import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.flows.definition import BadFlow, faults, read, stored, version
from gateway.flows.nodes.receive import ReceiveNode
from gateway.flows.nodes.send_sms import SendSmsNode
from gateway.values.fault import Fault

SMALL = {
    "start": "ask",
    "nodes": {
        "ask": {"type": "send-sms", "text": "Hi", "on": {"success": "wait", "error": "end:102"}},
        "wait": {"type": "receive", "timeout": "10m", "on": {"message": "end", "timeout": "end:103"}},
    },
}


def with_node(**fields: Any) -> dict[str, Any]:
    """SMALL with its node `ask` changed; None takes a field away."""
    ask = {key: value for key, value in (SMALL["nodes"]["ask"] | fields).items() if value is not None}  # type: ignore[index]
    return {"start": "ask", "nodes": SMALL["nodes"] | {"ask": ask}}  # type: ignore[operator]


def test_a_definition_becomes_typed_nodes() -> None:
    flow = read("order", SMALL)
    ask, wait = flow.nodes["ask"], flow.nodes["wait"]
    assert isinstance(ask, SendSmsNode) and ask.text == "Hi"
    assert isinstance(wait, ReceiveNode) and wait.timeout == 600.0
    assert (flow.name, flow.start) == ("order", "ask")


def test_a_service_file_says_the_same_in_toml() -> None:
    text = """
        start = "ask"
        [nodes.ask]
        type = "send-sms"
        text = "Hi"
        on = { success = "wait", error = "end:102" }
        [nodes.wait]
        type = "receive"
        timeout = "10m"
        on.message = "end"
        on.timeout = "end:103"
    """
    assert read("order", tomllib.loads(text)) == read("order", SMALL)


def test_the_version_depends_on_the_content_alone() -> None:
    turned = {"nodes": dict(reversed(SMALL["nodes"].items())), "start": "ask"}  # type: ignore[attr-defined]
    assert version(turned) == version(SMALL) == read("other", SMALL).version
    assert version(with_node(text="Hi!")) != version(SMALL)
    assert len(version(SMALL)) == 12
    assert int(version(SMALL), 16)


@pytest.mark.parametrize(
    ("definition", "path", "what"),
    [
        (SMALL | {"strat": "ask"}, "strat", 'unknown key; did you mean "start"?'),
        (SMALL | {"zzz": 1}, "zzz", "unknown key; the keys here are start, "),
        (with_node(zzz=1), "nodes.ask.zzz", "unknown key; the keys here are type, "),
        ({"nodes": SMALL["nodes"]}, "start", "must name the first node"),
        ({"start": "ask"}, "nodes", "must hold at least one node"),
        ({"start": "ask", "nodes": {"ask": 3}}, "nodes.ask", "must be a table with a type"),
        (
            with_node(type="send-sm"),
            "nodes.ask.type",
            'unknown type "send-sm"; did you mean "send-sms"?',
        ),
        (
            with_node(type=None),
            "nodes.ask.type",
            "missing; one of start, send-sms",
        ),
        (with_node(type=["send-sms"]), "nodes.ask.type", "unknown type \"['send-sms']\""),
        (with_node(txet="Hi"), "nodes.ask.txet", 'unknown key; did you mean "text"?'),
        (with_node(text=None), "nodes.ask.text", "missing; a send-sms node needs it"),
        (with_node(text=3), "nodes.ask.text", "expected `str`, got `int`"),
        (with_node(on=3), "nodes.ask.on", "expected `object`, got `int`"),
        (
            with_node(until="read"),
            "nodes.ask.until",
            "invalid enum value 'read'",
        ),
        (
            with_node(type="delay", text=None, **{"for": "soon", "on": {"done": "wait"}}),
            "nodes.ask.for",
            '\'soon\' is no duration; write "250ms", "20s", "10m", "2h" or "7d"',
        ),
        (
            with_node(type="delay", text=None, **{"for": 0, "on": {"done": "wait"}}),
            "nodes.ask.for",
            "must be longer than 0",
        ),
        (
            with_node(type="branch", text=None, on=None, cases=[{"when": "1", "go": 2}], **{"else": "wait"}),
            "nodes.ask.cases[0].go",
            "expected `str`, got `int`",
        ),
        (
            with_node(
                type="branch", text=None, on=None, cases=[{"when": "1 +", "go": "end"}], **{"else": "wait"}
            ),
            "nodes.ask.cases[0].when",
            "line 1, column 4: Syntax error: mismatched input '<EOF>' expecting",
        ),
        (
            with_node(type="http", text=None, url="example.org"),
            "nodes.ask.url",
            "must begin with http:// or https://",
        ),
        (
            with_node(type="call", wav="a.wav", on={"answered": "wait", "error": "end"}),
            "nodes.ask.text",
            "set either text (to speak) or wav (to play)",
        ),
    ],
)
def test_a_fault_names_its_place_and_its_remedy(definition: dict[str, Any], path: str, what: str) -> None:
    first = faults("order", definition)[0]
    assert first.path == f"flows.order.{path}"
    assert first.what.startswith(what)
    with pytest.raises(BadFlow):
        read("order", definition)


def test_all_faults_are_told_at_once() -> None:
    definition = with_node(text=3, txet="Hi", on={"succes": "wait"}) | {"strat": "x"}
    definition["nodes"]["odd"] = {"type": "receive", "on": {"mesage": "end"}}
    definition["nodes"]["wait"] = SMALL["nodes"]["wait"] | {"on": {}}  # type: ignore[index]
    assert {fault.path for fault in faults("f", definition)} == {
        "flows.f.strat",
        "flows.f.nodes.ask.text",
        "flows.f.nodes.ask.txet",
        "flows.f.nodes.odd.timeout",
        "flows.f.nodes.wait.on.message",
        "flows.f.nodes.wait.on.timeout",
    }


def test_a_bad_flow_carries_its_faults() -> None:
    with pytest.raises(BadFlow) as raised:
        read("f", {"start": "a", "nodes": {"a": {"type": "end", "code": 1000}}})
    assert raised.value.faults == (Fault("flows.f.nodes.a.code", "must be 0 to 999"),)


def test_a_version_is_read_again_whatever_a_later_lint_finds() -> None:
    lonely = {"start": "a", "nodes": {"a": {"type": "end"}, "b": {"type": "end"}}}
    with pytest.raises(BadFlow):
        read("f", lonely)
    assert set(stored("f", lonely).nodes) == {"a", "b"}
    with pytest.raises(BadFlow):
        stored("f", {"start": "a", "nodes": {"a": {"type": "no more"}}})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from(["ask", "end", "receive", "10m", "$(x)", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["start", "nodes", "type", "on", "ask", "text", "timeout", "for", "cases", "else"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["start", "nodes", "x"]), JSON))
def test_anything_at_all_is_a_flow_or_a_list_of_faults(definition: dict[str, Any]) -> None:
    if found := faults("f", definition):
        assert all(fault.path.startswith("flows.f") and fault.what for fault in found)
    else:
        read("f", definition)
