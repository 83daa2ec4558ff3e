"""From a `deliver_sm` or `data_sm` to what it carries: a receipt, or a text or a part of one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gateway.config.model import Bind
from gateway.protocol.smpp import constants, receipt
from gateway.protocol.smpp.pdu import DataSm, DeliverSm, SubmitSm
from gateway.protocol.sms import coding, udh
from gateway.protocol.sms.coding import Binary, Text
from gateway.protocol.sms.reassembly import Payload, Sar, UserData, user_data
from gateway.protocol.sms.udh import Ports
from gateway.values import smpp
from gateway.values.address import canonical
from gateway.values.clock import iso
from gateway.values.errors import BadAddress
from gateway.values.message import Receipt

# esm_class, SMPP 3.4 section 5.2.12: bits 5 to 2 give the type of message, bit 6 the header indicator
_TYPE = constants.ESM_CLASS_TYPE
_RECEIPT = 0x04
_INTERMEDIATE = 0x20
_UDHI = 0x40
_TON_INTERNATIONAL = 1
_LONGEST_HEADER = 139


class Inbound(Struct, frozen=True):
    """An MO segment: canonical addresses and its octets without header."""

    sender: str
    recipient: str
    data: UserData
    data_coding: int


class AsIs(Struct, frozen=True):
    """User data that a text alone would not do justice to: 8 bit data, a message to an application's port.

    `udh` is its header, the length octet first, without a concatenation; empty: it has none.
    """

    octets: bytes
    udh: bytes
    data_coding: int
    parts: tuple[tuple[bytes, bytes], ...] = ()  # header and octets of each, where their headers differ

    @property
    def ports(self) -> Ports | None:
        return udh.parse(self.udh).ports if self.udh else None

    @property
    def details(self) -> dict[str, Any]:
        """For notifications: octets as hex digits."""
        details: dict[str, Any] = {"octets": self.octets.hex(), "data_coding": self.data_coding}
        if self.udh:
            details["udh"] = self.udh.hex()
        if ports := self.ports:
            details["ports"] = {"destination": ports.destination, "source": ports.source}
        return details


class News(Struct, frozen=True):
    """A receipt, and what else it tells: `stat` and `done_date`, "" where they were missing.

    `done_date` is in UTC where the bind's `receipt_zone` gives its zone, else as it was written.
    `other_id` is the id in the text where receipted_message_id is another one, else "".
    """

    receipt: Receipt
    stat: str = ""
    done_date: str = ""
    other_id: str = ""

    @property
    def details(self) -> dict[str, str]:
        return {name: text for name in ("stat", "done_date") if (text := getattr(self, name))}


def addresses(pdu: DeliverSm | DataSm | SubmitSm) -> tuple[str, str]:
    """Canonical source and destination.  What is no address at all is kept as it came, so that nobody's
    message is lost over it."""
    return (
        address_of(pdu.source_addr, pdu.source_addr_ton),
        address_of(pdu.destination_addr, pdu.dest_addr_ton),
    )


def read(pdu: DeliverSm | DataSm | SubmitSm) -> Inbound:
    """A person's message, or one part of it."""
    sender, recipient = addresses(pdu)
    sar = _sar(pdu.tlvs) if pdu.tlv_octets else None
    data = user_data(bool(pdu.esm_class & _UDHI), pdu.payload, sar)
    return Inbound(sender, recipient, data, pdu.data_coding)


def read_mo(pdu: DeliverSm | DataSm) -> Inbound:
    """The same from a carrier: ports may come as parameters there, and are then part of the header."""
    inbound = read(pdu)
    if not pdu.tlv_octets:
        return inbound
    tlvs = pdu.tlvs
    destination = tlvs.get(constants.TLV_DESTINATION_PORT, b"")
    source = tlvs.get(constants.TLV_SOURCE_PORT, b"\0\0")
    if len(destination) != 2 or len(source) != 2:
        return inbound
    elements = inbound.data.header[1:] + bytes((udh.PORTS_16BIT, 4)) + destination + source
    if len(elements) > _LONGEST_HEADER:
        return inbound
    return replace(inbound, data=inbound.data._replace(header=bytes((len(elements),)) + elements))


def as_is(payloads: Sequence[Payload], *, unreadable: bool = False) -> AsIs | None:
    """What a message is, if it is more than the text that was made of it, or not all of that could be read.

    Of parts that differ in data_coding the text counts.
    """
    first = payloads[0]
    plain = coding.is_text(first.data_coding) and not unreadable
    header = b""
    if first.header:
        parsed = udh.parse(first.header)
        plain = plain and parsed.plain
        header = parsed.without_concat
    if plain or any(payload.data_coding != first.data_coding for payload in payloads):
        return None
    octets = b"".join(payload.octets for payload in payloads)
    each = tuple((_without_concat(payload.header), payload.octets) for payload in payloads)
    same = all(other == header for other, _ in each)
    return AsIs(octets, header, first.data_coding, () if same else each)


