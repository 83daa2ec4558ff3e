from __future__ import annotations

from msgspec.structs import replace

from gateway.values.event import Event
from gateway.values.message import Message, Segment, StepPlan, StepRecord, StepState
from gateway.values.outcome import Result, Status
from gateway.values.story import merged, no_longer_told, told


def message(*records: StepRecord, status: Status = Status.QUEUED, updated_at: float = 10.0) -> Message:
    return Message(
        id="m1",
        direction="mt",
        service="alerts",
        sender="12345",
        recipient="447700900001",
        status=status,
        plan=tuple(StepPlan(channel="sms", until=Result.DELIVERED) for _ in records),
        steps=records,
        step=len(records) - 1,
        created_at=10.0,
        updated_at=updated_at,
    )


def types(events: list[Event]) -> list[str]:
    return [str(event.type) for event in events]


TRYING = StepRecord(state=StepState.TRYING, carrier="north", started_at=10.0)
SENT = replace(TRYING, state=StepState.ACCEPTED, accepted_at=11.0)
DELIVERED = replace(SENT, state=StepState.SUCCEEDED, result="delivered", ended_at=15.0)


def written(type: str, at: float) -> Event:
    return Event(ref="m1", type=type, service="alerts", at=at)


def test_a_message_that_waits_has_been_accepted_and_its_step_started() -> None:
    events = told(message(replace(TRYING, reason="north is down")))
    assert types(events) == ["message.accepted", "step.started"]
    assert events[1].data["reason"] == "north is down"


def test_what_a_carrier_took_has_been_sent_since() -> None:
    events = told(message(SENT, status=Status.SENT, updated_at=11.0))
    assert types(events) == ["message.accepted", "step.started", "sms.status"]
    assert (events[2].at, events[2].data["status"]) == (11.0, "sent")


def test_a_receipt_stands_before_what_it_led_to() -> None:
    segment = Segment(
        message="m1",
        step=0,
        part=1,
        total=1,
        bind="north",
        smsc_id="A1",
        state="delivered",
        receipt={"state": "delivered", "stat": "DELIVRD"},
        updated_at=15.0,
    )
    events = told(message(DELIVERED, status=Status.DELIVERED, updated_at=15.0), [segment])
    assert types(events)[2:] == ["sms.status", "step.succeeded", "receipt", "sms.status"]
    assert events[4].data["stat"] == "DELIVRD" and events[5].data["status"] == "delivered"


def test_the_next_step_starts_when_the_one_before_has_failed() -> None:
    failed = replace(TRYING, state=StepState.FAILED, result="rejected", ended_at=12.0)
    events = told(message(failed, replace(TRYING, started_at=12.0)))
    assert types(events) == ["message.accepted", "step.started", "step.failed", "step.started"]
    assert [event.data["step"] for event in events[1:]] == [0, 0, 1]


def test_only_the_first_carrier_that_takes_it_makes_it_sent() -> None:
    late = replace(SENT, state=StepState.FAILED, result="timeout", ended_at=60.0)
    second = replace(SENT, started_at=60.0, accepted_at=61.0)
    events = told(message(late, second, status=Status.SENT))
    assert types(events).count("sms.status") == 1


def test_a_step_that_was_skipped_says_why() -> None:
    skipped = StepRecord(state=StepState.SKIPPED, result="not-applicable", reason="opted out", ended_at=10.0)
    events = told(message(skipped, status=Status.FAILED))
    assert types(events) == ["message.accepted", "step.skipped", "sms.status"]
    assert events[1].data["reason"] == "opted out"


def test_an_arrival_is_told_once_it_has_been_decided() -> None:
    arrival = Message(
        id="m2",
        direction="mo",
        service="alerts",
        sender="447700900001",
        recipient="12345",
        carrier="north",
        status=Status.HANDLED,
        created_at=1.0,
        updated_at=1.0,
    )
    [event] = told(arrival)
    assert (event.type, event.data["carrier"]) == ("sms.received", "north")
    assert told(replace(arrival, status=Status.RECEIVED)) == []


def test_what_was_written_stands_between_beginning_and_end_of_its_moment() -> None:
    events = told(message(TRYING))
    own = [written("rule", 10.0), written("step.moved", 12.0)]
    assert types(merged(events, own)) == ["message.accepted", "step.started", "rule", "step.moved"]
    done = told(message(DELIVERED, status=Status.DELIVERED, updated_at=15.0))
    own = [written("rule", 15.0)]
    assert types(merged(done, own))[-3:] == ["rule", "step.succeeded", "sms.status"]


def test_an_end_that_was_not_the_last_word_is_told_of_by_itself() -> None:
    doubt = replace(TRYING, state=StepState.FAILED, result="in-doubt", ended_at=12.0)
    before = message(doubt, status=Status.IN_DOUBT, updated_at=12.0)
    after = message(
        replace(doubt, state=StepState.SUCCEEDED, result="delivered", ended_at=15.0),
        status=Status.DELIVERED,
        updated_at=15.0,
    )
    gone = no_longer_told(before, after)
    assert [(event.type, event.at) for event in gone] == [("step.failed", 12.0), ("sms.status", 12.0)]
    statuses = [e.data["status"] for e in merged(told(after), gone) if e.type == "sms.status"]
    assert statuses == ["in-doubt", "delivered"]
