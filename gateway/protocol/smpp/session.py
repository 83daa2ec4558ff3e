"""One SMPP 3.4 session, either side of it, without a socket: octets and the time in, events and octets out.

The session keeps the bind, the window of requests without an answer, the response timers, enquire_link both
ways and unbind both ways.  What it does by itself: it answers enquire_link and unbind, refuses what the state
does not allow (ESME_RINVBNDSTS, ESME_RALYBND), answers unreadable requests with their status, and finds dead
peers.  Everything else is an event; each `Requested` must be answered, once, by `respond` or `answer`.  What
a peer asked before its unbind, or before it shut down its side (`finished`), is answered before the end.

A request without an answer after `response_timeout` gives `TimedOut`, and an enquire_link asks at once
whether the peer is alive: the session closes only if no PDU at all arrives within `response_timeout` again.
A response that comes later still is a `StrayResponse` with the request's context.
"""

from __future__ import annotations

from gateway.protocol.smpp.codec import HEADER_OCTETS, RESPONSE_BIT, Framer, decode, header_only
from gateway.protocol.smpp.constants import (
    ESME_RALYBND,
    ESME_RINVBNDSTS,
    ESME_ROK,
    INTERFACE_VERSION,
    TLV_SC_INTERFACE_VERSION,
)
from gateway.protocol.smpp.events import (
    Answered,
    BindRefused,
    BindRequested,
    Bound,
    Closed,
    Event,
    Malformed,
    Notified,
    Requested,
    StrayResponse,
    TimedOut,
)
from gateway.protocol.smpp.fields import DecodeError, pack_tlvs
from gateway.protocol.smpp.operations import AlertNotification, Outbind
from gateway.protocol.smpp.pdu import (
    REQUESTS,
    RESPONSES,
    Bind,
    BindReceiver,
    BindResp,
    BindTransceiver,
    BindTransmitter,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    MessageIdResp,
    Request,
    Response,
    Unbind,
    UnbindResp,
    pack_header,
)
from gateway.protocol.smpp.states import BOUND, LEGAL, NEVER_ANSWERED, Cause, Role, State, after
from gateway.protocol.smpp.unanswered import LINK_REQUESTS, Unanswered

LEAVE_SECONDS = 1.0  # for the peer to answer what we have asked before its unbind


class NotBound(Exception):
    """The session is in no state to send this."""


class WindowFull(Exception):
    """As many requests as the window allows have no answer yet."""


BOUND_AS: dict[type[Bind], Cause] = {
    BindTransmitter: Cause.BOUND_AS_TRANSMITTER,
    BindReceiver: Cause.BOUND_AS_RECEIVER,
    BindTransceiver: Cause.BOUND_AS_TRANSCEIVER,
}
_NOT_SENT = (*LINK_REQUESTS, Outbind, AlertNotification)  # by `send`, which waits for an answer
_SENDS = {
    Role.ESME: frozenset({State.BOUND_TX, State.BOUND_TRX}),
    Role.SMSC: frozenset({State.BOUND_RX, State.BOUND_TRX}),
}


