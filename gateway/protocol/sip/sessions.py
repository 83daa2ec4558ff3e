"""What inbound and outbound calls share: the table of dialogs, sending inside one, BYE, repeated 2xx."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import ip_address

from gateway.protocol.sip.address import DEFAULT_PORTS, Address, Transport, transport_named
from gateway.protocol.sip.body import SDP
from gateway.protocol.sip.call import (
    AnswerReceived,
    Call,
    CallAnswered,
    CallCancelled,
    CallCause,
    CallEnded,
    CallState,
    EndedBy,
    SipEvent,
    Unacked,
)
from gateway.protocol.sip.dialog import Dialog, DialogId
from gateway.protocol.sip.digest import Digest
from gateway.protocol.sip.layer import TransactionLayer
from gateway.protocol.sip.message import CREDENTIALS, Request, Response, respond
from gateway.protocol.sip.reason import NORMAL_CLEARING, TIMER_EXPIRY, q850, reason_of
from gateway.protocol.sip.timers import LIFETIME, T1, T2
from gateway.protocol.sip.transaction import ClientTransaction, ServerTransaction
from gateway.protocol.sip.uri import sip_uri

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, NOTIFY"
SUPPORTED = "100rel, timer"
Fields = Iterable[tuple[str, str]]


class Sessions:
    """`trunk_of` names the trunk of an IP address; requests inside a call go to such addresses only.
    `digest_of` has our credentials with a trunk."""

    def __init__(
        self,
        layer: TransactionLayer,
        trunk_of: Callable[[str], str | None],
        user_agent: str,
        digest_of: Callable[[str], Digest | None],
    ) -> None:
        self.layer = layer
        self.trunk_of = trunk_of
        self.digest_of = digest_of
        self.seen_at: dict[str, tuple[str, int]] = {}  # our address as the peers of a trunk see it, by NAT
        self.user_agent = user_agent
        self.calls: set[Call] = set()  # every call that is not ENDED
        self.dialogs: dict[DialogId, tuple[Call, Dialog]] = {}
        self.invites: set[tuple[str, str, int]] = set()  # Call-ID, From tag, CSeq of inbound calls
        self.events: deque[SipEvent] = deque()

    def contact(self, call: Call) -> tuple[str, str]:
        transport = call.peer.transport
        # a withheld number must not show here either
        uri = sip_uri("" if call.anonymous else call.own_number, *self.own_place(transport, call.trunk))
        if call.secure:
            uri = f"sips{uri.removeprefix('sip')}"
        elif transport != "udp":
            uri = f"{uri};transport={transport}"
        return "Contact", f"<{uri}>"

    def own_place(self, transport: Transport, trunk: str | None) -> tuple[str, int]:
        """Where the peers of a trunk reach us."""
        seen = self.seen_at.get(trunk or "") if transport == "udp" else None
        return seen or (self.layer.host, self.layer.own_port(transport))

    def enter(self, call: Call, dialog: Dialog) -> None:
        call.dialog = dialog
        self.dialogs[dialog.id] = call, dialog

    def dialog_of(self, request: Request) -> tuple[Call, Dialog] | tuple[None, None]:
        """Which call a request of the peer belongs to."""
        return self.dialogs.get((request.call_id, request.to_tag, request.from_tag), (None, None))

    def leave(self, call: Call) -> None:
        """The call is ENDED: drop it and its timers."""
        self._stop_timers(call)
        self.layer.timers.cancel(call.cancel_timer)
        self.forget_early(call)
        self.calls.discard(call)
        if isinstance(call.invite, ServerTransaction):
            request = call.invite.request
            self.invites.discard((request.call_id, request.from_tag, request.cseq))
        if call.dialog is not None:
            self.dialogs.pop(call.dialog.id, None)

    def forget_early(self, call: Call) -> None:
        """The INVITE has its final response: what other branches of a fork said counts no more."""
        for early in call.early.values():
            self.dialogs.pop(early.dialog.id, None)
        call.early.clear()

    def _stop_timers(self, call: Call) -> None:
        self.stop_repeating(call)
        timers = self.layer.timers
        if call.reliable is not None:
            timers.cancel(call.reliable.timer)
        if call.change is not None:
            timers.cancel(call.change.retry)
        if call.session_timer is not None:
            timers.cancel(call.session_timer.refresh)
            timers.cancel(call.session_timer.expiry)

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        *,
        reason: str = "",
        to_tag: str = "",
        headers: Fields = (),
        sdp: bytes = b"",
    ) -> None:
        """Answer a request.  A tag that is not given is made up."""
        response = respond(
            transaction.request,
            status,
            reason,
            to_tag=to_tag or self.layer.token(),
            headers=[*headers, ("Server", self.user_agent)],
            body=sdp,
            content_type=SDP,
        )
        self.layer.respond(transaction, response, now)

    def address_of(self, dialog: Dialog, peer: Address) -> Address:
        """Where the dialog's next request goes.

        Route or Contact when it is an address of a trunk.  Otherwise the peer's own: behind NAT Contact is
        unreachable, and a stranger's would let a peer aim us at others.  A URI that names no transport keeps
        the peer's: RFC 3263 would take UDP, and a call that came by TLS must not go on in the clear.
        """
        hop = dialog.next_hop()
        if hop is None:
            return peer
        host = hop.host.strip("[]")
        try:
            known = self.trunk_of(str(ip_address(host))) is not None
        except ValueError:
            known = False
        if not known:
            return peer
        transport = transport_named(hop.parameters.get("transport")) or peer.transport
        if hop.scheme == "sips":
            transport = "tls"
        return Address(host, hop.port or DEFAULT_PORTS[transport], transport)

    def send(
        self,
        call: Call,
        dialog: Dialog,
        method: str,
        now: float,
        *,
        user: object,
        headers: Fields = (),
        sdp: bytes = b"",
    ) -> ClientTransaction:
        """Send a request inside a dialog of the call; the responses are for `user`."""
        address = self.address_of(dialog, call.peer)
        request = dialog.request(
            method,
            self.layer.via(address.transport),
            headers=[*headers, ("User-Agent", self.user_agent)],
            body=sdp,
            content_type=SDP,
        )
        return self.layer.request(request, address, now, user, call.digest)

    def acknowledge(self, call: Call, dialog: Dialog, invite: Request, response: Response) -> bool:
        """ACK for a 2xx to an INVITE of ours; the same again for a repetition, which gives False."""
        key = response.cseq, response.to_tag
        known = call.acks.get(key)
        if known is None:
            address = self.address_of(dialog, call.peer)
            # an ACK cannot be challenged: what satisfied the INVITE goes along (section 22.1)
            credentials = [(name, line) for name in CREDENTIALS for line in invite.headers.lines(name)]
            ack = dialog.request(
                "ACK", self.layer.via(address.transport), headers=credentials, cseq=response.cseq
            )
            call.acks[key] = ack, address
        self.layer.send(*call.acks[key])
        return known is None

    # --- ending

    def end(self, call: Call, cause: CallCause, now: float, by: EndedBy | None) -> None:
        """Step to ENDING: BYE, and the event unless `by` is None."""
        call.step(cause)
        self._stop_timers(call)
        self.drop_offer(call, now)
        assert call.dialog is not None  # every state that leads to ENDING has one
        late = by in (EndedBy.NO_ACK, EndedBy.LOST)
        reason = q850(TIMER_EXPIRY if late else call.why)
        self.send(call, call.dialog, "BYE", now, user=call, headers=[reason])
        if by is not None:
            self.events.append(CallEnded(call, by, ""))

    def end_fork(self, call: Call, dialog: Dialog, now: float) -> None:
        """BYE for a 2xx that came too late, or from another branch than the one that the call stands with."""
        self.send(call, dialog, "BYE", now, user=None, headers=[q850(NORMAL_CLEARING)])

    def drop_offer(self, call: Call, now: float) -> None:
        """Their re-INVITE or UPDATE that the application has not judged yet (sections 9.2, 15.1.2)."""
        if call.offer is not None:
            self.respond(call.offer, 487, now)
            call.offer = None

    def bye_done(self, call: Call) -> None:
        if call.allows(CallCause.BYE_DONE):
            call.step(CallCause.BYE_DONE)
            self.leave(call)

    # --- 2xx until ACK

    def accept(
        self, call: Call, transaction: ServerTransaction, sdp: bytes, now: float, headers: Fields = ()
    ) -> None:
        """Answer an INVITE or re-INVITE by 200, again and again until its ACK."""
        response = respond(
            transaction.request,
            200,
            to_tag=call.local_tag,
            headers=[
                *record_route(transaction.request),
                self.contact(call),
                ("Allow", ALLOW),
                ("Supported", SUPPORTED),
                *headers,
                ("Server", self.user_agent),
            ],
            body=sdp,
            content_type=SDP,
        )
        call.local_sdp = sdp or call.local_sdp
        self.layer.respond(transaction, response, now)
        call.unacked = Unacked(transaction, T1, now + LIFETIME)
        self._wait_for_ack(call, call.unacked, now)

    def stop_repeating(self, call: Call) -> None:
        if call.unacked is not None:
            self.layer.timers.cancel(call.unacked.timer)
            call.unacked = None

    def _wait_for_ack(self, call: Call, unacked: Unacked, now: float) -> None:
        when = min(now + unacked.wait, unacked.gives_up_at)
        unacked.timer = self.layer.timers.start(when, partial(self._no_ack_yet, call, unacked))

    def _no_ack_yet(self, call: Call, unacked: Unacked, now: float) -> None:
        if now >= unacked.gives_up_at:
            self.end(call, CallCause.NO_ACK, now, EndedBy.NO_ACK)
            return
        self.layer.repeat(unacked.transaction)
        unacked.wait = min(2 * unacked.wait, T2)
        self._wait_for_ack(call, unacked, now)

    def ack_received(self, ack: Request, now: float) -> None:
        call, _ = self.dialog_of(ack)
        if call is None or call.unacked is None or call.unacked.transaction.request.cseq != ack.cseq:
            return
        invite = call.unacked.transaction.request
        offered = not invite.body and not (call.agreed and call.unacked.transaction is call.invite)
        self.stop_repeating(call)
        if offered:  # by our 200
            call.remote_sdp = ack.body
        if call.state is CallState.CLOSING:
            self.end(call, CallCause.ACK, now, EndedBy.LOCAL)
        elif call.state is CallState.ANSWERED:
            call.step(CallCause.ACK)
            self.events.append(CallAnswered(call, ack.body))
        elif offered:
            self.events.append(AnswerReceived(call, ack.body))

    def bye_received(self, call: Call, transaction: ServerTransaction, request: Request, now: float) -> None:
        self.respond(transaction, 200, now)
        reason = reason_of(request)
        before = call.state
        self.drop_offer(call, now)
        if not call.allows(CallCause.REMOTE_BYE):
            return  # from a phone that only rings: its refusal of the INVITE counts
        call.step(CallCause.REMOTE_BYE)
        if before in _UNANSWERED and isinstance(call.invite, ServerTransaction):
            self.respond(call.invite, 487, now, to_tag=call.local_tag)
            self.events.append(CallCancelled(call, reason))
        elif before is not CallState.ENDING:
            self.events.append(CallEnded(call, EndedBy.REMOTE, reason))
        self.leave(call)


_UNANSWERED = (CallState.INCOMING, CallState.RINGING, CallState.ACCEPTING)


def record_route(request: Request) -> Fields:
    """The lines that a response which makes a dialog repeats (section 12.1.1)."""
    return [("Record-Route", route) for route in request.headers.lines("Record-Route")]
