"""Accounts: peers that bind to our SMPP server.  Their `submit_sm` are requests to send like any other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import asdict

from gateway.config.model import Account
from gateway.inbound.deliveries import receipt, text
from gateway.inbound.later import Later
from gateway.inbound.reassembly import Reassembly, Whole
from gateway.inbound.stored import Stored
from gateway.inbound.submission import Submission, check_length, form_of, read_submission
from gateway.inbound.times import TIME_FAULTS, Times
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
from gateway.values.ids import message_of
from gateway.values.message import Form
from gateway.values.work import Done, Notification

log = logging.getLogger(__name__)

# command_status and message_id, or a whole response
Answer: TypeAlias = tuple[int, str] | Response

REASSEMBLY_SECONDS = 60.0
_REPLACES = 1  # replace_if_present_flag
_AT_ONCE = Times(0.0, 0.0)
_NOTHING = SubmitSm()
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_ANY = Form(raw=True)  # needs no text

_STATUS = {
    "bad_address": constants.ESME_RINVDSTADR,
    "foreign_sender": constants.ESME_RINVSRCADR,
    "unfit_sender": constants.ESME_RINVSRCADR,
    "no_sender": constants.ESME_RINVSRCADR,
    "empty": constants.ESME_RINVMSGLEN,
    "too_long": constants.ESME_RINVMSGLEN,
    "bad_priority": constants.ESME_RINVPRTFLG,
    "bad_esm_class": constants.ESME_RINVESMCLASS,
    "bad_source_ton": constants.ESME_RINVSRCTON,
    "bad_source_npi": constants.ESME_RINVSRCNPI,
    "bad_dest_ton": constants.ESME_RINVDSTTON,
    "bad_dest_npi": constants.ESME_RINVDSTNPI,
    "bad_parameter_length": constants.ESME_RINVPARLEN,
    "two_payloads": constants.ESME_RINVOPTPARAMVAL,
    "no_default_message": constants.ESME_RINVDFTMSGID,
    **TIME_FAULTS,
}


def source_name(account: str) -> str:
    """What the reassembly calls an account, so that it never meets a bind of the same name."""
    return f"account:{account}"


def account_of(source: str) -> str:
    return source.partition(":")[2]


class Accounts:
    """`stored` is about messages submitted before; `deliver` hands a PDU to a session of an account that
    receives, and tells "" when it was taken, else why not, and whether there is no such session; never before
    it has returned."""

    def __init__(
        self,
        *,
        accounts: Mapping[str, Account],
        store: Store,
        clock: Clock,
        accepting: Accepting,
        reassembly: Reassembly,
        stored: Stored,
        deliver: Callable[[str, DeliverSm, Done], None],
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._clock = clock
        self._accepting = accepting
        self._reassembly = reassembly
        self._stored = stored
        self._deliver = deliver
        self._later = Later()
        # by account: canonical, and the settings that they were read from, which may change
        self._senders: dict[str, tuple[Account | None, Mapping[str, None]]] = {}

    def requested(self, account: str, request: Request, told: Callable[[Answer | Exception], None]) -> None:
        """`told` what to answer to a request of an account, once what it asks for is durable."""
        unit = Unit()
        self._later.run(self._answer(unit, account, request), partial(self._decided, unit, account, told))

    def _decided(
        self, unit: Unit, account: str, told: Callable[[Answer | Exception], None], answer: Answer | Exception
    ) -> None:
        if isinstance(answer, Exception):
            unit.take_back()
            told(_failure(account, answer))
            return
        try:
            unit.commit_soon(
                self._store, lambda error: told(answer if error is None else _failure(account, error))
            )
        except Throttled as error:
            told(_failure(account, error))

    async def _answer(self, unit: Unit, account: str, request: Request) -> Answer:
        """What to answer once `unit` is durable."""
        match request:
            case SubmitSm() | DataSm():
                self._accepting.check_room()
                return await self._take(unit, account, request)
            case SubmitMulti():
                return await self._multi(unit, account, request)
            case QuerySm():
                return await self._stored.query(account, request)
            case CancelSm():
                return await self._stored.cancel(account, request)
            case ReplaceSm():
                return await self._stored.replace(account, request)
        return constants.ESME_RINVCMDID, ""

    async def _multi(self, unit: Unit, account: str, pdu: SubmitMulti) -> Answer:
        """Each destination is a message.  All their receipts, and the answer, speak of the first one's id."""
        if not pdu.destinations:
            return constants.ESME_RINVNUMDESTS, ""
        self._accepting.check_room()
        fields = asdict(pdu)
        del fields["destinations"]
        id, refused = "", list[Unsuccessful]()
        for destination in pdu.destinations:
            if isinstance(destination, bytes):  # the name of a distribution list, of which we keep none
                refused.append((0, 0, destination, constants.ESME_RINVDLNAME))
                continue
            ton, npi, number = destination
            single = SubmitSm(**fields, dest_addr_ton=ton, dest_addr_npi=npi, destination_addr=number)
            status, own = await self._take(unit, account, single, group=id)
            if status != constants.ESME_ROK:
                refused.append((ton, npi, number, status))
            id = id or own
        if not id:
            return refused[0][3], ""
        return SubmitMultiResp(message_id=id.encode(), unsuccessful=tuple(refused))

    async def expire_parts(self) -> None:
        """Send what came of long messages whose other parts never did."""
        unit = Unit()
        try:
            for whole in self._reassembly.expire(unit, self._clock.now()):
                self._accept(unit, whole)
        except BaseException:
            unit.take_back()
            raise
        await unit.commit(self._store)

    async def _take(
        self, unit: Unit, account: str, pdu: SubmitSm | DataSm, *, group: str = ""
    ) -> tuple[int, str]:
        """Take a message or a part of one.  (command_status, message_id).

        `group` is the id that the answer to a submit_multi will have: receipts speak of that.
        """
        try:
            settings = self._accounts.get(account)
            pass_through = settings is not None and settings.long_messages == "pass-through"
            wanted = read_submission(pdu, self._clock.now(), pass_through=pass_through)
            if wanted.part:
                return constants.ESME_ROK, await self._part(unit, account, pdu, wanted, group)
            return constants.ESME_ROK, await self._whole(unit, account, pdu, wanted, group)
        except BadInput as error:
            # a warning: an account that is refused again and again fills no disk (observe.calm)
            log.warning("submit_sm.refused", extra={"account": account, "reason": str(error)})
            return _status(error), ""

    async def _whole(
        self, unit: Unit, account: str, pdu: SubmitSm | DataSm, wanted: Submission, group: str
    ) -> str:
        inbound = wanted.inbound
        request = self._request(
            account,
            inbound.sender,
            inbound.recipient,
            wanted.text,
            form=wanted.form,
            receipt_wanted=wanted.registered_delivery,
            when=wanted.when,
            group=group,
        )
        segment = (
            wanted.form is not None and wanted.form.single
        )  # it must not take the place of the one before
        if isinstance(pdu, SubmitSm) and pdu.replace_if_present_flag == _REPLACES and not segment:
            id = await self._stored.replace_present(account, pdu, wanted)
            if id:
                return id
        return self._accepting.accept(unit, request).id

    async def _part(
        self, unit: Unit, account: str, pdu: SubmitSm | DataSm, wanted: Submission, group: str
    ) -> str:
        """The id of the part.  What is wrong with the message is said at once where one part tells it; if
        that is known only from the whole, its last part is refused, and the others are done with all the
        same.
        """
        now, source, inbound = self._clock.now(), source_name(account), wanted.inbound
        self._accepting.check(
            self._request(account, inbound.sender, inbound.recipient, "", form=_ANY, when=_AT_ONCE, group="")
        )
        id, wholes = self._reassembly.add(unit, source, wanted.inbound, now, wanted.registered_delivery)
        refusal: BadInput | None = None
        for whole in wholes:
            if whole.incomplete:  # an earlier one had to make room; this submit_sm is not about it
                self._accept(unit, whole)
                continue
            try:
                form = form_of(pdu, whole.as_is, whole.data_coding)
                check_length(whole.text, form)
                if isinstance(pdu, SubmitSm) and pdu.replace_if_present_flag == _REPLACES:
                    await self._stored.withdraw_present(account, pdu)
                self._accepting.accept(unit, self._of_parts(whole, form, wanted.when, group))
            except BadInput as error:
                refusal = error
        if refusal is not None:
            raise refusal
        return id

    def _accept(self, unit: Unit, whole: Whole) -> None:
        """Send a message that nobody waits for an answer about."""
        try:
            form = form_of(_NOTHING, whole.as_is, whole.data_coding)
            self._accepting.accept(unit, self._of_parts(whole, form, _AT_ONCE, ""))
        except BadInput as error:
            fields = {"account": account_of(whole.bind), "reason": str(error)}
            log.warning("submit_sm.parts_dropped", extra=fields)

    def _of_parts(self, whole: Whole, form: Form | None, when: Times, group: str) -> SendRequest:
        return self._request(
            account_of(whole.bind),
            whole.sender,
            whole.recipient,
            whole.text,
            id=whole.id,
            form=form,
            part_receipts=whole.part_receipts,
            when=when,
            group=message_of(group),
        )

    def _request(
        self,
        account: str,
        sender: str,
        recipient: str,
        text: str,
        *,
        id: str = "",
        form: Form | None,
        receipt_wanted: int = 0,
        part_receipts: bytes = b"",
        when: Times,
        group: str,
    ) -> SendRequest:
        settings = self._accounts.get(account)
        if settings is None:
            raise BadInput(f"there is no account {account!r} any more", field="account")
        senders = self._senders_of(account, settings)
        if senders and sender and sender not in senders:
            raise BadInput(f"{sender!r} is no sender of the account", field="from", code="foreign_sender")
        return SendRequest(
            service=settings.service,
            to=recipient,
            id=id,
            sender=sender or next(iter(senders), ""),
            text=text,
            form=form,
            account=account,
            receipt_wanted=receipt_wanted,
            part_receipts=part_receipts,
            not_before=when.not_before,
            validity_seconds=when.validity_seconds,
            correlationid=group,
        )

    def _senders_of(self, account: str, settings: Account) -> Mapping[str, None]:
        """The only ones it may use, the first as its default; empty: all of its service's."""
        read_from, senders = self._senders.get(account, (None, {}))
        if read_from is not settings:
            senders = dict.fromkeys(canonical(written) for written in settings.senders)
            self._senders[account] = settings, senders
        return senders

    # it is a notify.notifier.Post: carries out what is owed to accounts

    def together(self, notification: Notification) -> int:
        return 1

    def send(self, notifications: Sequence[Notification], done: Done) -> None:
        """A receipt, or a customer's text: a long one in parts, of which one that is refused is tried again
        as a whole."""
        [notification] = notifications
        body = _decode(notification.body)
        pdus = text(body) if body["type"] == Trigger.SMS_RECEIVED else [receipt(body)]
        self._deliver_next(notification.url.partition(":")[2], iter(pdus), done, "", False)

    def _deliver_next(
        self,
        account: str,
        pdus: Iterator[DeliverSm],
        done: Done,
        reason: str,
        away: bool,
        for_good: bool = False,
    ) -> None:
        """Go on after a part; `reason` why it was not taken."""
        pdu = None if reason else next(pdus, None)
        if pdu is None:
            done(reason, away, for_good)
        else:
            self._deliver(account, pdu, partial(self._deliver_next, account, pdus, done))


def _status(error: BadInput) -> int:
    """The command_status that names what is wrong."""
    if error.code == "bad_address" and error.field == "from":
        return constants.ESME_RINVSRCADR
    return _STATUS.get(error.code, constants.ESME_RSUBMITFAIL)


def _failure(account: str, error: Exception) -> Answer | Exception:
    """What to answer when nothing became durable."""
    if isinstance(error, Throttled):
        return constants.ESME_RMSGQFUL, ""
    if isinstance(error, StoreError):
        log.error("account.not_stored", extra={"account": account, "reason": str(error)})
        return constants.ESME_RSYSERR, ""
    return error
