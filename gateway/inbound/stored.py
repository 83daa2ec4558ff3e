"""query_sm, cancel_sm and replace_sm: what an account asks about messages that it has submitted before.

ESME_RINVMSGID      no message of this account has the id
ESME_RQUERYFAIL, ESME_RCANCELFAIL, ESME_RREPLACEFAIL
                    it has another source or destination address, a carrier may have it already, or it is
                    a segment whose message is not complete yet

The id of a submit_multi is that of its first message, which query_sm tells of; what is cancelled or replaced
by it is all of them that still wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import UNSET
from msgspec.structs import replace

from gateway.inbound.registered import ASKS
from gateway.inbound.sms import address_of, text_of
from gateway.inbound.submission import Submission
from gateway.inbound.times import TIME_FAULTS, Times, times
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
from gateway.values.ids import message_of
from gateway.values.message import Form, Message
from gateway.values.outcome import Status

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


class Stored:
    """`control` takes back and changes what no carrier has been handed; `load` gives a message as it is;
    `waits(account, id)`: whether that is a segment whose message is not complete yet."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        control: Changing,
        load: Callable[[str], Awaitable[Message | None]],
        waits: Callable[[str, str], bool],
    ) -> None:
        self._store = store
        self._clock = clock
        self._control = control
        self._load = load
        self._waits = waits

    async def query(self, account: str, pdu: QuerySm) -> Response:
        message = await self._own(account, pdu.message_id)
        if message is None:
            if self._incomplete(account, pdu.message_id):
                return QuerySmResp(message_id=pdu.message_id, message_state=MessageState.ENROUTE)
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
        """One message by its id, or all that wait from one address to another, of one service_type if that is
        given (section 4.9.1)."""
        reason = f"cancelled by account {account}"
        if not pdu.message_id:
            found = await self._waiting(account, pdu)
            if pdu.service_type:
                found = [message for message in found if service_type(message) == pdu.service_type]
            done = [await self._control.cancel(message.id, reason) for message in found]
            return CancelSmResp(command_status=0 if any(done) else constants.ESME_RCANCELFAIL)
        named = await self._named(account, pdu.message_id)
        if not named and not self._incomplete(account, pdu.message_id):
            return CancelSmResp(command_status=constants.ESME_RINVMSGID)
        to = _to(pdu) if pdu.destination_addr else ""
        meant = [message for message in named if _from(message, pdu) and (not to or to == message.recipient)]
        done = [await self._control.cancel(message.id, reason) for message in meant]
        return CancelSmResp(command_status=0 if any(done) else constants.ESME_RCANCELFAIL)

    async def replace(self, account: str, pdu: ReplaceSm) -> Response:
        named = await self._named(account, pdu.message_id)
        if not named and not self._incomplete(account, pdu.message_id):
            return ReplaceSmResp(command_status=constants.ESME_RINVMSGID)
        meant = [message for message in named if _from(message, pdu)]
        if not meant:
            return ReplaceSmResp(command_status=constants.ESME_RREPLACEFAIL)
        try:
            when = times(pdu.schedule_delivery_time, pdu.validity_period, self._clock.now())
        except BadInput as error:
            return ReplaceSmResp(command_status=TIME_FAULTS[error.code])
        if not pdu.short_message:
            return ReplaceSmResp(command_status=constants.ESME_RINVMSGLEN)
        # the PDU names no data_coding, header or class: they are those of the message
        form = meant[0].plan[0].form
        if form is not None and form.raw:
            text = pdu.short_message.hex()
            form = replace(form, octets=pdu.short_message, parts=())
        else:
            coding = 0 if gsm.fits(meant[0].text) else int(Coding.UCS2)
            text = text_of(decode(pdu.short_message, coding))
        change = _change(text, form, pdu.registered_delivery, when)
        changed = [await self._control.replace(message.id, change) for message in meant]
        return ReplaceSmResp(command_status=0 if any(changed) else constants.ESME_RREPLACEFAIL)

    async def replace_present(self, account: str, pdu: SubmitSm, wanted: Submission) -> str:
        """replace_if_present_flag: the id of the waiting message that is this one now, "" without one.

        It must be of the same service_type (section 5.2.18).
        """
        change = _change(wanted.text, wanted.form, wanted.registered_delivery, wanted.when)
        for message in await self._waiting(account, pdu):
            if service_type(message) == pdu.service_type and await self._control.replace(message.id, change):
                return message.id
        return ""

    async def withdraw_present(self, account: str, pdu: SubmitSm) -> None:
        """The same for a long message, which has the ids of its segments: what waits is taken back."""
        for message in await self._waiting(account, pdu):
            if service_type(message) == pdu.service_type:
                await self._control.cancel(message.id, f"replaced by account {account}")

    async def _own(self, account: str, message_id: bytes) -> Message | None:
        """By the id that its submit_sm was answered with, be it that of one of its segments."""
        try:
            id = message_id.decode("ascii")
        except UnicodeDecodeError:
            return None
        message = await self._load(id)
        if message is None:
            base = message_of(id)
            message = await self._load(base) if base else None
            if message is not None and not 1 <= int(id[len(base) + 1 :]) <= len(message.part_receipts):
                return None
        return message if message is not None and message.account == account else None

    async def _named(self, account: str, message_id: bytes) -> list[Message]:
        """The message of that id, and the others of the submit_multi that was answered with it, in its
        order."""
        first = await self._own(account, message_id)
        if first is None:
            return []
        others = MessageQuery(direction="mt", correlationid=first.id, limit=_PAGE)
        found: list[Message] = []
        while page := await self._store.messages(others):
            found += [message for message in page if message.account == account]
            others = replace(others, before=page[-1].id)
        return [first, *reversed(found)]

    def _incomplete(self, account: str, message_id: bytes) -> bool:
        return self._waits(account, message_id.decode("latin-1"))

    async def _waiting(self, account: str, pdu: CancelSm | SubmitSm) -> list[Message]:
        """The account's messages from the PDU's source to its destination that have not gone out, oldest
        first."""
        query = MessageQuery(direction="mt", status=str(Status.QUEUED), address=_to(pdu), limit=_PAGE)
        found: list[Message] = []
        if not query.address:  # would ask for everybody's
            return found
        while page := await self._store.messages(query):
            found += page
            query = replace(query, before=page[-1].id)
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


def service_type(message: Message) -> bytes:
    """As it was submitted."""
    form = message.plan[0].form
    return form.service_type.encode("latin-1") if form is not None else b""


def _change(text: str, form: Form | None, registered_delivery: int, when: Times) -> Change:
    return Change(
        text=text,
        form=form,
        receipt_wanted=registered_delivery & ASKS,
        validity_seconds=when.validity_seconds or UNSET,
        not_before=when.not_before or UNSET,
    )
