"""What keywords and rules ask for, turned into messages, runs, notifications and consent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Struct

from gateway.config.model import Action, Dial, Keyword, Raise, Send
from gateway.directory.consent import Consents
from gateway.directory.customer import Customers
from gateway.inbound.custom import CustomEvents, Occurrence
from gateway.outbound.accept import Accepting, Owing, SendRequest
from gateway.store.base import Unit
from gateway.values.clock import Clock, iso
from gateway.values.errors import BadInput
from gateway.values.event import Event, Trigger
from gateway.values.message import Consent
from gateway.values.outcome import Result
from gateway.values.variables import flat, render

log = logging.getLogger(__name__)


class Subject(Struct, frozen=True, kw_only=True):
    """What an action is about: the event `ref` of `service`, the customer and our number, `variables` nested
    as rules.variables has them, and `body` for notify URLs."""

    ref: str
    type: str
    service: str
    customer: str
    number: str
    variables: Mapping[str, Any]
    body: Mapping[str, Any] = {}
    hops: int = 0  # how many rules, one because of the other, have led to it

    @property
    def transid(self) -> str:
        """The transaction that it belongs to: its own, or that which began the session that has ended."""
        if self.type == Trigger.SESSION_ENDED:
            return str(self.variables["session"]["transid"])
        return self.ref


class Starting(Protocol):
    def start(self, unit: Unit, flow: str, subject: Subject) -> object:
        """Begin a run of a flow of the subject's service.  Raises BadInput."""
        ...


