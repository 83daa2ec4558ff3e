from typing import Any

import pytest

from gateway.flows import calls, engine
from gateway.flows.call_effects import Detect, Play
from gateway.flows.definition import Flow, faults, read
from gateway.flows.effects import PlaceCall
from gateway.flows.inputs import EffectDone, Start
from gateway.values.dialogue import Utterance

CALL = {"type": "call", "on": {"answered": "ask", "error": "end:1"}}
ASK = {"type": "collect", "text": "Keys", "on": {"digits": "end", "error": "end:2"}}
WAIT = {"type": "delay", "for": "1s", "on": {"done": "ask"}}
SEND = {"type": "send-sms", "text": "Hi", "on": {"success": "end", "error": "end"}}


def flow(start: str = "ring", **nodes: Any) -> dict[str, Any]:
    return {"start": start, "nodes": nodes}


def begin(definition: dict[str, Any]) -> tuple[Flow, engine.Advance]:
    it = read("f", definition)
    began = Start(run_id="run", service="s", customer="+447700900123", number="+442079460000")
    return it, engine.start(it, began, 1000.0)


def test_a_call_with_a_node_behind_it_that_acts_on_it_stays_up() -> None:
    _, advance = begin(flow(ring=CALL, ask=ASK))
    [effect] = advance.effects
    assert isinstance(effect, PlaceCall) and effect.keep


def test_its_words_are_said_before_the_flow_goes_on() -> None:
    it, advance = begin(flow(ring=CALL | {"text": "Hello"}, ask=ASK))
    [effect] = advance.effects
    assert isinstance(effect, PlaceCall) and effect.keep == "call" and not effect.text
    advance = engine.advance(advance.run, it, EffectDone("run/1", "answered", {"transid": "t"}), 1001.0)
    assert advance.effects == (Play(key="run/2", prompt=(Utterance(text="Hello"),)),)
    advance = engine.advance(advance.run, it, EffectDone("run/2", "done", {"transid": "t"}), 1002.0)
    assert (advance.run.node, advance.run.data["ring.transid"]) == ("ask", "t")


def test_a_person_who_hangs_up_during_the_words_was_reached() -> None:
    it, advance = begin(flow(ring=CALL | {"text": "Hello"}, ask=ASK))
    advance = engine.advance(advance.run, it, EffectDone("run/1", "answered"), 1001.0)
    advance = engine.advance(advance.run, it, EffectDone("run/2", "hangup"), 1002.0)
    assert (advance.run.state, advance.run.result) == ("ended", 196)


def test_a_call_that_nobody_needs_speaks_and_hangs_up_by_itself() -> None:
    told = CALL | {"text": "Hello", "on": {"answered": "note", "error": "end"}}
    _, advance = begin(flow(ring=told, note=SEND))
    [effect] = advance.effects
    assert isinstance(effect, PlaceCall) and not effect.keep and effect.text == "Hello"


def test_a_call_on_which_nothing_is_said_is_a_fault() -> None:
    table = {"type": "call", "on": {"answered": "end", "error": "end"}}
    [fault] = faults("f", flow(ring=table))
    assert fault.path == "flows.f.nodes.ring.text"
    assert fault.what.startswith("says nothing")


@pytest.mark.parametrize(
    ("definition", "node"),
    [
        (flow("ask", ask=ASK), "ask"),
        (flow("wait", wait=WAIT, ask=ASK), "ask"),
        (flow(ring=CALL, ask=ASK), ""),
        (flow(ring=CALL | {"on": {"answered": "ask", "error": "ask"}}, ask=ASK), "ask"),
        (flow("note", note=SEND), ""),
    ],
)
def test_which_flows_can_only_begin_on_a_call(definition: dict[str, Any], node: str) -> None:
    it = read("f", definition)
    assert calls.uncalled(it.start, it.nodes) == node


def test_what_another_flow_does_on_a_call_is_left_to_it() -> None:
    part = {"type": "call-flow", "flow": "part", "on": {"done": "end", "error": "end"}}
    for words, keep in (({}, "call"), ({"text": "Hello"}, "")):
        _, advance = begin(flow(ring=CALL | words | {"on": {"answered": "part", "error": "end"}}, part=part))
        [effect] = advance.effects
        assert isinstance(effect, PlaceCall) and effect.keep == keep


DETECT = CALL | {
    "detect": True,
    "text": "Hello",
    "on": {"answered": "ask", "machine": "end:3", "error": "end"},
}


@pytest.mark.parametrize("verdict", ["human", "unsure"])
def test_a_person_is_told_from_a_machine_before_anything_is_said(verdict: str) -> None:
    it, advance = begin(flow(ring=DETECT, ask=ASK))
    advance = engine.advance(advance.run, it, EffectDone("run/1", "answered", {"transid": "t"}), 1001.0)
    assert advance.effects == (Detect(key="run/2"),)
    told = EffectDone("run/2", verdict, {"transid": "t", "answerer": verdict})
    advance = engine.advance(advance.run, it, told, 1004.0)
    assert advance.effects == (Play(key="run/3", prompt=(Utterance(text="Hello"),)),)
    advance = engine.advance(advance.run, it, EffectDone("run/3", "done"), 1005.0)
    assert advance.run.node == "ask"


def test_a_machine_is_told_nothing() -> None:
    it, advance = begin(flow(ring=DETECT, ask=ASK))
    advance = engine.advance(advance.run, it, EffectDone("run/1", "answered", {"transid": "t"}), 1001.0)
    told = EffectDone("run/2", "machine", {"transid": "t", "answerer": "machine", "reason": ""})
    advance = engine.advance(advance.run, it, told, 1004.0)
    assert (advance.run.result, advance.effects) == (3, ())
    assert (advance.run.data["ring.result"], advance.run.data["ring.answerer"]) == ("machine", "machine")


def test_where_machines_go_has_to_be_said() -> None:
    [fault] = faults("f", flow(ring=CALL | {"detect": True}, ask=ASK))
    assert fault.path == "flows.f.nodes.ring.on.machine"
