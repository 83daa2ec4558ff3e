"""The gateway calls a handset behind the carrier: it rings, answers, refuses, or keeps silent."""

import secrets

import trio

from simulators import sdp
from simulators.rtp_socket import Audio
from simulators.sip_dialog import ALLOW, SDP_TYPE, Dialog, Exchange, address_of, contact_of, user_of
from simulators.sip_handset import Behaviour, number_key
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
        # an offer of ours may not go into a 183, which nobody acknowledges: RFC 3261 section 13.2.1
        early = bool(self.behaviour.early) and offered is not None
        audio: Audio | None = None
        if early or self.behaviour.answers:
            try:
                audio = await Audio.open(self.exchange.host, self.exchange.emit, self.exchange.dropped)
            except OSError as error:
                self.exchange.emit("error", reason=f"no RTP socket: {error}", call_id=self.call_id)
                refuse(self.exchange, self.transaction, 500)
                return
        try:
            with self._ringing:
                await self._ring(audio if early else None, offered)
            if self.transaction.final is None:  # else a CANCEL came first
                await self._decide(audio, offered)
        finally:
            if audio is not None:
                audio.close()

    def cancel(self) -> None:
        """The caller's CANCEL; too late after a final response."""
        if self.transaction.final is not None:
            return
        self.transaction.respond(487)
        self.exchange.counts["cancelled"] += 1
        self.exchange.emit("cancelled", call_id=self.call_id, by="caller", **self.numbers)
        self._ringing.cancel()

    async def _ring(self, audio: Audio | None, offered: sdp.Description | None) -> None:
        """With audio it is heard ringing: early media."""
        forever = self.behaviour.kind == "no-answer"
        if self.transaction.final is not None or (not forever and self.behaviour.ring == 0):
            return
        headers = [self.exchange.contact]
        if audio is None or offered is None:
            self.transaction.respond(180, headers=headers)
        else:
            body = self._describe(audio, offered)
            self.transaction.respond(183, headers=[*headers, SDP_TYPE], body=body)
        self.exchange.emit("ringing", call_id=self.call_id, early=self.behaviour.early, **self.numbers)
        with trio.move_on_after(float("inf") if forever else self.behaviour.ring):
            if audio is None:
                await trio.sleep_forever()
            else:
                audio.say([], self.behaviour.early)
                await audio.run()

    async def _decide(self, audio: Audio | None, offered: sdp.Description | None) -> None:
        behaviour = self.behaviour
        if behaviour.answers and audio is not None:
            await self._answer(audio, offered)
        elif behaviour.kind == "forward":
            contact = ("Contact", f"<{self.exchange.user_uri(behaviour.to)}>")
            refuse(self.exchange, self.transaction, 302, contact)
        elif behaviour.status is not None:
            refuse(self.exchange, self.transaction, behaviour.status)

    async def _answer(self, audio: Audio, offered: sdp.Description | None) -> None:
        behaviour = self.behaviour
        dialog = self._dialog(audio)
        accept(dialog, self.transaction, self._describe(audio, offered))
        self.exchange.counts["billable"] += 1
        self.exchange.emit("answered", call_id=self.call_id, **self.numbers)
        audio.say(behaviour.greets, behaviour.play)
        audio.press(behaviour.digits, after=behaviour.after)
        await dialog.talk(seconds=behaviour.talk if behaviour.hangup == "callee" else float("inf"))

    def _describe(self, audio: Audio, offered: sdp.Description | None) -> bytes:
        """The answer to an offer; to a late one ours goes out now, its answer comes with the ACK."""
        if offered is None:
            return sdp.offer(audio.host, audio.port, session=self._session)
        audio.agree(offered)
        return sdp.answer(offered, audio.host, audio.port, session=self._session)

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
            number_key(self.numbers["to"]),
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
