"""gateway.protocol.sdp.negotiation."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.sdp import (
    Direction,
    Negotiated,
    Refused,
    SessionDescription,
    Wishes,
    build_answer,
    build_offer,
    negotiate,
    parse,
)


def peer(*lines: str) -> SessionDescription:
    return parse("\r\n".join(["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "t=12 34", *lines, ""]).encode())


def agreed(description: SessionDescription, codecs: Sequence[Codec] = tuple(Codec)) -> Negotiated:
    outcome = negotiate(description, Wishes(codecs))
    assert isinstance(outcome, Negotiated), outcome
    return outcome


def test_the_offer_octet_by_octet() -> None:
    assert build_offer("192.0.2.1", 30_000, session_id=7) == (
        b"v=0\r\n"
        b"o=- 7 1 IN IP4 192.0.2.1\r\n"
        b"s=-\r\n"
        b"c=IN IP4 192.0.2.1\r\n"
        b"t=0 0\r\n"
        b"m=audio 30000 RTP/AVP 0 8 101\r\n"
        b"a=rtpmap:0 PCMU/8000\r\n"
        b"a=rtpmap:8 PCMA/8000\r\n"
        b"a=rtpmap:101 telephone-event/8000\r\n"
        b"a=fmtp:101 0-16\r\n"
        b"a=ptime:20\r\n"
        b"a=sendrecv\r\n"
    )


def test_an_offer_over_ipv6_of_one_codec_on_hold() -> None:
    offer = build_offer(
        "2001:db8::1", 30_000, [Codec.PCMA], session_id=7, session_version=2, direction=Direction.SENDONLY
    )
    assert b"o=- 7 2 IN IP6 2001:db8::1\r\n" in offer
    assert b"m=audio 30000 RTP/AVP 8 101\r\n" in offer
    assert offer.endswith(b"a=sendonly\r\n")


def test_the_peers_order_and_the_peers_numbers_count() -> None:
    media = agreed(
        peer(
            "c=IN IP4 198.51.100.7",
            "m=audio 4000 RTP/AVP 18 98 0 100 101",
            "a=rtpmap:98 pcma/8000/1",
            "a=rtpmap:100 telephone-event/48000",
            "a=rtpmap:101 telephone-event/8000",
        )
    )
    assert media == Negotiated(Codec.PCMA, 98, 101, "198.51.100.7", 4000, Direction.SENDRECV, 0, 4001)


def test_own_codecs_limit_the_choice() -> None:
    description = peer("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0 8")
    outcome = negotiate(description, Wishes([Codec.PCMA]))
    assert isinstance(outcome, Negotiated)
    assert (outcome.codec, outcome.payload_type, outcome.dtmf_payload_type) == (Codec.PCMA, 8, None)


def test_keys_are_listened_for_where_no_events_are_offered_or_where_it_is_wished() -> None:
    without = peer("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0")
    events = peer("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000")
    assert [agreed(one).in_band_keys for one in (without, events)] == [True, False]
    wished = negotiate(events, Wishes(in_band_keys=True))
    assert isinstance(wished, Negotiated) and wished.in_band_keys


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
)
def test_directions_are_turned_round(theirs: str, ours: str) -> None:
    media = agreed(peer("c=IN IP4 192.0.2.1", f"a={theirs}", "m=audio 4000 RTP/AVP 0"))
    assert media.direction == ours


@pytest.mark.parametrize(("theirs", "ours"), [("sendrecv", "recvonly"), ("recvonly", "inactive")])
def test_the_unspecified_address_is_hold(theirs: str, ours: str) -> None:
    media = agreed(peer("c=IN IP4 0.0.0.0", "m=audio 4000 RTP/AVP 0", f"a={theirs}"))
    assert media.direction == ours


@pytest.mark.parametrize(
    ("lines", "port"), [([], 4001), (["a=rtcp:4567"], 4567), (["a=rtcp-mux"], 4000), (["a=rtcp:x"], 4001)]
)
def test_rtcp_goes_where_the_peer_has_it(lines: list[str], port: int) -> None:
    offer = peer("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0", *lines)
    assert agreed(offer).remote_rtcp_port == port
    answer = build_answer(offer, agreed(offer), "192.0.2.2", 30_000, session_id=9)
    assert (b"a=rtcp-mux" in answer) == (port == 4000)


def test_the_first_usable_audio_line_wins() -> None:
    media = agreed(
        peer(
            "c=IN IP4 192.0.2.1",
            "m=video 4000 RTP/AVP 31",
            "m=audio 0 RTP/AVP 0",
            "m=audio 4002 RTP/SAVP 0",
            "m=audio 4004 RTP/AVP 8",
            "m=audio 4006 RTP/AVP 0",
        )
    )
    assert (media.media_index, media.remote_port, media.codec) == (3, 4004, Codec.PCMA)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "no audio"),
        (["m=video 4000 RTP/AVP 31"], "no audio"),
        (["c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 18 9"], "no common codec"),
        (["c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 96", "a=rtpmap:96 PCMU/16000"], "no common codec"),
        (["c=IN IP4 192.0.2.1", "m=audio 0 RTP/AVP 0"], "port 0"),
        (["c=IN IP4 192.0.2.1", "m=audio 4000 RTP/SAVP 0"], "RTP/SAVP"),
        (["m=audio 4000 RTP/AVP 0"], "no c="),
        (["c=IN IP4 media.example.org", "m=audio 4000 RTP/AVP 0"], "IP address"),
    ],
)
def test_what_cannot_be_agreed_is_a_value(lines: list[str], reason: str) -> None:
    outcome = negotiate(peer(*lines), Wishes())
    assert isinstance(outcome, Refused)
    assert reason in outcome.reason


def test_the_answer_repeats_the_peers_numbers_and_refuses_the_rest() -> None:
    offer = peer(
        "c=IN IP4 198.51.100.7",
        "m=video 4000 RTP/AVP 31",
        "m=audio 4002 RTP/AVPF 98 0 96",
        "a=rtpmap:98 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=sendonly",
        "m=audio 4004 RTP/AVP 0",
        "m=image 4006 udptl t38",
    )
    answer = build_answer(offer, agreed(offer), "192.0.2.1", 30_000, session_id=9)
    assert answer == (
        b"v=0\r\n"
        b"o=- 9 1 IN IP4 192.0.2.1\r\n"
        b"s=-\r\n"
        b"c=IN IP4 192.0.2.1\r\n"
        b"t=12 34\r\n"
        b"m=video 0 RTP/AVP 31\r\n"
        b"m=audio 30000 RTP/AVPF 98 96\r\n"
        b"a=rtpmap:98 PCMA/8000\r\n"
        b"a=rtpmap:96 telephone-event/8000\r\n"
        b"a=fmtp:96 0-16\r\n"
        b"a=ptime:20\r\n"
        b"a=recvonly\r\n"
        b"m=audio 0 RTP/AVP 0\r\n"
        b"m=image 0 udptl t38\r\n"
    )


def test_events_that_were_not_offered_are_not_answered() -> None:
    offer = peer("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0")
    assert b"telephone-event" not in build_answer(offer, agreed(offer), "192.0.2.2", 30_000, session_id=9)


@given(
    st.permutations(list(Codec)),
    st.sampled_from(list(Direction)),
    st.sampled_from(["192.0.2.1", "2001:db8::1"]),
    st.integers(1, 65535),
)
def test_two_of_us_agree_with_each_other(
    codecs: list[Codec], direction: Direction, address: str, port: int
) -> None:
    offer = parse(build_offer(address, port, codecs, session_id=1, direction=direction))
    callee = agreed(offer)
    caller = agreed(parse(build_answer(offer, callee, "203.0.113.5", 40_000, session_id=2)))
    assert (callee.remote_address, callee.remote_port, callee.codec) == (address, port, codecs[0])
    assert caller == replace(
        callee,
        remote_address="203.0.113.5",
        remote_port=40_000,
        remote_rtcp_port=40_001,
        direction=callee.direction.reversed,
    )
    assert caller.direction == direction
