"""The transaction log of a message, as far as its own row tells it: nothing is written twice.

What the row cannot tell (a receipt that was not the last word, a rule, a decision, a step that was moved) is
an Event of its own; `merged` puts both in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gateway.values.event import Event, Trigger
from gateway.values.message import Message, Segment, StepState
from gateway.values.outcome import Status

_ENDED = {
    StepState.SUCCEEDED: "step.succeeded",
    StepState.FAILED: "step.failed",
    StepState.SKIPPED: "step.skipped",
}
_OPENING = ("message.accepted", "step.started", str(Trigger.SMS_RECEIVED))


def told(message: Message, segments: Iterable[Segment] = ()) -> list[Event]:
    """What the rows of a message say of its way, the oldest first."""
    if message.direction == "mo":
        return list(_arrival(message))
    events = [*_steps(message), *(_receipt(message, s) for s in segments if s.receipt), *_end(message)]
    return sorted(events, key=lambda event: event.at)


def no_longer_told(before: Message, after: Message) -> list[Event]:
    """What the row of a message told, and does not tell any more: an end that was not the last word."""
    still = told(after)
    return [event for event in told(before) if event not in still]


def reached(message: Message, at: float) -> Event:
    """That the message has come to its status."""
    data = {
        "status": str(message.status),
        "reason": message.reason,
        "code": message.code,
        "carrier": message.carrier,
        "channel": message.plan[message.step].channel if message.step >= 0 else "",
        "step": message.step,
    }
    return _event(message, Trigger.SMS_STATUS, at, data)


def merged(told: Sequence[Event], written: Sequence[Event]) -> list[Event]:
    """Both in the order in which they happened; of one moment, what was written stands before what it led
    to, and behind what began."""
    events, left = list[Event](), list(written)
    for event in told:
        opening = event.type in _OPENING
        while left and (left[0].at < event.at or (left[0].at == event.at and not opening)):
            events.append(left.pop(0))
        events.append(event)
    return events + left


def _arrival(message: Message) -> Iterator[Event]:
    if message.status is Status.HANDLED:
        data = {
            "from": message.sender,
            "to": message.recipient,
            "carrier": message.carrier,
            "incomplete": message.incomplete,
        }
        yield _event(message, Trigger.SMS_RECEIVED, message.created_at, data)


def _steps(message: Message) -> Iterator[Event]:
    steps = [step.channel for step in message.plan if not step.again]
    yield _event(message, "message.accepted", message.created_at, {"chain": message.chain, "steps": steps})
    taken = [record.accepted_at for record in message.steps if record.accepted_at]
    for index, (plan, record) in enumerate(zip(message.plan, message.steps, strict=True)):
        where: dict[str, Any] = {"step": index, "channel": plan.channel, "carrier": record.carrier}
        if plan.again:
            where["again"] = plan.again
        if record.started_at:
            waits = record.state is StepState.TRYING and record.reason
            yield _event(
                message,
                "step.started",
                record.started_at,
                where | ({"reason": record.reason} if waits else {}),
            )
        if record.ended_at and (what := _ENDED.get(record.state)):
            why = {"result": record.result, "reason": record.reason, "code": record.code}
            yield _event(message, what, record.ended_at, where | why)
        if record.accepted_at and record.accepted_at == min(taken):
            news = {"status": str(Status.SENT), "reason": "", "code": "", **where}
            yield _event(message, Trigger.SMS_STATUS, record.accepted_at, news)


def _receipt(message: Message, segment: Segment) -> Event:
    data = {
        "bind": segment.bind,
        "smsc_id": segment.smsc_id,
        "final": True,
        "code": segment.code,
        "part": segment.part,
        **segment.receipt,
    }
    return _event(message, "receipt", segment.updated_at, data)


def _end(message: Message) -> Iterator[Event]:
    if message.status.final:
        yield reached(message, message.updated_at)


def _event(message: Message, type: str, at: float, data: dict[str, Any]) -> Event:
    return Event(ref=message.id, type=str(type), service=message.service, at=at, data=data)
