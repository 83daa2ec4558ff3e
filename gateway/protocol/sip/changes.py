"""Changes of the session inside a call: re-INVITE and UPDATE both ways, and the session timer.

Offers of the peer go to the application (`OfferReceived`), but one that repeats the session as it is gets the
answer of before.  One change at a time: what crosses another gets 491 or 500 (RFC 3261 section 14,
RFC 3311 section 5.2).  When it is for us to refresh the session (RFC 4028) we do so by UPDATE where the peer
allows it, by re-INVITE otherwise; when we wait for a refresh in vain we hang up.
"""

from __future__ import annotations

from functools import partial

from gateway.protocol.sip import session_timer
from gateway.protocol.sip.body import ACCEPTED, SDP, media_type
from gateway.protocol.sip.call import (
    AnswerReceived,
    Call,
    CallCause,
    CallState,
    Change,
    Direction,
    EndedBy,
    OfferReceived,
    OfferRefused,
    SessionTimer,
)
from gateway.protocol.sip.dialog import Dialog
from gateway.protocol.sip.message import Message, Request, Response
from gateway.protocol.sip.session_timer import LEAST_SECONDS, Agreement
from gateway.protocol.sip.sessions import ALLOW, SUPPORTED, Fields, Sessions
from gateway.protocol.sip.timers import LIFETIME
from gateway.protocol.sip.transaction import ClientTransaction, IllegalTransition, ServerTransaction, State

_MIN_SE: Fields = [("Min-SE", str(LEAST_SECONDS))]
_BUSY_SECONDS = 5.0  # a refresh that meets another change waits so long
_LARGEST_MIN_SE = 86_400  # a peer that wants longer sessions than a day gets none of ours
_GONE = (408, 481)  # the peer has lost the dialog (section 12.2.1.2)


