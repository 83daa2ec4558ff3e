"""Provisional responses: ours, reliable where the caller requires it, and the RSeq of theirs (RFC 3262)."""

from __future__ import annotations

import re
from functools import partial

from gateway.protocol.sdp import Direction as SdpDirection
from gateway.protocol.sdp import build_offer
from gateway.protocol.sip.call import AnswerReceived, Call, CallCancelled, CallCause, Reliable
from gateway.protocol.sip.message import Request, Response
from gateway.protocol.sip.sessions import Sessions, record_route
from gateway.protocol.sip.timers import LIFETIME, T1
from gateway.protocol.sip.transaction import ServerTransaction

OPTION = "100rel"
_DISCARD = 9  # the port of RFC 863: nobody listens there
_RACK = re.compile(r"([0-9]{1,10})[ \t]+([0-9]{1,10})[ \t]+INVITE")


class Provisionals:
    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def ring(self, call: Call, invite: ServerTransaction, status: int, sdp: bytes, now: float) -> None:
        request = invite.request
        if not requires(request):
            # an offer cannot be in a response that may be lost (RFC 3261 section 13.2.1)
            self._send(call, invite, status, sdp if request.body else b"", now, [])
        elif call.reliable is not None:  # one at a time (section 3)
            call.following = (status, sdp) if sdp or status != 180 else call.following
        else:
            if call.wants_offer and not (sdp or call.rseq):
                sdp = self._silence()
            call.rseq = call.rseq + 1 if call.rseq else 1 + self._sessions.layer.chance(1 << 16)
            call.reliable = Reliable(call.rseq, T1, now + LIFETIME, sdp)
            call.local_sdp = sdp or call.local_sdp
            headers = [("Require", OPTION), ("RSeq", str(call.rseq))]
            self._send(call, invite, status, sdp, now, headers)
            self._wait(call, call.reliable, now)

    def _send(
        self,
        call: Call,
        invite: ServerTransaction,
        status: int,
        sdp: bytes,
        now: float,
        headers: list[tuple[str, str]],
    ) -> None:
        fields = [*record_route(invite.request), self._sessions.contact(call), *headers]
        self._sessions.respond(invite, status, now, to_tag=call.local_tag, headers=fields, sdp=sdp)

    def _silence(self) -> bytes:
        """The offer that a caller wants who is not going to hear anything (section 5)."""
        layer = self._sessions.layer
        return build_offer(
            layer.host, _DISCARD, session_id=layer.chance(1 << 31), direction=SdpDirection.INACTIVE
        )

    def prack_received(
        self, call: Call, transaction: ServerTransaction, request: Request, now: float
    ) -> bool:
        """Answer a PRACK; True when it acknowledges the response that waits for it."""
        rack = _RACK.fullmatch(request.headers.get("RAck").strip())
        reliable = call.reliable
        invite = call.invite
        if (
            rack is None
            or reliable is None
            or not isinstance(invite, ServerTransaction)
            or (int(rack[1]), int(rack[2])) != (reliable.rseq, invite.request.cseq)
        ):
            self._sessions.respond(transaction, 481, now)
            return False
        answers = call.wants_offer and not call.agreed
        if request.body and not answers:  # an offer, while that of the INVITE is not answered
            self._sessions.respond(transaction, 488, now)
        else:
            self._sessions.respond(transaction, 200, now)
        self._sessions.layer.timers.cancel(reliable.timer)
        call.reliable = None
        if reliable.sdp and not call.agreed:
            call.agreed = True
            if answers:
                call.remote_sdp = request.body
                self._sessions.events.append(AnswerReceived(call, request.body))
        if call.following is not None:
            (status, sdp), call.following = call.following, None
            self.ring(call, invite, status, sdp, now)
        return True

    def _wait(self, call: Call, reliable: Reliable, now: float) -> None:
        when = min(now + reliable.wait, reliable.gives_up_at)
        reliable.timer = self._sessions.layer.timers.start(when, partial(self._no_prack_yet, call, reliable))

    def _no_prack_yet(self, call: Call, reliable: Reliable, now: float) -> None:
        if not isinstance(call.invite, ServerTransaction) or not call.allows(CallCause.REJECT):
            return
        if now < reliable.gives_up_at:
            self._sessions.layer.repeat(call.invite)
            reliable.wait *= 2
            self._wait(call, reliable, now)
            return
        call.step(CallCause.REJECT)
        self._sessions.respond(call.invite, 504, now, to_tag=call.local_tag)
        self._sessions.events.append(CallCancelled(call, ""))
        self._sessions.leave(call)


def requires(message: Request | Response) -> bool:
    """Whether an INVITE wants reliable provisional responses, or a response is one."""
    return "Require" in message.headers and any(
        option.lower() == OPTION for option in message.headers.values("Require")
    )


def rseq_of(response: Response) -> int | None:
    """The number of a reliable provisional response, which wants PRACK; None for another."""
    if not requires(response):
        return None
    text = response.headers.get("RSeq").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None
