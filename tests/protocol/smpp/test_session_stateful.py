"""Two sessions, one of each role, over a pair of pipes, against sets of numbers.

A bind is refused before it is granted.  Each side sends, answers late or with an error or not at all, repeats
and invents answers, asks whether the other lives, asks what nobody can read or what is not its to ask,
unbinds, shuts down its half, or is cut off.  Whatever they do, each request of both ends in exactly one way,
what cannot be granted is refused once, the window holds, sequence numbers wrap without meeting one that is
open, and what was asked before the end is answered before it.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.protocol.smpp.codec import Framer, decode
from gateway.protocol.smpp.constants import (
    ESME_RALYBND,
    ESME_RINVBNDSTS,
    ESME_RINVCMDID,
    ESME_RINVPASWD,
    ESME_RINVSERTYP,
    ESME_ROK,
    ESME_RTHROTTLED,
)
from gateway.protocol.smpp.events import (
    Answered,
    BindRefused,
    BindRequested,
    Closed,
    Malformed,
    Requested,
    StrayResponse,
    TimedOut,
)
from gateway.protocol.smpp.pdu import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    GenericNack,
    Request,
    SubmitSm,
    SubmitSmResp,
    pack_header,
)
from gateway.protocol.smpp.session import NotBound, SmppSession, WindowFull
from gateway.protocol.smpp.states import BOUND, Role, State
from gateway.protocol.smpp.unanswered import LAST_SEQUENCE_NUMBER

RESPONSE_TIMEOUT, ENQUIRE_LINK = 5.0, 20.0
INVENTED = 0xFFFFFFFF
SIDES = st.sampled_from([Role.ESME, Role.SMSC])
MESSAGE = {Role.ESME: SubmitSm(), Role.SMSC: DeliverSm()}
ANSWER = {Role.ESME: DeliverSmResp, Role.SMSC: SubmitSmResp}
# PDUs that nobody grants, and what each may be refused with: the state comes before the body
BAD = {
    "unreadable": {ESME_RINVSERTYP, ESME_RINVBNDSTS},
    "unknown": {ESME_RINVCMDID},
    "bind": {ESME_RALYBND, ESME_RINVBNDSTS},  # a second one, or one from the SMSC
    "foreign": {ESME_RINVBNDSTS},  # what is the other side's to ask
}
SENDS = {Role.ESME: {State.BOUND_TX, State.BOUND_TRX}, Role.SMSC: {State.BOUND_RX, State.BOUND_TRX}}


class Side:
    """A session and what is known of it from outside."""

    def __init__(self, role: Role, window: int, first: int) -> None:
        self.role = role
        self.window = window
        self.session = SmppSession(
            role, now=0.0, window=window, response_timeout=RESPONSE_TIMEOUT, enquire_link=ENQUIRE_LINK
        )
        self.session._unanswered.sequence_number = first
        self.wire = bytearray()  # on its way to the other side
        self.written = Framer()
        self.sent = 0
        self.open: dict[int, int] = {}  # what was sent and has no end yet: its sequence_number
        self.doubtful: dict[int, int] = {}  # the same of what was not answered in time
        self.ended: set[int] = set()
        self.waiting: list[Request] = []  # requests of the peer that we have not answered
        self.given: list[bytes] = []  # the answers that we have given
        self.refusals = 0  # of binds, that are still to come
        self.refused: dict[int, str] = {}  # what we have asked and must be refused, by sequence_number
        self.nonsense = 0  # how much of that nobody can read
        self.malformed = 0  # what we could not read
        self.parting = False  # the peer has said its last word, or shut down its side
        self.shut = False  # we have shut down our side: what we write is lost
        self.closed = False

    def settle(self) -> None:
        while events := self.session.events():
            for event in events:
                assert not self.closed, "an event after the last"
                match event:
                    case Malformed():
                        self.malformed += 1
                    case Answered(context=int(context), sequence_number=number):
                        assert self.open.pop(context) == number
                        self._end(context)
                    case TimedOut(context=int(context), sequence_number=number):
                        assert self.open.pop(context) == number
                        self.doubtful[context] = number
                    case StrayResponse(context=int(context)):
                        del self.doubtful[context]
                        self._end(context)
                    case StrayResponse(pdu=answer) if answer.sequence_number > LAST_SEQUENCE_NUMBER:
                        if answer.sequence_number != INVENTED:
                            how = self.refused.pop(answer.sequence_number)  # once
                            assert answer.command_status in BAD[how]
                    case BindRequested(pdu=request) if self.refusals:
                        self.refusals -= 1
                        self.session.answer_bind(request, ESME_RINVPASWD)
                        assert self.session.state is (State.CLOSED if self.parting else State.OPEN)
                    case BindRequested(pdu=request):
                        self.session.answer_bind(request, ESME_ROK, b"smsc")
                    case BindRefused(command_status=status):
                        assert status == ESME_RINVPASWD
                        assert self.session.state in (State.OPEN, State.CLOSED)  # closed if that was its last
                    case Requested(pdu=request):
                        assert self.session.state not in (State.OPEN, State.BINDING)
                        self.waiting.append(request)
                    case Closed(unanswered=unanswered, reason=reason):
                        assert {context: number for number, context in unanswered} == self.open
                        self.open.clear()
                        self.closed = True
                        if reason in ("peer unbound", "connection closed by the peer"):
                            assert not self.waiting, "gone without the answers"
        data = self.session.data_to_send()
        assert all(decode(frame) for frame in self.written.feed(data)) and self.written.broken is None
        if not self.shut:
            self.wire += data

    def _end(self, context: int) -> None:
        assert context not in self.ended
        self.ended.add(context)


class Traffic(RuleBasedStateMachine):
    @initialize(
        windows=st.tuples(st.integers(1, 4), st.integers(1, 4)),
        first=st.sampled_from([0, 7, LAST_SEQUENCE_NUMBER - 3, LAST_SEQUENCE_NUMBER]),
        kind=st.sampled_from([BindTransceiver, BindTransceiver, BindReceiver, BindTransmitter]),
        bound=st.sampled_from([True, True, True, False]),
        refusals=st.sampled_from([0, 0, 0, 1, 2]),
    )
    def start(
        self,
        windows: tuple[int, int],
        first: int,
        kind: type[BindTransceiver],
        bound: bool,
        refusals: int,
    ) -> None:
        self.now = 0.0
        self.bad = LAST_SEQUENCE_NUMBER
        self.kind = kind
        self.sides = {role: Side(role, window, first) for role, window in zip(Role, windows, strict=True)}
        self.sides[Role.SMSC].refusals = refusals
        if bound:
            while not all(side.session.state in BOUND for side in self.sides.values()):
                self.bind()
                self.carry(Role.ESME, 1000)
                self.carry(Role.SMSC, 1000)
            assert self.sides[Role.SMSC].refusals == 0
        else:
            self.bind()

    @precondition(lambda self: self.sides[Role.ESME].session.state is State.OPEN)
    @rule()
    def bind(self) -> None:
        self.sides[Role.ESME].session.bind(self.kind(system_id=b"gw"), self.now)
        self.settle()

    def settle(self) -> None:
        for side in self.sides.values():
            side.settle()

    def other(self, role: Role) -> Side:
        return self.sides[Role.SMSC if role is Role.ESME else Role.ESME]

    @rule(role=SIDES)
    def send(self, role: Role) -> None:
        side = self.sides[role]
        session = side.session
        side.sent += 1
        if session.state not in SENDS[role] or (session.room == 0 and len(side.open) < side.window):
            with pytest.raises(NotBound):
                session.send(MESSAGE[role], self.now, side.sent)
        elif len(side.open) == side.window:
            with pytest.raises(NotBound if side.parting else WindowFull):
                session.send(MESSAGE[role], self.now, side.sent)
        else:
            assert not side.parting
            number = session.send(MESSAGE[role], self.now, side.sent)
            assert 1 <= number <= LAST_SEQUENCE_NUMBER
            assert number not in side.open.values() and number not in side.doubtful.values()
            side.open[side.sent] = number
        self.settle()

    @rule(role=SIDES, octets=st.sampled_from([1, 15, 16, 17, 60, 1000, 1000]))
    def some_arrives(self, role: Role, octets: int) -> None:
        self.carry(role, octets)

    def carry(self, role: Role, octets: int) -> None:
        side, other = self.sides[role], self.other(role)
        data = bytes(side.wire[:octets])
        del side.wire[:octets]
        other.session.receive(data, self.now)
        other.parting = other.parting or other.session._leaving is not None
        self.settle()

    @precondition(lambda self: any(side.waiting for side in self.sides.values()))
    @rule(
        role=SIDES,
        which=st.integers(0, 100),
        how=st.sampled_from(["yes", "throttled", "object", "nack"]),
    )
    def answer(self, role: Role, which: int, how: str) -> None:
        side = self.sides[role] if self.sides[role].waiting else self.other(role)
        request = side.waiting.pop(which % len(side.waiting))
        number = request.sequence_number
        was_closed = side.closed
        if how == "object":
            done = side.session.answer(ANSWER[side.role](sequence_number=number, message_id=b"id"))
        elif how == "nack":
            done = side.session.answer(GenericNack(sequence_number=number, command_status=ESME_RTHROTTLED))
        else:
            done = side.session.respond(request, ESME_RTHROTTLED if how == "throttled" else ESME_ROK, b"id")
        assert done != was_closed
        side.given.append(ANSWER[side.role](message_id=b"id").encode(number))
        self.settle()

    @precondition(lambda self: any(side.given for side in self.sides.values()))
    @rule(role=SIDES)
    def repeat(self, role: Role) -> None:
        """An answer for the second time."""
        side = self.sides[role]
        if side.given and not side.closed and not side.shut:
            side.wire += side.given[-1]

    @rule(role=SIDES, behind=st.integers(1, 2))
    def go_round(self, role: Role, behind: int) -> None:
        """As if two thousand million requests had come and gone: the next number may be one that is open."""
        side = self.sides[role]
        if numbers := {**side.open, **side.doubtful}.values():
            number = max(numbers) - behind
            side.session._unanswered.sequence_number = number % LAST_SEQUENCE_NUMBER

    def ask_badly(self, role: Role, how: str) -> None:
        """What must be refused, under a number that no session gives."""
        side, other = self.sides[role], self.other(role)
        if side.session.state not in BOUND:
            return
        self.bad += 1
        match how:
            case "unreadable":
                octets = pack_header(22, MESSAGE[role].command_id, 0, self.bad) + b"no NUL"
            case "unknown":
                octets = pack_header(16, 0x0777, 0, self.bad)
            case "bind":
                octets = BindTransceiver().encode(self.bad)
            case _:
                octets = MESSAGE[other.role].encode(self.bad)
        side.wire += octets
        side.refused[self.bad] = how
        side.nonsense += how in ("unreadable", "unknown")

    # one rule for all that is out of place: leaving must stay as likely as the others
    @rule(role=SIDES, what=st.sampled_from([0, 1, 2, 9, LAST_SEQUENCE_NUMBER, INVENTED, *BAD]))
    def invent(self, role: Role, what: int | str) -> None:
        """An enquire_link and an answer to nothing under a number, or what must be refused; behind whole
        PDUs."""
        side = self.sides[role]
        if side.closed or side.shut:
            return
        if isinstance(what, str):
            self.ask_badly(role, what)
            return
        number = what
        side.wire += EnquireLink().encode(number)
        side.wire += ANSWER[self.other(role).role](message_id=b"?").encode(number)  # of the wrong kind
        self.settle()

    @rule(seconds=st.sampled_from([0.5, 3.0, 5.0, 5.0, 25.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for side in self.sides.values():
            side.session.tick(self.now)
            due = side.session.deadline()
            assert due is None or due > self.now
        self.settle()

    @precondition(lambda self: sum(side.sent for side in self.sides.values()) > 4)
    @rule(role=SIDES, how=st.sampled_from(["unbind", "unbind and arrive", "shut", "lost"]))
    def leave(self, role: Role, how: str) -> None:
        side, other = self.sides[role], self.other(role)
        if how.startswith("unbind"):
            side.session.unbind(self.now)
            side.settle()
            if how.endswith("arrive"):
                self.carry(role, len(side.wire))
        elif how == "lost":
            side.session.lost("cut")
            other.session.lost("cut")
        elif not side.shut:
            side.settle()
            side.shut = True
            other.session.receive(bytes(side.wire), self.now)
            side.wire.clear()
            other.session.finished()
            other.parting = True
        self.settle()

    @invariant()
    def the_window_holds(self) -> None:
        for side in getattr(self, "sides", {}).values():
            assert side.session.outstanding == len(side.open) <= side.window
            assert side.session.room <= side.window - len(side.open)
            assert side.session.closed == side.closed

    @invariant()
    def who_may_go_goes(self) -> None:
        for side in getattr(self, "sides", {}).values():
            if side.parting and not side.waiting and not side.open:
                assert side.closed
            if self.other(side.role).shut and not side.waiting:
                assert side.closed

    def teardown(self) -> None:
        """All is carried and answered: each request has had its one end."""
        for _ in range(20):
            for side in self.sides.values():
                while side.waiting:
                    side.session.respond(side.waiting.pop(), ESME_ROK, b"id")
                    side.settle()
                data, side.wire = bytes(side.wire), bytearray()
                self.other(side.role).session.receive(data, self.now)
                self.settle()
        for side in self.sides.values():
            if self.other(side.role).shut or any(other.closed for other in self.sides.values()):
                side.session.lost("the end")
                side.settle()
            assert not side.open
            assert side.ended.isdisjoint(side.doubtful)
            assert side.closed or side.refused == {}
            assert side.closed or side.malformed == self.other(side.role).nonsense
            assert side.closed or side.session.state in BOUND | {State.OPEN}


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
