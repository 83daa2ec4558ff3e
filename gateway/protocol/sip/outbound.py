"""Calls of ours: INVITE, ACK, CANCEL, and the second 200 of a fork (RFC 3261 sections 9.1, 13.2)."""

from __future__ import annotations

from functools import partial

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import (
    Call,
    CallAnswered,
    CallCause,
    CallFailed,
    CallProgress,
    CallState,
    Direction,
)
from gateway.protocol.sip.dialog import Dialog
from gateway.protocol.sip.grammar import readable
from gateway.protocol.sip.identity import Identity
from gateway.protocol.sip.manner import PLAIN, Manner
from gateway.protocol.sip.message import CREDENTIALS, Response, make_request, retry_after
from gateway.protocol.sip.sessions import ALLOW, SDP, Sessions
from gateway.protocol.sip.timers import LIFETIME
from gateway.protocol.sip.transaction import ClientTransaction
from gateway.protocol.sip.uri import sip_uri

MAX_FORKS = 10


class OutboundCalls:
    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

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
        self._sessions.layer.cancel(call.invite, now, call)
        # section 9.1: no final response within 64*T1 of the CANCEL means that none will come
        call.cancel_timer = self._sessions.layer.timers.start(now + LIFETIME, partial(self._give_up, call))

    def _give_up(self, call: Call, now: float) -> None:
        if call.state is CallState.CANCELLING and isinstance(call.invite, ClientTransaction):
            self._sessions.layer.abandon(call.invite)
            self._failed(call, 487, "no answer to CANCEL")

    def response_received(self, call: Call, response: Response, now: float) -> None:
        """A response to the INVITE."""
        if response.status >= 300:
            self._failed(call, response.status, readable(response.reason), retry_after(response))
        elif response.status >= 200:
            self._success(call, response, now)
        elif call.allows(CallCause.PROVISIONAL):
            abandoned = call.state is CallState.ABANDONED
            call.step(CallCause.PROVISIONAL)
            if abandoned:
                self._cancel(call, now)
            elif call.state is CallState.PROCEEDING and response.status > 100:
                self._sessions.events.append(CallProgress(call, response.status, response.body))

    def invite_failed(self, call: Call, *, unreachable: bool) -> None:
        """Timer B, or the datagram could not be sent."""
        reason = "could not be sent" if unreachable else "no response"
        self._failed(call, 503 if unreachable else 408, reason, unreachable=True)

    def _failed(
        self,
        call: Call,
        status: int,
        reason: str,
        retry_after: int | None = None,
        *,
        unreachable: bool = False,
    ) -> None:
        if call.allows(CallCause.FAILURE):
            call.step(CallCause.FAILURE)
            self._sessions.leave(call)
            self._sessions.events.append(CallFailed(call, status, reason, retry_after, unreachable))

    def _success(self, call: Call, response: Response, now: float) -> None:
        sessions = self._sessions
        known = call.acks.get(response.to_tag)
        if known is not None:
            sessions.layer.send(*known)
            return
        if len(call.acks) >= MAX_FORKS or not isinstance(call.invite, ClientTransaction):
            return
        dialog = Dialog.of_response(call.invite.request, response)
        # an ACK cannot be challenged: what satisfied the INVITE goes along (section 22.1)
        sent = call.invite.request.headers
        credentials = [(name, line) for name in CREDENTIALS for line in sent.lines(name)]
        ack = sessions.request(dialog, "ACK", call.peer, headers=credentials, cseq=response.cseq)
        call.acks[response.to_tag] = ack
        sessions.layer.send(*call.acks[response.to_tag])
        if not call.allows(CallCause.SUCCESS):
            # the call stands with another branch of a fork, or is over: this one is not wanted
            sessions.bye(dialog, call, now, None)
            return
        sessions.layer.timers.cancel(call.cancel_timer)
        sessions.enter(call, dialog)
        if call.state in (CallState.ABANDONED, CallState.CANCELLING):
            sessions.end(call, CallCause.SUCCESS, now, None)
            sessions.events.append(CallFailed(call, 487, "answered while it was cancelled", None, False))
        else:
            call.step(CallCause.SUCCESS)
            call.remote_sdp = response.body
            sessions.events.append(CallAnswered(call, response.body))
