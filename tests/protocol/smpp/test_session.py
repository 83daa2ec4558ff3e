"""Two sessions wired back to back in memory, and one against octets written here."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.smpp.codec import Framer, decode
from gateway.protocol.smpp.constants import (
    ESME_RALYBND,
    ESME_RINVBNDSTS,
    ESME_RINVCMDID,
    ESME_RINVCMDLEN,
    ESME_RINVMSGLEN,
    ESME_RINVPASWD,
    ESME_ROK,
    ESME_RTHROTTLED,
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
from gateway.protocol.smpp.operations import (
    AlertNotification,
    CancelSm,
    Outbind,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
)
from gateway.protocol.smpp.pdu import (
    Bind,
    BindReceiver,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    DataSm,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    Request,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.protocol.smpp.session import LEAVE_SECONDS, NotBound, SmppSession, WindowFull
from gateway.protocol.smpp.states import IllegalTransition, Role, State

E = TypeVar("E", bound=Event)


def esme(**options: float) -> SmppSession:
    window = int(options.pop("window", 10))
    return SmppSession(Role.ESME, now=0.0, window=window, **options)


def smsc(bind_timeout: float = 10.0) -> SmppSession:
    return SmppSession(Role.SMSC, now=0.0, bind_timeout=bind_timeout)


def pdus(session: SmppSession) -> list[Pdu]:
    return [decode(frame) for frame in Framer().feed(session.data_to_send())]


def feed(session: SmppSession, *parts: Pdu, now: float = 0.0) -> None:
    session.receive(b"".join(part.encode(part.sequence_number) for part in parts), now)


def only(session: SmppSession, kind: type[E]) -> E:
    (event,) = session.events()
    assert isinstance(event, kind)
    return event


def bound(kind: type[Bind] = BindTransceiver, **options: float) -> SmppSession:
    """An ESME's session after its bind was granted."""
    session = esme(**options)
    session.bind(kind(system_id=b"gw"), 0.0)
    (request,) = pdus(session)
    response = request.command_id | 0x80000000
    session.receive(struct.pack(">IIII", 21, response, 0, request.sequence_number) + b"smsc\0", 0.0)
    assert only(session, Bound).system_id == b"smsc"
    return session


def granting(kind: type[Bind] = BindTransceiver) -> SmppSession:
    """An SMSC's session after it granted a bind."""
    session = smsc()
    feed(session, kind(sequence_number=1, system_id=b"acme"))
    session.answer_bind(only_of(session.events(), BindRequested).pdu, ESME_ROK, b"us")
    session.events()
    session.data_to_send()
    return session


def only_of(events: list[Event], kind: type[E]) -> E:
    (event,) = [event for event in events if isinstance(event, kind)]
    return event


# binding


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (BindTransmitter, State.BOUND_TX),
        (BindReceiver, State.BOUND_RX),
        (BindTransceiver, State.BOUND_TRX),
    ],
)
def test_two_sessions_bind_send_and_unbind(kind: type[Bind], state: State) -> None:
    here, there = esme(), smsc()
    here.bind(kind(system_id=b"gw", password=b"pw"), 0.0)
    there.receive(here.data_to_send(), 0.0)
    asked = only(there, BindRequested)
    assert (asked.pdu.system_id, asked.pdu.password) == (b"gw", b"pw")
    there.answer_bind(asked.pdu, ESME_ROK, b"smsc")
    assert only(there, Bound) == Bound(state, b"gw")
    here.receive(there.data_to_send(), 0.0)
    assert only(here, Bound) == Bound(state, b"smsc")
    for sender, receiver, message, answer in (
        (here, there, SubmitSm(short_message=b"hello"), b"id-1"),
        (there, here, DeliverSm(short_message=b"hi"), b""),
    ):
        if not sender.room:
            with pytest.raises(NotBound):
                sender.send(message, 0.0)
            continue
        number = sender.send(message, 0.0, "context")
        receiver.receive(sender.data_to_send(), 0.0)
        request = only(receiver, Requested).pdu
        assert request.payload == message.short_message  # type: ignore[attr-defined]
        assert receiver.respond(request, message_id=answer)
        sender.receive(receiver.data_to_send(), 0.0)
        answered = only(sender, Answered)
        assert (answered.sequence_number, answered.context) == (number, "context")
        assert answered.pdu.message_id == answer  # type: ignore[attr-defined]
    here.unbind(0.0)
    assert here.state is State.UNBINDING
    there.receive(here.data_to_send(), 0.0)
    assert only(there, Closed) == Closed("peer unbound", [])
    here.receive(there.data_to_send(), 0.0)
    assert only(here, Closed) == Closed("unbound", [])


