"""A handset behind the carrier calls a number of the gateway: a missed call, or a real one."""

import secrets
from dataclasses import dataclass

import trio

from simulators import sdp
from simulators.rtp_socket import Audio
from simulators.sip_dialog import Dialog, Exchange, address_of, contact_of
from simulators.sip_handset import number_key
from simulators.sip_message import Malformed, Request, Response
from simulators.sip_transactions import Address, ClientTransaction, cancel_of, show


@dataclass(frozen=True, slots=True)
class Plan:
    """One call. The caller gives up `ring` seconds after the first 18x, if set, or after `longest`."""

    from_number: str
    to_number: str
    gateway: Address
    ring: float | None = None
    longest: float = 30.0
    talk: float = 10.0
    hangup: str = "caller"
    play: str = "tone"
    digits: str = ""
    after: float = 0.5
    reference: object = None


async def place(exchange: Exchange, plan: Plan) -> None:
    """Make the call and see it to its end. Source: RFC 3261 sections 9.1, 13.2 and 15."""
    try:
        audio = await Audio.open(exchange.host, exchange.emit, exchange.dropped)
    except OSError as error:
        exchange.emit("error", reason=f"no RTP socket: {error}", ref=plan.reference)
        return
    try:
        await _Call(exchange, plan, audio).run()
    finally:
        audio.close()


class _Call:
    def __init__(self, exchange: Exchange, plan: Plan, audio: Audio) -> None:
        self.exchange, self.plan, self.audio = exchange, plan, audio
        self.call_id = f"{secrets.token_hex(8)}@{exchange.host}"
        self.invite = self._invite()
        self.cancelled = False
        self.began = trio.current_time()

    def _invite(self) -> Request:
        host, port = self.plan.gateway
        uri = f"sip:{self.plan.to_number}@{host}:{port}"
        return self.exchange.outside_dialog(
            "INVITE",
            uri,
            from_=self.exchange.user_uri(self.plan.from_number),
            to=uri,
            call_id=self.call_id,
            body=sdp.offer(self.audio.host, self.audio.port, session=secrets.randbelow(2**31)),
        )

    def after_s(self) -> float:
        return round(trio.current_time() - self.began, 3)

    async def run(self) -> None:
        emit, counts = self.exchange.emit, self.exchange.counts
        counts["calls_out"] += 1
        transaction = self.exchange.layer.request(self.invite, self.plan.gateway)
        emit(
            "call_out",
            call_id=self.call_id,
            **{"from": self.plan.from_number, "to": self.plan.to_number, "ref": self.plan.reference},
        )
        final = await self._final(transaction)
        if final is None:
            counts["unanswered"] += 1
            reason = "no final response after CANCEL" if self.cancelled else "no response to INVITE"
            emit("error", reason=reason, call_id=self.call_id, peer=show(self.plan.gateway))
            return
        counts[f"final_{final.status}"] += 1
        emit(
            "final",
            call_id=self.call_id,
            status=final.status,
            reason=final.reason,
            after_s=self.after_s(),
        )
        if final.status < 300:
            await self._answered(final)

    async def _final(self, transaction: ClientTransaction) -> Response | None:
        """The final response, with a CANCEL at its time, which must follow a provisional: RFC 3261 9.1."""
        patience, provisional, rings = self.began + self.plan.longest, False, False
        while True:
            with trio.move_on_at(patience):
                response = await transaction.response()
                if response is None or response.status >= 200:
                    return response
                self.exchange.emit(
                    "provisional", call_id=self.call_id, status=response.status, reason=response.reason
                )
                provisional = True
                if self.plan.ring is not None and response.status >= 180 and not rings:
                    rings = True
                    patience = min(patience, trio.current_time() + self.plan.ring)
                continue
            if self.cancelled:
                transaction.give_up()
                return None
            if not provisional:
                # timer B ends this wait; a provisional that comes after all is followed by the CANCEL at once
                first = await transaction.response()
                if first is None or first.status >= 200:
                    return first
                provisional = True
            self._cancel()
            patience = trio.current_time() + self.exchange.layer.timers.life

    def _cancel(self) -> None:
        self.cancelled = True
        self.exchange.counts["cancelled"] += 1
        self.exchange.layer.request(cancel_of(self.invite), self.plan.gateway)
        self.exchange.emit("cancelled", call_id=self.call_id, by="caller", after_s=self.after_s())

    async def _answered(self, final: Response) -> None:
        exchange, emit = self.exchange, self.exchange.emit
        exchange.counts["billable"] += 1
        try:
            target = contact_of(final)
            peer = address_of(target, self.plan.gateway)
        except Malformed as error:
            emit("error", reason=f"2xx without a usable Contact: {error}", call_id=self.call_id)
            target, peer = self.invite.uri, self.plan.gateway
        dialog = Dialog(
            exchange,
            "caller",
            self.call_id,
            self.invite.need("From"),
            final.need("To"),
            target,
            peer,
            self.audio,
            number_key(self.plan.from_number),
            self.invite.cseq[0],
        )
        exchange.dialogs[dialog.key] = dialog
        dialog.ack = dialog.request("ACK", cseq=dialog.cseq)
        dialog.send_ack()
        emit("answered", call_id=self.call_id, **{"from": self.plan.from_number, "to": self.plan.to_number})
        seconds = self.plan.talk if self.plan.hangup == "caller" else float("inf")
        try:
            self.audio.agree(sdp.Description.parse(final.body))
        except sdp.BadSdp as error:
            emit("error", reason=f"SDP answer: {error}", call_id=self.call_id)
            seconds = 0.0
        if self.plan.ring is not None:
            seconds = 0.0  # somebody answered a call that was meant to be missed
        self.audio.say([], self.plan.play)
        self.audio.press(self.plan.digits, after=self.plan.after)
        await dialog.talk(seconds=seconds)
