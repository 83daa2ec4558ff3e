"""gateway.protocol.rtp.rtcp against the layouts of RFC 3550 section 6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.rtp.packet import RtpError
from gateway.protocol.rtp.rtcp import Block, Bye, Report, SenderInfo, middle, ntp, pack, parse

REPORT = Report(
    0x11223344,
    SenderInfo(0x0102030405060708, 0x0A0B0C0D, 5, 800),
    (Block(0x55667788, 64, -1, 0x00020003, 9, 0x01020304, 65536),),
)


def test_a_sender_report_octet_by_octet() -> None:
    assert pack(REPORT, "ab", bye=True) == bytes.fromhex(
        "81c8000c 11223344 0102030405060708 0a0b0c0d 00000005 00000320"
        "55667788 40ffffff 00020003 00000009 01020304 00010000"
        "81ca0003 11223344 01026162 00000000"
        "81cb0001 11223344".replace(" ", "")
    )


def test_what_is_packed_is_read() -> None:
    assert parse(pack(REPORT, "name", bye=True)) == [REPORT, Bye((0x11223344,))]
    empty = Report(7, None, ())
    assert parse(pack(empty, "x" * 300)) == [empty]


@given(st.text(max_size=20))
def test_every_name_ends_on_a_word(name: str) -> None:
    octets = pack(Report(7, None, ()), name)
    assert len(octets) % 4 == 0
    assert octets.endswith(b"\0")
    assert parse(octets) == [Report(7, None, ())]


def test_ntp_time_has_its_epoch_in_1900() -> None:
    assert ntp(0.5) == 2_208_988_800 << 32 | 1 << 31
    assert middle(0x0102030405060708) == 0x03040506


@pytest.mark.parametrize(
    "octets",
    ["80", "80c9", "40c9000111223344", "80c9000211223344", "81c9000111223344", "82cb000111223344"],
)
def test_what_is_cut_off_is_refused(octets: str) -> None:
    with pytest.raises(RtpError):
        parse(bytes.fromhex(octets))


def test_what_others_add_is_passed_over() -> None:
    unknown = bytes.fromhex("80cc00021122334461626364")  # APP
    longer = bytes.fromhex("80c9000211223344aabbccdd")  # a profile's own words behind an RR
    assert parse(unknown + longer) == [Report(0x11223344, None, ())]


@given(st.binary(max_size=80))
def test_any_octets_give_parts_or_rtp_error(octets: bytes) -> None:
    for data in (octets, b"\x80\xc8" + octets, b"\x81\xc9\x00\x07" + octets):
        try:
            parse(data)
        except RtpError:
            pass
