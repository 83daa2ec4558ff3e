from typing import Any

import pytest
from msgspec.structs import replace

from gateway.observe.why import of_call, of_message, of_run, sentence
from gateway.values.call import Call
from gateway.values.event import Event
from gateway.values.message import Message, Segment, StepPlan, StepRecord
from gateway.values.outcome import Status
from gateway.values.work import Run


def event(type: str, at: float = 1.0, /, **data: Any) -> Event:
    return Event(ref="m1", type=type, service="alerts", at=at, data=data)


SENTENCES: list[tuple[Event, str]] = [
    (
        event("message.accepted", chain="alert", steps=["sms", "sms", "voice"]),
        "Accepted with the chain alert: sms, then sms, then voice.",
    ),
    (event("message.accepted", chain="", steps=["sms"]), "Accepted: sms."),
    (
        event("link.clicked", link="offer", device="ios", count=2),
        "The customer opened the link offer on ios (click 2).",
    ),
    (
        event(
            "nlp",
            language="de",
            intent="track",
            confidence=0.9,
            sentiment="negative",
            score=-0.5,
            late=["entities"],
        ),
        "It reads as: language de, intent track (0.90), negative (-0.5); left out: entities.",
    ),
    (event("nlp", answer="yes", profane=True), "It reads as: a yes, offending words."),
    (event("nlp"), "It reads as: nothing known."),
    (
        event("decided", took="rejected", reason="its words offend"),
        "Its service does not answer it, because its words offend.",
    ),
    (event("step.started", step=0, channel="sms", carrier="north"), "Step 1 (sms by north) begins."),
    (
        event("step.started", step=0, channel="sms", carrier="north", reason="north is down: unbound"),
        "Step 1 (sms by north) waits, because north is down: unbound.",
    ),
    (
        event("step.succeeded", step=0, channel="sms", carrier="north", result="delivered"),
        "Step 1 (sms by north) succeeded: delivered.",
    ),
    (
        event(
            "step.failed",
            step=0,
            channel="sms",
            carrier="north",
            result="rejected",
            reason="no such number",
            code="ESME_RINVDSTADR",
        ),
        "Step 1 (sms by north) failed: rejected, because no such number (ESME_RINVDSTADR).",
    ),
    (
        event(
            "step.failed",
            step=1,
            channel="voice",
            carrier="east",
            result="busy",
            reason="east said 486",
            code="486",
        ),
        "Step 2 (voice by east) failed: busy, because east said 486.",
    ),
    (
        event("step.skipped", step=1, channel="sms", carrier="", result="not-applicable", reason="opted out"),
        "Step 2 (sms) was skipped: not-applicable, because opted out.",
    ),
    (
        event("step.resent", step=0, carrier="north"),
        "Step 1 (sms by north) is sent again: its answer was lost in a restart.",
    ),
    (
        event("sms.status", status="sent", reason="", code="", carrier="north", channel="sms", step=0),
        "The message is now sent by north.",
    ),
    (
        event("sms.status", status="failed", reason="gone", code="11", carrier="", channel="sms", step=0),
        "The message is now failed, because gone (11).",
    ),
    (
        event("receipt", bind="north", smsc_id="A1", state="delivered", final=True, code="000", part=1),
        "A receipt of north about part 1 (A1): delivered, code 000.",
    ),
    (
        event("receipt", bind="north", smsc_id="A1", state="enroute", final=False, code="", part=2),
        "A receipt of north about part 2 (A1): enroute, not the last word.",
    ),
    (
        event("receipt", bind="north", smsc_id="A1", state="expired", final=True, part=1, by="query_sm"),
        "No receipt had come; north was asked about part 1 (A1): expired.",
    ),
    (
        event(
            "sms.received",
            **{"from": "+447700900001", "to": "12345", "carrier": "north", "incomplete": False},
        ),
        "A text from +447700900001 to 12345 came in by north.",
    ),
    (
        event(
            "sms.received", **{"from": "+447700900001", "to": "12345", "carrier": "north", "incomplete": True}
        ),
        "A text from +447700900001 to 12345 came in by north; parts of it were missing.",
    ),
    (event("odd", value={"a": [1, True]}, none=None), 'odd: value = {"a": [1, true]}, none = .'),
    (event("decided", took="reserved", word="stop"), 'It is the reserved word for "stop".'),
    (event("decided", took="session", run="r1"), "The open session r1 took it."),
    (event("decided", took="keyword", keyword="ORDER", how="alias"), "The keyword ORDER took it (alias)."),
    (
        event("decided", took="keyword", keyword="", how="service-default"),
        "No keyword and no rule took it; the default did (service-default).",
    ),
    (event("decided", took="rules", rules=["a", "b"]), "Rules took it: a, b."),
    (event("decided", took="nothing", reason="no asset"), "Nothing took it, because no asset."),
    (
        event("rule", rule="callback", fired=True, reason="its condition holds"),
        "The rule callback acted, because its condition holds.",
    ),
    (
        event("rule", rule="callback", fired=False, reason="not active"),
        "The rule callback did not act, because not active.",
    ),
    (event("action.failed", reason="no such flow"), "An action could not be done, because no such flow."),
    (
        event("consent.opted_out", reason="texted STOP to 12345"),
        "The customer is opted out, because texted STOP to 12345.",
    ),
    (event("consent.opted_in", reason="a rule"), "The customer is opted in, because a rule."),
    (event("notify.sent", url="http://x/", attempt=2, reason=""), "http://x/ was notified (attempt 2)."),
    (
        event("notify.failed", url="http://x/", attempt=1, reason="status 500"),
        "Notifying http://x/ failed, attempt 1, because status 500.",
    ),
    (
        event("notify.dead", url="http://x/", attempt=9, reason="status 500"),
        "Notifying http://x/ was given up, attempt 9, because status 500.",
    ),
    (
        event(
            "call.missed", **{"from": "", "to": "+442079460000", "cause": "caller-cancelled", "ring_ms": 2040}
        ),
        "The call from a withheld number to +442079460000 was missed after 2.0 s: caller-cancelled.",
    ),
    (
        event(
            "call.answered", **{"from": "+1", "to": "+2", "cause": "answered", "status": 200, "call": "c1"}
        ),
        "The call from +1 to +2 was answered: answered (200).",
    ),
    (
        event("call.ended", **{"from": "+1", "to": "+2", "cause": "busy", "status": 486, "call": "c1"}),
        "The call from +1 to +2 ended: busy (486).",
    ),
    (
        event("call.recorded", run="r1", file="/var/a.wav", seconds=2.5, cause="silence"),
        "2.5 s were recorded, until silence: /var/a.wav.",
    ),
    (
        event("session.started", run="r1", flow="order", version="abc"),
        "Session r1 of the flow order (version abc) begins.",
    ),
    (
        event("session.started", flow="order", version="abc", input={"kind": "start"}),
        "The session of the flow order (version abc) begins.",
    ),
    (event("session.input", input={"kind": "message", "data": {"text": "M"}}), 'The customer wrote "M".'),
    (event("session.input", input={"kind": "time-up"}), "The time it waited for was up."),
    (
        event("session.input", input={"kind": "effect-done", "key": "r1/1", "event": "success", "data": {}}),
        "Its act r1/1 came out as success.",
    ),
    (event("session.input", input={"kind": "stop", "reason": "STOP"}), "It was stopped, because STOP."),
    (event("session.input", input={"kind": "new"}), "Input: kind = new."),
    (
        event("session.message-dropped", limit=10, message={}),
        "More than 10 texts waited: one was dropped.",
    ),
    (
        event("session.ended", flow="order", result=103, reason="late: success", unread=2),
        "The session ended with 103, because late: success; 2 texts were left unread.",
    ),
    (event("session.ended", flow="order", result=0, reason=""), "The session ended with 0."),
    (event("node.entered", node="ask", type="send-sms"), "Entered ask (send-sms)."),
    (event("node.left", node="ask", event="success", to="answer"), "Left ask by success to answer."),
    (event("node.left", node="b", event="else", to="end", note="no"), "Left b by else to end (no)."),
    (
        event("sms.octets", octets="01ae", data_coding=4, ports={"destination": 2948, "source": 9200}),
        "More than text: 2 octets to port 2948 from 9200, data_coding 4.",
    ),
    (event("sms.octets", octets="01ae", data_coding=200), "More than text: 2 octets, data_coding 200."),
    (event("custom.paid", amount=3), "custom.paid: amount = 3."),
    (event("custom.paid"), "custom.paid."),
]


