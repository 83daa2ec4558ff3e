"""smpplib's PDUs as an independent oracle, both ways."""

from typing import Any

import pytest
from smpplib import smpp

from gateway.protocol.smpp import operations, pdu
from gateway.protocol.smpp.codec import decode
from gateway.protocol.smpp.fields import pack_tlvs

MESSAGE = {
    "service_type": "CMT",
    "source_addr_ton": 5,
    "source_addr_npi": 0,
    "source_addr": "Trunkline",
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "destination_addr": "447700900123",
    "esm_class": 0x40,
    "protocol_id": 1,
    "priority_flag": 2,
    "schedule_delivery_time": "260101120000000+",
    "validity_period": "000001000000000R",
    "registered_delivery": 1,
    "replace_if_present_flag": 1,
    "data_coding": 8,
    "sm_default_msg_id": 3,
    "short_message": b"\x00H\x00i",
}
BIND = {
    "system_id": "acme",
    "password": "secret",
    "system_type": "VMS",
    "interface_version": 0x34,
    "addr_ton": 1,
    "addr_npi": 1,
    "address_range": "^12",
}
DATA = {name: MESSAGE[name] for name in [field.name for field in pdu.DataSm.layout]}
CASES: list[tuple[type[pdu.Pdu], dict[str, Any], dict[str, Any]]] = [
    (pdu.SubmitSm, MESSAGE, {"user_message_reference": 7, "sar_total_segments": 2}),
    (pdu.SubmitSm, {**MESSAGE, "short_message": b""}, {"message_payload": b"x" * 400}),
    (pdu.DeliverSm, MESSAGE, {"message_state": 2, "network_error_code": b"\x03\x00\x05"}),
    (pdu.BindTransceiver, BIND, {}),
    (pdu.BindReceiver, BIND, {}),
    (pdu.BindTransmitter, BIND, {}),
    (pdu.BindTransceiverResp, {"system_id": "smsc"}, {"sc_interface_version": 0x34}),
    (pdu.SubmitSmResp, {"message_id": "a1b2"}, {}),
    (pdu.DeliverSmResp, {"message_id": ""}, {}),
    (pdu.DataSm, DATA, {"message_payload": b"hello"}),
    (pdu.DataSmResp, {"message_id": "17"}, {}),
    (
        operations.QuerySm,
        {"message_id": "17", "source_addr_ton": 1, "source_addr_npi": 1, "source_addr": "1"},
        {},
    ),
    (pdu.EnquireLink, {}, {}),
    (pdu.EnquireLinkResp, {}, {}),
    (pdu.Unbind, {}, {}),
    (pdu.UnbindResp, {}, {}),
    (pdu.GenericNack, {}, {}),
]
TAGS = {
    "user_message_reference": (0x0204, 2),
    "sar_total_segments": (0x020E, 1),
    "message_payload": (0x0424, 0),
    "message_state": (0x0427, 1),
    "network_error_code": (0x0423, 0),
    "sc_interface_version": (0x0210, 1),
}
IDS = [case[0].name for case in CASES]


def _ours(kind: type[pdu.Pdu], fields: dict[str, Any], tlvs: dict[str, Any]) -> pdu.Pdu:
    values = {name: value.encode() if isinstance(value, str) else value for name, value in fields.items()}
    if tlvs:
        values["tlv_octets"] = pack_tlvs(
            {
                TAGS[name][0]: value if isinstance(value, bytes) else value.to_bytes(TAGS[name][1], "big")
                for name, value in tlvs.items()
            }
        )
    return kind(sequence_number=7, **values)


@pytest.mark.parametrize(("kind", "fields", "tlvs"), CASES, ids=IDS)
def test_we_read_what_smpplib_writes(
    kind: type[pdu.Pdu], fields: dict[str, Any], tlvs: dict[str, Any]
) -> None:
    theirs = smpp.make_pdu(kind.name, sequence=7, **fields, **tlvs)
    theirs.sequence = 7
    ours = decode(theirs.generate())
    expected = _ours(kind, fields, tlvs)
    assert getattr(ours, "tlvs", {}) == getattr(expected, "tlvs", {})  # in an order of its own
    wanted = {name: getattr(expected, name) for name in expected.__struct_fields__ if name != "tlv_octets"}
    assert {name: getattr(ours, name) for name in wanted} == wanted


@pytest.mark.parametrize(("kind", "fields", "tlvs"), CASES, ids=IDS)
def test_smpplib_reads_what_we_write(
    kind: type[pdu.Pdu], fields: dict[str, Any], tlvs: dict[str, Any]
) -> None:
    wire = _ours(kind, fields, tlvs).encode(7)
    theirs = smpp.make_pdu(kind.name, sequence=0)
    theirs.parse(wire)
    assert (theirs.length, theirs.status, theirs.sequence) == (len(wire), 0, 7)
    for name, value in {**fields, **tlvs}.items():
        read = getattr(theirs, name)
        if isinstance(value, int):
            assert read == value, name
        else:  # it leaves out octets of length 0
            assert (read or b"") == (value.encode() if isinstance(value, str) else value), name
