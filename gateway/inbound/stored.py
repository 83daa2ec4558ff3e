"""query_sm, cancel_sm and replace_sm: what an account asks about messages that it has submitted before.

ESME_RINVMSGID      no message of this account has the id
ESME_RQUERYFAIL, ESME_RCANCELFAIL, ESME_RREPLACEFAIL
                    it has another source or destination address, or a carrier may have it already
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from msgspec import UNSET

from gateway.inbound.sms import address_of, text_of
from gateway.outbound.accept import CANCELLED, Change, Changing
from gateway.protocol.smpp import constants, timestamp
from gateway.protocol.smpp.operations import (
    CancelSm,
    CancelSmResp,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
)
from gateway.protocol.smpp.pdu import Response, SubmitSm
from gateway.protocol.smpp.receipt import MessageState
from gateway.protocol.sms import gsm
from gateway.protocol.sms.coding import Coding, decode
from gateway.store.base import MessageQuery, Store
from gateway.values.clock import Clock
from gateway.values.errors import BadInput
from gateway.values.message import Message
from gateway.values.outcome import Status

LONGEST_SECONDS = 366 * 86400.0
TIME_FAULTS = {"bad_schedule": constants.ESME_RINVSCHED, "bad_validity": constants.ESME_RINVEXPIRY}
_PAGE = 200
_STATES = {
    Status.QUEUED: MessageState.ENROUTE,
    Status.SENT: MessageState.ENROUTE,
    Status.DELIVERED: MessageState.DELIVERED,
    Status.ANSWERED: MessageState.DELIVERED,
    Status.EXPIRED: MessageState.EXPIRED,
    Status.IN_DOUBT: MessageState.UNKNOWN,
}


def state_of(status: Status, code: str) -> MessageState:
    """message_state of a message that an account has submitted."""
    if status is Status.FAILED and code == CANCELLED:
        return MessageState.DELETED
    return _STATES.get(status, MessageState.UNDELIVERABLE)


class Times(NamedTuple):
    """When a message goes out, and for how long from then on it is tried; 0 = at once, without an end."""

    not_before: float
    validity_seconds: float


def times(schedule_delivery_time: bytes, validity_period: bytes, now: float) -> Times:
    """Raises BadInput with code "bad_schedule" or "bad_validity"."""
    try:
        start = timestamp.read(schedule_delivery_time, now)
    except ValueError as error:
        raise BadInput(str(error), field="schedule_delivery_time", code="bad_schedule") from None
    if start is not None and not now <= start <= now + LONGEST_SECONDS:
        raise BadInput("not within 366 days from now", field="schedule_delivery_time", code="bad_schedule")
    try:
        end = timestamp.read(validity_period, now)
    except ValueError as error:
        raise BadInput(str(error), field="validity_period", code="bad_validity") from None
    if end is None:
        return Times(start or 0.0, 0.0)
    seconds = end - (start or now)
    if seconds <= 0:
        raise BadInput("over before it begins", field="validity_period", code="bad_validity")
    return Times(start or 0.0, min(seconds, LONGEST_SECONDS))


class Stored:
    """`control` takes back and changes what no carrier has been handed; `load` gives a message as it is."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        control: Changing,
        load: Callable[[str], Awaitable[Message | None]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._control = control
        self._load = load

    async def query(self, account: str, pdu: QuerySm) -> Response:
        message = await self._own(account, pdu.message_id)
        if message is None:
            return QuerySmResp(command_status=constants.ESME_RINVMSGID)
        if not _from(message, pdu):
            return QuerySmResp(command_status=constants.ESME_RQUERYFAIL)
        code = message.code
        return QuerySmResp(
            message_id=pdu.message_id,
            final_date=timestamp.absolute(message.updated_at) if message.status.final else b"",
            message_state=state_of(message.status, code),
            error_code=int(code) if code.isascii() and code.isdigit() and int(code) < 256 else 0,
        )

    async def cancel(self, account: str, pdu: CancelSm) -> Response:
        """One message by its id, or all that wait from one address to another (section 4.9.1)."""
        reason = f"cancelled by account {account}"
        if not pdu.message_id:
            found = await self._waiting(account, pdu)
            done = [await self._control.cancel(message.id, reason) for message in found]
            return CancelSmResp(command_status=0 if any(done) else constants.ESME_RCANCELFAIL)
        message = await self._own(account, pdu.message_id)
        if message is None:
            return CancelSmResp(command_status=constants.ESME_RINVMSGID)
        meant = _from(message, pdu) and (not pdu.destination_addr or _to(pdu) == message.recipient)
        if not meant or not await self._control.cancel(message.id, reason):
            return CancelSmResp(command_status=constants.ESME_RCANCELFAIL)
        return CancelSmResp()

    async def replace(self, account: str, pdu: ReplaceSm) -> Response:
        message = await self._own(account, pdu.message_id)
        if message is None:
            return ReplaceSmResp(command_status=constants.ESME_RINVMSGID)
        if not _from(message, pdu):
            return ReplaceSmResp(command_status=constants.ESME_RREPLACEFAIL)
        try:
            when = times(pdu.schedule_delivery_time, pdu.validity_period, self._clock.now())
        except BadInput as error:
            return ReplaceSmResp(command_status=TIME_FAULTS[error.code])
        # the PDU names no data_coding: it is that of the message
        coding = 0 if gsm.fits(message.text) else int(Coding.UCS2)
        text = text_of(decode(pdu.short_message, coding))
        if not text:
            return ReplaceSmResp(command_status=constants.ESME_RINVMSGLEN)
        change = _change(text, pdu.registered_delivery, when)
        changed = await self._control.replace(message.id, change)
        return ReplaceSmResp(command_status=0 if changed else constants.ESME_RREPLACEFAIL)

    async def replace_present(self, account: str, pdu: SubmitSm, text: str, when: Times) -> str:
        """replace_if_present_flag: the id of the waiting message that is this one now, "" without one."""
        change = _change(text, pdu.registered_delivery, when)
        for message in await self._waiting(account, pdu):
            if await self._control.replace(message.id, change):
                return message.id
        return ""

    async def _own(self, account: str, message_id: bytes) -> Message | None:
        try:
            message = await self._load(message_id.decode("ascii"))
        except UnicodeDecodeError:
            return None
        return message if message is not None and message.account == account else None

    async def _waiting(self, account: str, pdu: CancelSm | SubmitSm) -> list[Message]:
        """The account's messages from the PDU's source to its destination that have not gone out, oldest
        first."""
        query = MessageQuery(direction="mt", status=str(Status.QUEUED), address=_to(pdu), limit=_PAGE)
        found = await self._store.messages(query)
        return [
            message
            for message in reversed(found)
            if message.account == account and message.recipient == query.address and _from(message, pdu)
        ]


def _from(message: Message, pdu: QuerySm | CancelSm | ReplaceSm | SubmitSm) -> bool:
    """Whether the PDU's source is that of the message; the service's own where it names none."""
    return not pdu.source_addr or address_of(pdu.source_addr, pdu.source_addr_ton) == message.sender


def _to(pdu: CancelSm | SubmitSm) -> str:
    return address_of(pdu.destination_addr, pdu.dest_addr_ton)


def _change(text: str, registered_delivery: int, when: Times) -> Change:
    return Change(
        text=text,
        receipt_wanted=registered_delivery,
        validity_seconds=when.validity_seconds or UNSET,
        not_before=when.not_before or UNSET,
    )
