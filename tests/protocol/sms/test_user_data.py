"""Octets in as many segments as they take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sms import gsm, reassembly, udh
from gateway.protocol.sms.segments import LongMethod, TooManySegments
from gateway.protocol.sms.user_data import keep, split

PORTS = bytes.fromhex("0605040b8423f0")  # WAP push
WAP = bytes(range(200))


def test_what_fits_is_one_segment_with_its_header() -> None:
    [segment] = split(b"\x01" * 133, 0xF5, header=PORTS)
    assert (segment.octets, segment.data_coding, segment.udhi) == (PORTS + b"\x01" * 133, 0xF5, True)
    [segment] = split(b"\x01" * 140, 0x04)
    assert (segment.octets, segment.udhi) == (b"\x01" * 140, False)


def test_each_segment_repeats_the_ports_behind_its_concatenation() -> None:
    one, two = split(WAP, 0x04, header=PORTS, reference=0x1234)
    assert one.octets == bytes.fromhex("0b000334020105040b8423f0") + WAP[:128]
    assert two.octets == bytes.fromhex("0b000334020205040b8423f0") + WAP[128:]
    one, two = split(WAP, 0x04, header=PORTS, reference=0x1234, method=LongMethod.UDH16)
    assert one.octets == bytes.fromhex("0c08041234020105040b8423f0") + WAP[:127]


def test_with_sar_the_header_is_the_messages_own() -> None:
    one, two = split(WAP, 0x04, header=PORTS, reference=0x12345, method=LongMethod.SAR)
    assert (one.octets, two.octets) == (PORTS + WAP[:133], PORTS + WAP[133:])
    assert [(s.reference, s.part, s.total, s.sar, s.udhi) for s in (one, two)] == [
        (0x2345, 1, 2, True, True),
        (0x2345, 2, 2, True, True),
    ]


def test_as_payload_it_stays_whole() -> None:
    [segment] = split(WAP, 0x04, header=PORTS, method=LongMethod.PAYLOAD)
    assert (segment.octets, segment.payload, segment.udhi) == (PORTS + WAP, True, True)


def test_septets_of_the_default_alphabet_are_packed_for_who_wants_them_so() -> None:
    [segment] = split(b"hellohello", 0x00, packed=True)
    assert segment.octets.hex() == "e8329bfd4697d9ec37"
    [segment] = split(b"\xff" * 9, 0x04, packed=True)
    assert segment.octets == b"\xff" * 9
    [segment] = split(b"h\xe9", 0x00, packed=True)  # Latin-1, and no septets
    assert segment.octets == b"h\xe9"


def test_packed_septets_are_cut_where_no_seven_bits_are_left_over() -> None:
    octets = b"a" * 152 + b"\x1be" + b"a" * 7
    one, two = split(octets, 0x00, packed=True)
    assert gsm.unpack(one.octets[6:], 200, 1) == octets[:151]
    assert gsm.unpack_filled(two.octets[6:], 1) == octets[151:]


def test_parts_that_keep_their_headers_are_packed_each_behind_its_own() -> None:
    parts = [(PORTS, b"hello"), (b"", b"there\xff")]
    one, two = keep(parts, 0x00, reference=7, method=LongMethod.UDH8, packed=True)
    assert one.octets == bytes.fromhex("0b000307020105040b8423f0") + gsm.pack(b"hello", 2)
    assert two.octets == bytes.fromhex("050003070202") + b"there\xff"  # no septets
    one, _ = keep(parts, 0x04, reference=7, method=LongMethod.UDH8, packed=True)
    assert one.octets.endswith(b"hello")


def test_neither_an_escape_nor_a_surrogate_pair_is_cut() -> None:
    one, two = split(b"a" * 152 + b"\x1be" + b"a" * 7, 0x00)
    assert one.octets[6:] == b"a" * 152 and two.octets[6:] == b"\x1be" + b"a" * 7
    text = "ж" * 66 + "😀" + "ж" * 10
    one, two = split(text.encode("utf-16-be"), 0x08)
    assert one.octets[6:].decode("utf-16-be") == "ж" * 66


@pytest.mark.parametrize(
    ("octets", "header"),
    [(bytes(134 * 255 + 1), b""), (bytes(9), b"\xa0" + bytes(0xA0)), (b"", b"\x8c" + bytes(140))],
)
def test_more_than_255_segments_and_a_header_without_room_are_refused(octets: bytes, header: bytes) -> None:
    with pytest.raises(TooManySegments):
        split(octets, 0x04, header=header)


@given(
    st.binary(min_size=1, max_size=2000),
    st.sampled_from([0x00, 0x04, 0x08, 0xF5]),
    st.sampled_from([b"", PORTS]),
    st.sampled_from([LongMethod.UDH8, LongMethod.UDH16]),
)
def test_the_parts_come_together_again(
    octets: bytes, data_coding: int, header: bytes, method: LongMethod
) -> None:
    segments = split(octets, data_coding, header=header, reference=7, method=method)
    read = [reassembly.user_data(segment.udhi, segment.octets) for segment in segments]
    assert b"".join(data.octets for data in read) == octets
    for data in read:
        assert not data.header or udh.parse(data.header).without_concat == header


SIM = b"\x02\x70\x00"  # a command packet begins: in the first part only


@pytest.mark.parametrize(
    ("sizes", "method", "heads", "sar"),
    [
        ((130, 40), LongMethod.UDH8, ("0700031702017000", "050003170202"), False),
        ((130, 40), LongMethod.UDH16, ("080804051702017000", "06080405170202"), False),
        ((132, 134), LongMethod.UDH16, ("0700031702017000", "050003170202"), False),  # as it came
        ((137, 140), LongMethod.SAR, ("027000", ""), True),
        ((132, 134), LongMethod.PAYLOAD, ("0700031702017000", "050003170202"), False),
    ],
)
def test_parts_keep_headers_of_their_own(
    sizes: tuple[int, int], method: LongMethod, heads: tuple[str, str], sar: bool
) -> None:
    octets = [bytes(size) for size in sizes]
    segments = keep([(SIM, octets[0]), (b"", octets[1])], 0xF6, reference=0x0517, method=method)
    assert [s.octets for s in segments] == [bytes.fromhex(h) + o for h, o in zip(heads, octets, strict=True)]
    assert [(s.part, s.total, s.sar, s.udhi) for s in segments] == [
        (1, 2, sar, True),
        (2, 2, sar, not sar),
    ]


def test_parts_without_room_for_any_concatenation_cannot_be_kept() -> None:
    with pytest.raises(TooManySegments):
        keep([(SIM, bytes(133)), (b"", bytes(1))], 0xF6, reference=1, method=LongMethod.UDH8)
