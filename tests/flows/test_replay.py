from typing import Any

import msgspec
import pytest

from gateway.flows import engine
from gateway.flows.definition import read
from gateway.flows.inputs import EffectDone, Input, MessageIn, Recorded, Start, Stop, TimeUp
from gateway.flows.replay import recorded, replay
from gateway.values.event import Event

START = Start(
    run_id="run",
    service="pizza",
    customer="+447700900123",
    number="12345",
    variables={"sms": {"text": "ORDER"}},
)
INPUTS: list[Input] = [
    EffectDone("run/1", "success", {"transid": "t"}),
    EffectDone("run/1", "success"),  # a duplicate
    TimeUp(),  # too early
    MessageIn({"text": "Huge", "words": ["huge"]}),
    MessageIn({"text": "L", "words": ["l"]}),
    EffectDone("run/2", "success"),
    Stop("texted STOP"),
]


def test_a_session_replayed_does_the_same_again(pizza: dict[str, Any]) -> None:
    flow = read("order", pizza)
    inputs = [Recorded(1000.0 + n, input) for n, input in enumerate([START, *INPUTS])]
    assert replay(flow, inputs) == replay(read("order", pizza), inputs)


def test_a_session_can_be_replayed_from_its_stored_transaction_log(pizza: dict[str, Any]) -> None:
    flow = read("order", pizza)
    step = engine.start(flow, START, 1000.0)
    log = list(step.events)
    for n, input in enumerate(INPUTS, 1):
        step = engine.advance(step.run, flow, input, 1000.0 + n)
        log += step.events
    stored = msgspec.json.decode(msgspec.json.encode(log), type=list[Event])
    assert step.run.result == engine.RESULT_STOPPED
    again = replay(flow, recorded(stored))
    assert again[-1].run == step.run
    assert [event for advance in again for event in advance.events] == stored


def test_a_session_can_be_tried_on_another_version(pizza: dict[str, Any]) -> None:
    shorter = pizza["nodes"]["size"] | {"timeout": "1s"}
    other = read("order", pizza | {"nodes": pizza["nodes"] | {"size": shorter}})
    inputs = [Recorded(1000.0, START), Recorded(1001.0, INPUTS[0]), Recorded(1002.0, TimeUp())]
    assert replay(read("order", pizza), inputs)[-1].run.state == "waiting"
    assert replay(other, inputs)[-1].run.result == 103


@pytest.mark.parametrize(
    "inputs", [[], [Recorded(0.0, TimeUp())], [Recorded(0.0, START), Recorded(1.0, START)]]
)
def test_a_session_begins_with_one_start(pizza: dict[str, Any], inputs: list[Recorded]) -> None:
    with pytest.raises(ValueError, match="begins"):
        replay(read("order", pizza), inputs)