def _without_concat(header: bytes) -> bytes:
    return udh.parse(header).without_concat if header else b""


def read_receipt(pdu: DeliverSm | DataSm, bind: Bind, bind_name: str, id: str, now: float) -> News | None:
    """A receipt, if that is what the PDU carries: by esm_class, by its parameters, or, only where the bind
    says so (`receipt_by_text`), by how its text reads.  A person may text what looks like a receipt."""
    tlvs = pdu.tlvs
    state = tlvs.get(constants.TLV_MESSAGE_STATE)
    named = tlvs.get(constants.TLV_RECEIPTED_MESSAGE_ID)
    flagged = is_receipt(pdu) or named is not None or bool(state)  # no person's text has such parameters
    if not flagged and not bind.receipt_by_text:
        return None
    parsed = receipt.parse(
        pdu.payload,
        receipted_message_id=named,
        message_state=state[0] if state else None,
        network_error_code=tlvs.get(constants.TLV_NETWORK_ERROR_CODE),
    )
    if parsed is None or (not flagged and not parsed.stat):
        return None
    meant = parsed.state
    if bind.stat_map and not state:  # message_state needs no interpreter
        meant = _mapped(bind, parsed.stat) or meant
    smsc_id = receipt.normal_id(parsed.message_id, bind.receipt_id)
    other_id = receipt.normal_id(parsed.text_message_id or "", bind.receipt_id)
    return News(
        Receipt(
            id=id,
            bind=bind_name,
            smsc_id=smsc_id,
            state=meant.name.lower(),
            final=meant in receipt.FINAL and not pdu.esm_class & _INTERMEDIATE,
            code=parsed.err,
            received_at=now,
        ),
        parsed.stat,
        _done_date(parsed.done_date, bind.receipt_zone),
        other_id if other_id != smsc_id else "",
    )


def _mapped(bind: Bind, stat: str) -> receipt.MessageState | None:
    word = stat.upper()
    named = next((state for written, state in bind.stat_map.items() if written.upper() == word), None)
    return receipt.MessageState[named.upper()] if named else None


def _done_date(stamp: receipt.Stamp | None, zone: str) -> str:
    if stamp is None:
        return ""
    if stamp.at is None or not zone:
        return stamp.raw
    return iso(stamp.at.replace(tzinfo=smpp.zone(zone)).timestamp())


def is_receipt(pdu: DeliverSm | DataSm) -> bool:
    """esm_class says so, whether it can be read or not."""
    return pdu.esm_class & _TYPE in (_RECEIPT, _INTERMEDIATE, _RECEIPT | _INTERMEDIATE)


def encoding(data_coding: int, alphabet: coding.Coding) -> str:
    """The alphabet of a text by name: gsm, ucs2, latin1, ...; `alphabet` is what the carrier means by 0."""
    found, _ = coding.classify(data_coding)
    return (alphabet if found is coding.Coding.GSM else found).name.lower()


def text_of(decoded: Text | Binary) -> str:
    """What a person would read; octets that are no text as hex digits, with their ports if they have any."""
    if isinstance(decoded, Text):
        return decoded.text
    digits = decoded.octets.hex()
    if decoded.ports is None:
        return digits
    return f"port {decoded.ports.destination} from {decoded.ports.source}: {digits}"


def unreadable(decoded: Text | Binary) -> bool:
    """Whether octets were no characters of the alphabet that they were said to be in."""
    return isinstance(decoded, Text) and decoded.faulty


@lru_cache(maxsize=4096)  # a receipt has the addresses of its message, and one of them is ours
def address_of(octets: bytes, ton: int) -> str:
    """One of them, by its type of number."""
    text = octets.decode("ascii", "replace").strip()
    try:
        return canonical(text, international=ton == _TON_INTERNATIONAL)
    except BadAddress:
        return text


def _sar(tlvs: dict[int, bytes]) -> Sar | None:
    reference = tlvs.get(constants.TLV_SAR_MSG_REF_NUM)
    total = tlvs.get(constants.TLV_SAR_TOTAL_SEGMENTS)
    part = tlvs.get(constants.TLV_SAR_SEGMENT_SEQNUM)
    if not reference or not total or not part:
        return None
    # two octets by the standard; of more, the number's end: a reference of any size could not be stored
    return Sar(int.from_bytes(reference[-2:], "big"), total[0], part[0])
