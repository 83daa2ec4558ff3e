"""The inbound spine: decode -> reassemble -> decide -> one commit -> answer the carrier -> act."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from gateway.config.model import Bind, Service
from gateway.directory.consent import Consents
from gateway.directory.customer import Customers
from gateway.inbound import sms
from gateway.inbound.actions import Actions
from gateway.inbound.deciding import Conversing, Deciding, Hide
from gateway.inbound.later import Later
from gateway.inbound.listening import Listening
from gateway.inbound.reassembly import Reassembly, Whole
from gateway.observe.about import concerning
from gateway.outbound.accept import Owing
from gateway.protocol.smpp import constants
from gateway.protocol.smpp.pdu import DataSm, DeliverSm
from gateway.protocol.sms.coding import ALPHABETS
from gateway.protocol.sms.reassembly import Payload
from gateway.protocol.sms.segments import count
from gateway.rules.keywords import Keywords
from gateway.rules.ruleset import Ruleset
from gateway.rules.variables import Came
from gateway.store.base import Store, Unit
from gateway.values.address import masked
from gateway.values.clock import Clock
from gateway.values.errors import StoreError, Throttled
from gateway.values.event import Event
from gateway.values.ids import NewId
from gateway.values.message import Message, Receipt
from gateway.values.outcome import Status

log = logging.getLogger(__name__)

OCTETS = "sms.octets"  # the event that keeps what is more than a message's text
_TAKEN_UP = 10_000  # undecided messages that a start looks at
_AT_ONCE = 500  # parked messages read together


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
        hide: Hide = lambda services, customer, text: None,
    ) -> None:
        """`listeners`, `heard_from` and `hide` are those of Deciding."""
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._binds = binds
        self._reassembly = reassembly
        self._receipts = receipts
        self._runs = runs
        self.deciding = Deciding(
            clock=clock,
            services=services,
            keywords=keywords,
            ruleset=ruleset,
            consents=consents,
            customers=customers,
            actions=actions,
            owing=owing,
            runs=runs,
            listening=listening,
            listeners=listeners,
            heard_from=heard_from,
            hide=hide,
        )
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
                data_coding=inbound.data_coding,
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
        encoding = sms.encoding(whole.data_coding, ALPHABETS[self._binds[whole.bind].default_alphabet])
        self.deciding.handle(unit, message, details, Came(encoding, whole.parts, whole.bind, now))

    async def take_up(self) -> None:
        """Decide again on what could not be decided before a restart: a defect may have been mended."""
        for message in await self._store.unhandled(_TAKEN_UP):
            unit = Unit()
            self.deciding.handle(unit, message, *await self._again(message))
            await unit.commit(self._store)

    async def resume(self, service: str) -> None:
        """Decide on the texts that were parked while the service was suspended, oldest first."""
        event = Event(ref=service, type="service.live", service=service, at=self._clock.now())
        await self._store.commit([event])  # behind it the store holds all that was parked
        while parked := await self._store.parked(service, _AT_ONCE):
            for message in parked:
                unit = Unit()
                self.deciding.handle(unit, message, *await self._again(message))
                await unit.commit(self._store)

    async def _again(self, message: Message) -> tuple[Mapping[str, Any], Came]:
        """The octets of a message that is in the store, and how it came: where that was not noted, as a
        message with this text does."""
        noted = {event.type: event.data for event in await self._store.events(message.id)}
        coding, parts = count(message.text)
        came = {"encoding": coding.name.lower(), "parts": parts, **noted.get("parked", {})}
        return noted.get(OCTETS, {}), Came(**came, bind=message.carrier, time=message.created_at)


def _log_received(message: Message, session: str) -> None:
    with concerning(transid=message.id, session=session):
        sides = {"from": masked(message.sender), "to": message.recipient}
        log.info("sms.received", extra={"bind": message.carrier, **sides})
