"""smpplib reads what the settings of a bind make of a segment."""

from typing import Any

import pytest
from smpplib import smpp

from gateway.channels.submit_sm import Maker, validity_period
from gateway.config.model import Bind
from gateway.protocol.sms.segments import LongMethod, Segment, split
from gateway.values.message import Form

BOB = "+447700900001"
NOW = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC


def sent(sender: str = "12345", *, expires: float = 0.0, **settings: Any) -> Any:
    [segment] = split("hi", reference=1, method=LongMethod.UDH8)
    return read(segment, sender, expires, **settings)


def read(
    segment: Segment, sender: str = "12345", expires: float = 0.0, form: Form | None = None, **settings: Any
) -> Any:
    bind = Bind(host="a", system_id="gw", **settings)
    octets = Maker(bind).submit_sm(sender, BOB, segment, form=form, expires=expires, now=NOW).encode(7)
    return smpp.parse_pdu(octets, sequence=0, allow_unknown_opt_params=True)


@pytest.mark.parametrize(
    ("sender", "ton", "npi"), [("12345", 3, 0), ("+442079460000", 1, 1), ("PIZZA & Co", 5, 0)]
)
def test_ton_and_npi_follow_the_kind_of_address(sender: str, ton: int, npi: int) -> None:
    pdu = sent(sender)
    assert (pdu.source_addr_ton, pdu.source_addr_npi, pdu.dest_addr_ton, pdu.dest_addr_npi) == (
        ton,
        npi,
        1,
        1,
    )
    assert pdu.source_addr.decode() == sender.removeprefix("+") and pdu.destination_addr == b"447700900001"


def test_ton_and_npi_can_be_fixed_one_by_one() -> None:
    pdu = sent(source_addr_ton=0, dest_addr_npi=9)
    assert (pdu.source_addr_ton, pdu.source_addr_npi, pdu.dest_addr_ton, pdu.dest_addr_npi) == (0, 0, 1, 9)
    pdu = sent(source_addr_npi=8, dest_addr_ton=2)
    assert (pdu.source_addr_ton, pdu.source_addr_npi, pdu.dest_addr_ton, pdu.dest_addr_npi) == (3, 8, 2, 1)


def test_service_type_goes_along() -> None:
    assert sent().service_type in (b"", None)
    assert sent(service_type="CMT").service_type == b"CMT"


@pytest.mark.parametrize(
    ("settings", "octet"),
    [
        ({}, 0x01),
        ({"registered_delivery": "failure"}, 0x02),
        ({"registered_delivery": "intermediate"}, 0x11),
        ({"receipts": False, "registered_delivery": "failure"}, 0),
    ],
)
def test_receipts_are_asked_for_as_configured(settings: dict[str, Any], octet: int) -> None:
    assert sent(**settings).registered_delivery == octet


def test_vendor_parameters_go_along_with_every_segment() -> None:
    tlvs = {"0x1400": "1101234567", "5121": "hex:00FF"}
    bind = Bind(host="a", system_id="gw", tlvs=tlvs, long_messages="sar")
    for segment in split("x" * 200, reference=1, method=LongMethod.SAR):
        octets = Maker(bind).submit_sm("12345", BOB, segment, expires=0.0, now=NOW).encode(7)
        assert b"\x14\x00\x00\x0a1101234567" in octets and b"\x14\x01\x00\x02\x00\xff" in octets
        assert b"\x02\x0e\x00\x01\x02" in octets  # sar_total_segments


@pytest.mark.parametrize(
    ("form", "seconds", "octets"),
    [
        ("none", 60, b""),
        ("absolute", 60, b"231114221420000+"),
        ("absolute", 0.96, b"231114221320000+"),
        ("relative", 60, b"000000000100000R"),
        ("relative", 90_061, b"000001010101000R"),
        ("relative", 31 * 86_400, b"000101000000000R"),
        ("relative", 365 * 86_400, b"010005000000000R"),
        ("relative", -5, b"000000000001000R"),
        ("relative", 1e12, b"990000000000000R"),
    ],
)
def test_validity_is_written_as_the_carrier_reads_it(form: str, seconds: float, octets: bytes) -> None:
    assert validity_period(form, NOW + seconds, NOW) == octets
    assert (sent(expires=NOW + seconds, validity_format=form).validity_period or b"") == octets


def test_without_an_end_no_validity_is_given() -> None:
    assert sent(validity_format="relative").validity_period in (b"", None)


def test_what_a_message_says_itself_goes_along() -> None:
    form = Form(
        esm_class=0x80,
        protocol_id=0x41,
        priority_flag=2,
        service_type="WAP",
        tlvs=bytes.fromhex("000500010114000001aa"),
    )
    pdu = read(Segment(b"\x01", 0xF5, udhi=True), form=form)
    assert (pdu.esm_class, pdu.protocol_id, pdu.priority_flag, pdu.data_coding) == (0xC0, 0x41, 2, 0xF5)
    assert pdu.service_type == b"WAP" and pdu.dest_addr_subunit == 1


def test_where_both_say_something_the_bind_goes_before_the_message() -> None:
    form = Form(service_type="WAP", tlvs=bytes.fromhex("14000001aa14010001bb"))
    [segment] = split("hi", reference=1, method=LongMethod.UDH8)
    bind = Bind(host="a", system_id="gw", service_type="CMT", tlvs={"0x1400": "hex:01"})
    pdu = Maker(bind).submit_sm("12345", BOB, segment, form=form, expires=0.0, now=NOW)
    assert pdu.service_type == b"CMT"
    assert pdu.tlvs == {0x1400: b"\x01", 0x1401: b"\xbb"}


def test_a_carrier_of_version_3_3_is_sent_no_parameters_of_messages() -> None:
    maker = Maker(Bind(host="a", system_id="gw", interface_version="3.3", tlvs={"0x1400": "hex:01"}))
    [segment] = split("hi", reference=1, method=LongMethod.UDH8)
    for form, tlvs in (
        (Form(tlvs=bytes.fromhex("0005000101")), {0x1400: b"\x01"}),
        (
            Form(raw=True, single=True, tlvs=bytes.fromhex("020f000101")),
            {0x020F: b"\x01", 0x1400: b"\x01"},
        ),
    ):
        assert maker.submit_sm("12345", BOB, segment, form=form, expires=0.0, now=NOW).tlvs == tlvs