@pytest.mark.parametrize(
    ("given", "told"), SENTENCES, ids=[f"{n}-{e.type}" for n, (e, _) in enumerate(SENTENCES)]
)
def test_an_event_as_a_sentence(given: Event, told: str) -> None:
    assert sentence(given) == told


@pytest.mark.parametrize("type", sorted({e.type for e, _ in SENTENCES}))
def test_an_event_that_lacks_its_fields_is_told_all_the_same(type: str) -> None:
    assert sentence(event(type)).endswith(".")


def message(**fields: Any) -> Message:
    plain: dict[str, Any] = {
        "direction": "mt",
        "service": "alerts",
        "sender": "12345",
        "recipient": "+447700900001",
        "text": "Hello",
        "status": Status.DELIVERED,
        "carrier": "north",
        "created_at": 1.0,
        "updated_at": 9.0,
    }
    return Message(id="m1", **plain | fields)


def test_a_message_is_told_in_the_order_of_time() -> None:
    events = [
        event("message.accepted", 1.0, chain="", steps=["sms"]),
        event("step.started", 1.0, step=0, channel="sms", carrier="north"),
        event("sms.status", 5.0, status="delivered", carrier="north"),
    ]
    segment = Segment(
        message="m1", step=0, part=1, total=2, bind="north", smsc_id="A1", state="delivered", updated_at=3.0
    )
    assert [(line.at, line.text) for line in of_message(message(), events, [segment])] == [
        (1.0, 'A message of alerts from 12345 to +447700900001: "Hello"'),
        (1.0, "Accepted: sms."),
        (1.0, "Step 1 (sms by north) begins."),
        (3.0, "Part 1 of 2 went to north as A1 (step 1): delivered."),
        (5.0, "The message is now delivered by north."),
        (9.0, "It has ended as delivered by north."),
    ]


