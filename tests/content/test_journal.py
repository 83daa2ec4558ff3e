import os
from typing import Any

from gateway.content.journal import STEP, Journal
from gateway.values.event import Event

JOURNAL = Journal("secret", os.urandom)


def event(type: str, /, **data: Any) -> Event:
    return Event(ref="r1", type=type, service="pizza", at=5.0, data=data)


EVENTS = [
    event("session.input", input={"kind": "message", "data": {"text": "my PIN is 1234"}}),
    event("node.left", node="ask", event="message", to="say", note="case 1 could not be evaluated: 1234"),
    event("log", node="say", when="enter", id="pin", value="1234"),
    event("node.entered", node="say", type="end"),
    event("session.ended", flow="f", result=0, reason="done"),
]


def test_what_was_packed_comes_out_again_in_its_order() -> None:
    stored = JOURNAL.packed(EVENTS)
    assert (stored.type, stored.ref, stored.at) == (STEP, "r1", 5.0)
    opened = JOURNAL.unpacked([event("other"), stored])
    assert [e.type for e in opened] == ["other", *(e.type for e in EVENTS)]
    assert opened[1].data == {**EVENTS[0].data, "kind": "message"}
    assert opened[2:] == EVENTS[1:]


def test_what_was_said_is_not_to_be_read_without_the_secret() -> None:
    stored = JOURNAL.packed(EVENTS)
    assert "1234" not in str(stored)
    for other in (Journal("other"), Journal("")):
        opened = other.unpacked([stored])
        assert "1234" not in str(opened)
        assert opened[0].data == {"kind": "message"}
        assert opened[1].data == {"node": "ask", "event": "message", "to": "say"}


def test_the_same_is_never_sealed_the_same() -> None:
    assert JOURNAL.packed(EVENTS).data["sealed"] != JOURNAL.packed(EVENTS).data["sealed"]


def test_how_an_act_came_out_is_no_secret() -> None:
    done = {"kind": "effect-done", "key": "r/1", "event": "success", "data": {"body": "secret"}}
    [bare] = Journal("").unpacked([JOURNAL.packed([event("session.input", input=done)])])
    assert bare.data == {"kind": "effect-done", "key": "r/1", "event": "success"}


def test_what_was_said_is_not_to_be_read_without_the_sessions_key() -> None:
    key = JOURNAL.key()
    stored = JOURNAL.packed(EVENTS, key)
    assert JOURNAL.unpacked([stored], key)[1:] == EVENTS[1:]
    for other in ("", JOURNAL.key()):
        assert "1234" not in str(JOURNAL.unpacked([stored], other))


def test_the_level_leaves_out_nodes_and_what_was_said_but_not_what_a_flow_logs() -> None:
    nodes, said = (JOURNAL.unpacked([JOURNAL.packed(EVENTS, level=level)]) for level in (1, 2))
    assert [event.type for event in nodes] == ["session.input", "log", "session.ended"]
    assert [event.type for event in said] == [event.type for event in EVENTS]
    assert said[0].data == {"kind": "message"} and "note" not in said[1].data
    assert nodes[1].data["value"] == said[2].data["value"] == "1234"
