"""Accounts: peers that bind to our SMPP server.  Their `submit_sm` are requests to send like any other."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from gateway.config.model import Account
from gateway.inbound.reassembly import Reassembly, Whole
from gateway.inbound.sms import Inbound, read, text_of
from gateway.outbound.accept import Accepting, SendRequest
from gateway.protocol.smpp import constants
from gateway.protocol.smpp.pdu import DeliverSm, SubmitSm
from gateway.protocol.smpp.receipt import MessageState, format_receipt
from gateway.protocol.sms.coding import decode
from gateway.store.base import Store, Unit
from gateway.values.clock import Clock
from gateway.values.errors import BadInput, StoreError, Throttled
from gateway.values.message import Message, Part
from gateway.values.outcome import Status
from gateway.values.work import Notification

log = logging.getLogger(__name__)

REASSEMBLY_SECONDS = 60.0
_RECEIPT = 0x04
_RECEIPT_REQUESTED = 0x03  # registered_delivery bits 1 and 0: 1 = final, 2 = on failure (section 5.2.17)

_STATUS = {
    "bad_address": constants.ESME_RINVDSTADR,
    "foreign_sender": constants.ESME_RINVSRCADR,
    "no_sender": constants.ESME_RINVSRCADR,
    "empty": constants.ESME_RINVMSGLEN,
    "too_long": constants.ESME_RINVMSGLEN,
}
_STATES = {
    Status.DELIVERED: MessageState.DELIVERED,
    Status.ANSWERED: MessageState.DELIVERED,
    Status.EXPIRED: MessageState.EXPIRED,
    Status.IN_DOUBT: MessageState.UNKNOWN,
}


def source_name(account: str) -> str:
    """What the reassembly calls an account, so that it never meets a bind of the same name."""
    return f"account:{account}"


class Accounts:
    """`submit` is the outbound pipeline's; `deliver` hands a PDU to a session of an account that receives and
    gives the command_status of its answer, or raises when there is none."""

    def __init__(
        self,
        *,
        accounts: Mapping[str, Account],
        store: Store,
        clock: Clock,
        accepting: Accepting,
        submit: Callable[[Sequence[SendRequest]], Awaitable[list[Message]]],
        reassembly: Reassembly,
        deliver: Callable[[str, DeliverSm], Awaitable[int]],
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._clock = clock
        self._accepting = accepting
        self._submit = submit
        self._reassembly = reassembly
        self._deliver = deliver

    async def submitted(self, account: str, pdu: SubmitSm) -> tuple[int, str]:
        """(command_status, message_id) for a submit_sm, once it is durable.

        The parts of a long message are put together and sent as one; receipts speak of its last part's id.
        """
        inbound = read(pdu)
        wanted = bool(pdu.registered_delivery & _RECEIPT_REQUESTED)
        try:
            if inbound.data.concat is None:
                text = text_of(decode(inbound.data.octets, inbound.data_coding))
                whole = Whole(source_name(account), inbound.sender, inbound.recipient, text, False)
                messages = await self._submit([self._request(account, whole, wanted)])
                return constants.ESME_ROK, messages[0].id
            return constants.ESME_ROK, await self._part(account, inbound, wanted)
        except BadInput as error:
            log.info("submit_sm.refused", extra={"account": account, "reason": str(error)})
            return _STATUS.get(error.code, constants.ESME_RSUBMITFAIL), ""
        except Throttled:
            return constants.ESME_RTHROTTLED, ""
        except StoreError as error:
            log.error("submit_sm.not_stored", extra={"account": account, "reason": str(error)})
            return constants.ESME_RSYSERR, ""

    async def expire_parts(self) -> None:
        """Send what came of long messages whose other parts never did."""
        unit = Unit()
        for whole in self._reassembly.expire(unit, self._clock.now()):
            self._accept(unit, whole, wanted=True)
        await unit.commit(self._store)

    async def _part(self, account: str, inbound: Inbound, wanted: bool) -> str:
        unit = Unit()
        refusal: BadInput | None = None
        id = ""
        for whole in self._reassembly.add(unit, source_name(account), inbound, self._clock.now()):
            if whole.incomplete:  # an earlier one had to make room; this submit_sm is not about it
                self._accept(unit, whole, wanted=True)
                continue
            try:
                id = self._accepting.accept(unit, self._request(account, whole, wanted)).id
            except BadInput as error:
                refusal = error  # the parts are done with all the same
        await unit.commit(self._store)
        if refusal is not None:
            raise refusal
        return id or next((write.id for write in unit.writes if isinstance(write, Part)), "")

    def _accept(self, unit: Unit, whole: Whole, *, wanted: bool) -> None:
        """Send a message that nobody waits for an answer about."""
        account = whole.bind.partition(":")[2]
        try:
            self._accepting.accept(unit, self._request(account, whole, wanted))
        except BadInput as error:
            log.warning("submit_sm.parts_dropped", extra={"account": account, "reason": str(error)})

    def _request(self, account: str, whole: Whole, wanted: bool) -> SendRequest:
        settings = self._accounts.get(account)
        if settings is None:
            raise BadInput(f"there is no account {account!r} any more", field="account")
        return SendRequest(
            service=settings.service,
            to=whole.recipient,
            sender=whole.sender,
            text=whole.text,
            account=account,
            receipt_wanted=wanted,
        )

    async def receipt(self, notification: Notification) -> str:
        """Carry out a notification to an account: a delivery receipt.  "" when it was taken."""
        account = notification.url.partition(":")[2]
        body = msgspec.json.decode(notification.body, type=dict[str, Any])
        status = await self._deliver(account, _receipt(body))
        return "" if status == constants.ESME_ROK else f"deliver_sm_resp 0x{status:08x}"


def _receipt(body: Mapping[str, Any]) -> DeliverSm:
    """A receipt travels against its message: source and destination change places."""
    state = _STATES.get(Status(body["status"]), MessageState.UNDELIVERABLE)
    code = str(body["code"])
    text = format_receipt(
        body["transid"],
        state,
        submit_date=_date(body["submitted"]),
        done_date=_date(body["timestamp"]),
        # err has three characters: "ESM" of "ESME_RINVDSTADR" would only mislead
        err=code if state is not MessageState.DELIVERED and 0 < len(code) <= 3 else "000",
    )
    return DeliverSm(
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr=str(body["to"]).removeprefix("+").encode("ascii"),
        destination_addr=str(body["from"]).removeprefix("+").encode("ascii"),
        esm_class=_RECEIPT,
        short_message=text,
    )


def _date(written: str) -> datetime:
    return datetime.fromisoformat(written).astimezone(UTC)
