"""gateway.protocol.sdp.description."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sdp import Direction, Format, Media, SdpError, parse, serialise

TYPICAL = b"""v=0\r
o=alice 2890844526 2890844527 IN IP4 192.0.2.1\r
s=call\r
c=IN IP4 192.0.2.1\r
t=0 0\r
m=audio 49170 RTP/AVP 0 8 96 97\r
a=rtpmap:96 telephone-event/8000\r
a=fmtp:96 0-15\r
a=ptime:20\r
"""


def with_lines(*lines: str) -> bytes:
    return "\r\n".join(["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "t=0 0", *lines, ""]).encode()


def test_a_typical_offer() -> None:
    description = parse(TYPICAL)
    origin = description.origin
    assert (origin.username, origin.session_id, origin.session_version) == (
        "alice",
        "2890844526",
        "2890844527",
    )
    assert description.media == (
        Media(
            kind="audio",
            port=49170,
            protocol="RTP/AVP",
            format_words=("0", "8", "96", "97"),
            # 97 has no rtpmap: it means nothing
            formats=(
                Format(0, "PCMU", 8000), Format(8, "PCMA", 8000), Format(96, "telephone-event", 8000, "0-15")
            ),
            address="192.0.2.1",
            direction=Direction.SENDRECV,
            ptime_milliseconds=20,
        ),
    )  # fmt: skip


@pytest.mark.parametrize("attribute", ["sendonly\r:", "sendonly :", " sendonly\t:whatever"])
def test_blanks_between_a_direction_and_a_colon_are_passed_over(attribute: str) -> None:
    (media,) = parse(with_lines("c=IN IP4 192.0.2.9", "m=audio 4000 RTP/AVP 0", f"a={attribute}")).media
    assert media.direction is Direction.SENDONLY


def test_the_media_level_wins_over_the_session_level() -> None:
    description = parse(
        with_lines(
            "c=IN IP4 192.0.2.9",
            "a=sendonly",
            "m=audio 4000 RTP/AVP 0",
            "c=IN IP6 2001:db8::1",
            "a=inactive",
            "m=audio 4002 RTP/AVP 8",
        )
    )
    assert [(media.address, media.direction) for media in description.media] == [
        ("2001:db8::1", Direction.INACTIVE),
        ("192.0.2.9", Direction.SENDONLY),
    ]


def test_line_ends_and_missing_lines_are_taken_leniently() -> None:
    data = b"v=0\no=- 1 1 IN IP4 192.0.2.1\nc=IN IP4 224.2.1.1/127\n\nm=audio 5000/2 RTP/AVP 0\n"
    (media,) = parse(data).media
    assert (media.address, media.port) == ("224.2.1.1", 5000)


def test_unknown_lines_attributes_and_foreign_octets_are_passed_over() -> None:
    data = with_lines(
        "z=what", "i=\x00 ü", "b=AS:64", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0", "a=cat:audio"
    )  # fmt: skip
    assert parse(data + b"k=\xff\xfe\r\n").media[0].port == 4000


def test_origin_numbers_that_are_none_do_no_harm() -> None:
    data = TYPICAL.replace(b"2890844526", b"1.5e9").replace(b"2890844527", b"99999999999999999999999")
    assert parse(data).origin.session_id == "1.5e9"


def test_a_decimal_or_senseless_ptime_does_no_harm() -> None:
    ptimes = [
        parse(TYPICAL.replace(b"ptime:20", ptime)).media[0].ptime_milliseconds
        for ptime in (b"ptime:30.0", b"ptime:", b"ptime:fast")
    ]
    assert ptimes == [30, None, None]


def test_media_that_is_not_rtp_keeps_its_words() -> None:
    media = parse(with_lines("c=IN IP4 192.0.2.1", "m=image 4002 udptl t38", "a=fmtp:x y")).media[0]
    assert (media.kind, media.protocol, media.format_words, media.formats) == ("image", "udptl", ("t38",), ())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "v=0"),
        (b"v=1\r\n", "v=0"),
        (b"v=0\r\ns=-\r\n", "no o="),
        (with_lines("nonsense"), "line 5"),
        (b"v=0\r\no=- 1 1 IN IP4\r\n", "5 fields"),
        (with_lines("c=IN IP4"), "c="),
        (with_lines("c=ATM IP4 1.2.3.4"), "c="),
        (with_lines("m=audio 4000 RTP/AVP"), "3 fields"),
        (with_lines("m=audio 65536 RTP/AVP 0"), "over 65535"),
        (with_lines("m=audio -1 RTP/AVP 0"), "port"),
        (with_lines("m=audio ٤٠٠٠ RTP/AVP 0"), "port"),
        (with_lines("m=audio 4000 RTP/AVP 128"), "over 127"),
        (with_lines("m=audio 4000 RTP/AVP x"), "payload type"),
        (with_lines("m=audio 4000 RTP/AVP 96", "a=rtpmap:96"), "rtpmap"),
        (with_lines("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 X/rate"), "clock rate"),
        (with_lines("m=audio 4000 RTP/AVP " + "0 " * 200), "formats"),
        (with_lines(*["m=audio 4000 RTP/AVP 0"] * 33), "media lines"),
        (with_lines("i=" + "x" * 20_000), "octets"),
    ],
)
def test_what_is_not_sdp_is_refused_with_the_place(data: bytes, why: str) -> None:
    with pytest.raises(SdpError, match=why):
        parse(data)


def test_what_was_written_reads_back_the_same() -> None:
    description = parse(
        with_lines(
            "c=IN IP4 192.0.2.1",
            "m=audio 4000 RTP/AVP 8 101",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-16",
            "a=ptime:20",
            "a=recvonly",
            "m=video 0 RTP/AVP 31",
            "m=audio 4002 RTP/AVP 0",
            "c=IN IP6 2001:db8::1",
        )
    )
    assert parse(serialise(description)) == description


def test_no_octet_of_a_peer_can_begin_a_line_of_ours() -> None:
    data = with_lines("m=audio\r0 0 RTP/AVP 0").replace(b"t=0 0", b"t=0 0\rm=audio 1 RTP/AVP 0")
    assert b"\r" not in serialise(parse(data)).replace(b"\r\n", b"")


SNIPPETS = st.sampled_from(
    ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "c=IN IP4 ", "m=audio ", "RTP/AVP", " 0", "\r\n", "\n", "a=rtpmap:",
     "96 ", "PCMU/8000", "a=fmtp:", "a=ptime:", "t=", "=", "a=sendonly", "/", "4000", "²", "\x85"]
)  # fmt: skip


@given(st.lists(SNIPPETS | st.text(max_size=3), max_size=40).map("".join))
def test_random_lines_give_a_description_or_sdp_error(text: str) -> None:
    data = text.encode()
    for candidate in (data, b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n" + data):
        try:
            description = parse(candidate)
        except SdpError:
            continue
        parse(serialise(description))


@given(st.binary(max_size=200))
def test_random_octets_give_a_description_or_sdp_error(data: bytes) -> None:
    for candidate in (data, TYPICAL + data, TYPICAL[: len(data)] + data):
        try:
            parse(candidate)
        except SdpError:
            continue
