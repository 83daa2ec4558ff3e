"""From a deliver_sm to what it carries."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config.model import Bind
from gateway.inbound import sms
from gateway.protocol.smpp.fields import pack_tlvs
from gateway.protocol.smpp.pdu import DeliverSm
from gateway.protocol.sms.coding import Binary, Coding, Text
from gateway.protocol.sms.udh import Ports

RECEIPT = b"id:1A stat:DELIVRD err:000 text:"
MESSAGE_STATE, RECEIPTED_MESSAGE_ID = 0x0427, 0x001E


def bind(**settings: Any) -> Bind:
    return Bind(host="smsc", system_id="gw", **settings)


@pytest.mark.parametrize(
    ("octets", "ton", "address"),
    [
        (b"447700900123", 1, "+447700900123"),
        (b"447700900123", 0, "+447700900123"),
        (b"+447700900123", 0, "+447700900123"),
        (b"12345", 3, "12345"),
        (b"12345", 1, "12345"),
        (b"PIZZA", 5, "PIZZA"),
        (b"07700900123", 2, "07700900123"),  # a national number is kept as it came
        (b"\xff\x00", 5, "\ufffd\x00"),
        (b"", 0, ""),
    ],
)
def test_addresses_are_canonical_or_kept_as_they_came(octets: bytes, ton: int, address: str) -> None:
    pdu = DeliverSm(source_addr=octets, source_addr_ton=ton, destination_addr=b"12345")
    assert sms.addresses(pdu) == (address, "12345")


def test_a_text_with_a_header_is_a_part() -> None:
    pdu = DeliverSm(
        source_addr=b"447700900123",
        destination_addr=b"12345",
        esm_class=0x40,
        short_message=b"\x05\x00\x03\x07\x02\x01Hello",
    )
    inbound = sms.read(pdu)
    assert inbound.data.concat is not None
    assert (inbound.data.concat.reference, inbound.data.concat.total, inbound.data.octets) == (7, 2, b"Hello")


@pytest.mark.parametrize(
    "tlvs",
    [
        {0x020C: b"\x00\x07", 0x020E: b"\x02"},  # no part number
        {0x020C: b"", 0x020E: b"\x02", 0x020F: b"\x01"},
    ],
)
def test_half_of_the_sar_parameters_make_no_part(tlvs: dict[int, bytes]) -> None:
    pdu = DeliverSm(short_message=b"Hello", tlv_octets=pack_tlvs(tlvs))
    assert sms.read(pdu).data.concat is None


@pytest.mark.parametrize(
    ("octets", "reference"),
    [(b"\x07", 7), (b"\x01\x2c", 300), (b"\x00\x00\x01\x2c", 300), (b"\x04\x25\x01\x01" * 16, 0x0101)],
)
def test_a_sar_reference_of_more_than_two_octets_stays_within_sixteen_bits(
    octets: bytes, reference: int
) -> None:
    tlvs = {0x020C: octets, 0x020E: b"\x02", 0x020F: b"\x01"}
    concat = sms.read(DeliverSm(short_message=b"Hello", tlv_octets=pack_tlvs(tlvs))).data.concat
    assert concat is not None
    assert concat.reference == reference


@pytest.mark.parametrize(
    ("esm_class", "tlvs", "settings", "found"),
    [
        (0x04, {}, {}, ("1A", "delivered", True)),
        (0x20, {}, {}, ("1A", "delivered", False)),  # an intermediate notification is not the last word
        (0x04, {}, {"receipt_id": "hex"}, ("26", "delivered", True)),
        (0x00, {}, {}, None),
        (0x00, {}, {"receipt_by_text": True}, ("1A", "delivered", True)),
        (0x00, {RECEIPTED_MESSAGE_ID: b"77\x00", MESSAGE_STATE: b"\x05"}, {}, ("77", "undeliverable", True)),
        (0x00, {MESSAGE_STATE: b"\x05"}, {}, ("1A", "undeliverable", True)),
        (0x00, {MESSAGE_STATE: b""}, {}, None),
        (0x24, {MESSAGE_STATE: b"\x02"}, {}, ("1A", "delivered", False)),
    ],
)
def test_what_is_a_receipt(
    esm_class: int,
    tlvs: dict[int, bytes],
    settings: dict[str, Any],
    found: tuple[str, str, bool] | None,
) -> None:
    pdu = DeliverSm(esm_class=esm_class, short_message=RECEIPT, tlv_octets=pack_tlvs(tlvs))
    news = sms.read_receipt(pdu, bind(**settings), "north", "id", 5.0)
    receipt = news and news.receipt
    assert (receipt and (receipt.smsc_id, receipt.state, receipt.final)) == found


@pytest.mark.parametrize(
    ("named", "form", "ids"),
    [
        (b"77\x00", "same", ("77", "1A")),
        (b"1A\x00", "same", ("1A", "")),
        (b"001a\x00", "hex", ("26", "")),
        (b"\x00", "same", ("1A", "")),
    ],
)
def test_the_text_of_a_receipt_may_name_another_id_than_its_parameter(
    named: bytes, form: str, ids: tuple[str, str]
) -> None:
    tlvs = pack_tlvs({RECEIPTED_MESSAGE_ID: named})
    pdu = DeliverSm(esm_class=0x04, short_message=RECEIPT, tlv_octets=tlvs)
    news = sms.read_receipt(pdu, bind(receipt_id=form), "north", "id", 5.0)
    assert news and (news.receipt.smsc_id, news.other_id) == ids


def test_a_text_that_only_mentions_an_id_is_no_receipt_even_where_texts_count() -> None:
    pdu = DeliverSm(short_message=b"my id: 7")
    assert sms.read_receipt(pdu, bind(receipt_by_text=True), "north", "id", 5.0) is None


@pytest.mark.parametrize(
    ("esm_class", "flagged"),
    [(0x00, False), (0x04, True), (0x44, True), (0x20, True), (0x24, True), (0x08, False)],
)
def test_esm_class_tells_receipts(esm_class: int, flagged: bool) -> None:
    assert sms.is_receipt(DeliverSm(esm_class=esm_class)) is flagged


def test_octets_that_are_no_text_are_shown_in_hex() -> None:
    assert sms.text_of(Text("Hello")) == "Hello"
    assert sms.text_of(Binary(b"\x00\xff")) == "00ff"
    assert sms.text_of(Binary(b"\x00\xff", ports=Ports(2948, 9200))) == "port 2948 from 9200: 00ff"


@pytest.mark.parametrize(
    ("stat", "tlvs", "stat_map", "found"),
    [
        (b"0", {}, {}, ("unknown", False)),
        (b"2", {}, {}, ("unknown", False)),
        (b"DND_REJECTED", {}, {}, ("unknown", False)),
        (b"0", {}, {"0": "delivered"}, ("delivered", True)),
        (b"00", {}, {"0": "delivered"}, ("unknown", False)),
        (b"dnd_rejected", {}, {"DND_REJECTED": "rejected"}, ("rejected", True)),
        (b"ACCEPTD", {}, {"acceptd": "delivered"}, ("delivered", True)),
        (b"BUFFRED", {}, {"BUFFRED": "enroute"}, ("enroute", False)),
        (b"0", {MESSAGE_STATE: b"\x05"}, {"0": "delivered"}, ("undeliverable", True)),
        (b"0", {MESSAGE_STATE: b""}, {"0": "delivered"}, ("delivered", True)),
    ],
)
def test_what_a_vendors_word_means_is_a_setting_and_never_delivered_by_itself(
    stat: bytes, tlvs: dict[int, bytes], stat_map: dict[str, Any], found: tuple[str, bool]
) -> None:
    pdu = DeliverSm(esm_class=0x04, short_message=b"id:1 stat:%s err:000" % stat, tlv_octets=pack_tlvs(tlvs))
    news = sms.read_receipt(pdu, bind(stat_map=stat_map), "north", "id", 5.0)
    assert news and (news.receipt.state, news.receipt.final) == found
    assert news.details == {"stat": stat.decode()}


@pytest.mark.parametrize(
    ("written", "zone", "done_date"),
    [
        (b"2311142213", "", "2311142213"),
        (b"2311142213", "UTC", "2023-11-14T22:13:00.000Z"),
        (b"20231114221320", "+05:30", "2023-11-14T16:43:20.000Z"),
        (b"2307142213", "Europe/Berlin", "2023-07-14T20:13:00.000Z"),
        (b"0000000000", "UTC", "0000000000"),
        (b"yesterday", "UTC", "yesterday"),
    ],
)
def test_the_date_of_a_receipt_is_read_in_the_carriers_zone(
    written: bytes, zone: str, done_date: str
) -> None:
    pdu = DeliverSm(esm_class=0x04, short_message=b"id:1 done date:%s stat:DELIVRD" % written)
    news = sms.read_receipt(pdu, bind(receipt_zone=zone), "north", "id", 5.0)
    assert news and news.details == {"stat": "DELIVRD", "done_date": done_date}


WAP = bytes.fromhex("0605040b8423f0")


@pytest.mark.parametrize(
    ("data_coding", "header", "details"),
    [
        (0x04, b"", {"octets": "01", "data_coding": 4}),
        (0xC8, b"", {"octets": "01", "data_coding": 0xC8}),  # message waiting: text, and more than that
        (
            0x00,
            WAP,
            {
                "octets": "01",
                "data_coding": 0,
                "udh": "0605040b8423f0",
                "ports": {"destination": 2948, "source": 9200},
            },
        ),
        (0x00, b"", None),
        (0x18, b"", None),
        (0x00, bytes.fromhex("080003070201240102"), None),
    ],
)
def test_what_is_more_than_its_text_keeps_its_octets(
    data_coding: int, header: bytes, details: dict[str, Any] | None
) -> None:
    found = sms.as_is([sms.Payload(b"\x01", data_coding, header=header)])
    assert (found.details if found else None) == details


def test_of_parts_in_several_alphabets_the_text_counts() -> None:
    assert sms.as_is([sms.Payload(b"\x01", 4), sms.Payload(b"a", 0)]) is None


def test_ports_may_come_as_parameters() -> None:
    tlvs = {0x020B: b"\x0b\x84", 0x020A: b"\x23\xf0"}
    fields = {"data_coding": 4, "short_message": b"\x01"}
    inbound = sms.read_mo(DeliverSm(**fields, tlv_octets=pack_tlvs(tlvs)))
    assert (inbound.data.header, inbound.data.octets) == (WAP, b"\x01")
    for odd in ({0x020B: b"\x0b"}, {0x020A: b"\x23\xf0"}, {0x1400: b"x"}, {}):
        assert sms.read_mo(DeliverSm(**fields, tlv_octets=pack_tlvs(odd))).data.header == b""
    full = bytes((138,)) + bytes((0x70, 136)) + bytes(136)
    pdu = DeliverSm(**fields | {"short_message": full + b"\x01"}, esm_class=0x40, tlv_octets=pack_tlvs(tlvs))
    assert sms.read_mo(pdu).data.header == full


@pytest.mark.parametrize(
    ("data_coding", "alphabet", "name"),
    [
        (0, Coding.GSM, "gsm"),
        (0, Coding.LATIN1, "latin1"),
        (8, Coding.LATIN1, "ucs2"),
        (4, Coding.GSM, "binary"),
    ],
)
def test_an_alphabet_by_name(data_coding: int, alphabet: Coding, name: str) -> None:
    assert sms.encoding(data_coding, alphabet) == name
