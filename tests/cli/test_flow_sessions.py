import json
import os
import re
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.cli.journal import Veil
from gateway.content.journal import Journal
from gateway.flows import definition, engine
from gateway.flows.inputs import EffectDone, MessageIn, Start
from gateway.rules import variables
from gateway.values.work import FlowState, FlowVersion

CUSTOMER = "+447700900001"
AT = 1_795_442_709.0
SECRET = "s" * 64
ORDER: dict[str, Any] = {
    "start": "ask",
    "variables": {"pin": {"default": "", "secret": True}},
    "nodes": {
        "ask": {"type": "send-sms", "text": "Your PIN?", "on": {"success": "answer", "error": "end:102"}},
        "answer": {
            "type": "receive",
            "timeout": "10m",
            "save": "pin",
            "on": {"message": "check", "timeout": "end:103"},
        },
        "check": {
            "type": "branch",
            "cases": [{"when": 'pin == "4711"', "go": "yes"}],
            "else": "ask",
        },
        "yes": {"type": "send-sms", "text": "Welcome", "on": {"success": "end", "error": "end:102"}},
    },
}
FLOW = definition.read("order", ORDER)
OTHER = ORDER | {"nodes": ORDER["nodes"] | {"yes": ORDER["nodes"]["yes"] | {"text": "Hello"}}}
VERSIONS = [
    FlowVersion(
        service="pizza",
        flow="order",
        number=n,
        version=definition.version(table),
        definition=table,
        created_at=AT,
    )
    for n, table in ((1, ORDER), (2, OTHER))
]
STATE = FlowState(service="pizza", flow="order", live=1, draft=2, updated_at=AT)


def message(text: str) -> MessageIn:
    return MessageIn(variables.sms(sender=CUSTOMER, recipient="12345", text=text)["sms"])


def session(id: str = "r1") -> list[Any]:
    """One that has begun, and in which the customer has written 4711."""
    journal = Journal(SECRET, os.urandom)
    key = journal.key()
    began = Start(run_id=id, service="pizza", customer=CUSTOMER, number="12345")
    advance = engine.start(FLOW, began, AT)
    records: list[Any] = [journal.packed(advance.events, key)]
    for n, input in enumerate(
        (EffectDone(f"{id}/1", "success"), message("4711"), EffectDone(f"{id}/2", "success")), 1
    ):
        advance = engine.advance(advance.run, FLOW, input, AT + n)
        records.append(journal.packed(advance.events, key))
    return [*records, replace(advance.run, seal=key)]


@pytest.fixture
def recorded(place: Any) -> Any:
    place.fill([*VERSIONS, STATE, *session()])
    (place.store.parent / "secret.key").write_text(SECRET)
    return place


def test_a_session_is_traced_at_three_levels(recorded: Any) -> None:
    levels = [recorded.run("flow", "trace", "r1", "--level", n).stdout for n in ("1", "2", "3")]
    assert "Entered" not in levels[0] and "entered" not in levels[0]
    assert "ended with 0" in levels[0]
    assert "message -> check" in levels[1]
    assert "The customer wrote." in levels[0] and "Its act r1/1 came out as success." in levels[1]
    assert "wrote" in levels[2] and '$(session.id) = "r1"' in levels[2]
    assert all(CUSTOMER not in level for level in levels[:2])
    texts = [line for line in levels[2].splitlines() if "sends" in line]
    assert [line.split("\t", 1)[1] for line in texts] == [
        f'ask\tsends "Your PIN?" to {CUSTOMER}',
        f'yes\tsends "Welcome" to {CUSTOMER}',
    ]
    assert '$(sms.words) = ["***"]' in levels[2]  # JSON, no Python


