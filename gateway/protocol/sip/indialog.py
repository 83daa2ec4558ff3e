"""Requests inside a dialog: which call they belong to, whether they are in order, and who answers them."""

from __future__ import annotations

from gateway.protocol.sip.call import CallState, InfoReceived
from gateway.protocol.sip.changes import SessionChanges
from gateway.protocol.sip.grammar import readable
from gateway.protocol.sip.inbound import InboundCalls
from gateway.protocol.sip.message import Request
from gateway.protocol.sip.refer import Referrals
from gateway.protocol.sip.screening import ABLE
from gateway.protocol.sip.sessions import Sessions
from gateway.protocol.sip.transaction import ServerTransaction


class DialogRequests:
    def __init__(
        self, sessions: Sessions, changes: SessionChanges, referrals: Referrals, inbound: InboundCalls
    ) -> None:
        self._sessions = sessions
        self._changes = changes
        self._referrals = referrals
        self._inbound = inbound

    def received(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        sessions = self._sessions
        call, dialog = sessions.dialog_of(request)
        over = call is None or (call.state is CallState.ENDING and request.method != "BYE")  # ours was sent
        if call is None or dialog is None or over:
            sessions.respond(transaction, 481, now)
            return
        if request.cseq <= dialog.remote_cseq:
            sessions.respond(transaction, 500, now, reason="CSeq Out Of Order")
            return
        dialog.remote_cseq = request.cseq
        match request.method:
            case "BYE":
                sessions.bye_received(call, transaction, request, now)
            case "INVITE":
                self._changes.reinvite_received(call, transaction, request, now)
            case "UPDATE":
                self._changes.update_received(call, dialog, transaction, request, now)
            case "PRACK":
                self._inbound.prack_received(call, transaction, request, now)
            case "NOTIFY":
                self._referrals.notify_received(call, transaction, request, now)
            case "INFO":
                sessions.respond(transaction, 200, now)
                content_type = request.headers.get("Content-Type").partition(";")[0].strip().lower()
                sessions.events.append(InfoReceived(call, readable(content_type), request.body))
            case _:
                sessions.respond(transaction, 200, now, headers=ABLE)  # OPTIONS
