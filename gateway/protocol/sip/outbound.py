"""Calls of ours: INVITE, ACK, CANCEL, PRACK, the branches of a fork, redirection.

RFC 3261 sections 8.1.3.4, 9.1 and 13.2, RFC 3262 section 4.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from ipaddress import ip_address

from gateway.protocol.sip import session_timer
from gateway.protocol.sip.address import DEFAULT_PORTS, Address, transport_named
from gateway.protocol.sip.body import SDP
from gateway.protocol.sip.call import (
    Call,
    CallAnswered,
    CallCause,
    CallFailed,
    CallProgress,
    CallState,
    Direction,
    EarlyDialog,
)
from gateway.protocol.sip.changes import SessionChanges
from gateway.protocol.sip.dialog import Dialog
from gateway.protocol.sip.grammar import readable
from gateway.protocol.sip.identity import Identity
from gateway.protocol.sip.manner import PLAIN, Manner
from gateway.protocol.sip.message import Request, Response, make_request, renewed, retry_after
from gateway.protocol.sip.provisional import rseq_of
from gateway.protocol.sip.reason import q850, reason_of
from gateway.protocol.sip.redirection import MAX_REDIRECTIONS, contacts
from gateway.protocol.sip.sessions import ALLOW, SUPPORTED, Fields, Sessions
from gateway.protocol.sip.timers import LIFETIME
from gateway.protocol.sip.transaction import ClientTransaction
from gateway.protocol.sip.uri import Uri, sip_uri

MAX_FORKS = 10
_MOVED = (300, 301, 302)  # the other 3xx name no other place for the same call


class OutboundCalls:
    def __init__(self, sessions: Sessions, changes: SessionChanges) -> None:
        self._sessions = sessions
        self._changes = changes

    def invite(
        self,
        target: Address,
        to_number: str,
        from_number: str,
        sdp: bytes,
        now: float,
        manner: Manner = PLAIN,
    ) -> Call:
        sessions, layer = self._sessions, self._sessions.layer
        place = (manner.domain, manner.port) if manner.domain else (target.host, target.port)
        uri = sip_uri(to_number, *place)
        tag = layer.token()
        identity = manner.identity or Identity(from_number, layer.host)
        call = Call(
            layer.token(),
            Direction.OUTBOUND,
            CallState.CALLING,
            from_number,
            to_number,
            target,
            manner.trunk or sessions.trunk_of(target.host),
            digest=manner.digest,
            anonymous=identity.anonymous,
            local_tag=tag,
            local_sdp=sdp,
        )
        request = make_request(
            "INVITE",
            uri,
            via=layer.via(target.transport),
            from_=identity.from_(tag),
            to=f"<{uri}>",
            call_id=f"{call.id}@{layer.host}",
            cseq=1,
            headers=[
                *manner.route_headers,
                sessions.contact(call),
                *identity.headers(),
                ("Allow", ALLOW),
                ("Supported", SUPPORTED),
                ("Session-Expires", str(session_timer.INTERVAL_SECONDS)),
                ("User-Agent", sessions.user_agent),
            ],
            body=sdp,
            content_type=SDP,
        )
        sessions.calls.add(call)
        call.invite = layer.request(request, target, now, call, manner.digest)
        return call

    def hang_up(self, call: Call, now: float) -> None:
        """Give up before the answer: CANCEL, now or as soon as a provisional response allows it."""
        call.step(CallCause.HANG_UP)
        if call.state is CallState.CANCELLING:
            self._cancel(call, now)

    def _cancel(self, call: Call, now: float) -> None:
        assert isinstance(call.invite, ClientTransaction)
        self._sessions.layer.cancel(call.invite, now, call, q850(call.why))
        # section 9.1: no final response within 64*T1 of the CANCEL means that none will come
        call.cancel_timer = self._sessions.layer.timers.start(now + LIFETIME, partial(self._give_up, call))

    def _give_up(self, call: Call, now: float) -> None:
        if call.state is CallState.CANCELLING and isinstance(call.invite, ClientTransaction):
            self._sessions.layer.abandon(call.invite)
            self._failed(call, 487, "no answer to CANCEL", now)

    def response_received(self, call: Call, response: Response, now: float) -> None:
        """A response to the INVITE."""
        if response.status >= 300:
            if not (self._redirected(call, response, now) or self._lengthened(call, response, now)):
                self._failed(
                    call,
                    response.status,
                    readable(response.reason),
                    now,
                    retry_after(response),
                    cause=reason_of(response),
                )
        elif response.status >= 200:
            self._success(call, response, now)
        else:
            self._provisional(call, response, now)

    def _provisional(self, call: Call, response: Response, now: float) -> None:
        if not call.allows(CallCause.PROVISIONAL):
            return
        abandoned = call.state is CallState.ABANDONED
        call.step(CallCause.PROVISIONAL)
        if abandoned:
            self._cancel(call, now)
        if response.status == 100:
            return
        branch = self._branch(call, response)
        rseq = rseq_of(response)
        if branch is not None:
            if rseq is not None and not self._acknowledged(call, branch, rseq, now):
                return
            branch.dialog.refresh_by(response)
            if response.body:
                branch.sdp = response.body
                branch.agreed = rseq is not None
        if call.state is CallState.PROCEEDING:
            progress = CallProgress(call, response.status, response.body, response.to_tag)
            self._sessions.events.append(progress)

    def _branch(self, call: Call, response: Response) -> EarlyDialog | None:
        """What a provisional response's phone has said so far; None when there is no more room, or no tag."""
        tag = response.to_tag
        branch = call.early.get(tag)
        if branch is None and tag and len(call.early) < MAX_FORKS and call.invite is not None:
            dialog = Dialog.of_response(call.invite.request, response)
            branch = call.early[tag] = EarlyDialog(dialog)
            self._sessions.dialogs[dialog.id] = call, dialog
        return branch

    def _acknowledged(self, call: Call, branch: EarlyDialog, rseq: int, now: float) -> bool:
        """PRACK; False for a repetition, and for one that overtook another (RFC 3262 section 4)."""
        if branch.rseq >= 0 and rseq != branch.rseq + 1:
            return False
        branch.rseq = rseq
        rack = "RAck", f"{rseq} {branch.dialog.invite_cseq} INVITE"
        self._sessions.send(call, branch.dialog, "PRACK", now, user=None, headers=[rack])
        return True

    # --- the INVITE again

    def _redirected(self, call: Call, response: Response, now: float) -> bool:
        """Follow a 3xx within the trunk; to anywhere else it could only lead us astray."""
        invite = call.invite
        if response.status not in _MOVED or invite is None or call.redirections >= MAX_REDIRECTIONS:
            return False
        for text, uri in contacts(response):
            target = self._within(call, invite.request, uri)
            if target is not None and (text, target) != (invite.request.uri, call.peer):
                call.redirections += 1
                return self._again(call, now, uri=text, target=target)
        return False

    def _within(self, call: Call, invite: Request, uri: Uri) -> Address | None:
        """Where a redirected call goes, when the trunk of the call is there."""
        host = uri.host.strip("[]")
        try:
            trunk = self._sessions.trunk_of(str(ip_address(host)))
        except ValueError:  # a name: only the carrier's own, where the call went to
            return call.peer if uri.host == Uri.parse(invite.uri).host else None
        if trunk is None or trunk != call.trunk:
            return None
        transport = transport_named(uri.parameters.get("transport")) or call.peer.transport
        target = Address(host, uri.port or DEFAULT_PORTS[transport], transport)
        return call.peer if "Route" in invite.headers else target

    def _lengthened(self, call: Call, response: Response, now: float) -> bool:
        """Meet the Min-SE of a 422 (RFC 4028 section 7.3)."""
        if response.status != 422 or not self._changes.longer(call, response):
            return False
        interval = max(session_timer.INTERVAL_SECONDS, call.min_se)
        headers = [("Session-Expires", str(interval)), ("Min-SE", str(call.min_se))]
        return self._again(call, now, headers=headers)

    def _again(
        self, call: Call, now: float, *, uri: str = "", target: Address | None = None, headers: Fields = ()
    ) -> bool:
        """The INVITE once more, changed; False when nobody waits for the call any more."""
        before = call.invite
        if not call.allows(CallCause.AGAIN) or not isinstance(before, ClientTransaction):
            return False
        call.step(CallCause.AGAIN)
        self._sessions.drop_offer(call, now)
        self._sessions.forget_early(call)
        call.peer = target or call.peer
        layer = self._sessions.layer
        request = renewed(before.request, layer.via(call.peer.transport), before.request.cseq + 1)
        for name, value in headers:
            request.headers.set(name, value)
        request = replace(request, uri=uri or request.uri)
        call.invite = layer.request(request, call.peer, now, call, call.digest)
        return True

    # --- its end

    def invite_failed(self, call: Call, now: float, *, unreachable: bool) -> None:
        """Timer B, or the datagram could not be sent."""
        reason = "could not be sent" if unreachable else "no response"
        self._failed(call, 503 if unreachable else 408, reason, now, unreachable=True)

    def _failed(
        self,
        call: Call,
        status: int,
        reason: str,
        now: float,
        retry_after: int | None = None,
        *,
        unreachable: bool = False,
        cause: str = "",
    ) -> None:
        if call.allows(CallCause.FAILURE):
            call.step(CallCause.FAILURE)
            self._sessions.drop_offer(call, now)
            self._sessions.leave(call)
            self._sessions.events.append(CallFailed(call, status, reason, retry_after, unreachable, cause))

    def _success(self, call: Call, response: Response, now: float) -> None:
        sessions = self._sessions
        invite = call.invite
        known = (response.cseq, response.to_tag) in call.acks
        if not isinstance(invite, ClientTransaction) or (not known and len(call.acks) >= MAX_FORKS):
            return
        branch = call.early.get(response.to_tag)
        dialog = Dialog.of_response(invite.request, response)
        if branch is not None:
            dialog.go_on_from(branch.dialog)
        if not sessions.acknowledge(call, dialog, invite.request, response):
            return
        if not call.allows(CallCause.SUCCESS):
            # the call stands with another branch of a fork, or is over: this one is not wanted
            sessions.end_fork(call, dialog, now)
            return
        sessions.layer.timers.cancel(call.cancel_timer)
        sdp = response.body
        if branch is not None and (branch.agreed or not sdp):
            sdp = branch.sdp
        if call.offer is not None and call.offer.request.from_tag != response.to_tag:
            sessions.drop_offer(call, now)  # from another branch of the fork
        sessions.forget_early(call)
        sessions.enter(call, dialog)
        if call.state in (CallState.ABANDONED, CallState.CANCELLING):
            sessions.end(call, CallCause.SUCCESS, now, None)
            sessions.events.append(CallFailed(call, 487, "answered while it was cancelled", None, False))
        else:
            call.step(CallCause.SUCCESS)
            call.remote_sdp = sdp
            self._changes.agreed(call, response, now)
            sessions.events.append(CallAnswered(call, sdp))