def test_a_refused_bind_leaves_the_link_open_for_another_try() -> None:
    here, there = esme(), smsc()
    here.bind(BindTransceiver(), 0.0)
    there.receive(here.data_to_send(), 0.0)
    there.answer_bind(only(there, BindRequested).pdu, ESME_RINVPASWD, b"smsc")
    refusal = there.data_to_send()
    assert len(refusal) == 16  # no body with an error, section 4.1.6
    here.receive(refusal, 0.0)
    assert only(here, BindRefused) == BindRefused(ESME_RINVPASWD)
    assert (here.state, there.state) == (State.OPEN, State.OPEN)
    here.bind(BindTransceiver(), 0.0)
    with pytest.raises(IllegalTransition):
        here.bind(BindTransceiver(), 0.0)


def test_a_nacked_bind_is_refused() -> None:
    session = esme()
    session.bind(BindTransceiver(), 0.0)
    feed(session, GenericNack(sequence_number=1, command_status=ESME_RINVCMDID))
    assert only(session, BindRefused).command_status == ESME_RINVCMDID


def test_a_bind_without_answer_closes() -> None:
    session = esme(response_timeout=5.0)
    session.bind(BindTransceiver(), 0.0)
    assert session.deadline() == 5.0
    session.tick(5.0)
    assert only(session, Closed).reason == "bind_transceiver was not answered"


def test_a_peer_that_never_binds_is_closed() -> None:
    session = smsc(bind_timeout=7.0)
    assert session.deadline() == 7.0
    session.tick(6.9)
    assert session.events() == []
    session.tick(7.0)
    assert only(session, Closed).reason == "no bind in time"


def test_who_has_asked_to_bind_is_not_cut_while_we_think() -> None:
    session = smsc(bind_timeout=7.0)
    feed(session, BindTransceiver(sequence_number=1), now=6.0)
    assert session.deadline() is None
    session.tick(100.0)
    session.answer_bind(only(session, BindRequested).pdu, ESME_ROK)
    assert session.state is State.BOUND_TRX


def test_an_esme_that_waits_for_an_outbind_waits_so_long() -> None:
    session = SmppSession(Role.ESME, now=0.0, bind_timeout=7.0)
    assert session.deadline() == 7.0
    session.tick(7.0)
    assert only(session, Closed).reason == "no outbind in time"


def test_a_peer_of_version_33_gets_no_tlv() -> None:
    for version, tlvs in ((0x33, {}), (0x34, {0x0210: b"\x34"})):
        session = smsc()
        feed(session, BindTransceiver(sequence_number=1, interface_version=version))
        session.answer_bind(only(session, BindRequested).pdu, ESME_ROK, b"us")
        (response,) = pdus(session)
        assert isinstance(response, BindTransceiverResp)
        assert response.tlvs == tlvs


# what each side may ask, and when

STATES: dict[str, tuple[State, ...]] = {
    "tx": (State.BOUND_TX, State.BOUND_TRX),
    "rx": (State.BOUND_RX, State.BOUND_TRX),
}
ANSWERED_BY_SMSC: list[tuple[Request, str]] = [
    (SubmitSm(sequence_number=9), "tx"),
    (SubmitMulti(sequence_number=9, destinations=(b"l",)), "tx"),
    (DataSm(sequence_number=9), "tx"),
    (QuerySm(sequence_number=9), "tx"),
    (CancelSm(sequence_number=9), "tx"),
    (ReplaceSm(sequence_number=9), "tx"),
]
ANSWERED_BY_ESME: list[tuple[Request, str]] = [
    (DeliverSm(sequence_number=9), "rx"),
    (DataSm(sequence_number=9), "rx"),
]
BINDS: list[type[Bind]] = [BindTransmitter, BindReceiver, BindTransceiver]