@pytest.mark.parametrize(
    ("fields", "first", "last"),
    [
        (
            {"status": Status.QUEUED, "carrier": "", "correlationid": "x-1", "text": ""},
            "A message of alerts from 12345 to +447700900001 (correlationid x-1)",
            "It is queued.",
        ),
        (
            {
                "run": "r1",
                "status": Status.FAILED,
                "carrier": "",
                "reason": "no bind",
                "code": "not-available",
            },
            'A message of session r1 of alerts from 12345 to +447700900001: "Hello"',
            "It has ended as failed, because no bind (not-available).",
        ),
        (
            {"account": "acme", "status": Status.SENT},
            'A message of account acme from 12345 to +447700900001: "Hello"',
            "It is sent by north.",
        ),
        (
            {"direction": "mo", "sender": "+447700900001", "recipient": "12345", "status": Status.HANDLED},
            '+447700900001 texted 12345 by north: "Hello"',
            "It is handled by alerts.",
        ),
        (
            {"direction": "mo", "service": "", "status": Status.HANDLED, "incomplete": True},
            '12345 texted +447700900001 by north: "Hello"',
            "It is handled by no service, with parts missing.",
        ),
    ],
)
def test_how_a_message_begins_and_what_it_has_reached(fields: dict[str, Any], first: str, last: str) -> None:
    lines = of_message(message(**fields), [])
    assert [line.text for line in lines] == [first, last]


def test_a_submission_that_a_restart_left_in_doubt() -> None:
    left = Segment(message="m1", step=0, part=0, total=1, bind="north", state="in-doubt")
    told = [line.text for line in of_message(message(), [], [left])]
    assert told[1] == "A part went to north (step 1): in-doubt."


def call(**fields: Any) -> Call:
    plain: dict[str, Any] = {
        "direction": "in",
        "service": "callback",
        "trunk": "east",
        "caller": "+447700900001",
        "called": "+442079460000",
        "state": "ended",
        "cause": "rejected-by-policy",
        "status": 486,
        "started_at": 1.0,
        "ended_at": 3.0,
    }
    return Call(id="c1", **plain | fields)


@pytest.mark.parametrize(
    ("record", "first", "last"),
    [
        (
            call(),
            "+447700900001 rang +442079460000 (callback) over east.",
            "It was not answered; rejected-by-policy (SIP 486).",
        ),
        (
            call(
                caller="",
                uncounted="duplicate",
                status=0,
                cause="caller-cancelled",
                ended_by="caller",
                q850=16,
            ),
            "a withheld number rang +442079460000 (callback) over east.",
            "It was not answered, ended by the caller; caller-cancelled (Q.850 16); no news, for the "
            "caller had just rung before.",
        ),
        (
            call(
                direction="out",
                message="m1",
                step=2,
                state="ended",
                answered_at=1.5,
                cause="answered",
                status=200,
            ),
            "callback called +442079460000 from +447700900001 over east, step 3 of message m1.",
            "It was answered and lasted 1.5 s (2 s to bill); answered (SIP 200).",
        ),
        (
            call(direction="out", state="ringing", ended_at=0.0),
            "callback called +442079460000 from +447700900001 over east.",
            "It is ringing.",
        ),
    ],
)
def test_a_call(record: Call, first: str, last: str) -> None:
    lines = of_call(record, [])
    assert [line.text for line in lines] == [first, last]


