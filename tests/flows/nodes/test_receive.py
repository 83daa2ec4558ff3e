from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.definition import faults
from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone, EventIn, Input, MessageIn, TimeUp
from gateway.rules import variables

MESSAGE = MessageIn(variables.sms(sender="+447700900123", recipient="12345", text=" Large! ")["sms"])
ASK = {"type": "receive", "timeout": "2s"}

ALL = ASK | {"await": ["sms", "call.missed", "custom.paid"]}
ALL |= {"on": {"message": "end:1", "timeout": "end:2", "call.missed": "end:3", "custom.paid": "end:4"}}
PAID = EventIn("custom.paid", {"amount": 5})

# table, inputs -> the event by which the node is left, what the run waits for
CASES: list[tuple[dict[str, Any], list[Input], str, str]] = [
    (ASK, [], "", "message"),
    (ASK, [MESSAGE], "message", ""),
    (ASK, [TimeUp()], "", "message"),
    (ASK, [TimeUp(), TimeUp()], "timeout", ""),
    (ASK, [EffectDone("run/1", "success")], "", "message"),
    (ASK, [PAID], "", "message"),
    (ALL, [], "", "message call.missed custom.paid"),
    (ALL, [PAID], "custom.paid", ""),
    (ALL, [EventIn("call.missed", {"from": "+447700900123"})], "call.missed", ""),
    (ALL, [EventIn("custom.other")], "", "message call.missed custom.paid"),
    (ALL, [MESSAGE], "message", ""),
    (ALL, [TimeUp(), TimeUp()], "timeout", ""),
]


@pytest.mark.parametrize(("table", "inputs", "event", "waiting"), CASES)
def test_cases(
    play: Callable[..., Advance],
    left: Callable[[Advance], str],
    table: Any,
    inputs: Any,
    event: str,
    waiting: str,
) -> None:
    advance = play(table, *inputs)
    assert advance.effects == ()
    assert (left(advance), advance.run.waiting) == (event, waiting)


def test_the_time_runs_from_the_moment_of_waiting(play: Callable[..., Advance]) -> None:
    assert play(ASK, at=5000.0).run.due == 5002.0


def test_sms_becomes_the_message_and_the_text_is_kept(play: Callable[..., Advance]) -> None:
    data = play(ASK | {"save": "answer"}, MESSAGE).run.data
    assert data["sms.text"] == data["node.text"] == data["answer"] == " Large! "
    assert data["sms.words"] == data["node.words"] == ["large"]
    assert data["node.from"] == "+447700900123"


def test_the_fields_of_an_event_can_be_read(play: Callable[..., Advance]) -> None:
    data = play(ALL, PAID).run.data
    assert (data["node.event"], data["node.data"]["amount"], data["custom.amount"]) == ("custom.paid", 5, 5)


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ({"await": ["smss"]}, "await[0]"),
        ({"await": []}, "await"),
        ({"await": ["sms", "sms"]}, "await"),
        ({"await": ["custom.x"], "save": "x"}, "save"),
        ({"timeout": 0}, "timeout"),
    ],
)
def test_mistakes_are_named(table: dict[str, Any], path: str) -> None:
    node = ASK | table
    paths = [fault.path for fault in faults("f", {"start": "node", "nodes": {"node": node}})]
    assert f"flows.f.nodes.node.{path}" in paths