@pytest.mark.parametrize(
    "request_", [row[0] for row in ANSWERED_BY_SMSC + ANSWERED_BY_ESME[:1]], ids=lambda r: r.name
)
def test_before_the_bind_only_a_bind_is_granted(request_: Request) -> None:
    session = smsc()
    feed(session, request_)
    assert session.events() == []
    (response,) = pdus(session)
    assert (response.command_id, response.sequence_number) == (request_.command_id | 0x80000000, 9)
    assert response.command_status == ESME_RINVBNDSTS  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", BINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("role", Role, ids=lambda role: role.name)
def test_a_bound_session_takes_what_its_bind_allows(role: Role, kind: type[Bind]) -> None:
    for request, direction in ANSWERED_BY_SMSC if role is Role.SMSC else ANSWERED_BY_ESME:
        session = granting(kind) if role is Role.SMSC else bound(kind)
        feed(session, request)
        if session.state in STATES[direction]:
            assert only(session, Requested).pdu == request
            assert pdus(session) == []
        else:
            assert session.events() == []
            (response,) = pdus(session)
            assert response.command_status == ESME_RINVBNDSTS  # type: ignore[attr-defined]


def test_a_request_of_the_wrong_side_is_refused_for_the_bind() -> None:
    for session, request in (
        (bound(), SubmitSm(sequence_number=9)),
        (bound(), BindReceiver(sequence_number=9)),
        (granting(), DeliverSm(sequence_number=9)),
    ):
        feed(session, request)
        (response,) = pdus(session)
        assert response.command_id == request.command_id | 0x80000000
        assert response.command_status == ESME_RINVBNDSTS  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [Outbind, AlertNotification], ids=lambda kind: kind.name)
def test_what_has_no_response_and_no_place_here_is_nacked(kind: type[Request]) -> None:
    for session in (smsc(), granting(), esme(), bound()):
        if session.role is Role.ESME and kind is (
            Outbind if session.state is State.OPEN else AlertNotification
        ):
            continue
        feed(session, kind(sequence_number=9))
        assert session.events() == []
        assert pdus(session) == [GenericNack(sequence_number=9, command_status=ESME_RINVBNDSTS)]


def test_an_outbind_is_sent_before_the_bind_and_never_again() -> None:
    session = smsc()
    session.outbind(Outbind(system_id=b"us", password=b"secret"))
    assert pdus(session) == [Outbind(sequence_number=1, system_id=b"us", password=b"secret")]
    assert session.outstanding == 0
    for other in (granting(), esme(), bound()):
        with pytest.raises(NotBound):
            other.outbind(Outbind())


def test_a_second_bind_is_told_so() -> None:
    session = granting()
    feed(session, BindReceiver(sequence_number=2))
    (response,) = pdus(session)
    assert response.command_status == ESME_RALYBND  # type: ignore[attr-defined]
    assert session.state is State.BOUND_TRX


def test_enquire_link_and_unbind_before_the_bind_are_refused() -> None:
    for request in (EnquireLink(sequence_number=3), Unbind(sequence_number=3)):
        session = smsc()
        feed(session, request)
        (response,) = pdus(session)
        assert response.command_status == ESME_RINVBNDSTS  # type: ignore[attr-defined]
        assert session.state is State.OPEN


def test_a_message_during_unbind_is_refused_and_answers_still_count() -> None:
    session = bound()
    number = session.send(SubmitSm(), 0.0)
    session.unbind(0.0)
    session.data_to_send()
    feed(session, DeliverSm(sequence_number=4), SubmitSmResp(sequence_number=number, message_id=b"x"))
    assert only(session, Answered).sequence_number == number
    (response,) = pdus(session)
    assert isinstance(response, DeliverSmResp) and response.command_status == ESME_RINVBNDSTS


