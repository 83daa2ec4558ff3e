"""Blind transfer: REFER in a call, and the NOTIFYs that tell how it goes (RFC 3515)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.protocol.sip.call import Call, CallCause, CallState, EndedBy, ReferProgress
from gateway.protocol.sip.message import Request, Response, sipfrag_status
from gateway.protocol.sip.sessions import Sessions
from gateway.protocol.sip.transaction import IllegalTransition, ServerTransaction


@dataclass(frozen=True, slots=True)
class Referral:
    """Whom the response to a REFER is for."""

    call: Call


class Referrals:
    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def refer(self, call: Call, uri: str, now: float) -> None:
        if call.state is not CallState.ESTABLISHED or call.dialog is None or call.referring:
            raise IllegalTransition(f"call: REFER in {call.state.name}, or during another")
        _, contact = self._sessions.contact(call)
        headers = [("Contact", contact), ("Refer-To", f"<{uri}>"), ("Referred-By", contact)]
        call.referring = True
        self._sessions.send(call, call.dialog, "REFER", now, user=Referral(call), headers=headers)

    def answered(self, referral: Referral, response: Response | None, now: float) -> None:
        """The final response to the REFER; None when none came.  After a 2xx the NOTIFYs tell the rest."""
        call = referral.call
        status = 408 if response is None else response.status
        if 200 <= status < 300 or not call.referring or call.ended:
            return
        self._tell(call, status, final=True)
        if status in (408, 481) and call.state is CallState.ESTABLISHED:
            self._sessions.end(call, CallCause.LOST, now, EndedBy.LOST)

    def notify_received(
        self, call: Call, transaction: ServerTransaction, request: Request, now: float
    ) -> None:
        sessions = self._sessions
        event = request.headers.get("Event").partition(";")[0].strip().lower()
        if event != "refer":
            sessions.respond(transaction, 489, now, headers=[("Allow-Events", "refer")])
            return
        if not call.referring:
            sessions.respond(transaction, 481, now)
            return
        sessions.respond(transaction, 200, now)
        state, _, _ = request.headers.get("Subscription-State").partition(";")
        status = sipfrag_status(request.body) or 100
        self._tell(call, status, final=status >= 200 or state.strip().lower() == "terminated")

    def _tell(self, call: Call, status: int, *, final: bool) -> None:
        if final:
            call.referring = False
        self._sessions.events.append(ReferProgress(call, status, final))
