"""What goes to an account as `deliver_sm`: receipts for what it submitted, texts from customers."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from gateway.inbound.stored import state_of
from gateway.protocol.smpp import constants
from gateway.protocol.smpp.fields import pack_tlvs
from gateway.protocol.smpp.pdu import DeliverSm
from gateway.protocol.smpp.receipt import MessageState, format_receipt
from gateway.protocol.sms import user_data
from gateway.protocol.sms.coding import Coding, ucs2
from gateway.protocol.sms.segments import LongMethod, Segment, TooManySegments, split
from gateway.values.address import kind
from gateway.values.ids import part_id
from gateway.values.outcome import Status
from gateway.values.smpp import TON_NPI

# esm_class, section 5.2.12
_RECEIPT = 0x04
_INTERMEDIATE = 0x20
_WITH_CODE = frozenset(MessageState) - {MessageState.DELIVERED, MessageState.ENROUTE}
_LONGEST_ADDRESS = 20


def receipt(body: Mapping[str, Any]) -> DeliverSm:
    """A receipt travels against its message: source and destination change places."""
    status, code = Status(body["status"]), str(body["code"])
    state = state_of(status, code)
    id = body["correlationid"] or body["transid"]  # of a submit_multi, or its own
    if part := body.get("part"):
        id = part_id(id, part)
    text = format_receipt(
        id,
        state,
        submit_date=_date(body["submitted"]),
        done_date=_date(body["timestamp"]),
        # err has three characters: "ESM" of "ESME_RINVDSTADR" would only mislead
        err=code if state in _WITH_CODE and 0 < len(code) <= 3 else "000",
    )
    tlvs = {
        constants.TLV_RECEIPTED_MESSAGE_ID: id.encode("ascii") + b"\0",
        constants.TLV_MESSAGE_STATE: bytes((state,)),
    }
    if reference := body.get("user_message_reference"):  # the account's own, section 5.3.2.17
        tlvs[constants.TLV_USER_MESSAGE_REFERENCE] = bytes.fromhex(reference)
    return DeliverSm(
        **_addresses(str(body["to"]), str(body["from"])),
        esm_class=_RECEIPT if status.final else _INTERMEDIATE,
        short_message=text,
        tlv_octets=pack_tlvs(tlvs),
    )


def text(body: Mapping[str, Any]) -> list[DeliverSm]:
    """A customer's text, or octets with their header and ports, in as many parts as it takes."""
    addresses = _addresses(str(body["from"]), str(body["to"]))
    return [
        DeliverSm(
            **addresses,
            esm_class=constants.ESM_CLASS_UDHI if cut.udhi else 0,
            data_coding=int(cut.data_coding),
            short_message=b"" if cut.payload else cut.octets,
            tlv_octets=pack_tlvs({constants.TLV_MESSAGE_PAYLOAD: cut.octets}) if cut.payload else b"",
        )
        for cut in _cut(body)
    ]


def _cut(body: Mapping[str, Any]) -> list[Segment]:
    reference = zlib.crc32(str(body["transid"]).encode())  # the same whenever it is sent again
    words = str(body["text"])
    octets, header = bytes.fromhex(body.get("octets", "")), bytes.fromhex(body.get("udh", ""))
    is_text = "octets" not in body
    data_coding = int(Coding.UCS2) if is_text else int(body["data_coding"])
    try:
        if is_text:
            return split(words, reference=reference, method=LongMethod.UDH8)
        return user_data.split(octets, data_coding, header=header, reference=reference)
    except TooManySegments:
        whole = ucs2(words) if is_text else header + octets
        return [Segment(whole, data_coding, udhi=bool(header), payload=True)]


def _addresses(source: str, destination: str) -> dict[str, Any]:
    source_ton, source_npi = TON_NPI[kind(source)]
    dest_ton, dest_npi = TON_NPI[kind(destination)]
    return {
        "source_addr_ton": source_ton,
        "source_addr_npi": source_npi,
        "source_addr": _octets(source),
        "dest_addr_ton": dest_ton,
        "dest_addr_npi": dest_npi,
        "destination_addr": _octets(destination),
    }


def _octets(address: str) -> bytes:
    """A customer's address may be anything that a carrier brought."""
    return address.removeprefix("+").replace("\0", "").encode("ascii", "replace")[:_LONGEST_ADDRESS]


def _date(written: str) -> datetime:
    """Of what clock.iso has written, to the second."""
    return _second(written[:19])


@lru_cache(maxsize=64)
def _second(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=UTC)