def test_notifications_have_no_answer() -> None:
    session = bound()
    feed(session, AlertNotification(sequence_number=9))
    assert only(session, Notified).pdu.sequence_number == 9
    assert session.data_to_send() == b""
    session = esme()
    feed(session, Outbind(sequence_number=9, system_id=b"smsc"))
    assert isinstance(only(session, Notified).pdu, Outbind)


def test_any_request_can_be_answered_with_ok_or_an_error() -> None:
    for request, _ in ANSWERED_BY_SMSC:
        session = granting()
        feed(session, request)
        session.events()
        session.respond(request)
        session.respond(request, ESME_RTHROTTLED)
        good, bad = pdus(session)
        assert good.command_id == bad.command_id == request.command_id | 0x80000000
        assert (good.command_status, bad.command_status) == (0, ESME_RTHROTTLED)  # type: ignore[attr-defined]


# the window and the answers


def test_the_window_bounds_requests_without_an_answer() -> None:
    session = bound(window=2)
    first, _ = session.send(SubmitSm(), 0.0), session.send(SubmitSm(), 0.0)
    assert session.room == 0
    with pytest.raises(WindowFull):
        session.send(SubmitSm(), 0.0)
    assert len(pdus(session)) == 2
    feed(session, SubmitSmResp(sequence_number=first))
    assert (session.room, session.outstanding) == (1, 1)
    session.send(SubmitSm(), 0.0)


def test_a_request_that_cannot_be_written_takes_no_slot() -> None:
    session = bound()
    with pytest.raises(ValueError, match="too long"):
        session.send(SubmitSm(source_addr=bytes(30)), 0.0)
    assert (session.room, session.data_to_send()) == (10, b"")


def test_only_messages_can_be_sent() -> None:
    session = bound()
    for request in (EnquireLink(), Unbind(), BindReceiver(), DeliverSm(), AlertNotification()):
        with pytest.raises(NotBound):
            session.send(request, 0.0)


def test_answers_may_come_in_any_order_and_a_nack_is_one() -> None:
    session = bound()
    one, two, three = (session.send(SubmitSm(), 0.0, name) for name in "abc")
    feed(
        session,
        SubmitSmResp(sequence_number=three, message_id=b"3"),
        GenericNack(sequence_number=one, command_status=ESME_RINVMSGLEN),
        SubmitSmResp(sequence_number=two, command_status=ESME_RTHROTTLED),
    )
    events = session.events()
    assert [event.context for event in events if isinstance(event, Answered)] == ["c", "a", "b"]
    statuses = [event.pdu.command_status for event in events if isinstance(event, Answered)]
    assert statuses == [0, ESME_RINVMSGLEN, ESME_RTHROTTLED]


def test_unknown_repeated_and_mismatched_answers_are_news_not_errors() -> None:
    session = bound()
    number = session.send(SubmitSm(), 0.0, "mine")
    feed(session, DeliverSmResp(sequence_number=number), SubmitSmResp(sequence_number=4711), GenericNack())
    assert [type(event) for event in session.events()] == [StrayResponse] * 3
    feed(session, SubmitSmResp(sequence_number=number), SubmitSmResp(sequence_number=number))
    answered, stray = session.events()
    assert isinstance(answered, Answered) and isinstance(stray, StrayResponse)
    assert stray.context is None
    assert session.state is State.BOUND_TRX


# time


def test_an_answer_that_does_not_come_is_doubt_and_the_peer_is_asked_whether_it_lives() -> None:
    session = bound(response_timeout=10.0, enquire_link=30.0)
    session.send(SubmitSm(), 1.0, "a")
    session.send(SubmitSm(), 2.0, "b")
    session.data_to_send()
    assert session.deadline() == 11.0
    session.tick(11.0)
    assert only(session, TimedOut).context == "a"
    (probe,) = pdus(session)
    assert isinstance(probe, EnquireLink)
    assert session.room == 9
    feed(session, EnquireLinkResp(sequence_number=probe.sequence_number), now=11.5)
    assert session.deadline() == 12.0
    session.tick(12.0)
    assert only(session, TimedOut).context == "b"
    assert session.state is State.BOUND_TRX


