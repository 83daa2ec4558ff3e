"""What a submit_sm or data_sm asks for, read from PDUs."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.inbound.submission import Submission, read_submission
from gateway.protocol.smpp.fields import pack_tlvs
from gateway.protocol.smpp.pdu import DataSm, SubmitSm
from gateway.values.errors import BadInput
from gateway.values.message import Form

PAYLOAD, DEST_ADDR_SUBUNIT, MORE_MESSAGES = 0x0424, 0x0005, 0x0426
SAR = {0x020C: b"\x00\x07", 0x020E: b"\x02", 0x020F: b"\x01"}
WAP = bytes.fromhex("0605040b8423f0")
CONCAT = bytes.fromhex("050003070201")


def submit_sm(tlvs: dict[int, bytes] | None = None, **fields: Any) -> SubmitSm:
    usual: dict[str, Any] = {"source_addr": b"12345", "destination_addr": b"447700900123"}
    return SubmitSm(**usual | {"short_message": b"Hello"} | fields, tlv_octets=pack_tlvs(tlvs or {}))


def read(pdu: SubmitSm | DataSm, *, pass_through: bool = False) -> Submission:
    return read_submission(pdu, 1e9, pass_through=pass_through)


def test_a_text_is_no_more_than_that() -> None:
    found = read(submit_sm(registered_delivery=0x1D))
    assert (found.text, found.form, found.part, found.registered_delivery) == ("Hello", None, False, 0x11)


@pytest.mark.parametrize(
    ("fields", "form"),
    [
        ({"data_coding": 0xF0}, Form(data_coding=0xF0)),
        ({"data_coding": 0x08, "short_message": b"\x04\x16"}, None),
        ({"priority_flag": 3}, Form(priority_flag=3)),
        ({"protocol_id": 0x41}, Form(protocol_id=0x41)),
        ({"service_type": b"WAP"}, Form(service_type="WAP")),
        ({"esm_class": 0x81}, Form(esm_class=0x80)),  # the mode is ours
        ({"esm_class": 0x03}, None),
        ({"esm_class": 0x08}, Form(esm_class=0x08)),
        ({"esm_class": 0x10}, Form(esm_class=0x10)),
        ({"source_addr_ton": 6, "source_addr_npi": 18, "dest_addr_ton": 6, "dest_addr_npi": 18}, None),
        ({"tlvs": {DEST_ADDR_SUBUNIT: b"\x01"}}, Form(tlvs=bytes.fromhex("0005000101"))),
        ({"tlvs": {MORE_MESSAGES: b"\x01"}}, None),
        ({"tlvs": {PAYLOAD: b"Hello"}, "short_message": b""}, None),
        # no text of the alphabet it is said to be in
        ({"short_message": b"caf\xe9"}, Form(raw=True, octets=b"caf\xe9")),
        (
            {"short_message": b"\xd8\x3d\0", "data_coding": 8},
            Form(raw=True, octets=b"\xd8\x3d\0", data_coding=8),
        ),
        ({"data_coding": 0x04}, Form(raw=True, octets=b"Hello", data_coding=0x04)),
        ({"data_coding": 0xC8}, Form(raw=True, octets=b"Hello", data_coding=0xC8)),
        (
            {"esm_class": 0x40, "short_message": WAP + b"Hello", "priority_flag": 1},
            Form(raw=True, octets=b"Hello", udh=WAP, priority_flag=1),
        ),
        ({"sm_default_msg_id": 7}, None),  # the text is there
    ],
)
def test_what_is_more_than_text_is_kept(fields: dict[str, Any], form: Form | None) -> None:
    assert read(submit_sm(**fields)).form == form


def test_data_sm_has_neither_priority_nor_protocol_id() -> None:
    found = read(DataSm(service_type=b"WAP", tlv_octets=pack_tlvs({PAYLOAD: b"Hello"})))
    assert (found.text, found.form) == ("Hello", Form(service_type="WAP"))


@pytest.mark.parametrize("fields", [{"esm_class": 0x40, "short_message": CONCAT + b"Hel"}, {"tlvs": SAR}])
def test_a_segment_waits_for_the_others_or_is_a_message_of_its_own(fields: dict[str, Any]) -> None:
    pdu = submit_sm(**fields)
    assert read(pdu).part
    found = read(pdu, pass_through=True)
    assert not found.part and found.text in ("Hel", "Hello")
    assert found.form == Form(
        raw=True,
        single=True,
        octets=pdu.short_message,
        esm_class=pdu.esm_class,
        tlvs=pdu.tlv_octets,
    )


@pytest.mark.parametrize(
    ("fields", "octets", "payload"),
    [
        ({"tlvs": {PAYLOAD: b"x" * 300}, "short_message": b""}, b"x" * 300, True),
        ({"data_coding": 4}, b"Hello", False),
        ({"data_coding": 4, "short_message": bytes(255)}, bytes(255), True),  # SMPP 5.0 allows one more
    ],
)
def test_passed_through_goes_as_it_came(fields: dict[str, Any], octets: bytes, payload: bool) -> None:
    pdu = submit_sm(**fields)
    assert read(pdu, pass_through=True).form == Form(
        raw=True,
        single=True,
        octets=octets,
        payload=payload,
        data_coding=pdu.data_coding,
        esm_class=pdu.esm_class,
    )


@pytest.mark.parametrize("pass_through", [False, True])
def test_what_has_a_header_that_is_none_goes_as_it_came(pass_through: bool) -> None:
    pdu = submit_sm(esm_class=0x40, short_message=b"\x90abc")
    octets = Form(raw=True, single=True, octets=b"\x90abc", esm_class=0x40)
    assert read(pdu, pass_through=pass_through).form == octets


def test_a_plain_text_is_recoded_even_where_segments_pass_through() -> None:
    assert read(submit_sm(), pass_through=True).form is None


@pytest.mark.parametrize(("length", "payload"), [(254, False), (255, True)])
def test_a_data_sm_that_passes_through_is_a_payload_only_if_it_must(length: int, payload: bool) -> None:
    form = read(DataSm(tlv_octets=pack_tlvs({PAYLOAD: b"x" * length})), pass_through=True).form
    assert form is not None and form.payload is payload


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"priority_flag": 4}, "bad_priority"),
        ({"esm_class": 0x04}, "bad_esm_class"),
        ({"esm_class": 0x20}, "bad_esm_class"),
        ({"esm_class": 0x0C}, "bad_esm_class"),
        ({"esm_class": 0xFF}, "bad_esm_class"),
        ({"source_addr_ton": 7}, "bad_source_ton"),
        ({"source_addr_npi": 19}, "bad_source_npi"),
        ({"dest_addr_ton": 255}, "bad_dest_ton"),
        ({"dest_addr_npi": 255}, "bad_dest_npi"),
        ({"tlvs": {PAYLOAD: b"x"}}, "two_payloads"),
        ({"tlvs": {DEST_ADDR_SUBUNIT: b""}}, "bad_parameter_length"),
        ({"tlvs": {MORE_MESSAGES: b"\x01\x01"}}, "bad_parameter_length"),
        ({"short_message": b"", "sm_default_msg_id": 1}, "no_default_message"),
        ({"schedule_delivery_time": b"x"}, "bad_schedule"),
        ({"tlvs": {PAYLOAD: b"x" * 39_017}, "short_message": b""}, "too_long"),
        ({"tlvs": {PAYLOAD: b"\x04\x16" * 16_831}, "short_message": b"", "data_coding": 8}, "too_long"),
        ({"tlvs": {PAYLOAD: b"x" * 33_916}, "short_message": b"", "data_coding": 4}, "too_long"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(submit_sm(**fields))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("data_coding", "octets"), [(0, b"x" * 38_760), (8, b"\x04\x16" * 16_830), (4, bytes(33_915))]
)
def test_255_segments_of_any_carriers_are_taken(data_coding: int, octets: bytes) -> None:
    pdu = submit_sm({PAYLOAD: octets}, short_message=b"", data_coding=data_coding)
    assert len(read(pdu).text) >= 16_830
