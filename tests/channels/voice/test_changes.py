"""Hold, another address, and keys by INFO, between SIP, the session description and the media."""

from __future__ import annotations

import pytest

from gateway.channels.voice.changes import follow
from gateway.protocol import sdp
from gateway.protocol.rtp.codec import Codec
from gateway.protocol.sdp.description import Direction
from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import AnswerReceived, Call, CallState, InfoReceived, OfferReceived
from gateway.protocol.sip.call import Direction as CallDirection
from gateway.values.errors import GatewayError


class Phone:
    def __init__(self) -> None:
        self.accepted: list[bytes] = []
        self.refused: list[int] = []

    def accept_offer(self, call: Call, sdp: bytes) -> None:
        self.accepted.append(sdp)

    def refuse_offer(self, call: Call, status: int = 488) -> None:
        self.refused.append(status)


class Stream:
    def __init__(self) -> None:
        self.agreed: list[sdp.Negotiated] = []
        self.pressed: list[str] = []
        self.reachable = True

    def connect(self, media: sdp.Negotiated) -> None:
        if not self.reachable:
            raise GatewayError("the peer's media address is not of our socket's IP version")
        self.agreed.append(media)

    def press(self, digit: str) -> None:
        self.pressed.append(digit)


@pytest.fixture
def phone() -> Phone:
    return Phone()


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def session() -> sdp.OfferAnswer:
    return sdp.OfferAnswer("127.0.0.1", 20_000, session_id=7)


CALL = Call("id", CallDirection.OUTBOUND, CallState.ESTABLISHED, "1", "2", Address("127.0.0.9", 5060), "east")


def theirs(port: int = 30_000, direction: Direction = Direction.SENDRECV) -> bytes:
    return sdp.build_offer("127.0.0.9", port, (Codec.PCMA,), session_id=1, direction=direction)


def test_the_stream_follows_hold_and_another_port(
    phone: Phone, stream: Stream, session: sdp.OfferAnswer
) -> None:
    session.offer()
    follow(OfferReceived(CALL, theirs(direction=Direction.SENDONLY)), phone, session, stream)
    follow(OfferReceived(CALL, theirs(port=30_002)), phone, session, stream)
    held, moved = stream.agreed
    assert (held.direction, held.remote_port) == (Direction.RECVONLY, 30_000)
    assert (moved.direction, moved.remote_port) == (Direction.SENDRECV, 30_002)
    answers = [sdp.parse(answer) for answer in phone.accepted]
    assert [answer.media[0].direction for answer in answers] == [Direction.RECVONLY, Direction.SENDRECV]
    # one higher with each that differs (RFC 3264 section 8)
    assert [answer.origin.session_version for answer in answers] == ["2", "3"]


def test_who_asks_for_our_offer_gets_it_and_the_stream_follows_the_answer(
    phone: Phone, stream: Stream, session: sdp.OfferAnswer
) -> None:
    follow(OfferReceived(CALL, b""), phone, session, stream)
    assert sdp.parse(phone.accepted[0]).media[0].port == 20_000
    assert stream.agreed == []
    follow(AnswerReceived(CALL, theirs()), phone, session, stream)
    assert stream.agreed[0].remote_port == 30_000
    follow(AnswerReceived(CALL, b"nonsense"), phone, session, stream)
    assert len(stream.agreed) == 1


@pytest.mark.parametrize("offer", [b"nonsense", theirs(port=0), theirs().replace(b"audio", b"video")])
def test_what_cannot_be_agreed_on_is_refused_and_nothing_changes(
    phone: Phone, stream: Stream, session: sdp.OfferAnswer, offer: bytes
) -> None:
    follow(OfferReceived(CALL, offer), phone, session, stream)
    assert (phone.accepted, phone.refused, stream.agreed) == ([], [488], [])


def test_an_address_that_our_socket_cannot_reach_is_refused(
    phone: Phone, stream: Stream, session: sdp.OfferAnswer
) -> None:
    stream.reachable = False
    follow(OfferReceived(CALL, theirs()), phone, session, stream)
    assert (phone.accepted, phone.refused) == ([], [488])


def test_keys_by_info_are_pressed_and_other_info_is_logged(
    phone: Phone, stream: Stream, session: sdp.OfferAnswer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    follow(InfoReceived(CALL, 200, "application/dtmf", "#"), phone, session, stream)
    follow(InfoReceived(CALL, 415, "application/media_control+xml"), phone, session, stream)
    assert stream.pressed == ["#"]
    (record,) = caplog.records
    assert (record.message, record.status) == ("call.info_refused", 415)
