"""Requests inside a dialog: which call they belong to, whether they are in order, and who answers them."""

from __future__ import annotations

from gateway.protocol.rtp.digits import INFO_TYPES, digit_of_info
from gateway.protocol.sip.call import Call, CallState, InfoReceived
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
                self._info_received(call, transaction, request, now)
            case _:
                sessions.respond(transaction, 200, now, headers=ABLE)  # OPTIONS

    def _info_received(
        self, call: Call, transaction: ServerTransaction, request: Request, now: float
    ) -> None:
        """A key; or what RFC 6086 section 4.2.2 and RFC 2976 section 2.2 have for what we do not know."""
        sessions = self._sessions
        content_type = readable(request.headers.get("Content-Type").partition(";")[0].strip().lower())
        status, headers, digit = 200, [], ""
        if request.headers.get("Info-Package"):
            status, headers = 469, [("Recv-Info", "")]
        elif content_type in INFO_TYPES:
            try:
                digit = digit_of_info(content_type, request.body)
            except ValueError:
                status = 400
        elif content_type or request.body:
            status, headers = 415, [("Accept", ", ".join(INFO_TYPES))]
        sessions.respond(transaction, status, now, headers=headers)
        if digit or status != 200:  # one without a body only asks whether we are there
            sessions.events.append(InfoReceived(call, status, content_type, digit))
