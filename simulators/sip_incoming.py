"""The gateway calls a handset behind the carrier: it rings, answers, refuses, or keeps silent."""

import secrets

import trio

from simulators import sdp
from simulators.rtp_socket import Audio
from simulators.sip_dialog import ALLOW, SDP_TYPE, Dialog, Exchange, address_of, contact_of, user_of
from simulators.sip_handset import Behaviour
from simulators.sip_message import Malformed, Request, Uri
from simulators.sip_transactions import ServerTransaction, show


class IncomingCall:
    """One INVITE and what a handset makes of it. Source: RFC 3261 sections 9.2, 13.3 and 15."""

    def __init__(self, exchange: Exchange, transaction: ServerTransaction, behaviour: Behaviour) -> None:
        self.exchange, self.transaction, self.behaviour = exchange, transaction, behaviour
        self.invite = transaction.request
        self.call_id = self.invite.call_id
        self.numbers = numbers_of(self.invite)
        self._ringing = trio.CancelScope()
        self._session = secrets.randbelow(2**31)

    async def run(self) -> None:
        """See the call to its end."""
        if self.behaviour.kind == "silent":
            self.transaction.silent = True
            self.exchange.layer.forget_later(self.transaction)
            self.exchange.emit("ignored", call_id=self.call_id, **self.numbers)
            return
        self.transaction.respond(100)
        try:
            offered = sdp.Description.parse(self.invite.body) if self.invite.body else None
        except sdp.BadSdp as error:
            self.exchange.emit("error", reason=f"SDP offer: {error}", call_id=self.call_id)
            refuse(self.exchange, self.transaction, 488)
            return
        with self._ringing:
            await self._ring()
        if self.transaction.final is not None:
            return  # a CANCEL came first
        if self.behaviour.status is not None:
            refuse(self.exchange, self.transaction, self.behaviour.status)
        else:
            await self._answer(offered)

    def cancel(self) -> None:
        """The caller's CANCEL; too late after a final response."""
        if self.transaction.final is not None:
            return
        self.transaction.respond(487)
        self.exchange.counts["cancelled"] += 1
        self.exchange.emit("cancelled", call_id=self.call_id, by="caller", **self.numbers)
        self._ringing.cancel()

    async def _ring(self) -> None:
        forever = self.behaviour.kind == "no-answer"
        if forever or self.behaviour.ring > 0:
            self.transaction.respond(180, headers=[self.exchange.contact])
            self.exchange.emit("ringing", call_id=self.call_id, **self.numbers)
            await trio.sleep(float("inf") if forever else self.behaviour.ring)

    async def _answer(self, offered: sdp.Description | None) -> None:
        exchange = self.exchange
        try:
            audio = await Audio.open(exchange.host, exchange.emit, exchange.dropped)
        except OSError as error:
            exchange.emit("error", reason=f"no RTP socket: {error}", call_id=self.call_id)
            refuse(exchange, self.transaction, 500)
            return
        try:
            if self.transaction.final is not None:
                return  # cancelled while the socket was opened
            dialog = self._dialog(audio)
            if offered is None:  # a late offer: ours goes out now, the answer comes with the ACK
                body = sdp.offer(audio.host, audio.port, session=self._session)
            else:
                audio.agree(offered)
                body = sdp.answer(offered, audio.host, audio.port, session=self._session)
            accept(dialog, self.transaction, body)
            exchange.counts["billable"] += 1
            exchange.emit("answered", call_id=self.call_id, **self.numbers)
            await dialog.talk(
                seconds=self.behaviour.talk if self.behaviour.hangup == "callee" else float("inf"),
                play=self.behaviour.play,
                digits=self.behaviour.digits,
            )
        finally:
            audio.close()

    def _dialog(self, audio: Audio) -> Dialog:
        target = contact_of(self.invite)
        dialog = Dialog(
            self.exchange,
            "callee",
            self.call_id,
            f"{self.invite.need('To')};tag={self.transaction.tag}",
            self.invite.need("From"),
            target,
            address_of(target, self.transaction.source),
            audio,
            cseq=secrets.randbelow(1000),
            remote_cseq=self.invite.cseq[0],
        )
        self.exchange.dialogs[dialog.key] = dialog
        return dialog


def numbers_of(invite: Request) -> dict[str, str]:
    """The calling and the called number, as fields of an event."""
    return {"from": user_of(invite, "From"), "to": Uri.parse(invite.uri).user}


