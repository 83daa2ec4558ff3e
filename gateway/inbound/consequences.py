"""What follows from an event, in the same unit as the event itself: notify URL, rules, waiting runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from msgspec import to_builtins

from gateway.config.model import Service
from gateway.directory.consent import Consents
from gateway.directory.customer import Customers
from gateway.inbound.actions import Actions, Subject
from gateway.inbound.delivery_info import delivery_info
from gateway.inbound.registered import owed
from gateway.outbound.accept import CANCELLED, Owing
from gateway.protocol.smpp.constants import TLV_USER_MESSAGE_REFERENCE
from gateway.protocol.smpp.fields import unpack_tlvs
from gateway.rules import variables
from gateway.rules.ruleset import Ruleset
from gateway.store.base import Unit
from gateway.values import link
from gateway.values.call import Call, cdr
from gateway.values.clock import Clock, iso
from gateway.values.event import Event, Trigger
from gateway.values.link import Link
from gateway.values.message import Message, StepState
from gateway.values.outcome import Result
from gateway.values.story import reached

log = logging.getLogger(__name__)

ACCOUNT_SCHEME = "smpp"
_LIMIT_DEPTH = 5  # rules whose actions bring about events, at once or in their time, that fire rules

# Result of a voice step -> event of the `call` node
_CALL_EVENTS = {
    Result.ANSWERED: "answered",
    Result.CONFIRMED: "answered",
    Result.BUSY: "busy",
    Result.NO_ANSWER: "no-answer",
    Result.TIMEOUT: "no-answer",
    Result.REJECTED: "rejected",
    Result.UNREACHABLE: "unreachable",
    Result.NOT_AVAILABLE: "unreachable",
}


# Where the variables of an event are not in the group that it is called by
_GROUPS = {str(Trigger.SMS_STATUS): "status", str(Trigger.LINK_CLICKED): "click"}


class Waking(Protocol):
    def effect_done(self, unit: Unit, run: str, key: str, event: str, data: Mapping[str, object]) -> None:
        """Tell a run the outcome of an effect that it waits for."""
        ...

    def event(self, unit: Unit, service: str, customer: str, type: str, data: Mapping[str, Any]) -> None:
        """Let the runs go on that wait for such an event."""
        ...


class Consequences:
    """`dialled` is told of the calls that were placed for entries of call lists."""

    def __init__(
        self,
        *,
        services: Mapping[str, Service],
        ruleset: Ruleset,
        actions: Actions,
        owing: Owing,
        consents: Consents,
        customers: Customers,
        clock: Clock,
        runs: Waking,
        dialled: Callable[[Unit, str, str, Mapping[str, object]], None] | None = None,
    ) -> None:
        self._services = services
        self._ruleset = ruleset
        self._actions = actions
        self._owing = owing
        self._consents = consents
        self._customers = customers
        self._clock = clock
        self._runs = runs
        self._dialled = dialled
        self._depth = 0

    def of_status(self, unit: Unit, message: Message, at: float) -> None:
        """A message has come to its status at that time, Unix seconds."""
        service = self._services.get(message.service)
        url = message.notify_url or (service.notify.status if service else "")
        if url and not message.status.final and service is not None and service.notify.statuses != "all":
            url = ""
        if url:
            callback = message.plan[0].callback
            body = status_body(message, at) if callback is None else delivery_info(message, callback, at)
            self._owing.owe(unit, service=message.service, ref=message.id, url=url, body=body)
        if message.account:
            self._receipts(unit, message, at)
        if message.run:
            self._wake(unit, message)
        if not self._ruleset.concerns(message.service, Trigger.SMS_STATUS):
            return
        seen = variables.status(
            value=str(message.status),
            transid=message.id,
            sender=message.sender,
            recipient=message.recipient,
            correlationid=message.correlationid,
            reason=message.reason,
            code=message.code,
        )
        self.fire(
            unit,
            reached(message, at),
            seen,
            customer=message.recipient,
            number=message.sender,
            body=status_body(message, at),
            hops=message.plan[0].hops,
        )

    def _receipts(self, unit: Unit, message: Message, at: float) -> None:
        """What the account has asked for: of the message, or of each segment that it has submitted."""
        whole = owed(message.receipt_wanted, message.status)
        parts = [n for n, wanted in enumerate(message.part_receipts, 1) if owed(wanted, message.status)]
        if not whole and not parts:
            return
        url = f"{ACCOUNT_SCHEME}:{message.account}"
        body = status_body(message, at)
        if whole:
            form = message.plan[0].form
            tlvs = unpack_tlvs(form.tlvs) if form is not None and form.tlvs else {}
            if reference := tlvs.get(TLV_USER_MESSAGE_REFERENCE):
                body["user_message_reference"] = reference.hex()
            self._owing.owe(unit, service=message.service, ref=message.id, url=url, body=body)
        for part in parts:
            of_part = {**body, "part": part}
            self._owing.owe(unit, service=message.service, ref=message.id, url=url, body=of_part)

    def of_call(self, unit: Unit, event: Event, call: Call) -> None:
        """A call was missed, answered or has ended."""
        inbound = call.direction == "in"
        service = self._services.get(event.service)
        notify = service.notify if service is not None else None
        url = (notify.calls or (notify.inbound if inbound else "")) if notify is not None else ""
        fires = self._ruleset.concerns(event.service, event.type)
        customer, number = (call.caller, call.called) if inbound else (call.called, call.caller)
        if not fires:
            self._runs.event(unit, event.service, customer, event.type, variables.call(call)["call"])
            if not url:
                return
        body: dict[str, object] = {}
        if url or self._ruleset.notifies(event.service, event.type):
            body = {"type": event.type, "timestamp": iso(event.at), **to_builtins(cdr(call))}
        if url:
            self._owing.owe(unit, service=event.service, ref=event.ref, url=url, body=body)
        if fires:
            seen = variables.call(call)
            self.fire(unit, event, seen, customer=customer, number=number, body=body)

    def concerns(self, service: str, event: str) -> bool:
        """Whether a rule of the service looks at such events."""
        return self._ruleset.concerns(service, event)

    def of_click(self, unit: Unit, event: Event, opened: Link, device: str) -> None:
        """A customer has opened a smart link."""
        seen = variables.click(link=opened.name, device=device, count=opened.clicks, ref=opened.ref)
        body = {"to": opened.address, **seen["click"]}
        self.fire(unit, event, seen, customer=opened.address, number="", body=body)

    def fire(
        self,
        unit: Unit,
        event: Event,
        seen: variables.Variables,
        *,
        customer: str,
        number: str,
        body: Mapping[str, object],
        hops: int = 0,
    ) -> None:
        """Let the rules of the event's service act on it.  `hops` is how many, one because of the other, have
        led to it: a message sent by a rule on the failure of another may fail too, and so on for ever."""
        with self._after(hops):
            self._let_act(unit, event, seen, customer, number, body)

    @contextmanager
    def _after(self, hops: int) -> Iterator[None]:
        before, self._depth = self._depth, max(self._depth, hops)
        try:
            yield
        finally:
            self._depth = before

    def _let_act(
        self,
        unit: Unit,
        event: Event,
        seen: variables.Variables,
        customer: str,
        number: str,
        body: Mapping[str, object],
    ) -> None:
        if self._depth >= _LIMIT_DEPTH:
            reason = f"rules have fired rules {_LIMIT_DEPTH} times over; no more of them on this {event.type}"
            transid = seen.get("session", {}).get("transid", event.ref)
            told = {"transid": transid, "service": event.service, "reason": reason}
            log.warning("rules.stopped", extra=told)
            unit.writes.append(
                Event(
                    ref=event.ref,
                    type="rules.stopped",
                    service=event.service,
                    at=event.at,
                    data={"reason": reason},
                )
            )
            return
        with self._after(self._depth + 1):
            self._fire(unit, event, seen, customer, number, body)

    def _fire(
        self,
        unit: Unit,
        event: Event,
        seen: variables.Variables,
        customer: str,
        number: str,
        body: Mapping[str, object],
    ) -> None:
        group = _GROUPS.get(event.type, event.type.partition(".")[0])
        self._runs.event(unit, event.service, customer, event.type, seen.get(group, {}))
        opted_out = bool(self._consents.refusal(event.service, customer))
        seen = seen | variables.subject(
            service=event.service,
            customer=customer,
            opted_out=opted_out,
            known=self._customers.known(event.service, customer),
        )
        if (service := self._services.get(event.service)) is not None and service.links:
            seen |= link.variables(service.links)
        subject = Subject(
            ref=event.ref,
            type=event.type,
            service=event.service,
            customer=customer,
            number=number,
            variables=seen,
            body=body,
            hops=self._depth,
        )
        evaluation = self._ruleset.evaluate(event.service, event.type, seen, self._clock.now())
        for considered in evaluation.considered:
            data = {"rule": considered.rule, "fired": considered.fired, "reason": considered.reason}
            unit.writes.append(
                Event(ref=event.ref, type="rule", service=event.service, at=event.at, data=data)
            )
        for decided in evaluation.decided:
            self._actions.act(unit, decided.action, subject, decided.rule)

    def _wake(self, unit: Unit, message: Message) -> None:
        """The run that sent the message goes on when the step it asked for has been decided."""
        # of a chain, the step that has reached what it was for
        won = next((step for step in message.steps if step.state is StepState.SUCCEEDED), None)
        record, plan = won or message.steps[-1], message.plan[-1]
        data = {
            "transid": message.id,
            "status": str(message.status),
            "result": record.result,
            "reason": message.reason,
            "code": message.code,
            "carrier": message.carrier,
        }
        dialled = None if message.session else self._dialled
        if plan.channel == "voice" and not message.chain:
            taken_back = message.status.final and message.code == CANCELLED
            if taken_back or record.state in (StepState.SUCCEEDED, StepState.FAILED, StepState.SKIPPED):
                result = Result(record.result) if record.result else Result.REJECTED
                event = _CALL_EVENTS.get(result, "error")
                if dialled is not None:
                    dialled(unit, message.run, event, data)
                else:
                    self._runs.effect_done(unit, message.run, message.run_key, event, data)
        elif record.state is StepState.SUCCEEDED:
            self._runs.effect_done(unit, message.run, message.run_key, "success", data)
        elif message.status.final:
            self._runs.effect_done(unit, message.run, message.run_key, "error", data)


def status_body(message: Message, at: float) -> dict[str, object]:
    """The body of the notification that a message has come to its status, at that time."""
    return {
        "type": str(Trigger.SMS_STATUS),
        "transid": message.id,
        "correlationid": message.correlationid,
        "service": message.service,
        "status": str(message.status),
        "final": message.status.final,
        "channel": message.plan[message.step].channel if message.step >= 0 else "",
        "from": message.sender,
        "to": message.recipient,
        **({"session": message.session} if message.session else {}),
        "carrier": message.carrier,
        "code": message.code,
        "reason": message.reason,
        "submitted": iso(message.created_at),
        "timestamp": iso(at),
    }
