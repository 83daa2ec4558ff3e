"""gateway.protocol.rtp.packet."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.rtp.packet import RtpError, RtpPacket, pack, parse

PLAIN = bytes.fromhex("80 88 0102 00000003 deadbeef") + b"payload"


def test_header_lies_as_in_rfc_3550_section_5_1() -> None:
    assert pack(8, 0x0102, 3, 0xDEADBEEF, b"payload", marker=True) == PLAIN
    assert parse(PLAIN) == RtpPacket(8, 0x0102, 3, 0xDEADBEEF, b"payload", marker=True)


def test_numbers_wrap() -> None:
    packet = parse(pack(0, 0x10000, 0x1_0000_0005, 1, b""))
    assert (packet.sequence, packet.timestamp) == (0, 5)


def test_csrc_extension_and_padding_are_taken_off() -> None:
    data = (
        bytes.fromhex("b2 00 0001 00000002 00000003")
        + struct.pack(">II", 11, 12)
        + struct.pack(">HHI", 0xBEDE, 1, 0x01020304)
        + b"abc"
        + b"\x00\x02"
    )
    packet = parse(data)
    assert packet.csrc == (11, 12)
    assert packet.extension == b"\x01\x02\x03\x04"
    assert packet.payload == b"abc"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "too short"),
        (PLAIN[:11], "too short"),
        (b"\x40" + PLAIN[1:], "version 1"),
        (b"\x8f" + PLAIN[1:], "CSRC"),
        (b"\x90" + PLAIN[1:12] + b"\xbe\xde", "cut off"),
        (b"\x90" + PLAIN[1:12] + b"\xbe\xde\x00\x02abcd", "runs past"),
        (b"\xa0" + PLAIN[1:12], "padding"),  # the last octet of the header is no padding count
        (b"\xa0" + PLAIN[1:12] + b"ab\x00", "padding"),
        (b"\xa0" + PLAIN[1:12] + b"ab\x04", "padding"),
    ],
)
def test_broken_packets_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(RtpError, match=why):
        parse(data)


PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 2**32 - 1),
    ssrc=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=200),
    marker=st.booleans(),
    csrc=st.just(()),
    extension=st.none(),
)


@given(PACKETS)
def test_parse_reads_what_pack_wrote(packet: RtpPacket) -> None:
    assert parse(pack(*packet[:5], marker=packet.marker)) == packet


@given(st.binary(max_size=120), st.sampled_from([None, 0x80, 0x9F, 0xA3, 0xB1]))
def test_random_octets_give_a_packet_or_rtp_error(data: bytes, first: int | None) -> None:
    if first is not None:
        data = bytes([first]) + data
    try:
        packet = parse(data)
    except RtpError:
        return
    assert len(packet.payload) <= len(data) - 12