def refuse(
    exchange: Exchange, transaction: ServerTransaction, status: int, *headers: tuple[str, str]
) -> None:
    """Answer an INVITE with a final response that is not 2xx, and tell so."""
    invite = transaction.request
    transaction.respond(status, headers=list(headers))
    exchange.counts[f"refused_{status}"] += 1
    exchange.emit("refused", call_id=invite.call_id, status=status, **numbers_of(invite))


def accept(dialog: Dialog, transaction: ServerTransaction, body: bytes) -> None:
    """Send 200 with a description; it goes out again until its ACK; without one the call ends by our BYE."""
    cseq = transaction.request.cseq[0]
    dialog.unacked[cseq] = transaction.acked
    transaction.respond(200, headers=[dialog.exchange.contact, ALLOW, SDP_TYPE], body=body)
    dialog.exchange.nursery.start_soon(_expect_ack, dialog, transaction)


async def _expect_ack(dialog: Dialog, transaction: ServerTransaction) -> None:
    with trio.move_on_after(dialog.exchange.layer.timers.life):
        await transaction.acked.wait()
        return
    dialog.end(dialog.role)


def acknowledged(exchange: Exchange, ack: Request) -> None:
    """The ACK of a 2xx, found by its dialog; its body is the answer to a late offer."""
    dialog = dialog_of(exchange, ack)
    waiting = None if dialog is None else dialog.unacked.get(ack.cseq[0])
    if dialog is None or waiting is None:
        exchange.emit("error", reason="ACK that fits no call", call_id=ack.call_id, branch=ack.via.branch)
        return
    if ack.body and not waiting.is_set():
        try:
            dialog.audio.agree(sdp.Description.parse(ack.body))
        except sdp.BadSdp as error:
            exchange.emit("error", reason=f"SDP in ACK: {error}", call_id=ack.call_id)
            dialog.end(dialog.role)
    waiting.set()


def dialog_of(exchange: Exchange, request: Request) -> Dialog | None:
    """The dialog that a request of the peer belongs to: their From tag is our remote tag."""
    return exchange.dialogs.get((request.call_id, request.to.tag, request.from_.tag))


def in_dialog(exchange: Exchange, transaction: ServerTransaction) -> None:
    """BYE, or an INVITE that changes a call's media. Source: RFC 3261 sections 12.2.2, 14.2 and 15.1.2."""
    request = transaction.request
    dialog = dialog_of(exchange, request)
    if dialog is None:
        exchange.emit(
            "error",
            reason=f"{request.method} outside a call",
            call_id=request.call_id,
            peer=show(transaction.source),
        )
        transaction.respond(481)
        return
    if request.cseq[0] <= dialog.remote_cseq:
        exchange.emit("error", reason=f"CSeq of {request.method} did not grow", call_id=request.call_id)
        transaction.respond(500)
        return
    dialog.remote_cseq = request.cseq[0]
    if request.method == "BYE":
        transaction.respond(200)
        dialog.end(dialog.other)
        return
    if dialog.over.is_set():
        transaction.respond(481)
        return
    session = secrets.randbelow(2**31)
    try:
        offered = sdp.Description.parse(request.body) if request.body else None
    except sdp.BadSdp as error:
        exchange.emit("error", reason=f"SDP offer: {error}", call_id=request.call_id)
        transaction.respond(488)
        return
    if offered is None:
        body = sdp.offer(dialog.audio.host, dialog.audio.port, session=session)
    else:
        dialog.audio.agree(offered)
        body = sdp.answer(offered, dialog.audio.host, dialog.audio.port, session=session)
    accept(dialog, transaction, body)


def refusal_of(invite: Request) -> tuple[int, list[tuple[str, str]]] | None:
    """Why an INVITE cannot reach any handset, as status and headers; raises Malformed without a Contact."""
    if Uri.parse(invite.uri).scheme not in ("sip", "sips", "tel"):
        return 416, []
    if required := invite.get("Require"):
        return 420, [("Unsupported", required)]
    content_type = (invite.get("Content-Type") or "").partition(";")[0].strip().lower()
    if invite.body and content_type != "application/sdp":
        return 415, [("Accept", "application/sdp")]
    if Uri.parse(contact_of(invite)).scheme not in ("sip", "sips"):
        raise Malformed("Contact is not a SIP URI")
    return None