class Actions:
    def __init__(
        self,
        *,
        accepting: Accepting,
        owing: Owing,
        consents: Consents,
        customers: Customers,
        events: CustomEvents,
        runs: Starting,
        clock: Clock,
    ) -> None:
        self._accepting = accepting
        self._owing = owing
        self._consents = consents
        self._customers = customers
        self._events = events
        self._runs = runs
        self._clock = clock

    def keyword(self, unit: Unit, keyword: Keyword, subject: Subject) -> None:
        """Answer a text that a keyword, or a default, took.  Its notify URL gets every text anyway."""
        if keyword.reply:
            self.reply(unit, keyword.reply, subject)
        if keyword.flow:
            self._try(unit, subject, lambda: self._runs.start(unit, keyword.flow, subject))
        if keyword.chain:
            self._try(unit, subject, lambda: self._chain(unit, keyword.chain, subject.customer, {}, subject))

    def act(self, unit: Unit, action: Action, subject: Subject, rule: str) -> None:
        """Do what a rule, by its name, says."""
        if action.send is not None:
            send = action.send
            self._try(unit, subject, lambda: self._send(unit, send, subject))
        if action.reply:
            self.reply(unit, action.reply, subject)
        if action.flow:
            self._try(unit, subject, lambda: self._runs.start(unit, action.flow, subject))
        if action.chain is not None:
            chain = action.chain
            self._try(
                unit,
                subject,
                lambda: self._chain(
                    unit, chain.name, render(chain.to, subject.variables), chain.variables, subject
                ),
            )
        if action.call is not None:
            call = action.call
            self._try(unit, subject, lambda: self._call(unit, call, subject))
        if action.notify:
            self._notify(unit, action.notify, subject)
        if action.event is not None:
            event = action.event
            self._try(unit, subject, lambda: self._raise(unit, event, subject))
        if action.profile:
            self._try(unit, subject, lambda: self._profile(unit, action.profile, subject))
        if action.opt:
            self.consent(
                unit,
                subject,
                opted_out=action.opt == "out",
                channel=action.channel,
                reason=f"the rule {rule} on {subject.type}",
                by="rule",
            )

    def reply(self, unit: Unit, text: str, subject: Subject, *, consent_exempt: bool = False) -> None:
        """Text the customer back, from the number or by the app that they wrote to; after a call from the
        service's SMS asset."""
        self._try(unit, subject, lambda: self._reply(unit, text, subject, consent_exempt))

    def consent(
        self, unit: Unit, subject: Subject, *, opted_out: bool, reason: str, by: str, channel: str = ""
    ) -> None:
        """Note what the customer has said about the subject's service, by every channel or by one; `by` is
        what tells of it: keyword, rule."""
        self._try(unit, subject, lambda: self._consent(unit, subject, opted_out, reason, by, channel))

    def _reply(self, unit: Unit, text: str, subject: Subject, consent_exempt: bool) -> None:
        answers = "sms" in subject.variables or "app" in subject.variables
        self._accepting.accept(
            unit,
            SendRequest(
                service=subject.service,
                to=subject.customer,
                sender=subject.number if answers else "",
                channel="app" if "app" in subject.variables else "sms",
                text=render(text, subject.variables),
                consent_exempt=consent_exempt,
                hops=subject.hops,
            ),
        )

    def _consent(
        self, unit: Unit, subject: Subject, opted_out: bool, reason: str, by: str, channel: str
    ) -> None:
        if not subject.customer:
            raise BadInput("nobody is known to opt in or out: the number is withheld", field="opt")
        now = self._clock.now()
        consent = Consent(
            service=subject.service,
            channel=channel,
            address=subject.customer,
            opted_out=opted_out,
            reason=reason,
            by=by,
            ref=subject.ref,
            at=now,
        )
        self._consents.record(unit, consent)
        what = "consent.opted_out" if opted_out else "consent.opted_in"
        data = {"reason": reason, "channel": channel}
        unit.writes.append(Event(ref=subject.ref, type=what, service=subject.service, at=now, data=data))

    def _send(self, unit: Unit, send: Send, subject: Subject) -> None:
        self._accepting.accept(
            unit,
            SendRequest(
                service=subject.service,
                to=render(send.to, subject.variables),
                channel=send.channel,
                sender=render(send.sender, subject.variables),
                text=render(send.text, subject.variables),
                template=send.template,
                variables=flat(subject.variables),
                hops=subject.hops,
            ),
        )

    def _call(self, unit: Unit, call: Dial, subject: Subject) -> None:
        self._accepting.accept(
            unit,
            SendRequest(
                service=subject.service,
                to=render(call.to, subject.variables),
                channel="voice",
                sender=render(call.sender, subject.variables),
                text=render(call.text, subject.variables),
                template=call.template,
                variables=flat(subject.variables),
                until=Result.ANSWERED,
                hops=subject.hops,
            ),
        )

    def _raise(self, unit: Unit, event: Raise, subject: Subject) -> None:
        outcome = self._events.happen(
            unit,
            Occurrence(
                service=subject.service,
                name=event.name,
                parameters={name: render(text, subject.variables) for name, text in event.parameters.items()},
                customer=subject.customer,
                number=subject.number,
                by="rule",
            ),
        )
        data = {"event": event.name, "id": outcome.id}
        self._note(unit, subject, "custom.raised", data)

    def _profile(self, unit: Unit, attributes: Mapping[str, str], subject: Subject) -> None:
        if not subject.customer:
            raise BadInput("whose profile it is is not known: the number is withheld", field="profile")
        values = {name: render(text, subject.variables) or None for name, text in attributes.items()}
        self._customers.set(unit, subject.service, subject.customer, values, self._clock.now())
        self._note(unit, subject, "customer.changed", {"attributes": list(values)})

    def _note(self, unit: Unit, subject: Subject, type: str, data: dict[str, Any]) -> None:
        now = self._clock.now()
        unit.writes.append(Event(ref=subject.ref, type=type, service=subject.service, at=now, data=data))

    def _chain(self, unit: Unit, name: str, to: str, variables: Mapping[str, str], subject: Subject) -> None:
        given = {key: render(value, subject.variables) for key, value in variables.items()}
        self._accepting.accept(
            unit,
            SendRequest(
                service=subject.service,
                to=to,
                chain=name,
                variables=flat(subject.variables) | given,
                hops=subject.hops,
            ),
        )

    def _notify(self, unit: Unit, url: str, subject: Subject) -> None:
        body = {
            "type": subject.type,
            "transid": subject.transid,
            "service": subject.service,
            "timestamp": iso(self._clock.now()),
            **subject.body,
        }
        self._owing.owe(unit, service=subject.service, ref=subject.ref, url=url, body=body)

    def _try(self, unit: Unit, subject: Subject, act: Callable[[], object]) -> None:
        """One action that cannot be done does not stop the others: the transaction log says why."""
        try:
            act()
        except BadInput as error:
            log.warning(
                "action.failed",
                extra={"transid": subject.transid, "service": subject.service, "reason": str(error)},
            )
            self._note(unit, subject, "action.failed", {"reason": str(error)})
