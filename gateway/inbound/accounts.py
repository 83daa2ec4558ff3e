"""Accounts: peers that bind to our SMPP server.  Their `submit_sm` are requests to send like any other."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import asdict

from gateway.config.model import Account
from gateway.inbound.deliveries import receipt, text
from gateway.inbound.reassembly import Reassembly, Whole
from gateway.inbound.registered import ASKS
from gateway.inbound.sms import Inbound, read, text_of
from gateway.inbound.stored import TIME_FAULTS, Stored, Times, times
from gateway.outbound.accept import Accepting, SendRequest
from gateway.protocol.smpp import constants
from gateway.protocol.smpp.operations import (
    CancelSm,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitMultiResp,
    Unsuccessful,
)
from gateway.protocol.smpp.pdu import DataSm, DeliverSm, Request, Response, SubmitSm
from gateway.store.base import Store, Unit
from gateway.values.address import canonical
from gateway.values.clock import Clock
from gateway.values.errors import BadInput, StoreError, Throttled
from gateway.values.event import Trigger
from gateway.values.message import Message, Part
from gateway.values.work import Notification

log = logging.getLogger(__name__)

REASSEMBLY_SECONDS = 60.0
_REPLACES = 1  # replace_if_present_flag
_AT_ONCE = Times(0.0, 0.0)

_STATUS = {
    "bad_address": constants.ESME_RINVDSTADR,
    "foreign_sender": constants.ESME_RINVSRCADR,
    "no_sender": constants.ESME_RINVSRCADR,
    "empty": constants.ESME_RINVMSGLEN,
    "too_long": constants.ESME_RINVMSGLEN,
    **TIME_FAULTS,
}


def source_name(account: str) -> str:
    """What the reassembly calls an account, so that it never meets a bind of the same name."""
    return f"account:{account}"


class _Wish(NamedTuple):
    registered_delivery: int
    when: Times
    group: str  # the id of the submit_multi that it belongs to


class Accounts:
    """`submit` is the outbound pipeline's; `stored` is about messages submitted before; `deliver` hands a PDU
    to a session of an account that receives and gives the command_status of its answer, or raises when there
    is none."""

    def __init__(
        self,
        *,
        accounts: Mapping[str, Account],
        store: Store,
        clock: Clock,
        accepting: Accepting,
        submit: Callable[[Sequence[SendRequest]], Awaitable[list[Message]]],
        reassembly: Reassembly,
        stored: Stored,
        deliver: Callable[[str, DeliverSm], Awaitable[int]],
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._clock = clock
        self._accepting = accepting
        self._submit = submit
        self._reassembly = reassembly
        self._stored = stored
        self._deliver = deliver

    async def requested(self, account: str, request: Request) -> tuple[int, str] | Response:
        """What to answer to a request of an account, once what it asks for is durable."""
        try:
            match request:
                case SubmitSm() | DataSm():
                    return await self.submitted(account, request)
                case SubmitMulti():
                    return await self._multi(account, request)
                case QuerySm():
                    return await self._stored.query(account, request)
                case CancelSm():
                    return await self._stored.cancel(account, request)
                case ReplaceSm():
                    return await self._stored.replace(account, request)
        except Throttled:
            return constants.ESME_RMSGQFUL, ""
        except StoreError as error:
            log.error("account.not_stored", extra={"account": account, "reason": str(error)})
            return constants.ESME_RSYSERR, ""
        return constants.ESME_RINVCMDID, ""

    async def submitted(self, account: str, pdu: SubmitSm | DataSm, *, group: str = "") -> tuple[int, str]:
        """(command_status, message_id) for a submit_sm or data_sm, once it is durable.

        The parts of a long message are put together and sent as one; receipts speak of its last part's id, or
        of `group`, the id that a submit_multi was answered with.
        """
        inbound = read(pdu)
        try:
            wish = self._wish(pdu, group)
            if inbound.data.concat is None:
                return constants.ESME_ROK, await self._whole(account, pdu, inbound, wish)
            return constants.ESME_ROK, await self._part(account, inbound, wish)
        except BadInput as error:
            log.info("submit_sm.refused", extra={"account": account, "reason": str(error)})
            return _STATUS.get(error.code, constants.ESME_RSUBMITFAIL), ""
        except Throttled:
            return constants.ESME_RMSGQFUL, ""
        except StoreError as error:
            log.error("submit_sm.not_stored", extra={"account": account, "reason": str(error)})
            return constants.ESME_RSYSERR, ""

    async def _multi(self, account: str, pdu: SubmitMulti) -> tuple[int, str] | Response:
        """Each destination is a message.  All their receipts, and the answer, speak of the first one's id."""
        if not pdu.destinations:
            return constants.ESME_RINVNUMDESTS, ""
        fields = asdict(pdu)
        del fields["destinations"]
        id, refused = "", list[Unsuccessful]()
        for destination in pdu.destinations:
            if isinstance(destination, bytes):  # the name of a distribution list, of which we keep none
                refused.append((0, 0, destination, constants.ESME_RINVDLNAME))
                continue
            ton, npi, number = destination
            single = SubmitSm(**fields, dest_addr_ton=ton, dest_addr_npi=npi, destination_addr=number)
            status, own = await self.submitted(account, single, group=id)
            if status != constants.ESME_ROK:
                refused.append((ton, npi, number, status))
            id = id or own
        if not id:
            return refused[0][3], ""
        return SubmitMultiResp(message_id=id.encode(), unsuccessful=tuple(refused))

    async def expire_parts(self) -> None:
        """Send what came of long messages whose other parts never did."""
        unit = Unit()
        for whole in self._reassembly.expire(unit, self._clock.now()):
            self._accept(unit, whole)
        await unit.commit(self._store)

    def _wish(self, pdu: SubmitSm | DataSm, group: str) -> _Wish:
        when = _AT_ONCE
        if isinstance(pdu, SubmitSm) and (pdu.schedule_delivery_time or pdu.validity_period):
            when = times(pdu.schedule_delivery_time, pdu.validity_period, self._clock.now())
        return _Wish(pdu.registered_delivery & ASKS, when, group)

    async def _whole(self, account: str, pdu: SubmitSm | DataSm, inbound: Inbound, wish: _Wish) -> str:
        words = text_of(inbound.data.decode(inbound.data_coding))
        whole = Whole(source_name(account), inbound.sender, inbound.recipient, words, False)
        request = self._request(account, whole, wish)
        if isinstance(pdu, SubmitSm) and pdu.replace_if_present_flag == _REPLACES and words:
            id = await self._stored.replace_present(account, pdu, words, wish.when)
            if id:
                return id
        messages = await self._submit([request])
        return messages[0].id

    async def _part(self, account: str, inbound: Inbound, wish: _Wish) -> str:
        unit = Unit()
        refusal: BadInput | None = None
        id = ""
        for whole in self._reassembly.add(unit, source_name(account), inbound, self._clock.now()):
            if whole.incomplete:  # an earlier one had to make room; this submit_sm is not about it
                self._accept(unit, whole)
                continue
            try:
                id = self._accepting.accept(unit, self._request(account, whole, wish)).id
            except BadInput as error:
                refusal = error  # the parts are done with all the same
        await unit.commit(self._store)
        if refusal is not None:
            raise refusal
        return id or next((write.id for write in unit.writes if isinstance(write, Part)), "")

    def _accept(self, unit: Unit, whole: Whole) -> None:
        """Send a message that nobody waits for an answer about."""
        account = whole.bind.partition(":")[2]
        try:
            self._accepting.accept(unit, self._request(account, whole, _Wish(1, _AT_ONCE, "")))
        except BadInput as error:
            log.warning("submit_sm.parts_dropped", extra={"account": account, "reason": str(error)})

    def _request(self, account: str, whole: Whole, wish: _Wish) -> SendRequest:
        settings = self._accounts.get(account)
        if settings is None:
            raise BadInput(f"there is no account {account!r} any more", field="account")
        senders = [canonical(written) for written in settings.senders]
        if senders and whole.sender and whole.sender not in senders:
            raise BadInput(
                f"{whole.sender!r} is no sender of the account", field="from", code="foreign_sender"
            )
        return SendRequest(
            service=settings.service,
            to=whole.recipient,
            sender=whole.sender or next(iter(senders), ""),
            text=whole.text,
            account=account,
            receipt_wanted=wish.registered_delivery,
            not_before=wish.when.not_before,
            validity_seconds=wish.when.validity_seconds,
            correlationid=wish.group,
        )

    async def deliver(self, notification: Notification) -> str:
        """Carry out a notification to an account: a receipt, or a customer's text.  "" when it was taken.

        A long text goes in parts; one that is refused is tried again as a whole.
        """
        account = notification.url.partition(":")[2]
        body = msgspec.json.decode(notification.body, type=dict[str, Any])
        pdus = text(body) if body["type"] == Trigger.SMS_RECEIVED else [receipt(body)]
        for pdu in pdus:
            status = await self._deliver(account, pdu)
            if status != constants.ESME_ROK:
                return f"deliver_sm_resp 0x{status:08x}"
        return ""
