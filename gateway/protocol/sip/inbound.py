"""Calls to us: from INVITE to 180, a refusal, the caller's CANCEL, or 200 (RFC 3261 sections 9.2, 13.3)."""

from __future__ import annotations

from gateway.protocol.sip.body import ACCEPTED, SDP
from gateway.protocol.sip.call import (
    Call,
    CallCancelled,
    CallCause,
    CallState,
    Direction,
    IncomingCall,
)
from gateway.protocol.sip.changes import SessionChanges, is_sdp
from gateway.protocol.sip.dialog import Dialog
from gateway.protocol.sip.headers import BadHeader
from gateway.protocol.sip.identity import caller_of, number_of
from gateway.protocol.sip.layer import RETRY_AFTER_SECONDS
from gateway.protocol.sip.message import Request
from gateway.protocol.sip.provisional import Provisionals, requires
from gateway.protocol.sip.reason import reason_of, refusal
from gateway.protocol.sip.session_timer import LEAST_SECONDS, too_short
from gateway.protocol.sip.sessions import Fields, Sessions
from gateway.protocol.sip.transaction import IllegalTransition, ServerTransaction

RETRY_AFTER: Fields = [("Retry-After", str(RETRY_AFTER_SECONDS))]


class InboundCalls:
    def __init__(self, sessions: Sessions, changes: SessionChanges, max_calls: int) -> None:
        self._sessions = sessions
        self._changes = changes
        self._provisionals = Provisionals(sessions)
        self._max_calls = max_calls

    def invite_received(
        self, transaction: ServerTransaction, request: Request, called: str, now: float, *, draining: bool
    ) -> None:
        sessions = self._sessions
        if (request.call_id, request.from_tag, request.cseq) in sessions.invites:
            # the same request by another path (section 8.2.2.2)
            sessions.respond(transaction, 482, now)
        elif sessions.layer.is_ours(request):
            sessions.respond(transaction, 482, now)
        elif draining or len(sessions.calls) >= self._max_calls:
            sessions.respond(transaction, 503, now, headers=RETRY_AFTER)
        elif request.body and not is_sdp(request):
            sessions.respond(transaction, 415, now, headers=[("Accept", ACCEPTED)])
        elif "Accept" in request.headers and not _takes_sdp(request):
            sessions.respond(transaction, 406, now)
        elif "Session-Expires" in request.headers and too_short(request):
            sessions.respond(transaction, 422, now, headers=[("Min-SE", str(LEAST_SECONDS))])
        else:
            try:
                dialog = Dialog.of_request(request, sessions.layer.token())
            except BadHeader:
                sessions.respond(transaction, 400, now)
                return
            sessions.layer.trying(transaction)
            self._enter(transaction, request, called, dialog)

    def _enter(self, transaction: ServerTransaction, request: Request, called: str, dialog: Dialog) -> None:
        sessions = self._sessions
        token = sessions.layer.token()
        trunk = sessions.trunk_of(transaction.source.host)
        call = Call(
            token,
            Direction.INBOUND,
            CallState.INCOMING,
            caller_of(request),
            called,
            transaction.source,
            trunk,
            digest=sessions.digest_of(trunk) if trunk else None,
            secure=request.uri[:5].lower() == "sips:",
            invite=transaction,
            local_tag=dialog.local_tag,
            remote_sdp=request.body,
            wants_offer=not request.body and requires(request),
        )
        transaction.user = call
        sessions.calls.add(call)
        sessions.invites.add((request.call_id, request.from_tag, request.cseq))
        sessions.enter(call, dialog)
        sessions.events.append(
            IncomingCall(
                call,
                call.from_number,
                call.to_number,
                call.peer,
                call.trunk or "",
                request.body,
                number_of(request.headers.get("To")),
            )
        )

    def ring(self, call: Call, now: float, sdp: bytes, status: int) -> None:
        if not 101 <= status <= 199:
            raise ValueError(f"{status} lets nobody wait")
        invite = _invite(call, CallCause.RING)
        call.step(CallCause.RING)
        self._provisionals.ring(call, invite, status, sdp, now)

    def reject(self, call: Call, status: int, reason: str, now: float) -> None:
        if not 300 <= status <= 699:
            raise ValueError(f"{status} rejects no call")
        invite = _invite(call, CallCause.REJECT)
        call.step(CallCause.REJECT)
        headers = [*refusal(status), *(RETRY_AFTER if status == 503 else ())]
        self._sessions.respond(invite, status, now, reason=reason, to_tag=call.local_tag, headers=headers)
        self._sessions.leave(call)

    def answer(self, call: Call, sdp: bytes, now: float) -> None:
        invite = _invite(call, CallCause.ANSWER)
        if call.reliable is not None and call.state is CallState.RINGING:
            call.step(CallCause.ACCEPT)
            call.local_sdp, call.following = sdp or call.local_sdp, None
            return
        call.step(CallCause.ANSWER)
        headers = self._changes.agree(call, invite.request, now)
        self._sessions.accept(call, invite, b"" if call.agreed else sdp, now, headers)

    def prack_received(
        self, call: Call, transaction: ServerTransaction, request: Request, now: float
    ) -> None:
        acknowledged = self._provisionals.prack_received(call, transaction, request, now)
        if acknowledged and call.reliable is None and call.state is CallState.ACCEPTING:
            self.answer(call, call.local_sdp, now)

    def cancel_received(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        invite = self._sessions.layer.invite_of(transaction)
        call = invite.user if invite is not None else None
        if invite is None or not isinstance(call, Call):
            self._sessions.respond(transaction, 200 if invite else 481, now)
            return
        self._sessions.respond(transaction, 200, now, to_tag=call.local_tag)
        if invite is call.offer:  # a re-INVITE: the call goes on
            self._sessions.drop_offer(call, now)
        elif call.allows(CallCause.REMOTE_CANCEL):
            call.step(CallCause.REMOTE_CANCEL)
            self._sessions.respond(invite, 487, now, to_tag=call.local_tag)
            self._sessions.events.append(CallCancelled(call, reason_of(request)))
            self._sessions.leave(call)


def _takes_sdp(request: Request) -> bool:
    """Whether the Accept of an INVITE leaves us anything to answer with (section 20.1)."""
    accepted = {value.partition(";")[0].strip().lower() for value in request.headers.values("Accept")}
    return bool(accepted & {SDP, "application/*", "*/*"})


def _invite(call: Call, cause: CallCause) -> ServerTransaction:
    """The INVITE of an inbound call.  Raises IllegalTransition for an outbound one."""
    if not isinstance(call.invite, ServerTransaction):
        raise IllegalTransition(f"call: {cause.name} of an outbound call")
    return call.invite