def test_what_was_texted_is_in_the_trace_as_json_too(recorded: Any) -> None:
    events = json.loads(recorded.run("flow", "trace", "r1", "--json").stdout)["events"]
    sent = [event["data"]["text"] for event in events if event["type"] == "sends"]
    assert sent == ["Your PIN?", "Welcome"]
    order = [event["type"] for event in events]
    assert order.index("sends") < order.index("session.input")


def test_a_secret_variable_is_masked_in_trace_and_why_and_replay(recorded: Any) -> None:
    for arguments in (("flow", "trace", "r1"), ("why", "r1"), ("flow", "replay", "r1", "--at", "2")):
        shown = recorded.run(*arguments).stdout
        assert "4711" not in shown and "***" in shown
    data = json.loads(recorded.run("flow", "trace", "r1", "--json").stdout)
    assert data["data"]["pin"] == "***" and "4711" not in json.dumps(data)


def test_without_the_secret_nobody_reads_what_was_said(recorded: Any) -> None:
    (recorded.store.parent / "secret.key").unlink()
    assert "message -> check" in recorded.run("flow", "trace", "r1").stdout
    result = recorded.run("flow", "replay", "r1")
    assert result.exit_code == 1 and "needs the gateway's secret" in result.stderr
    assert "0 of 0 sessions differ" in recorded.run("flow", "compare", "order", "--draft").stdout


def test_what_was_said_and_is_kept_no_more_cannot_be_replayed(place: Any) -> None:
    *records, run = session()
    place.fill([*VERSIONS, *records, replace(run, seal="", data={})])
    (place.store.parent / "secret.key").write_text(SECRET)
    assert "message -> check" in place.run("flow", "trace", "r1").stdout
    result = place.run("flow", "replay", "r1")
    assert result.exit_code == 1 and "or is kept no more" in result.stderr


def test_a_session_is_replayed_step_by_step(recorded: Any) -> None:
    lines = recorded.run("flow", "replay", "r1").stdout.splitlines()
    assert [line[0] for line in lines if re.match(r"\d", line)] == ["0", "1", "2", "3"]
    assert lines[-1].strip() == "Ends with 0: yes: success."
    assert '     Sends "Your PIN?"' in lines  # which was shown of forks only
    until = recorded.run("flow", "replay", "r1", "--at", "1").stdout
    assert "Waits for a message." in until and "Welcome" not in until
    assert "$(ask.status) = " in until
    assert "the last input is number 3" in recorded.run("flow", "replay", "r1", "--at", "9").stderr


def test_a_session_forks_with_another_text(recorded: Any) -> None:
    forked = recorded.run("flow", "replay", "r1", "--with", "0815").stdout
    assert '2  with "0815"' in forked
    assert "Leaves check by else to ask." in forked and 'Sends "Your PIN?"' in forked
    refused = recorded.run("flow", "replay", "r1", "--at", "0", "--with", "x")
    assert "fork at a later one" in refused.stderr


def test_recorded_sessions_are_compared_with_the_draft(recorded: Any) -> None:
    lines = recorded.run("flow", "compare", "order", "--draft").stdout.splitlines()
    assert lines == [
        'r1  text 2: "Welcome" is now "Hello"',
        f"1 of 1 sessions differ on version {VERSIONS[1].version}",
    ]
    same = json.loads(recorded.run("flow", "compare", "order", "--version", "1", "--json").stdout)
    assert (same["sessions"], same["different"], same["segments"]) == (1, [], 0)
    assert "say with what" in recorded.run("flow", "compare", "order").stderr
    assert "there is no version 7" in recorded.run("flow", "compare", "order", "--version", "7").stderr


def test_what_stands_for_a_one_time_password_shows_as_its_mask() -> None:
    token = "\ue000otp:0a-1:1:numeric:6\ue001"
    began = Start(run_id="r1", service="pizza", customer=CUSTOMER, number="12345")
    veil = Veil(engine.start(FLOW, began, AT).run, [])
    assert veil.text(f"{token} is your code") == "****** is your code"
    assert veil.value("code.code", token) == "******"
