"""What inbound and outbound calls share: the table of dialogs, BYE, repeated 2xx, requests inside a call."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import ip_address

from gateway.protocol.sip.address import DEFAULT_PORTS, Address, transport_named
from gateway.protocol.sip.call import (
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
from gateway.protocol.sip.grammar import readable
from gateway.protocol.sip.layer import TransactionLayer
from gateway.protocol.sip.message import Request, respond
from gateway.protocol.sip.timers import LIFETIME, T1, T2
from gateway.protocol.sip.transaction import ServerTransaction
from gateway.protocol.sip.uri import sip_uri

SDP = "application/sdp"
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"
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
        self.user_agent = user_agent
        self.calls: set[Call] = set()  # every call that is not ENDED
        self.dialogs: dict[DialogId, Call] = {}
        self.invites: set[tuple[str, str, int]] = set()  # Call-ID, From tag, CSeq of inbound calls
        self.events: deque[SipEvent] = deque()

    def contact(self, call: Call) -> tuple[str, str]:
        transport = call.peer.transport
        uri = sip_uri(call.own_number, self.layer.host, self.layer.own_port(transport))
        if call.secure:
            uri = f"sips{uri.removeprefix('sip')}"
        elif transport != "udp":
            uri = f"{uri};transport={transport}"
        return "Contact", f"<{uri}>"

    def enter(self, call: Call, dialog: Dialog) -> None:
        call.dialog = dialog
        self.dialogs[dialog.id] = call

    def leave(self, call: Call) -> None:
        """The call is ENDED: drop it and its timers."""
        self.stop_repeating(call)
        self.layer.timers.cancel(call.cancel_timer)
        self.calls.discard(call)
        if isinstance(call.invite, ServerTransaction):
            request = call.invite.request
            self.invites.discard((request.call_id, request.from_tag, request.cseq))
        if call.dialog is not None:
            self.dialogs.pop(call.dialog.id, None)

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

    def request(
        self, dialog: Dialog, method: str, peer: Address, *, headers: Fields = (), cseq: int | None = None
    ) -> tuple[Request, Address]:
        """A request inside the dialog, and where it goes."""
        address = self.address_of(dialog, peer)
        return dialog.request(method, self.layer.via(address.transport), headers=headers, cseq=cseq), address

    # --- ending

    def bye(self, dialog: Dialog, call: Call, now: float, user: Call | None) -> None:
        """Send BYE.  `user` is told when it is done; None for the dialog of a fork."""
        request, address = self.request(dialog, "BYE", call.peer, headers=[("User-Agent", self.user_agent)])
        self.layer.request(request, address, now, user, call.digest)

    def end(self, call: Call, cause: CallCause, now: float, by: EndedBy | None) -> None:
        """Step to ENDING: BYE, and the event unless `by` is None."""
        call.step(cause)
        self.stop_repeating(call)
        assert call.dialog is not None  # every state that leads to ENDING has one
        self.bye(call.dialog, call, now, call)
        if by is not None:
            self.events.append(CallEnded(call, by, ""))

    def bye_done(self, call: Call) -> None:
        if call.allows(CallCause.BYE_DONE):
            call.step(CallCause.BYE_DONE)
            self.leave(call)

    # --- 2xx until ACK

    def accept(self, call: Call, transaction: ServerTransaction, sdp: bytes, now: float) -> None:
        """Answer an INVITE or re-INVITE by 200, again and again until its ACK."""
        response = respond(
            transaction.request,
            200,
            to_tag=call.local_tag,
            headers=[
                *record_route(transaction.request),
                self.contact(call),
                ("Allow", ALLOW),
                ("Server", self.user_agent),
            ],
            body=sdp,
            content_type=SDP,
        )
        call.local_sdp = sdp
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
        call = self.dialogs.get((ack.call_id, ack.to_tag, ack.from_tag))
        if call is None or call.unacked is None or call.unacked.transaction.request.cseq != ack.cseq:
            return
        self.stop_repeating(call)
        if call.state is CallState.CLOSING:
            self.end(call, CallCause.ACK, now, EndedBy.LOCAL)
        elif call.state is CallState.ANSWERED:
            call.step(CallCause.ACK)
            call.remote_sdp = call.remote_sdp or ack.body
            self.events.append(CallAnswered(call, ack.body))

    # --- requests inside a dialog

    def request_received(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        call = self.dialogs.get((request.call_id, request.to_tag, request.from_tag))
        if call is None or call.dialog is None:
            self.respond(transaction, 481, now)
        elif request.cseq <= call.dialog.remote_cseq:
            self.respond(transaction, 500, now, reason="CSeq Out Of Order")
        elif request.method == "BYE":
            self._bye_received(call, transaction, request, now)
        elif request.method == "INVITE":
            self._reinvite_received(call, transaction, request, now)
        else:  # INFO, OPTIONS
            call.dialog.refresh(request)
            self.respond(transaction, 200, now, headers=[("Allow", ALLOW)])

    def _bye_received(self, call: Call, transaction: ServerTransaction, request: Request, now: float) -> None:
        self.respond(transaction, 200, now)
        reason = readable(request.headers.get("Reason"))
        before = call.state
        call.step(CallCause.REMOTE_BYE)  # every state of a call with a dialog has it
        if before in (CallState.INCOMING, CallState.RINGING) and isinstance(call.invite, ServerTransaction):
            self.respond(call.invite, 487, now, to_tag=call.local_tag)
            self.events.append(CallCancelled(call, reason))
        elif before is not CallState.ENDING:
            self.events.append(CallEnded(call, EndedBy.REMOTE, reason))
        self.leave(call)

    def _reinvite_received(
        self, call: Call, transaction: ServerTransaction, request: Request, now: float
    ) -> None:
        """A refresh of the same session gets the same answer; a change is refused, and the session stays."""
        assert call.dialog is not None
        if call.state is not CallState.ESTABLISHED or call.unacked is not None:
            # ours or theirs is still open (section 14.2)
            self.respond(transaction, 491, now)
        elif request.body and request.body != call.remote_sdp:
            self.respond(transaction, 488, now)
        else:
            call.dialog.refresh(request)
            self.accept(call, transaction, call.local_sdp, now)


def record_route(request: Request) -> Fields:
    """The lines that a response which makes a dialog repeats (section 12.1.1)."""
    return [("Record-Route", route) for route in request.headers.lines("Record-Route")]
