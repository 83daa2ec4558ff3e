import json
from typing import Any

from msgspec.structs import replace

from gateway.values.call import Call
from gateway.values.event import Event
from gateway.values.message import Message, Segment, StepPlan, StepRecord
from gateway.values.otp import Code, Otp
from gateway.values.outcome import Status
from gateway.values.work import Run

AT = 1_795_442_709.12
MESSAGE = Message(
    id="m1",
    direction="mt",
    service="alerts",
    sender="12345",
    recipient="+447700900001",
    text="Hello\x1b[2J",
    status=Status.DELIVERED,
    carrier="north",
    plan=(StepPlan(channel="sms"),),
    steps=(StepRecord(),),
    created_at=AT,
    updated_at=AT + 3,
)
RECORDS = [
    MESSAGE,
    Event(ref="m2", type="message.accepted", service="alerts", at=AT, data={}),
    Event(
        ref="m1",
        type="call.ended",
        service="alerts",
        at=AT + 2,
        data={"from": "+442079460000", "to": "+447700900001", "cause": "busy", "status": 486, "call": "c1"},
    ),
    Segment(
        message="m1",
        step=0,
        part=1,
        total=1,
        bind="north",
        smsc_id="A1",
        state="delivered",
        code="000",
        receipt={"state": "delivered"},
        updated_at=AT + 2.5,
    ),
    Call(
        id="c1",
        direction="out",
        service="alerts",
        trunk="east",
        caller="+442079460000",
        called="+447700900001",
        state="ended",
        cause="busy",
        status=486,
        message="m1",
        step=1,
        started_at=AT + 1,
        ended_at=AT + 2,
    ),
    Run(
        id="r1",
        service="pizza",
        flow="order",
        version="abc",
        customer="+447700900001",
        number="12345",
        state="waiting",
        waiting="message",
        node="answer",
        created_at=AT,
        updated_at=AT,
    ),
]


def test_the_story_of_a_message(place: Any) -> None:
    place.fill(RECORDS)
    result = place.run("why", "m1")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "2026-11-23",
        '14:05:09.120  A message of alerts from 12345 to +447700900001: "Hello\\x1b[2J"',
        "14:05:09.120  Accepted: sms.",
        "14:05:11.120  The call from +442079460000 to +447700900001 ended: busy (486).",
        "14:05:11.620  A receipt of north about part 1 (A1): delivered, code 000.",
        "14:05:11.620  Part 1 of 1 went to north as A1 (step 1): delivered (000).",
        "14:05:12.120  The message is now delivered by north.",
        "14:05:12.120  It has ended as delivered by north.",
    ]


def test_the_story_of_a_call(place: Any) -> None:
    place.fill(RECORDS)
    assert place.run("why", "c1").stdout.splitlines()[1:] == [
        "14:05:10.120  alerts called +447700900001 from +442079460000 over east, step 2 of message m1.",
        "14:05:11.120  The call from +442079460000 to +447700900001 ended: busy (486).",
        "14:05:11.120  It was not answered; busy (SIP 486).",
    ]


def test_the_story_of_a_session_as_json(place: Any) -> None:
    place.fill(RECORDS)
    assert json.loads(place.run("why", "r1", "--json").stdout) == [
        {
            "at": "2026-11-23T14:05:09.120Z",
            "text": "Session of the flow order (version abc) of pizza with +447700900001 on 12345.",
            "setting": "",
        },
        {
            "at": "2026-11-23T14:05:09.120Z",
            "text": "It is at answer and waits for a message.",
            "setting": "",
        },
    ]


def test_what_decided_is_told_with_its_place_in_the_files(place: Any) -> None:
    place.write("services/alerts.toml", 'name = "Alerts"\n[rules.vip]\non = "sms.status"\n')
    fired = {"rule": "vip", "fired": True, "reason": "its condition holds"}
    place.fill([MESSAGE, Event(ref="m1", type="rule", service="alerts", at=AT + 1, data=fired)])
    where = place.folder / "conf" / "services" / "alerts.toml"
    lines = place.run("why", "m1").stdout.splitlines()
    assert f"14:05:10.120  The rule vip acted, because its condition holds.  [{where}:2]" in lines


def test_a_one_time_password_is_told_with_the_messages_it_went_out_with(place: Any) -> None:
    """`gateway why` knew nothing by the id that POST /v2/otp answers."""
    otp = Otp(
        id="o1",
        service="alerts",
        address="+447700900001",
        reference="login",
        salt="00",
        hash="11",
        attempts=2,
        most_attempts=5,
        created_at=AT,
        sent_at=AT,
        expires_at=AT + 300,
        validity_seconds=300.0,
    )
    sent = replace(MESSAGE, plan=(StepPlan(channel="sms", code=Code("o1", 1, "numeric", 6, (0,))),))
    place.fill([otp, sent, replace(MESSAGE, id="m2")])
    assert [line[14:] for line in place.run("why", "o1").stdout.splitlines()[1:]] == [
        "A one-time password of alerts for +447700900001 (6 characters, numeric, reference login).",
        "It went out as the message m1, which is delivered.",
        "It has expired: 2 of 5 wrong tries, sent once; valid until 2026-11-23T14:10:09.120Z.",
    ]


def test_an_id_of_nothing(place: Any) -> None:
    place.fill(RECORDS)
    result = place.run("why", "m")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: no message, call, session, one-time password or event has the id m\n"


def test_a_message_by_the_id_that_an_account_was_told_of_a_segment(place: Any) -> None:
    id = "019ab2f0-6c1e-7d3a-8f4b-2b1c9d0e7a55"
    place.fill([replace(MESSAGE, id=id)])
    assert "A message of alerts" in place.run("why", f"{id}-2").stdout
