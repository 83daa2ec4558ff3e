"""What a customer's text comes to, by SMS or in an app: decided, carried out and told, all in one unit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from gateway.config.model import Service
from gateway.directory.consent import Consents
from gateway.directory.customer import Customers
from gateway.inbound.actions import Actions, Subject
from gateway.inbound.listening import Listening
from gateway.observe.about import concerning
from gateway.outbound.accept import Owing
from gateway.rules import decide as rules
from gateway.rules import reserved, variables
from gateway.rules.keywords import Keywords, Match, place_of_app
from gateway.rules.ruleset import Ruleset
from gateway.store.base import Unit
from gateway.values import link
from gateway.values.clock import Clock, iso
from gateway.values.event import Event, Trigger
from gateway.values.message import Message
from gateway.values.otp import Hidden
from gateway.values.outcome import Status

log = logging.getLogger(__name__)

# The text with the code in it that a customer sends back hidden, where there is one
Hide = Callable[[Sequence[str], str, str], Hidden | None]


class Conversing(Protocol):
    """What is needed of the runs."""

    def open_run(self, customer: str, number: str, app_of: str = "") -> str: ...
    def service(self, run: str) -> str: ...
    def message(self, unit: Unit, run: str, subject: Subject) -> None: ...
    def stop(self, unit: Unit, run: str, reason: str) -> None: ...


class _Way(Struct, frozen=True):
    """How a text has come: the place where keywords listen, the event, and whose app it was, "" = an SMS."""

    place: str
    trigger: Trigger
    app_of: str = ""


class Deciding:
    """`listeners(service)` are the URLs of accounts that its SMS go to; `heard_from(service, customer, now)`
    is told who has written; `hide(services, customer, text)` finds one-time passwords."""

    def __init__(
        self,
        *,
        clock: Clock,
        services: Mapping[str, Service],
        keywords: Keywords,
        ruleset: Ruleset,
        consents: Consents,
        customers: Customers,
        actions: Actions,
        owing: Owing,
        runs: Conversing,
        listening: Listening,
        listeners: Callable[[str], Sequence[str]],
        heard_from: Callable[[str, str, float], None],
        hide: Hide,
    ) -> None:
        self._clock = clock
        self._services = services
        self._keywords = keywords
        self._ruleset = ruleset
        self._consents = consents
        self._customers = customers
        self._actions = actions
        self._owing = owing
        self._runs = runs
        self._listening = listening
        self._listeners = listeners
        self._heard_from = heard_from
        self._hide = hide

    def handle(
        self,
        unit: Unit,
        message: Message,
        details: Mapping[str, Any],
        came: variables.Came = variables.SOMEHOW,
    ) -> None:
        """Decide on a message.  If that fails the message is kept as `received`: a defect of ours, or a rule
        that nobody foresaw, must neither lose it nor have the carrier send it for ever.

        `details` are the octets of what is more than its text; `came` says how an SMS came.
        """
        decided = Unit()
        try:
            self._decide(decided, message, details, came)
        except Exception as error:
            decided.take_back()
            log.exception("sms.undecided", extra={"transid": message.id})
            names = self._keywords.services(self._way(message).place)
            hidden = self._hide(names, message.sender, message.text)
            text = hidden.masked if hidden is not None else message.text
            service = names[0] if names else ""
            unit.writes.append(replace(message, service=service, text=text, reason=repr(error)))
        else:
            unit.join(decided)

    def _decide(self, unit: Unit, message: Message, details: Mapping[str, Any], came: variables.Came) -> None:
        sender, recipient, text, way = message.sender, message.recipient, message.text, self._way(message)
        match, services = self._keywords.match(way.place, text), self._keywords.services(way.place)
        hidden = self._hide(services, sender, text)
        read = hidden.masked if hidden is not None else text
        run = self._runs.open_run(sender, recipient, way.app_of)
        with concerning(transid=message.id, session=run):
            heard = self._listening.hear(services, sender, read, message.created_at)
        for name in services:
            self._heard_from(name, sender, message.created_at)
        decision = rules.decide(
            sender=sender,
            recipient=recipient,
            text=text,
            word=self._keywords.reserved(way.place, text),
            match=match,
            services=services,
            ruleset=self._ruleset,
            now=self._clock.now(),
            open_run=run,
            opted_out=[s for s in services if self._consents.refusal(s, sender)],
            known=lambda service: self._customers.known(service, sender),
            heard={name: said.variables for name, said in heard.items()},
            trigger=way.trigger,
            came=came,
        )
        if hidden is not None:
            text = hidden.masked
            message = replace(message, text=text)
            match = replace(match, rest=hidden.mask(match.rest))
            data = {"otp": hidden.otp}
            unit.writes.append(
                Event(
                    ref=message.id, type="otp.said", service=hidden.service, at=message.created_at, data=data
                )
            )
        service = self._service(decision, match, services)
        if suspended := self._suspended(decision, service, services):
            self._park(unit, message, suspended, came)
            return
        said = heard.get(service)
        if said is not None:
            self._listening.note(unit, message.id, service, sender, said)
            if said.rejected and not isinstance(decision, rules.Reserved):
                self._reject(unit, message, service, came)
                return
            if said.masked and hidden is None:
                text, match = said.masked, self._keywords.match(way.place, said.masked)
        message = replace(message, service=service, text=text, status=Status.HANDLED, reason="")
        unit.writes.append(message)
        subject = self._subject(message, way, match, details, hidden, came)
        if said is not None:
            subject = replace(subject, variables={**subject.variables, "nlp": said.variables})
        self._carry_out(unit, decision, subject)
        concerned = decision.services if isinstance(decision, rules.Reserved) else (service,)
        for name in concerned:
            self._tell(unit, subject, name)

    def _way(self, message: Message) -> _Way:
        """A text in an app has come by that app, a carrier's by a bind."""
        settings = self._services.get(message.service)
        if message.carrier == message.recipient and settings is not None and message.carrier in settings.apps:
            place = place_of_app(message.service, message.carrier)
            return _Way(place, Trigger.APP_RECEIVED, message.service)
        return _Way(message.recipient, Trigger.SMS_RECEIVED)

    def _service(self, decision: rules.Decision, match: Match, names: Sequence[str]) -> str:
        """Whose text it is; other services of the number do not get to see it."""
        match decision:
            case rules.Resume():
                return self._runs.service(decision.run)
            case rules.ByRules():
                return decision.decided[0].service
        return match.service or next((name for name in names if self._live(name)), names[0] if names else "")

    def _suspended(self, decision: rules.Decision, service: str, services: Sequence[str]) -> str:
        """The suspended service that the text is, or may be, for; "" if it can be decided on now.

        What a customer says with STOP counts at once, whoever is suspended.
        """
        if isinstance(decision, rules.Reserved):
            return ""
        if isinstance(decision, rules.Nothing):  # a rule of a suspended one might have taken it
            return next((name for name in services if not self._live(name)), "")
        return "" if self._live(service) else service

    def _park(self, unit: Unit, message: Message, service: str, came: variables.Came) -> None:
        reason = f"service {service} is suspended"
        unit.writes.append(replace(message, service=service, status=Status.PARKED, reason=reason))
        if message.status is not Status.PARKED:
            data = {"encoding": came.encoding, "parts": came.parts}
            parked = Event(ref=message.id, type="parked", service=service, at=self._clock.now(), data=data)
            unit.writes.append(parked)

    def _reject(self, unit: Unit, message: Message, service: str, came: variables.Came) -> None:
        """Its words offend, and the service does not answer such: nobody but the store sees it."""
        reason = "its words offend"
        unit.writes.append(replace(message, service=service, status=Status.HANDLED, reason=reason))
        note = {"took": "rejected", "reason": reason}
        unit.writes.append(
            Event(ref=message.id, type="decided", service=service, at=self._clock.now(), data=note)
        )
        if reply := self._listening.reply(service):
            way = self._way(message)
            match = self._keywords.match(way.place, message.text)
            subject = self._subject(replace(message, service=service), way, match, {}, None, came)
            self._actions.reply(unit, reply, subject)

    def _live(self, service: str) -> bool:
        known = self._services.get(service)  # a session may outlive its service
        return known is None or known.status == "live"

    def _carry_out(self, unit: Unit, decision: rules.Decision, subject: Subject) -> None:
        note: dict[str, object]
        match decision:
            case rules.Reserved():
                note = {"took": "reserved", "word": decision.word.kind, "language": decision.word.language}
                self._reserved(unit, decision, subject)
            case rules.Resume():
                note = {"took": "session", "run": decision.run}
                self._runs.message(unit, decision.run, subject)
            case rules.ByKeyword() | rules.Default():
                note = {"took": "keyword", "keyword": decision.match.name, "how": decision.match.how}
                if decision.match.keyword is not None:
                    self._actions.keyword(unit, decision.match.keyword, subject)
            case rules.ByRules():
                note = {"took": "rules", "rules": [d.rule for d in decision.decided]}
                for decided in decision.decided:
                    mine = self._for(subject, decided.service)
                    self._actions.act(unit, decided.action, mine, decided.rule)
            case rules.Nothing():
                note = {"took": "nothing", "reason": decision.reason}
        unit.writes.append(
            Event(ref=subject.ref, type="decided", service=subject.service, at=self._clock.now(), data=note)
        )

    def _reserved(self, unit: Unit, decision: rules.Reserved, subject: Subject) -> None:
        reason = f"texted {subject.body['text']} to {subject.number}"
        for service in decision.services:
            if decision.word.kind == "stop":
                self._actions.consent(
                    unit, self._for(subject, service), opted_out=True, reason=reason, by="keyword"
                )
            elif decision.word.kind == "start":
                self._actions.consent(
                    unit, self._for(subject, service), opted_out=False, reason=reason, by="keyword"
                )
        app_of = subject.service if "app" in subject.variables else ""
        run = self._runs.open_run(subject.customer, subject.number, app_of)
        if decision.word.kind == "stop" and run:
            self._runs.stop(unit, run, reason)
        # regulators want it confirmed at once: of a service that is suspended too, if no other can
        live = [name for name in decision.services if self._live(name)] or decision.services
        service = decision.match.service or reserved.spokesman(decision.word, live, self._services)
        if not service:
            return
        keyword = decision.match.keyword
        if keyword is not None and keyword.reply:
            text = keyword.reply
        else:
            names = ", ".join(self._services[s].name for s in decision.services)
            text = reserved.answer(decision.word, self._services[service], names)
        self._actions.reply(unit, text, self._for(subject, service), consent_exempt=True)

    def _tell(self, unit: Unit, subject: Subject, name: str) -> None:
        """Every text to a service goes to its inbound notify URL and to the accounts that receive its texts,
        whatever else it came to."""
        service = self._services.get(name)
        if service is None:
            return
        listeners = self._listeners(name) if "sms" in subject.variables else ()
        urls = [url for url in (service.notify.inbound, *listeners) if url]
        if not urls:
            return
        head = {"type": subject.type, "transid": subject.ref, "timestamp": iso(self._clock.now())}
        body = {**head, "service": name, **subject.body}
        for url in urls:
            self._owing.owe(unit, service=name, ref=subject.ref, url=url, body=body)

    def _subject(
        self,
        message: Message,
        way: _Way,
        match: Match,
        details: Mapping[str, Any],
        hidden: Hidden | None,
        came: variables.Came,
    ) -> Subject:
        service, sender, recipient = message.service, message.sender, message.recipient
        seen = variables.received(
            way.trigger, sender=sender, recipient=recipient, text=message.text, match=match, came=came
        )
        if hidden is not None:
            for fields in seen.values():
                fields |= {name: hidden.spoken(fields[name]) for name in ("text", "rest")}
        seen |= self._who(service, sender)
        if (settings := self._services.get(service)) is not None and settings.links:
            seen |= link.variables(settings.links)
        return Subject(
            ref=message.id,
            type=str(way.trigger),
            service=service,
            customer=sender,
            number=recipient,
            variables=seen,
            body={
                "from": sender,
                "to": recipient,
                "text": message.text,
                "keyword": match.name if match.by_word else "",
                **details,
            },
        )

    def _who(self, service: str, customer: str) -> variables.Variables:
        return variables.subject(
            service=service,
            customer=customer,
            opted_out=bool(self._consents.refusal(service, customer)),
            known=self._customers.known(service, customer),
        )

    def _for(self, subject: Subject, service: str) -> Subject:
        """The same, seen by another service of the number."""
        return Subject(
            ref=subject.ref,
            type=subject.type,
            service=service,
            customer=subject.customer,
            number=subject.number,
            variables={**subject.variables, **self._who(service, subject.customer)},
            body=subject.body,
        )
