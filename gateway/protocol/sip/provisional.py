"""Provisional responses: ours, reliable where the caller requires it, and the RSeq of theirs (RFC 3262)."""

from __future__ import annotations

import re
from functools import partial

from gateway.protocol.sip.call import Call, CallCancelled, CallCause, Reliable
from gateway.protocol.sip.message import Request, Response
from gateway.protocol.sip.sessions import Fields, Sessions
from gateway.protocol.sip.timers import LIFETIME, T1
from gateway.protocol.sip.transaction import ServerTransaction

OPTION = "100rel"
_RACK = re.compile(r"([0-9]{1,10})[ \t]+([0-9]{1,10})[ \t]+INVITE")


class Provisionals:
    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def ring(self, call: Call, invite: ServerTransaction, headers: Fields, now: float) -> None:
        request = invite.request
        if not requires(request):
            self._sessions.respond(invite, 180, now, to_tag=call.local_tag, headers=headers)
        elif request.body and call.reliable is None:
            rseq = 1 + self._sessions.layer.chance(1 << 16)
            call.reliable = Reliable(rseq, T1, now + LIFETIME)
            headers = [*headers, ("Require", OPTION), ("RSeq", str(rseq))]
            self._sessions.respond(invite, 180, now, to_tag=call.local_tag, headers=headers)
            self._wait(call, call.reliable, now)
        # a caller who also wants our offer would have to get it in this 180 (section 5): it hears the 200

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
            or invite is None
            or (int(rack[1]), int(rack[2])) != (reliable.rseq, invite.request.cseq)
        ):
            self._sessions.respond(transaction, 481, now)
            return False
        if request.body:  # an offer, while that of the INVITE is not answered
            self._sessions.respond(transaction, 488, now)
        else:
            self._sessions.respond(transaction, 200, now)
        self._sessions.layer.timers.cancel(reliable.timer)
        call.reliable = None
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