def test_a_late_answer_comes_with_its_request() -> None:
    session = bound(response_timeout=10.0)
    number = session.send(SubmitSm(), 0.0, "mine")
    session.tick(10.0)
    session.events()
    feed(session, SubmitSmResp(sequence_number=number, message_id=b"late"), now=11.0)
    stray = only(session, StrayResponse)
    assert stray.context == "mine" and isinstance(stray.pdu, SubmitSmResp)
    feed(session, SubmitSmResp(sequence_number=number, message_id=b"late"), now=11.0)
    assert only(session, StrayResponse).context is None


def test_an_idle_link_is_asked_and_a_silent_peer_is_dead() -> None:
    session = bound(response_timeout=10.0, enquire_link=30.0)
    number = session.send(SubmitSm(), 25.0, "mine")
    session.data_to_send()
    session.tick(30.0)
    assert [type(pdu) for pdu in pdus(session)] == [EnquireLink]
    session.tick(35.0)
    assert only(session, TimedOut).sequence_number == number
    assert session.data_to_send() == b""  # one question at a time
    other = session.send(SubmitSm(), 36.0, "other")
    session.tick(40.0)
    closed = only(session, Closed)
    assert closed.reason.startswith("peer is silent")
    assert closed.unanswered == [(other, "other")]
    assert session.deadline() is None


def test_traffic_is_as_good_as_an_answer_to_enquire_link() -> None:
    session = bound(response_timeout=10.0, enquire_link=30.0)
    session.tick(30.0)
    session.data_to_send()
    feed(session, DeliverSm(sequence_number=5), now=39.0)
    session.tick(40.0)
    assert session.state is State.BOUND_TRX
    assert session.deadline() == 69.0


def test_octets_that_make_no_pdu_are_no_sign_of_life() -> None:
    session = bound(response_timeout=10.0, enquire_link=30.0)
    session.receive(struct.pack(">IIII", 60_000, 5, 0, 1), 1.0)  # a length that lies swallows what follows
    session.tick(30.0)
    (probe,) = pdus(session)
    session.receive(EnquireLinkResp().encode(probe.sequence_number), 31.0)
    session.tick(40.0)
    assert only(session, Closed).reason.startswith("peer is silent")


def test_enquire_link_zero_never_asks() -> None:
    session = bound(enquire_link=0.0)
    assert session.deadline() is None
    session.tick(10_000.0)
    assert session.data_to_send() == b""


def test_the_peers_enquire_link_is_answered() -> None:
    for session in (bound(), granting()):
        feed(session, EnquireLink(sequence_number=77))
        assert pdus(session) == [EnquireLinkResp(sequence_number=77)]


def test_an_unbind_without_answer_closes() -> None:
    session = bound(response_timeout=10.0)
    number = session.send(SubmitSm(), 1.0, "mine")
    session.unbind(2.0)
    session.tick(11.0)
    assert only(session, TimedOut).sequence_number == number
    session.tick(12.0)
    assert only(session, Closed).reason == "unbind was not answered"


def test_both_sides_may_unbind_at_once() -> None:
    here, there = bound(), granting()
    here.unbind(0.0)
    there.unbind(0.0)
    a, b = here.data_to_send(), there.data_to_send()
    here.receive(b, 0.0)
    there.receive(a, 0.0)
    assert pdus(here) == [UnbindResp(sequence_number=1)]
    assert here.closed and there.closed


def test_what_was_asked_before_the_peers_unbind_is_answered_before_it() -> None:
    session = granting()
    feed(session, *(SubmitSm(sequence_number=n) for n in (2, 3)), Unbind(sequence_number=4))
    feed(session, SubmitSm(sequence_number=5), EnquireLink(sequence_number=6), Unbind(sequence_number=7))
    assert [response.command_status for response in pdus(session)] == [  # type: ignore[attr-defined]
        ESME_RINVBNDSTS,
        ESME_ROK,
        ESME_RINVBNDSTS,
    ]
    first, second = [event.pdu for event in session.events() if isinstance(event, Requested)]
    assert session.room == 0
    with pytest.raises(NotBound):
        session.send(DeliverSm(), 0.0)
    session.respond(second, ESME_ROK, b"b")
    session.answer(SubmitSmResp(sequence_number=first.sequence_number, message_id=b"a"))
    assert pdus(session) == [
        SubmitSmResp(sequence_number=3, message_id=b"b"),
        SubmitSmResp(sequence_number=2, message_id=b"a"),
        UnbindResp(sequence_number=4),
    ]
    assert only(session, Closed).reason == "peer unbound"


