"""The inbound spine: decode -> reassemble -> decide -> one commit -> answer the carrier -> act."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from msgspec.structs import replace

from gateway.config.model import Bind, Service
from gateway.directory.consent import Consents
from gateway.directory.customer import Customers
from gateway.inbound import sms
from gateway.inbound.actions import Actions, Subject
from gateway.inbound.later import Later
from gateway.inbound.listening import Listening
from gateway.inbound.reassembly import Reassembly, Whole
from gateway.observe.about import concerning
from gateway.outbound.accept import Owing
from gateway.protocol.smpp import constants
from gateway.protocol.smpp.pdu import DataSm, DeliverSm
from gateway.protocol.sms.coding import ALPHABETS
from gateway.protocol.sms.reassembly import Payload
from gateway.rules import decide as rules
from gateway.rules import reserved, variables
from gateway.rules.keywords import Keywords, Match
from gateway.rules.ruleset import Ruleset
from gateway.store.base import Store, Unit
from gateway.values import link
from gateway.values.address import masked
from gateway.values.clock import Clock, iso
from gateway.values.errors import StoreError, Throttled
from gateway.values.event import Event, Trigger
from gateway.values.ids import NewId
from gateway.values.message import Message, Receipt
from gateway.values.outcome import Status

log = logging.getLogger(__name__)

OCTETS = "sms.octets"  # the event that keeps what is more than a message's text
_TAKEN_UP = 10_000  # undecided messages that a start looks at
_AT_ONCE = 500  # parked messages read together


class Conversing(Protocol):
    """What the spine needs of the runs."""

    def open_run(self, customer: str, number: str) -> str: ...
    def service(self, run: str) -> str: ...
    def message(self, unit: Unit, run: str, subject: Subject) -> None: ...
    def stop(self, unit: Unit, run: str, reason: str) -> None: ...


class Receipts(Protocol):
    async def apply(
        self,
        unit: Unit,
        receipt: Receipt,
        recipient: str,
        sender: str,
        details: Mapping[str, str],
        other_id: str = "",
    ) -> None:
        """Match a receipt (its message's recipient and sender are canonical) and let the chain judge it.

        `details` is what else it tells, for the transaction log; `other_id` the second id that it names.
        """
        ...


class InboundPipeline:
    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        new_id: NewId,
        binds: Mapping[str, Bind],
        services: Mapping[str, Service],
        keywords: Keywords,
        ruleset: Ruleset,
        consents: Consents,
        customers: Customers,
        actions: Actions,
        owing: Owing,
        runs: Conversing,
        reassembly: Reassembly,
        receipts: Receipts,
        listening: Listening,
        listeners: Callable[[str], Sequence[str]] = lambda service: (),
        heard_from: Callable[[str, str, float], None] = lambda service, customer, now: None,
    ) -> None:
        """`listeners(service)` are the URLs of accounts that its texts go to; `heard_from(service, customer,
        now)` is told who has written."""
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._binds = binds
        self._services = services
        self._keywords = keywords
        self._ruleset = ruleset
        self._consents = consents
        self._customers = customers
        self._actions = actions
        self._owing = owing
        self._runs = runs
        self._reassembly = reassembly
        self._receipts = receipts
        self._listening = listening
        self._listeners = listeners
        self._heard_from = heard_from
        self._later = Later()

    def deliver(self, bind: str, pdu: DeliverSm | DataSm, told: Callable[[int | Exception], None]) -> None:
        """Take what a carrier brings; `told` the command_status to answer with, once it is durable."""
        unit = Unit()
        self._later.run(self._read(unit, bind, pdu), partial(self._was_read, unit, bind, told))

    def _was_read(
        self, unit: Unit, bind: str, told: Callable[[int | Exception], None], error: Exception | None
    ) -> None:
        if error is None:
            try:
                unit.commit_soon(self._store, partial(self._answer, bind, told))
                return
            except Throttled as refusal:
                error = refusal
        else:
            unit.take_back()
        self._answer(bind, told, error)

    def _answer(self, bind: str, told: Callable[[int | Exception], None], error: Exception | None) -> None:
        if error is None:
            told(constants.ESME_ROK)
        elif isinstance(error, StoreError | Throttled):
            log.warning("deliver_sm.refused", extra={"bind": bind, "reason": str(error)})
            told(constants.ESME_RX_T_APPN)  # the SMSC keeps it and tries again
        else:
            told(error)

    async def _read(self, unit: Unit, bind: str, pdu: DeliverSm | DataSm) -> None:
        now = self._clock.now()
        news = sms.read_receipt(pdu, self._binds[bind], bind, self._new_id(), now)
        if news is not None:
            # a receipt travels against its message: its source is the message's recipient
            recipient, sender = sms.addresses(pdu)
            await self._receipts.apply(unit, news.receipt, recipient, sender, news.details, news.other_id)
        elif sms.is_receipt(pdu):
            # nobody wrote this: taken for a text it would be answered, and the answer bring the next one
            log.warning("receipt.unreadable", extra={"bind": bind})
        else:
            self._text(unit, bind, sms.read_mo(pdu), now)

    def _text(self, unit: Unit, bind: str, inbound: sms.Inbound, now: float) -> None:
        if inbound.data.fault:
            log.warning("deliver_sm.header_fault", extra={"bind": bind, "reason": inbound.data.fault})
        alphabet = ALPHABETS[self._binds[bind].default_alphabet]
        data = inbound.data
        if data.concat is None:
            decoded = data.decode(inbound.data_coding, alphabet)
            payload = Payload(data.octets, inbound.data_coding, header=data.header)
            whole = Whole(
                bind=bind,
                sender=inbound.sender,
                recipient=inbound.recipient,
                text=sms.text_of(decoded),
                as_is=sms.as_is([payload], unreadable=sms.unreadable(decoded)),
            )
            self.received(unit, whole)
            return
        _, wholes = self._reassembly.add(unit, bind, inbound, now)
        for whole in wholes:
            self.received(unit, whole)

    async def expire_parts(self) -> None:
        """Deliver what came of long messages whose other parts did not come in time."""
        unit = Unit()
        try:
            for whole in self._reassembly.expire(unit, self._clock.now()):
                self.received(unit, whole)
        except BaseException:
            unit.take_back()
            raise
        await unit.commit(self._store)

    def received(self, unit: Unit, whole: Whole) -> None:
        """A whole MO: decide what it comes to, and write both."""
        now = self._clock.now()
        message = Message(
            id=self._new_id(),
            direction="mo",
            service="",
            sender=whole.sender,
            recipient=whole.recipient,
            text=whole.text,
            status=Status.RECEIVED,
            carrier=whole.bind,
            incomplete=whole.incomplete,
            created_at=now,
            updated_at=now,
        )
        if log.isEnabledFor(logging.INFO):
            session = self._runs.open_run(message.sender, message.recipient)
            unit.acts.append(partial(_log_received, message, session))
        details = whole.as_is.details if whole.as_is is not None else {}
        if details:
            unit.writes.append(Event(ref=message.id, type=OCTETS, service="", at=now, data=details))
        self._handle(unit, message, details)

    async def take_up(self) -> None:
        """Decide again on what could not be decided before a restart: a defect may have been mended."""
        for message in await self._store.unhandled(_TAKEN_UP):
            unit = Unit()
            self._handle(unit, message, await self._octets(message))
            await unit.commit(self._store)

    async def resume(self, service: str) -> None:
        """Decide on the texts that were parked while the service was suspended, oldest first."""
        event = Event(ref=service, type="service.live", service=service, at=self._clock.now())
        await self._store.commit([event])  # behind it the store holds all that was parked
        while parked := await self._store.parked(service, _AT_ONCE):
            for message in parked:
                unit = Unit()
                self._handle(unit, message, await self._octets(message))
                await unit.commit(self._store)

    async def _octets(self, message: Message) -> Mapping[str, Any]:
        events = await self._store.events(message.id)
        return next((event.data for event in events if event.type == OCTETS), {})

    def _handle(self, unit: Unit, message: Message, details: Mapping[str, Any]) -> None:
        """Decide on a message.  If that fails the message is kept as `received`: a defect of ours, or a rule
        that nobody foresaw, must neither lose it nor have the carrier send it for ever.

        `details` are the octets of what is more than its text.
        """
        decided = Unit()
        try:
            self._decide(decided, message, details)
        except Exception as error:
            decided.take_back()
            log.exception("sms.undecided", extra={"transid": message.id})
            names = self._keywords.services(message.recipient)
            unit.writes.append(replace(message, service=names[0] if names else "", reason=repr(error)))
        else:
            unit.join(decided)

    def _decide(self, unit: Unit, message: Message, details: Mapping[str, Any]) -> None:
        sender, recipient, text = message.sender, message.recipient, message.text
        match, services = self._keywords.match(recipient, text), self._keywords.services(recipient)
        run = self._runs.open_run(sender, recipient)
        with concerning(transid=message.id, session=run):
            heard = self._listening.hear(services, sender, text, message.created_at)
        for name in services:
            self._heard_from(name, sender, message.created_at)
        decision = rules.decide(
            sender=sender,
            recipient=recipient,
            text=text,
            word=self._keywords.reserved(recipient, text),
            match=match,
            services=services,
            ruleset=self._ruleset,
            now=self._clock.now(),
            open_run=run,
            opted_out=[s for s in services if self._consents.refusal(s, sender)],
            known=lambda service: self._customers.known(service, sender),
            heard={name: said.variables for name, said in heard.items()},
        )
        service = self._service(decision, match, recipient)
        if suspended := self._suspended(decision, service, services):
            self._park(unit, message, suspended)
            return
        said = heard.get(service)
        if said is not None:
            self._listening.note(unit, message.id, service, sender, said)
            if said.rejected and not isinstance(decision, rules.Reserved):
                self._reject(unit, message, service)
                return
            if said.masked:
                text, match = said.masked, self._keywords.match(recipient, said.masked)
        unit.writes.append(replace(message, service=service, text=text, status=Status.HANDLED, reason=""))
        subject = self._subject(message.id, service, sender, recipient, text, match, details)
        if said is not None:
            subject = replace(subject, variables={**subject.variables, "nlp": said.variables})
        self._carry_out(unit, decision, subject)
        concerned = decision.services if isinstance(decision, rules.Reserved) else (service,)
        for name in concerned:
            self._tell(unit, subject, name)

    def _service(self, decision: rules.Decision, match: Match, recipient: str) -> str:
        """Whose text it is; other services of the number do not get to see it."""
        match decision:
            case rules.Resume():
                return self._runs.service(decision.run)
            case rules.ByRules():
                return decision.decided[0].service
        names = self._keywords.services(recipient)
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

    def _park(self, unit: Unit, message: Message, service: str) -> None:
        reason = f"service {service} is suspended"
        unit.writes.append(replace(message, service=service, status=Status.PARKED, reason=reason))
        if message.status is not Status.PARKED:
            parked = Event(ref=message.id, type="parked", service=service, at=self._clock.now())
            unit.writes.append(parked)

    def _reject(self, unit: Unit, message: Message, service: str) -> None:
        """Its words offend, and the service does not answer such: nobody but the store sees it."""
        reason = "its words offend"
        unit.writes.append(replace(message, service=service, status=Status.HANDLED, reason=reason))
        note = {"took": "rejected", "reason": reason}
        unit.writes.append(
            Event(ref=message.id, type="decided", service=service, at=self._clock.now(), data=note)
        )
        if reply := self._listening.reply(service):
            match = self._keywords.match(message.recipient, message.text)
            subject = self._subject(
                message.id, service, message.sender, message.recipient, message.text, match, {}
            )
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
                    self._actions.act(unit, decided.action, self._for(subject, decided.service))
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
        run = self._runs.open_run(subject.customer, subject.number)
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
        urls = [url for url in (service.notify.inbound, *self._listeners(name)) if url]
        if not urls:
            return
        head = {"type": subject.type, "transid": subject.ref, "timestamp": iso(self._clock.now())}
        body = {**head, "service": name, **subject.body}
        for url in urls:
            self._owing.owe(unit, service=name, ref=subject.ref, url=url, body=body)

    def _subject(
        self,
        id: str,
        service: str,
        sender: str,
        recipient: str,
        text: str,
        match: Match,
        details: Mapping[str, Any],
    ) -> Subject:
        seen = variables.sms(sender=sender, recipient=recipient, text=text, match=match)
        seen |= self._who(service, sender)
        if (settings := self._services.get(service)) is not None and settings.links:
            seen |= link.variables(settings.links)
        return Subject(
            ref=id,
            type=str(Trigger.SMS_RECEIVED),
            service=service,
            customer=sender,
            number=recipient,
            variables=seen,
            body={
                "from": sender,
                "to": recipient,
                "text": text,
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


def _log_received(message: Message, session: str) -> None:
    with concerning(transid=message.id, session=session):
        sides = {"from": masked(message.sender), "to": message.recipient}
        log.info("sms.received", extra={"bind": message.carrier, **sides})
