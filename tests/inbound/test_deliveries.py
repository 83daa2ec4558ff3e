"""Receipts and texts as an account gets them; tests/inbound/test_accounts.py has them on their way."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.inbound.deliveries import receipt, text
from gateway.inbound.sms import AsIs, as_is, read, text_of
from gateway.protocol.smpp.receipt import MessageState, parse
from gateway.protocol.sms.reassembly import Payload

CUSTOMER = "+447700900123"
STATUS = {
    "transid": "own-id",
    "correlationid": "",
    "status": "delivered",
    "code": "000",
    "from": "PIZZA",
    "to": CUSTOMER,
    "submitted": "2026-11-23T14:05:09.120Z",
    "timestamp": "2026-11-23T14:06:00.000Z",
}


@pytest.mark.parametrize(
    ("news", "esm_class", "state", "id"),
    [
        ({}, 0x04, MessageState.DELIVERED, "own-id"),
        ({"status": "sent", "code": ""}, 0x20, MessageState.ENROUTE, "own-id"),
        ({"status": "failed", "code": "cancelled"}, 0x04, MessageState.DELETED, "own-id"),
        ({"status": "failed", "code": "005"}, 0x04, MessageState.UNDELIVERABLE, "own-id"),
        ({"correlationid": "of-the-multi"}, 0x04, MessageState.DELIVERED, "of-the-multi"),
        ({"part": 2}, 0x04, MessageState.DELIVERED, "own-id-2"),
        ({"correlationid": "of-the-multi", "part": 2}, 0x04, MessageState.DELIVERED, "of-the-multi-2"),
    ],
)
def test_a_receipt_says_the_same_in_text_and_in_parameters(
    news: dict[str, Any], esm_class: int, state: MessageState, id: str
) -> None:
    pdu = receipt(STATUS | news)
    assert pdu.esm_class == esm_class
    assert (pdu.source_addr_ton, pdu.source_addr) == (1, b"447700900123")
    assert (pdu.dest_addr_ton, pdu.destination_addr) == (5, b"PIZZA")
    told = parse(pdu.short_message)
    assert told is not None and (told.message_id, told.state) == (id, state)
    assert pdu.tlvs == {0x001E: id.encode() + b"\0", 0x0427: bytes((state,))}  # section 5.3.2
    assert pdu.encode(1)


def test_a_receipt_has_the_accounts_own_reference() -> None:
    assert receipt(STATUS | {"user_message_reference": "012a"}).tlvs[0x0204] == b"\x01\x2a"


@pytest.mark.parametrize(("words", "parts"), [("Hello", 1), ("Пицца", 1), ("0123456789" * 40, 3), ("", 1)])
def test_a_text_goes_in_as_many_parts_as_it_takes(words: str, parts: int) -> None:
    pdus = text({"transid": "t", "from": CUSTOMER, "to": "12345", "text": words})
    assert len(pdus) == parts
    assert {pdu.esm_class for pdu in pdus} == {0x40 if parts > 1 else 0}
    assert {(pdu.source_addr_ton, pdu.source_addr_npi) for pdu in pdus} == {(1, 1)}
    assert {(pdu.dest_addr_ton, pdu.destination_addr) for pdu in pdus} == {(3, b"12345")}
    assert "".join(text_of(read(pdu).data.decode(pdu.data_coding)) for pdu in pdus) == words


@pytest.mark.parametrize("sender", ["", "Ünïcode GmbH & Söhne, Zürich", "a\0b", "+4477009001231234567890123"])
def test_a_sender_of_any_form_can_be_written(sender: str) -> None:
    [pdu] = text({"transid": "t", "from": sender, "to": "12345", "text": "hi"})
    assert pdu.encode(1)


WAP = {"transid": "t", "from": CUSTOMER, "to": "12345", "text": "shown", "data_coding": 4}


def test_octets_go_as_they_came_with_their_ports() -> None:
    octets = {"octets": "01ae", "udh": "0605040b8423f0"}
    [pdu] = text(WAP | octets)
    assert (pdu.esm_class, pdu.data_coding, pdu.short_message.hex()) == (0x40, 4, "0605040b8423f001ae")
    pdus = text(WAP | octets | {"octets": "ff" * 200})
    assert [read(pdu).data.octets for pdu in pdus] == [b"\xff" * 128, b"\xff" * 72]
    assert {as_is([Payload(b"", 4, header=read(pdu).data.header)]) for pdu in pdus} == {
        AsIs(b"", bytes.fromhex("0605040b8423f0"), 4)
    }


@pytest.mark.parametrize(
    ("long", "esm_class", "payload"),
    [
        ({"text": "ж" * 20_000}, 0, "ж".encode("utf-16-be") * 20_000),
        (
            WAP | {"octets": "ff" * 40_000, "udh": "0401028001"},
            0x40,
            b"\x04\x01\x02\x80\x01" + b"\xff" * 40_000,
        ),
    ],
)
def test_what_takes_too_many_parts_goes_as_payload(
    long: dict[str, Any], esm_class: int, payload: bytes
) -> None:
    [pdu] = text({"transid": "t", "from": CUSTOMER, "to": "12345"} | long)
    assert (pdu.esm_class, pdu.payload) == (esm_class, payload)
    assert pdu.encode(1)
