import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import sdp
from simulators.rtp import PCMA, PCMU

OFFER = (
    b"v=0\r\no=alice 2890844526 2890844526 IN IP4 host.atlanta.example.com\r\ns=-\r\n"
    b"c=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=video 51372 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\n"
    b"m=audio 49170 RTP/AVP 97 8 0 96\r\nc=IN IP4 192.0.2.9\r\n"
    b"a=rtpmap:97 iLBC/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\na=sendonly\r\n"
)


def test_offer_is_read() -> None:
    described = sdp.Description.parse(OFFER)
    assert (described.host, described.port) == ("192.0.2.9", 49170)
    assert described.codecs == (PCMA, PCMU)
    assert described.event_type == 96
    assert described.direction == "sendonly"
    assert described.audio == 1


def test_answer_takes_the_first_codec_and_the_peers_event_number_and_refuses_the_rest() -> None:
    body = sdp.answer(sdp.Description.parse(OFFER), "127.0.0.1", 4000, session=7).decode()
    lines = body.split("\r\n")
    assert "m=video 0 RTP/AVP 31" in lines
    assert "m=audio 4000 RTP/AVP 8 96" in lines
    assert "a=rtpmap:96 telephone-event/8000" in lines
    assert "a=recvonly" in lines
    assert lines.index("m=video 0 RTP/AVP 31") < lines.index("m=audio 4000 RTP/AVP 8 96")


def test_an_answer_without_telephone_events_when_none_were_offered() -> None:
    offered = sdp.Description.parse(b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4 RTP/AVP 0\r\n")
    assert offered.direction == "sendrecv"
    answered = sdp.Description.parse(sdp.answer(offered, "127.0.0.1", 4000, session=7))
    assert (answered.codecs, answered.event_type) == ((PCMU,), None)


def test_own_offer_is_read_back() -> None:
    described = sdp.Description.parse(sdp.offer("127.0.0.1", 4000, session=1))
    assert (described.host, described.port) == ("127.0.0.1", 4000)
    assert described.codecs == (PCMU, PCMA)
    assert described.event_type == 101


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "v=0"),
        (b"v=0\r\n", "no audio"),
        (b"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 0 RTP/AVP 0\r\n", "no audio"),
        (b"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4 RTP/SAVP 0\r\n", "no audio"),
        (b"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 70000 RTP/AVP 0\r\n", "no audio"),
        (b"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4 RTP/AVP 9 18\r\n", "neither"),
        (b"v=0\r\nm=audio 4 RTP/AVP 0\r\n", "no c="),
        (b"v=0\r\nc=IN IP6 ::1\r\nm=audio 4 RTP/AVP 0\r\n", "no c="),
        (b"v=0\r\nm=audio\r\n", "m= line"),
    ],
)
def test_unusable_descriptions_say_why(body: bytes, reason: str) -> None:
    with pytest.raises(sdp.BadSdp, match=reason):
        sdp.Description.parse(body)


@given(st.integers(0, len(OFFER) - 1), st.integers(0, 40), st.binary(max_size=10))
def test_a_damaged_description_is_read_or_bad(start: int, length: int, junk: bytes) -> None:
    try:
        sdp.Description.parse(OFFER[:start] + junk + OFFER[start + length :])
    except sdp.BadSdp:
        pass