class SessionChanges:
    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    # --- offers of the peer

    def reinvite_received(
        self, call: Call, transaction: ServerTransaction, request: Request, now: float
    ) -> None:
        if call.state is not CallState.ESTABLISHED or call.unacked is not None or _under_way(call):
            # ours or theirs is still open (section 14.2)
            self._sessions.respond(transaction, 491, now)
        elif self._acceptable(call, transaction, request, now):
            self._judge(call, transaction, request, now)

    def update_received(
        self, call: Call, dialog: Dialog, transaction: ServerTransaction, request: Request, now: float
    ) -> None:
        if not self._acceptable(call, transaction, request, now):
            pass
        elif not request.body:
            dialog.refresh(request)
            self._answer(call, transaction, b"", now)
        elif call.direction is Direction.INBOUND and call.state.name in _UNANSWERED and not call.agreed:
            # the offer in their INVITE waits for its answer (RFC 3311 section 5.2)
            self._sessions.respond(transaction, 500, now, headers=self._later())
        elif _our_offer_is_open(call, dialog):
            self._sessions.respond(transaction, 491, now)
        else:
            self._judge(call, transaction, request, now)

    def accept_offer(self, call: Call, sdp: bytes, now: float) -> None:
        """The application's answer, or its offer when the peer asked for that."""
        transaction = _open_offer(call)
        call.offer = None
        request = transaction.request
        _, dialog = self._sessions.dialog_of(request)
        if dialog is not None:
            dialog.refresh(request)
            branch = call.early.get(dialog.remote_tag)
            if branch is not None:
                branch.sdp = request.body
        call.remote_sdp = request.body or call.remote_sdp
        self._answer(call, transaction, sdp, now)

    def refuse_offer(self, call: Call, status: int, now: float) -> None:
        if not 400 <= status <= 699:
            raise ValueError(f"{status} refuses no offer")
        transaction = _open_offer(call)
        call.offer = None
        self._sessions.respond(transaction, status, now)

    def _acceptable(self, call: Call, transaction: ServerTransaction, request: Request, now: float) -> bool:
        """Whether a re-INVITE or UPDATE may be judged at all; it is answered if not."""
        sessions = self._sessions
        if session_timer.too_short(request):
            sessions.respond(transaction, 422, now, headers=_MIN_SE)
        elif call.offer is not None:
            sessions.respond(transaction, 500, now, headers=self._later())
        elif request.body and not is_sdp(request):
            sessions.respond(transaction, 415, now, headers=[("Accept", ACCEPTED)])
        else:
            return True
        return False

    def _judge(self, call: Call, transaction: ServerTransaction, request: Request, now: float) -> None:
        call.offer = transaction
        if request.body and request.body == call.remote_sdp and call.local_sdp:
            self.accept_offer(call, call.local_sdp, now)
            return
        transaction.user = call
        if request.method == "INVITE":
            self._sessions.respond(transaction, 100, now)
        self._sessions.events.append(OfferReceived(call, request.body))

    def _answer(self, call: Call, transaction: ServerTransaction, sdp: bytes, now: float) -> None:
        sessions = self._sessions
        headers = self.agree(call, transaction.request, now)
        if transaction.request.method == "INVITE":
            sessions.accept(call, transaction, sdp, now, headers)
            return
        call.local_sdp = sdp or call.local_sdp
        sessions.respond(transaction, 200, now, headers=[sessions.contact(call), *headers], sdp=sdp)

    def _later(self) -> Fields:
        return [("Retry-After", str(self._sessions.layer.chance(10)))]

    # --- changes of ours

    def offer(self, call: Call, sdp: bytes, now: float) -> None:
        """re-INVITE; AnswerReceived or OfferRefused follows."""
        if call.state is not CallState.ESTABLISHED or self._busy(call):
            raise IllegalTransition(f"call: offer in {call.state.name}, or during another")
        self._reinvite(call, Change(sdp, told=True), now)

    def _reinvite(self, call: Call, change: Change, now: float) -> None:
        assert call.dialog is not None
        call.change = change
        transaction = self._sessions.send(
            call, call.dialog, "INVITE", now, user=call, headers=self._fields(call), sdp=change.sdp
        )
        # nobody is asked before it is answered: after so long no final response comes any more
        self._sessions.layer.timers.start(now + LIFETIME, partial(self._overdue, call, change, transaction))

    def _overdue(self, call: Call, change: Change, transaction: ClientTransaction, now: float) -> None:
        if transaction.state is State.PROCEEDING:
            self._sessions.layer.abandon(transaction)
            if call.change is change:
                self.answered(call, transaction, None, now)

    def _update(self, call: Call, now: float) -> None:
        assert call.dialog is not None
        call.change = Change(b"", told=False)
        self._sessions.send(call, call.dialog, "UPDATE", now, user=call, headers=self._fields(call))

    def _fields(self, call: Call) -> list[tuple[str, str]]:
        timer = call.session_timer
        fields = [self._sessions.contact(call), ("Allow", ALLOW), ("Supported", SUPPORTED)]
        if timer is not None:
            fields.append(Agreement(timer.interval, timer.refreshes).field)
        if call.min_se:
            fields.append(("Min-SE", str(call.min_se)))
        return fields

    def _busy(self, call: Call) -> bool:
        return call.unacked is not None or call.change is not None or call.offer is not None

    def answered(
        self, call: Call, transaction: ClientTransaction, response: Response | None, now: float
    ) -> None:
        """A response to our re-INVITE or UPDATE; None when none came."""
        status = 408 if response is None else response.status
        if status < 200:
            return
        if response is not None and status < 300:
            self._succeeded(call, transaction, response, now)
            return
        change = call.change
        if call.state is not CallState.ESTABLISHED or change is None:
            return  # hung up meanwhile
        again: Change | None = None
        if status == 491:
            again = change
        elif response is not None and status == 422:
            again = change if self.longer(call, response) else None
        elif status in (405, 501) and transaction.request.method == "UPDATE":
            call.peer_updates = False
            again = Change(call.local_sdp, told=False)
        if again is not None:
            call.change = again
            wait = self._back_off(call) if status == 491 else 0.0
            again.retry = self._sessions.layer.timers.start(now + wait, partial(self._again, call, again))
            return
        call.change = None
        if change.told:
            self._sessions.events.append(OfferRefused(call, status))
        if status in _GONE:
            self._sessions.end(call, CallCause.LOST, now, EndedBy.LOST)
        elif call.session_timer is not None and call.session_timer.refreshes:
            self._refresh_later(call, call.session_timer, now)

    def _succeeded(self, call: Call, transaction: ClientTransaction, response: Response, now: float) -> None:
        assert call.dialog is not None
        call.dialog.refresh_by(response)
        change = call.change
        if transaction.request.method == "INVITE":
            first = self._sessions.acknowledge(call, call.dialog, transaction.request, response)
            if not first or change is None:
                return
            # of what went before no repetition can come: the peer has seen its ACK, or it could not go on
            call.acks = {key: ack for key, ack in call.acks.items() if key[0] == response.cseq}
        if call.state is not CallState.ESTABLISHED or change is None:
            return
        call.change = None
        if transaction.request.method == "INVITE":
            call.local_sdp = change.sdp
            if change.told or response.body != call.remote_sdp:
                self._sessions.events.append(AnswerReceived(call, response.body))
            call.remote_sdp = response.body
        self.agreed(call, response, now)

    def _again(self, call: Call, change: Change, now: float) -> None:
        change.retry = None
        if call.state is not CallState.ESTABLISHED or call.change is not change:
            return
        if call.unacked is not None or call.offer is not None:  # theirs went first
            change.retry = self._sessions.layer.timers.start(
                now + self._back_off(call), partial(self._again, call, change)
            )
        elif change.sdp:
            self._reinvite(call, change, now)
        else:
            self._update(call, now)

    def _back_off(self, call: Call) -> float:
        """Seconds after a 491, in steps of 10 ms: who made the Call-ID waits longer (section 14.1)."""
        chance = self._sessions.layer.chance
        return (210 + chance(191)) / 100 if call.direction is Direction.OUTBOUND else chance(201) / 100

    def longer(self, call: Call, response: Response) -> bool:
        """Take the Min-SE of a 422; False when it cannot be met, or was asked for already."""
        least = session_timer.least(response)
        if not call.min_se < least <= _LARGEST_MIN_SE:
            return False
        call.min_se = least
        if call.session_timer is not None:
            call.session_timer.interval = max(call.session_timer.interval, least)
        return True

    # --- session timer

    def agree(self, call: Call, request: Request, now: float) -> list[tuple[str, str]]:
        """Start the timer that our 2xx to this request agrees to; its header fields."""
        call.peer_updates = call.peer_updates or allows(request, "UPDATE")
        agreement = session_timer.agree(request)
        self._start(call, agreement, now, refreshes=agreement is not None and not agreement.by_uac)
        if agreement is None:
            return []
        required = [("Require", session_timer.OPTION)] if agreement.by_uac else []
        return [agreement.field, *required]

    def agreed(self, call: Call, response: Response, now: float) -> None:
        """Start the timer that the peer's 2xx agrees to."""
        call.peer_updates = call.peer_updates or allows(response, "UPDATE")
        agreement = session_timer.agreed(response)
        self._start(call, agreement, now, refreshes=agreement is not None and agreement.by_uac)

    def _start(self, call: Call, agreement: Agreement | None, now: float, *, refreshes: bool) -> None:
        timers = self._sessions.layer.timers
        if call.session_timer is not None:
            timers.cancel(call.session_timer.refresh)
            timers.cancel(call.session_timer.expiry)
            call.session_timer = None
        if agreement is None:
            return
        timer = call.session_timer = SessionTimer(agreement.interval, refreshes)
        timer.expiry = timers.start(now + agreement.expires_after, partial(self._expired, call))
        if refreshes:
            timer.refresh = timers.start(now + agreement.refresh_after, partial(self._refresh, call, timer))

    def _refresh(self, call: Call, timer: SessionTimer, now: float) -> None:
        timer.refresh = None
        if call.state is not CallState.ESTABLISHED:
            return
        if self._busy(call):
            self._refresh_later(call, timer, now)
        elif call.peer_updates:
            self._update(call, now)
        else:
            self._reinvite(call, Change(call.local_sdp, told=False), now)

    def _refresh_later(self, call: Call, timer: SessionTimer, now: float) -> None:
        timers = self._sessions.layer.timers
        timer.refresh = timers.start(now + _BUSY_SECONDS, partial(self._refresh, call, timer))

    def _expired(self, call: Call, now: float) -> None:
        if call.state is CallState.ESTABLISHED:
            self._sessions.end(call, CallCause.LOST, now, EndedBy.LOST)


_UNANSWERED = ("INCOMING", "RINGING", "ACCEPTING")


def is_sdp(request: Request) -> bool:
    return media_type(request.headers)[0] == SDP


def allows(message: Message, method: str) -> bool:
    return method in message.headers.values("Allow")


def _open_offer(call: Call) -> ServerTransaction:
    if call.offer is None:
        raise IllegalTransition("call: no offer waits for an answer")
    return call.offer


def _under_way(call: Call) -> bool:
    """Whether a re-INVITE of ours waits for its response; one that waits to be tried again does not count."""
    return call.change is not None and bool(call.change.sdp) and call.change.retry is None


def _our_offer_is_open(call: Call, dialog: Dialog) -> bool:
    if call.unacked is not None:
        # our 200 was an offer, its answer comes in the ACK
        return not (call.unacked.transaction.request.body or call.agreed)
    if call.direction is Direction.INBOUND and call.state.name in _UNANSWERED:
        return False
    if call.state in (CallState.ESTABLISHED, CallState.ANSWERED, CallState.CLOSING):
        return _under_way(call)
    early = call.early.get(dialog.remote_tag)
    return early is None or not early.agreed