def test_a_peer_that_has_finished_gets_its_answers_and_the_session_ends() -> None:
    session = granting()
    session.send(DeliverSm(), 0.0, "receipt")
    feed(session, SubmitSm(sequence_number=2), SubmitSm(sequence_number=3))
    session.finished()
    first, second = [event.pdu for event in session.events() if isinstance(event, Requested)]
    session.data_to_send()
    assert session.room == 0
    with pytest.raises(NotBound):
        session.send(DeliverSm(), 0.0)
    session.tick(9.0)
    session.respond(first, ESME_ROK, b"a")
    assert not session.closed
    session.finished()  # said twice
    session.respond(second, ESME_ROK, b"b")
    assert pdus(session) == [
        SubmitSmResp(sequence_number=2, message_id=b"a"),
        SubmitSmResp(sequence_number=3, message_id=b"b"),
    ]
    assert only(session, Closed).unanswered == [(1, "receipt")]


def test_a_peer_that_finished_is_not_asked_whether_it_lives() -> None:
    session = granting()
    feed(session, SubmitSm(sequence_number=2))
    session.finished()
    session.tick(1000.0)
    assert (session.data_to_send(), session.deadline(), session.closed) == (b"", None, False)


def test_a_bind_before_the_peer_finished_is_answered() -> None:
    session = smsc()
    feed(session, BindTransceiver(sequence_number=1))
    session.finished()
    session.answer_bind(only(session, BindRequested).pdu, ESME_ROK)
    assert [type(event) for event in session.events()] == [Bound, Closed]
    assert len(pdus(session)) == 1


def test_a_peer_that_finished_and_asked_nothing_is_gone() -> None:
    for session in (smsc(), granting(), bound()):
        session.finished()
        assert only(session, Closed).reason == "connection closed by the peer"


def test_an_unbinding_peer_may_still_answer_what_we_asked() -> None:
    session = bound()
    first, second = session.send(SubmitSm(), 0.0, "first"), session.send(SubmitSm(), 0.0, "second")
    session.data_to_send()
    feed(session, Unbind(sequence_number=8), SubmitSmResp(sequence_number=second, message_id=b"b"), now=3.0)
    assert only(session, Answered).context == "second"
    assert (session.data_to_send(), session.deadline()) == (b"", 3.0 + LEAVE_SECONDS)
    feed(session, SubmitSmResp(sequence_number=first, message_id=b"a"), now=3.5)
    assert [type(event) for event in session.events()] == [Answered, Closed]
    assert pdus(session) == [UnbindResp(sequence_number=8)]


def test_the_peers_unbind_leaves_in_doubt_what_it_does_not_answer_soon() -> None:
    session = bound()
    number = session.send(SubmitSm(), 0.0, "mine")
    session.data_to_send()
    feed(session, Unbind(sequence_number=8))
    assert session.data_to_send() == b""
    session.tick(LEAVE_SECONDS)
    assert pdus(session) == [UnbindResp(sequence_number=8)]
    assert only(session, Closed).unanswered == [(number, "mine")]
    assert not session.respond(DeliverSm(sequence_number=3))
    assert session.deadline() is None  # nothing of it is due any more


def test_the_peers_unbind_is_answered_when_the_last_that_it_owes_is_overdue() -> None:
    session = bound(response_timeout=5.0)
    session.send(SubmitSm(), 0.0, "mine")
    session.data_to_send()
    session.receive(Unbind().encode(8), 4.5)
    session.tick(5.0)  # sooner than LEAVE_SECONDS from the unbind
    assert pdus(session) == [UnbindResp(sequence_number=8)]
    overdue, closed = session.events()
    assert isinstance(overdue, TimedOut) and overdue.context == "mine"
    assert closed == Closed("peer unbound", [])