class SmppSession:
    """`window` counts requests without an answer.  Times in monotonic seconds; `enquire_link` 0: never."""

    def __init__(
        self,
        role: Role,
        *,
        now: float,
        window: int = 10,
        response_timeout: float = 10.0,
        enquire_link: float = 30.0,
        bind_timeout: float = 10.0,
    ) -> None:
        self.role = role
        self.state = State.OPEN
        self.window = window
        self.response_timeout = response_timeout
        self.enquire_link = enquire_link
        self.outstanding = 0
        self._bind_by = now + bind_timeout
        self._peer_may = LEGAL[Role.SMSC if role is Role.ESME else Role.ESME]
        self._we_may = LEGAL[role]
        self._framer = Framer()
        self._events: list[Event] = []
        self._out: list[bytes] = []
        self._unanswered = Unanswered()
        self._last_received = now
        self._enquiring = False
        self._asked = 0  # `Requested` and `BindRequested` without our answer
        self._leaving: int | None = None  # the sequence_number of an unbind that waits for those answers
        self._leave_by = 0.0  # at the latest, if some of ours have none either
        self._finished = False  # the peer has shut down its side: nothing comes any more
        self._parting = False  # either of these

    # what happened, what to write, when to wake

    def events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        data = b"".join(self._out)
        self._out.clear()
        return data

    def deadline(self) -> float | None:
        """When `tick` is due; None = nothing pending."""
        slots = self._unanswered.slots
        due = [slots[next(iter(slots))].sent_at + self.response_timeout] if slots else []
        if self.state in BOUND and self.enquire_link and not self._enquiring and not self._parting:
            due.append(self._last_received + self.enquire_link)
        elif self.state is State.OPEN:
            due.append(self._bind_by)
        if self._leaving is not None and not self._asked:
            due.append(self._leave_by)
        return min(due, default=None)

    @property
    def closed(self) -> bool:
        return self.state is State.CLOSED

    @property
    def room(self) -> int:
        """How many requests `send` takes now."""
        sends = self.state in _SENDS[self.role] and not self._parting
        return max(self.window - self.outstanding, 0) if sends else 0

    # our side

    def bind(self, request: Bind, now: float) -> None:
        """ESME side: ask for the bind.  Raises IllegalTransition when it is too late for that."""
        self.state = after(self.state, Cause.BIND_REQUESTED)
        self._ask(request, now)

    def answer_bind(self, request: Bind, command_status: int, system_id: bytes = b"") -> None:
        """SMSC side: grant the bind (ESME_ROK) or refuse it.  Raises IllegalTransition if none is open."""
        if command_status != ESME_ROK:
            self.state = after(self.state, Cause.BIND_REFUSED)
            self._respond(request.command_id, request.sequence_number, command_status)
            self._has_answered()
            return
        self.state = after(self.state, BOUND_AS[type(request)])
        # a peer of version 3.3 knows no TLVs
        versioned = request.interface_version >= INTERFACE_VERSION
        tlvs = {TLV_SC_INTERFACE_VERSION: bytes((INTERFACE_VERSION,))} if versioned else {}
        kind = RESPONSES[request.command_id | RESPONSE_BIT]
        assert issubclass(kind, BindResp)
        self._write(
            kind(sequence_number=request.sequence_number, system_id=system_id, tlv_octets=pack_tlvs(tlvs))
        )
        self._events.append(Bound(self.state, request.system_id))
        self._has_answered()

    def outbind(self, request: Outbind) -> None:
        """SMSC side: ask the ESME to bind (section 2.2.1); there is no answer but that.  Raises NotBound,
        EncodeError."""
        if self.state is not State.OPEN or self.role is not Role.SMSC:
            raise NotBound(f"outbind in {self.state.name}")
        self._unanswered.sequence_number += 1
        self._out.append(request.encode(self._unanswered.sequence_number))

    def send(self, request: Request, now: float, context: object = None) -> int:
        """Send a request and give its sequence_number; `context` comes back with the answer.

        Raises NotBound, WindowFull, EncodeError; then nothing has been sent.
        """
        if self.state not in self._we_may.get(type(request), ()) or isinstance(request, _NOT_SENT):
            raise NotBound(f"{request.name} in {self.state.name}")
        if self._parting:
            raise NotBound(f"{request.name} after the peer's last word")
        if self.outstanding >= self.window:
            raise WindowFull(f"{self.outstanding} requests without an answer")
        unanswered = self._unanswered
        self._out.append(unanswered.ask(request, now, context))
        self.outstanding += 1
        return unanswered.sequence_number

    def respond(self, request: Request, command_status: int = ESME_ROK, message_id: bytes = b"") -> bool:
        """Answer a `Requested`.  False: the link is gone, the peer will ask again."""
        if self.closed:
            return False
        self._respond(request.command_id, request.sequence_number, command_status, message_id)
        self._has_answered()
        return True

    def answer(self, response: Response) -> bool:
        """Answer a `Requested` whose response says more than `respond` can; its sequence_number is the
        request's.  False: the link is gone.  Raises EncodeError."""
        if self.closed:
            return False
        self._write(response)
        self._has_answered()
        return True

    def unbind(self, now: float) -> None:
        """Leave in an orderly way: `Closed` follows.  Does nothing on a session that is on its way out."""
        if self.state in BOUND:
            self.state = after(self.state, Cause.UNBIND_SENT)
            self._ask(Unbind(), now)
        elif self.state in (State.OPEN, State.BINDING):
            self._close(Cause.LINK_LOST, "left before the bind")

    def finished(self) -> None:
        """The peer has shut down its side of the connection: `Closed` follows once it has its answers."""
        if not self.closed:
            self._finished = self._parting = True
            self._leave()

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        if not self.closed:
            self._close(Cause.LINK_LOST, reason)

    # the peer's side

    def receive(self, data: bytes, now: float) -> None:
        if self.closed:
            return
        if frames := self._framer.feed(data):  # a PDU that never ends is no sign of life
            self._last_received = now
        for frame in frames:
            try:
                pdu = decode(frame)
            except DecodeError as error:
                self._malformed(error, frame)
            else:
                if isinstance(pdu, Response):
                    self._response(pdu)
                elif isinstance(pdu, Request):
                    self._request(pdu, now)
            if self.closed:
                return
        if broken := self._framer.broken:
            self._events.append(Malformed(broken))
            self._write(GenericNack(sequence_number=broken.sequence_number, command_status=broken.status))
            self._close(Cause.LINK_LOST, broken.reason)

    def tick(self, now: float) -> None:
        """Run the timers that are due."""
        if self.state is State.OPEN and now >= self._bind_by:
            missing = "bind" if self.role is Role.SMSC else "outbind"
            self._close(Cause.LINK_LOST, f"no {missing} in time")
        if self._leaving is not None and now >= self._leave_by:
            self._leave(at_last=True)
        doubtful = False
        while overdue := self._unanswered.overdue(now, self.response_timeout):
            sequence_number, slot = overdue
            if slot.kind is EnquireLink:
                self._enquiring = False
                if self._last_received <= slot.sent_at:
                    self._close(Cause.LINK_LOST, "peer is silent: enquire_link was not answered")
            elif issubclass(slot.kind, LINK_REQUESTS):
                self._close(Cause.LINK_LOST, f"{slot.kind.name} was not answered")
            else:
                doubtful = True
                self.outstanding -= 1
                self._unanswered.keep(sequence_number, slot.context)
                self._events.append(TimedOut(sequence_number, slot.context))
        if self._parting:  # what it waited for may have been the last of these
            self._leave()
        if self.state not in BOUND or self._enquiring or self._parting:
            return
        if doubtful or (self.enquire_link and now >= self._last_received + self.enquire_link):
            self._enquiring = True
            self._ask(EnquireLink(), now)

    # inside

    def _ask(self, request: Request, now: float) -> None:
        self._out.append(self._unanswered.ask(request, now, None))

    def _write(self, response: Response) -> None:
        self._out.append(response.encode(response.sequence_number))

    def _respond(
        self, command_id: int, sequence_number: int, command_status: int, message_id: bytes = b""
    ) -> None:
        kind = RESPONSES[command_id | RESPONSE_BIT]
        if command_status != ESME_ROK:  # no body with an error, sections 4.1.6, 4.4.2
            self._out.append(pack_header(HEADER_OCTETS, kind.command_id, command_status, sequence_number))
        elif issubclass(kind, MessageIdResp):
            self._write(kind(sequence_number=sequence_number, message_id=message_id))
        else:
            self._write(kind(sequence_number=sequence_number))

    def _objection(self, kind: type[Request]) -> int:
        """The status that refuses such a request here and now; ESME_ROK: none.

        What is not the peer's to ask at all (table 2-1) is refused like what it may not ask yet:
        ESME_RINVCMDID is for command_ids that are not recognised (section 5.1.3), and these are.
        """
        if self.state in self._peer_may.get(kind, ()) and (self._leaving is None or kind is EnquireLink):
            return ESME_ROK
        return ESME_RALYBND if kind in self._peer_may and issubclass(kind, Bind) else ESME_RINVBNDSTS

    def _request(self, pdu: Request, now: float) -> None:
        kind = type(pdu)
        objection = self._objection(kind)
        if objection:
            self._refuse(kind, pdu.sequence_number, objection)
        elif kind in NEVER_ANSWERED:
            self._events.append(Notified(pdu))
        elif kind is EnquireLink:
            self._write(EnquireLinkResp(sequence_number=pdu.sequence_number))
        elif kind is Unbind:
            self._leaving = pdu.sequence_number
            self._parting = True
            self._leave_by = now + LEAVE_SECONDS
            self._leave()
        elif isinstance(pdu, Bind):
            self.state = after(self.state, Cause.BIND_REQUESTED)
            self._asked += 1
            self._events.append(BindRequested(pdu))
        else:
            self._asked += 1
            self._events.append(Requested(pdu))

    def _refuse(self, kind: type[Request], sequence_number: int, command_status: int) -> None:
        if kind in NEVER_ANSWERED:  # no response of its own: the peer learns of its error all the same
            self._write(GenericNack(sequence_number=sequence_number, command_status=command_status))
        else:
            self._respond(kind.command_id, sequence_number, command_status)

    def _has_answered(self) -> None:
        self._asked -= 1
        if self._parting:
            self._leave()

    def _leave(self, *, at_last: bool = False) -> None:
        """Let the peer go once all that was asked before has its answer: it, or we, would ask again."""
        if self._asked > 0 or not self._parting or self.closed:
            return
        if self.outstanding and not (self._finished or at_last):
            return
        if self._leaving is not None:
            self._write(UnbindResp(sequence_number=self._leaving))
            self._close(Cause.UNBIND_RECEIVED, "peer unbound")
        else:
            self._close(Cause.LINK_LOST, "connection closed by the peer")

    def _response(self, pdu: Response) -> None:
        sequence_number = pdu.sequence_number
        slots = self._unanswered.slots
        slot = slots.get(sequence_number)
        if slot is None or not (
            pdu.command_id == slot.kind.command_id | RESPONSE_BIT or isinstance(pdu, GenericNack)
        ):
            context = None if slot else self._unanswered.late(sequence_number)
            self._events.append(StrayResponse(pdu, context))
            return
        del slots[sequence_number]
        kind = slot.kind
        if kind is EnquireLink:
            self._enquiring = False  # a generic_nack is a sign of life too
        elif kind is Unbind:
            self._close(Cause.UNBIND_ANSWERED, "unbound")
        elif issubclass(kind, Bind):
            self._bind_answered(kind, pdu)
        else:
            self.outstanding -= 1
            self._events.append(Answered(sequence_number, slot.context, pdu))
            if self._leaving is not None:
                self._leave()

    def _bind_answered(self, kind: type[Bind], pdu: Response) -> None:
        if pdu.command_status == ESME_ROK and isinstance(pdu, BindResp):
            self.state = after(self.state, BOUND_AS[kind])
            self._events.append(Bound(self.state, pdu.system_id))
        else:
            self.state = after(self.state, Cause.BIND_REFUSED)
            self._events.append(BindRefused(pdu.command_status))

    def _malformed(self, error: DecodeError, frame: bytes) -> None:
        self._events.append(Malformed(error))
        if (
            error.command_id & RESPONSE_BIT
        ):  # never answered; its verdict counts if the header is one we wait for
            if response := header_only(frame):
                self._response(response)
            return
        kind = REQUESTS.get(error.command_id)
        if kind is None:
            self._write(GenericNack(sequence_number=error.sequence_number, command_status=error.status))
        else:
            self._refuse(kind, error.sequence_number, self._objection(kind) or error.status)

    def _close(self, cause: Cause, reason: str) -> None:
        self.state = after(self.state, cause)
        self.outstanding = 0
        self._leaving = None
        self._events.append(Closed(reason, self._unanswered.clear()))
