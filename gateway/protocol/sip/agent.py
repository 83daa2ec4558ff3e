"""The user agent: what a socket drives and an application talks to (RFC 3261 section 8).

    agent.receive(message, source, now);  agent.tick(now)      from the transport
    agent.ring, reject, answer, hang_up, invite, options,
    accept_offer, refuse_offer, offer, refer                   from the application
    agent.next_event(), agent.datagrams(), agent.deadline()    to be looked at after each of these

Exactly one of CallCancelled, CallEnded, CallFailed closes a call, but for one that the application rejects
itself: there the rejection is the end.  Not supported, and refused as the standard says: SUBSCRIBE, and a
REFER of the peer's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from gateway.protocol.sip.address import Address, Transport
from gateway.protocol.sip.body import unwrap
from gateway.protocol.sip.call import (
    Call,
    CallCancelled,
    CallCause,
    CallState,
    EndedBy,
    OptionsAnswered,
    Probe,
    RegisterAnswered,
    SipEvent,
)
from gateway.protocol.sip.changes import SessionChanges
from gateway.protocol.sip.digest import Digest
from gateway.protocol.sip.inbound import InboundCalls
from gateway.protocol.sip.indialog import DialogRequests
from gateway.protocol.sip.layer import Rng, TransactionLayer
from gateway.protocol.sip.manner import PLAIN, Binding, Manner
from gateway.protocol.sip.message import Message, Request, Response
from gateway.protocol.sip.outbound import OutboundCalls
from gateway.protocol.sip.outside import Outside
from gateway.protocol.sip.reason import NORMAL_CLEARING, TEMPORARY_FAILURE
from gateway.protocol.sip.refer import Referral, Referrals
from gateway.protocol.sip.screening import ABLE, judge
from gateway.protocol.sip.sessions import Sessions
from gateway.protocol.sip.transaction import (
    AckReceived,
    ClientTransaction,
    Datagram,
    LayerEvent,
    RequestReceived,
    ResponseReceived,
    ServerTransaction,
    State,
    StrangerMuted,
    TransactionFailed,
)
from gateway.protocol.sip.uri import Uri


class UserAgent:
    """`host` and `port` are what peers see of us, `ports` of the transports that listen elsewhere ("tls").
    `admit` names the trunk of a source IP address, or None; `digest_of` has our credentials with a trunk.

    Times are monotonic seconds.  Above `max_calls` calls, or `max_transactions` unfinished requests, a new
    INVITE gets 503 with Retry-After.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        admit: Callable[[str], str | None],
        rng: Rng,
        user_agent: str,
        ports: Mapping[Transport, int] | None = None,
        digest_of: Callable[[str], Digest | None] = lambda trunk: None,
        stream_for: Callable[[Address], Address | None] = lambda address: None,
        answer_strangers: bool = True,
        max_calls: int = 30_000,
        max_transactions: int = 100_000,
    ) -> None:
        self.layer = TransactionLayer(
            host,
            port,
            rng=rng,
            ports=ports,
            admit=lambda source: admit(source) is not None,
            answer_strangers=answer_strangers,
            stream_for=stream_for,
            limit=max_transactions,
        )
        self._draining = False
        self._sessions = Sessions(self.layer, admit, user_agent, digest_of)
        self._changes = SessionChanges(self._sessions)
        self._referrals = Referrals(self._sessions)
        self._inbound = InboundCalls(self._sessions, self._changes, max_calls)
        self._outbound = OutboundCalls(self._sessions, self._changes)
        self._outside = Outside(self._sessions)
        self._in_dialog = DialogRequests(self._sessions, self._changes, self._referrals, self._inbound)

    # --- the transport's side

    def receive(self, datagram: bytes, source: Address, now: float) -> None:
        """One datagram, or one message cut from a stream by its Content-Length."""
        self.layer.receive(datagram, source, now)
        self._settle(now)

    def tick(self, now: float) -> None:
        self.layer.tick(now)
        self._settle(now)

    def send_failed(self, client: ClientTransaction, now: float) -> None:
        """What this transaction sent did not get out: no route, no connection."""
        self.layer.send_failed(client, now)
        self._settle(now)

    def connection_lost(self, address: Address, now: float, *, opened: bool) -> None:
        """The connection that led to there is no more, or could not be `opened`."""
        self.layer.connection_lost(address, now, opened=opened)
        self._settle(now)

    def deadline(self) -> float | None:
        return self.layer.deadline()

    def datagrams(self) -> list[Datagram]:
        return self.layer.datagrams()

    def next_event(self) -> SipEvent | None:
        return self._sessions.events.popleft() if self._sessions.events else None

    # --- the application's side; each raises IllegalTransition in a state that does not have it

    @property
    def calls(self) -> frozenset[Call]:
        """Every call that is not over, those included whose BYE is not answered yet."""
        return frozenset(self._sessions.calls)

    @property
    def overloaded(self) -> int:
        """New calls are turned away by 503 with so many seconds of Retry-After, 0: they are taken; set by the
        transport, which sees what waits."""
        return self.layer.overloaded

    @overloaded.setter
    def overloaded(self, retry_after: int) -> None:
        self.layer.overloaded = retry_after

    def tables(self) -> dict[str, int]:
        """How much is remembered; all of it is empty again 64*T1 after the last call."""
        layer = self.layer
        return {
            "sip_transactions": len(layer.clients) + len(layer.servers),
            "sip_dialogs": len(self._sessions.dialogs),
            "sip_timers": len(layer.timers),
        }

    @property
    def draining(self) -> bool:
        return self._draining

    @property
    def idle(self) -> bool:
        """Whether nothing is owed to a peer: no call, no refusal without its ACK."""
        return not self._sessions.calls and not any(
            server.request.method == "INVITE" and server.state is State.COMPLETED
            for server in self.layer.servers.values()
        )

    def ring(self, call: Call, now: float, sdp: bytes = b"", status: int = 180) -> None:
        """180, or another provisional status, to an inbound call.

        `sdp` answers the caller's offer before the call is answered; `answer` is to repeat it.  From a caller
        who leaves the offer to us and requires reliable responses (`wants_offer`) it is that offer, and
        AnswerReceived follows; without one there is a silent one.  Others who leave it to us get none here.
        """
        self._inbound.ring(call, now, sdp, status)

    def reject(self, call: Call, status: int, now: float, reason: str = "") -> None:
        """A final refusal (300 to 699) of an inbound call; no event follows."""
        self._inbound.reject(call, status, reason, now)

    def answer(self, call: Call, sdp: bytes, now: float) -> None:
        """200 to an inbound call, repeated until its ACK; CallAnswered or CallEnded follows.  `sdp` is not
        sent again where the two sides have agreed before.

        CallCancelled can still come instead: the 200 waits for the PRACK of a caller who requires that.
        """
        self._inbound.answer(call, sdp, now)

    def accept_offer(self, call: Call, sdp: bytes, now: float) -> None:
        """The answer to an OfferReceived, or our offer when it asked for one."""
        self._changes.accept_offer(call, sdp, now)

    def refuse_offer(self, call: Call, now: float, status: int = 488) -> None:
        """Leave the session as it is after an OfferReceived."""
        self._changes.refuse_offer(call, status, now)

    def offer(self, call: Call, sdp: bytes, now: float) -> None:
        """Change the session of a call that stands (hold, resume, new address) by re-INVITE.

        AnswerReceived or OfferRefused follows.  When both sides do so at once (491) it is tried again.
        """
        self._changes.offer(call, sdp, now)

    def refer(self, call: Call, uri: str, now: float) -> None:
        """Ask the peer of a call that stands to call this SIP URI in our place (RFC 3515): a blind transfer.

        ReferProgress tells how it goes; the call itself stays until either side hangs up.
        """
        self._referrals.refer(call, uri, now)

    def invite(
        self,
        target: Address,
        to_number: str,
        from_number: str,
        sdp: bytes,
        now: float,
        manner: Manner = PLAIN,
    ) -> Call:
        """Call a number by the trunk at an address.  It rings until `hang_up`."""
        return self._outbound.invite(target, to_number, from_number, sdp, now, manner)

    def hang_up(self, call: Call, now: float, why: int = NORMAL_CLEARING) -> None:
        """End a call whatever its state: 480, or CANCEL or BYE with a cause out of `reason.TEXTS`.  A call
        that is over stays so."""
        call.why = why
        match call.state:
            case CallState.INCOMING | CallState.RINGING | CallState.ACCEPTING:
                self.reject(call, 480, now)
            case CallState.ANSWERED:
                call.step(CallCause.HANG_UP)  # BYE follows the ACK
            case CallState.CALLING | CallState.PROCEEDING:
                self._outbound.hang_up(call, now)
            case CallState.ESTABLISHED:
                self._sessions.end(call, CallCause.HANG_UP, now, EndedBy.LOCAL)
            case (
                CallState.CLOSING
                | CallState.ABANDONED
                | CallState.CANCELLING
                | CallState.ENDING
                | CallState.ENDED
            ):
                pass
            case _:
                assert_never(call.state)

    def drain(self, now: float) -> None:
        """Refuse new calls from now on and end the others; `idle` tells when all of it is settled.

        A call that still rings gets 480 and CallCancelled, since nobody has decided about it.
        """
        self._draining = True
        for call in self.calls:
            undecided = call.allows(CallCause.REJECT)
            self.hang_up(call, now, TEMPORARY_FAILURE)
            if undecided:
                self._sessions.events.append(CallCancelled(call, "shutting down"))

    def options(self, target: Address, now: float, manner: Manner = PLAIN) -> Probe:
        """Ask a peer whether it is there; OptionsAnswered follows."""
        return self._outside.options(target, now, manner)

    def register(self, binding: Binding, target: Address, expires: int, now: float) -> None:
        """Ask a registrar to send our calls here for so many seconds, 0 for no longer; RegisterAnswered
        follows (section 10.2)."""
        self._outside.register(binding, target, expires, now)

    def be_seen_at(self, trunk: str, place: tuple[str, int] | None) -> None:
        """The peers of a trunk see us at this address, behind NAT: it goes into each Contact for them.  None:
        at our own."""
        if place is None:
            self._sessions.seen_at.pop(trunk, None)
        else:
            self._sessions.seen_at[trunk] = place

    # --- between

    def _settle(self, now: float) -> None:
        while (event := self.layer.next_event()) is not None:
            self._handle(event, now)

    def _handle(self, event: LayerEvent, now: float) -> None:
        match event:
            case RequestReceived(transaction, request):
                _open(request)
                self._request_received(transaction, request, now)
            case AckReceived(request):
                _open(request)
                self._sessions.ack_received(request, now)
            case ResponseReceived(transaction, response):
                _open(response)
                self._response(transaction, response.status, event, now)
            case TransactionFailed(ClientTransaction() as transaction):
                self._response(transaction, None, event, now)
            case StrangerMuted():
                self._sessions.events.append(event)
            case TransactionFailed(ServerTransaction()):
                pass  # a refusal without ACK (timer H): the call was over before
            case _:
                raise AssertionError(event)

    def _response(
        self,
        transaction: ClientTransaction,
        status: int | None,
        event: ResponseReceived | TransactionFailed,
        now: float,
    ) -> None:
        """A response to a request of ours, or the news that none will come (status None)."""
        if isinstance(event, ResponseReceived) and self._challenge_met(transaction, event.response, now):
            return
        final = status is None or status >= 200
        match transaction.user, transaction.request.method:
            case Call() as call, "INVITE" | "UPDATE" if transaction.request.to_tag:
                self._changes.answered(call, transaction, _response_of(event), now)
            case Call() as call, "INVITE":
                if isinstance(event, ResponseReceived):
                    self._outbound.response_received(call, event.response, now)
                else:
                    self._outbound.invite_failed(call, now, unreachable=event.unreachable)
            case Call() as call, "BYE" if final:
                self._sessions.bye_done(call)
            case Referral() as referral, _ if final:
                self._referrals.answered(referral, _response_of(event), now)
            case Probe() as probe, _ if final:
                self._sessions.events.append(OptionsAnswered(probe, status))
            case Binding() as binding, _ if final:
                self._sessions.events.append(RegisterAnswered(binding, _response_of(event)))
            case _:
                # a CANCEL's answer says nothing that the INVITE's does not, and there is nobody to tell
                # about the BYE of a fork or about a PRACK
                pass

    def _challenge_met(self, transaction: ClientTransaction, response: Response, now: float) -> bool:
        """Whether a 401 or 407 is answered by the request again, with credentials (section 22)."""
        if response.status not in (401, 407):
            return False
        user, request = transaction.user, transaction.request
        cseq = request.cseq
        if isinstance(user, Call) and transaction is user.invite and not user.allows(CallCause.AGAIN):
            return False  # it was given up meanwhile
        _, dialog = self._sessions.dialogs.get(
            (request.call_id, request.from_tag, request.to_tag), (None, None)
        )
        if dialog is not None:
            cseq = max(cseq, dialog.local_cseq)
        again = self.layer.again(transaction, response, cseq + 1, now)
        if again is None:
            return False
        if dialog is not None:
            dialog.local_cseq = again.request.cseq
        if isinstance(user, Binding):
            user.cseq = again.request.cseq
        elif isinstance(user, Call) and transaction is user.invite:
            user.step(CallCause.AGAIN)
            user.invite = again
        return True

    def _request_received(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        sessions = self._sessions
        if request.method == "CANCEL":
            self._inbound.cancel_received(transaction, request, now)
            return
        judged = judge(request)
        if not isinstance(judged, Uri):
            status, headers = judged
            sessions.respond(transaction, status, now, headers=headers)
        elif request.to_tag:
            self._in_dialog.received(transaction, request, now)
        elif request.method == "INVITE":
            called = judged.number
            self._inbound.invite_received(transaction, request, called, now, draining=self._draining)
        elif request.method == "OPTIONS":
            sessions.respond(transaction, 200, now, headers=ABLE)
        else:
            sessions.respond(transaction, 481, now)  # BYE and INFO live in dialogs only


def _open(message: Message) -> None:
    if message.body and not message.body.startswith(b"v="):
        unwrap(message)


def _response_of(event: ResponseReceived | TransactionFailed) -> Response | None:
    return event.response if isinstance(event, ResponseReceived) else None