def test_leaving_before_the_bind_just_closes() -> None:
    session = esme()
    session.unbind(0.0)
    assert session.closed
    session.unbind(0.0)
    session.lost("again")
    assert len(session.events()) == 1


# peers that break the rules


def _lying_submit(sequence_number: int) -> bytes:
    body = bytes(16) + b"\x50abc"
    return struct.pack(">IIII", 16 + len(body), 4, 0, sequence_number) + body


def test_an_unreadable_request_is_answered_and_the_session_lives() -> None:
    session = granting()
    session.receive(_lying_submit(6) + EnquireLink().encode(7), 0.0)
    assert only(session, Malformed).error.status == ESME_RINVMSGLEN
    assert pdus(session) == [
        SubmitSmResp(sequence_number=6, command_status=ESME_RINVMSGLEN),
        EnquireLinkResp(sequence_number=7),
    ]


def test_an_unreadable_request_before_the_bind_is_refused_for_that() -> None:
    session = smsc()
    session.receive(_lying_submit(6), 0.0)
    assert pdus(session) == [SubmitSmResp(sequence_number=6, command_status=ESME_RINVBNDSTS)]


def test_an_unknown_command_is_nacked_and_an_unknown_response_is_not() -> None:
    session = granting()
    session.receive(struct.pack(">IIII", 16, 0x999, 0, 5) + struct.pack(">IIII", 16, 0x80000999, 0, 6), 0.0)
    assert [type(event) for event in session.events()] == [Malformed, Malformed]
    assert pdus(session) == [GenericNack(sequence_number=5, command_status=ESME_RINVCMDID)]


def test_an_unreadable_response_still_counts_by_its_header() -> None:
    session = bound()
    number = session.send(SubmitSm(), 0.0, "mine")
    session.receive(struct.pack(">IIII", 316, 0x80000004, 0, number) + b"x" * 300, 0.0)
    malformed, answered = session.events()
    assert isinstance(malformed, Malformed) and isinstance(answered, Answered)
    assert answered.pdu == SubmitSmResp(sequence_number=number)


def test_lost_framing_is_nacked_and_ends_the_session() -> None:
    session = granting()
    session.receive(EnquireLink().encode(3) + b"GET / HTTP/1.1\r\n\r\n", 0.0)
    first, nack = pdus(session)
    assert isinstance(first, EnquireLinkResp)
    assert nack == GenericNack(
        sequence_number=int.from_bytes(b".1\r\n", "big"), command_status=ESME_RINVCMDLEN
    )
    assert [type(event) for event in session.events()] == [Malformed, Closed]
    session.receive(EnquireLink().encode(4), 0.0)
    assert session.data_to_send() == b""


_IDS = [
    0x1,
    0x4,
    0x5,
    0x6,
    0x9,
    0xB,
    0x15,
    0x21,
    0x102,
    0x103,
    0x80000000,
    0x80000004,
    0x80000006,
    0x80000015,
    7,
]


@given(
    st.sampled_from([smsc, granting, esme, bound]),
    st.lists(
        st.builds(
            lambda command_id, number, body: (
                struct.pack(">IIII", 16 + len(body), command_id, 0, number) + body
            ),
            st.sampled_from(_IDS),
            st.integers(0, 4),
            st.binary(max_size=60),
        )
        | st.binary(max_size=30),
        max_size=8,
    ),
)
def test_no_octets_raise_in_any_role(make: Callable[[], SmppSession], reads: list[bytes]) -> None:
    session = make()
    if session.room:
        session.send(SubmitSm() if session.role is Role.ESME else DeliverSm(), 0.0)
    for number, data in enumerate(reads):
        session.receive(data, float(number))
        for event in session.events():
            if isinstance(event, BindRequested):
                session.answer_bind(event.pdu, ESME_ROK)
            elif isinstance(event, Requested):
                session.respond(event.pdu)
        session.tick(float(number))
    frames = Framer()
    assert all(decode(frame) for frame in frames.feed(session.data_to_send()))  # what we write is well-formed
    assert frames.broken is None