def test_what_else_is_known_of_a_call() -> None:
    record = call(
        direction="out",
        rung_at=1.25,
        answered_at=2.0,
        cause="answered",
        status=200,
        reason="Normal call clearing",
        q850=16,
        ended_by="called",
        codec="PCMA",
        dtmf=4,
        packets_sent=50,
        packets_received=48,
        packets_lost=2,
        jitter_ms=1.26,
        recording="c1.wav",
        flood=True,
        sip_call_id="7@east",
    )
    failed = event("action.failed", 3.5, reason="to: is empty")
    assert [line.text for line in of_call(record, [failed])][1:] == [
        "Its SIP Call-ID is 7@east.",
        "It was one of a flood of calls from one range of numbers.",
        "It rang after 250 ms.",
        "It was answered and lasted 1.0 s (1 s to bill), ended by the called side; answered, Normal call "
        "clearing (SIP 200, Q.850 16).",
        "Media: PCMA, 50 packets sent, 48 received, 2 lost, jitter 1.3 ms, 4 digits.",
        "It was recorded: c1.wav.",
        "An action could not be done, because to: is empty.",
    ]


def test_how_a_text_came_in_is_told_once() -> None:
    text = message(direction="mo", status=Status.HANDLED)
    came = event("sms.received", **{"from": text.sender, "to": text.recipient, "carrier": "north"})
    assert len(of_message(text, [came])) == 2


def test_a_call_of_a_message_is_told_by_its_own_events_only() -> None:
    events = [
        event("message.accepted", 1.0, steps=["voice", "voice"]),
        event("call.ended", 2.0, **{"from": "+1", "to": "+2", "cause": "busy", "call": "c0"}),
        event("call.ended", 3.0, **{"from": "+1", "to": "+2", "cause": "no-answer", "call": "c1"}),
    ]
    told = [line.text for line in of_call(call(direction="out", message="m1", step=1), events)]
    assert told[1:-1] == ["The call from +1 to +2 ended: no-answer."]


def test_a_session() -> None:
    run = Run(
        id="r1",
        service="pizza",
        flow="order",
        version="abc",
        customer="+447700900001",
        number="12345",
        state="waiting",
        node="answer",
        waiting="message",
        created_at=1.0,
        updated_at=2.0,
    )
    lines = of_run(run, [event("node.entered", 1.5, node="answer", type="receive")])
    assert [line.text for line in lines] == [
        "Session of the flow order (version abc) of pizza with +447700900001 on 12345.",
        "Entered answer (receive).",
        "It is at answer and waits for a message.",
    ]


@pytest.mark.parametrize(
    ("fields", "last"),
    [
        (
            {"state": "waiting", "waiting": "effect:r1/2"},
            "It is at ask and waits for the outcome of act r1/2.",
        ),
        ({"state": "waiting", "waiting": "delay"}, "It is at ask and waits for its delay to pass."),
        ({"state": "working"}, "It is at ask and waits for its next step."),
        ({"state": "ended", "result": 197, "reason": "STOP"}, "It has ended with 197, because STOP."),
    ],
)
def test_where_a_session_is(fields: dict[str, Any], last: str) -> None:
    plain: dict[str, Any] = {
        "service": "pizza",
        "flow": "order",
        "version": "abc",
        "customer": "+1",
        "number": "",
    }
    run = Run(id="r1", node="ask", created_at=1.0, updated_at=2.0, **plain | fields)
    assert of_run(run, [])[-1].text == last


def test_what_decided_is_named_as_a_setting() -> None:
    message = Message(
        id="m1",
        direction="mt",
        service="alerts",
        sender="12345",
        recipient="+447700900001",
        chain="alert",
        plan=(StepPlan(channel="sms"), StepPlan(channel="sms", again=1), StepPlan(channel="voice")),
        steps=(StepRecord(),) * 3,
        created_at=1.0,
        updated_at=1.0,
    )
    events = [
        event("step.failed", step=0),
        event("step.started", step=1, again=1),
        event("step.started", step=2, channel="voice"),
        event("rule", rule="vip", fired=True),
        event("decided", took="keyword", keyword="ORDER", how="first word"),
        event("decided", took="keyword", how="default"),
        event("notify.sent", url="https://example.org", attempt=1),
    ]
    service = f"services.{events[0].service}"
    assert [line.setting for line in of_message(message, events)[1:-1]] == [
        f"{service}.chains.alert.steps[0]",
        f"{service}.chains.alert.steps[0]",
        f"{service}.chains.alert.steps[1]",
        f"{service}.rules.vip",
        f"{service}.keywords.ORDER",
        f"{service}.default",
        "",
    ]
    alone = replace(message, chain="")
    assert of_message(alone, events)[1].setting == ""


def test_the_node_of_a_session_is_named_as_a_setting() -> None:
    run = Run(
        id="r1",
        service="pizza",
        flow="order",
        version="abc",
        customer="+447700900001",
        number="12345",
        created_at=1.0,
        updated_at=1.0,
    )
    [_, entered, _] = of_run(run, [event("node.entered", node="ask", type="send-sms")])
    assert entered.setting.endswith(".flows.order.nodes.ask")
