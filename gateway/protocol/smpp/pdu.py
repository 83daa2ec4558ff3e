"""SMPP 3.4 PDUs that this program acts on: one flat struct per type.  The others are in `operations`.

Strings stay bytes (without the final NUL), TLVs stay octets until `pdu.tlvs` is asked for.  Field names are
the standard's (section 4), always given as keywords, each with the standard's neutral value as default:
`SubmitSm(source_addr=b"12345", destination_addr=b"447700900123", short_message=b"Hello")`.
Reading octets is `codec.decode`; writing them is `pdu.encode(sequence_number)`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import ClassVar, TypeVar

from msgspec import Struct

from gateway.protocol.smpp.constants import (
    ESME_RINVCMDLEN,
    ESME_RINVDSTADR,
    ESME_RINVEXPIRY,
    ESME_RINVMSGID,
    ESME_RINVPASWD,
    ESME_RINVSCHED,
    ESME_RINVSERTYP,
    ESME_RINVSRCADR,
    ESME_RINVSYSID,
    ESME_RINVSYSTYP,
    TLV_MESSAGE_PAYLOAD,
)
from gateway.protocol.smpp.fields import (
    CString,
    EncodeError,
    Layout,
    Octet,
    unpack_tlvs,
    write,
)

pack_header = struct.Struct(">IIII").pack
# NULs that end strings, and the octets behind them; faster than bytes((0, ...))
_pack3 = struct.Struct("3B").pack
_pack4 = struct.Struct("4B").pack
_pack6 = struct.Struct("6B").pack
_join = b"".join

SOURCE: Layout = (
    Octet("source_addr_ton"),
    Octet("source_addr_npi"),
    CString("source_addr", 21, ESME_RINVSRCADR),
)
DESTINATION: Layout = (
    Octet("dest_addr_ton"),
    Octet("dest_addr_npi"),
    CString("destination_addr", 21, ESME_RINVDSTADR),
)
MESSAGE_ID = CString("message_id", 65, ESME_RINVMSGID)
SCHEDULE = CString("schedule_delivery_time", 17, ESME_RINVSCHED)
VALIDITY = CString("validity_period", 17, ESME_RINVEXPIRY)
SERVICE_TYPE = CString("service_type", 6, ESME_RINVSERTYP)
SYSTEM_ID = CString("system_id", 65, ESME_RINVSYSID)
PASSWORD = CString("password", 65, ESME_RINVPASWD)
# data_sm and alert_notification allow longer addresses (sections 4.7.1, 4.12.1)
LONG_SOURCE: Layout = (*SOURCE[:2], CString("source_addr", 65, ESME_RINVSRCADR))
LONG_DESTINATION: Layout = (*DESTINATION[:2], CString("destination_addr", 65, ESME_RINVDSTADR))
AFTER_DESTINATION: Layout = (
    Octet("esm_class"),
    Octet("protocol_id"),
    Octet("priority_flag"),
    SCHEDULE,
    VALIDITY,
    Octet("registered_delivery"),
    Octet("replace_if_present_flag"),
    Octet("data_coding"),
    Octet("sm_default_msg_id"),
    Octet("sm_length"),
)


class Pdu(Struct, frozen=True, gc=False):
    """What all PDUs share.  `sequence_number` is what the peer sent; on sending the session assigns it."""

    command_id: ClassVar[int] = 0
    name: ClassVar[str] = ""
    layout: ClassVar[Layout] = ()

    sequence_number: int = 0

    def encode(self, sequence_number: int) -> bytes:
        """The whole PDU, ready for the wire.  Raises EncodeError."""
        body = self._body()
        status = self.command_status if isinstance(self, Response) else 0
        return pack_header(16 + len(body), self.command_id, status, sequence_number) + body

    def _body(self) -> bytes:
        values = [getattr(self, field.name) for field in self.layout]
        return write(self.layout, values) + getattr(self, "tlv_octets", b"")


class Request(Pdu, frozen=True, gc=False):
    """A PDU that asks for something (alert_notification and outbind get no answer)."""


class Response(Pdu, frozen=True, gc=False):
    command_status: int = 0


P = TypeVar("P", bound=Pdu)
REQUESTS: dict[int, type[Request]] = {}
RESPONSES: dict[int, type[Response]] = {}


def pdu_type(command_id: int, name: str, layout: Layout = ()) -> Callable[[type[P]], type[P]]:
    """Gives a PDU type its number, its name in the standard and its body, and enters it into the tables."""

    def register(kind: type[P]) -> type[P]:
        kind.command_id, kind.name, kind.layout = command_id, name, layout
        if issubclass(kind, Request):
            REQUESTS[command_id] = kind
        elif issubclass(kind, Response):
            RESPONSES[command_id] = kind
        return kind

    return register


_BIND_LAYOUT: Layout = (
    SYSTEM_ID,
    PASSWORD,
    CString("system_type", 13, ESME_RINVSYSTYP),
    Octet("interface_version"),
    Octet("addr_ton"),
    Octet("addr_npi"),
    CString("address_range", 41, ESME_RINVCMDLEN),
)


class Bind(Request, frozen=True, gc=False):
    """Section 4.1: what the three bind requests share."""

    system_id: bytes = b""
    password: bytes = b""
    system_type: bytes = b""
    interface_version: int = 0x34
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: bytes = b""
    tlv_octets: bytes = b""


@pdu_type(0x00000001, "bind_receiver", _BIND_LAYOUT)
class BindReceiver(Bind, frozen=True, gc=False):
    pass


@pdu_type(0x00000002, "bind_transmitter", _BIND_LAYOUT)
class BindTransmitter(Bind, frozen=True, gc=False):
    pass


@pdu_type(0x00000009, "bind_transceiver", _BIND_LAYOUT)
class BindTransceiver(Bind, frozen=True, gc=False):
    pass


class BindResp(Response, frozen=True, gc=False):
    system_id: bytes = b""
    tlv_octets: bytes = b""

    @property
    def tlvs(self) -> dict[int, bytes]:
        return unpack_tlvs(self.tlv_octets)


@pdu_type(0x80000001, "bind_receiver_resp", (SYSTEM_ID,))
class BindReceiverResp(BindResp, frozen=True, gc=False):
    pass


@pdu_type(0x80000002, "bind_transmitter_resp", (SYSTEM_ID,))
class BindTransmitterResp(BindResp, frozen=True, gc=False):
    pass


@pdu_type(0x80000009, "bind_transceiver_resp", (SYSTEM_ID,))
class BindTransceiverResp(BindResp, frozen=True, gc=False):
    pass


@pdu_type(0x00000006, "unbind")
class Unbind(Request, frozen=True, gc=False):
    pass


@pdu_type(0x80000006, "unbind_resp")
class UnbindResp(Response, frozen=True, gc=False):
    pass


@pdu_type(0x00000015, "enquire_link")
class EnquireLink(Request, frozen=True, gc=False):
    pass


@pdu_type(0x80000015, "enquire_link_resp")
class EnquireLinkResp(Response, frozen=True, gc=False):
    pass


@pdu_type(0x80000000, "generic_nack")
class GenericNack(Response, frozen=True, gc=False):
    pass


class ShortMessage(Request, frozen=True, gc=False):
    """Sections 4.4.1 and 4.6.1: the body of submit_sm and deliver_sm.  sm_length is short_message's."""

    service_type: bytes = b""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: bytes = b""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: bytes = b""
    validity_period: bytes = b""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlv_octets: bytes = b""

    @property
    def tlvs(self) -> dict[int, bytes]:
        """Optional parameters by tag, read anew at each call."""
        return unpack_tlvs(self.tlv_octets)

    @property
    def payload(self) -> bytes:
        """The user data: short_message, or the TLV message_payload where that is empty (section 5.3.2.32)."""
        if self.short_message or not self.tlv_octets:
            return self.short_message
        return unpack_tlvs(self.tlv_octets).get(TLV_MESSAGE_PAYLOAD, b"")

    def encode(self, sequence_number: int) -> bytes:
        source, destination, message = self.source_addr, self.destination_addr, self.short_message
        service_type, schedule = self.service_type, self.schedule_delivery_time
        validity = self.validity_period
        if (
            len(source) > 20
            or len(destination) > 20
            or len(message) > 254
            or 0 in source
            or 0 in destination
            or len(service_type) > 5
            or len(schedule) > 16
            or len(validity) > 16
            or 0 in service_type
            or 0 in schedule
            or 0 in validity
        ):
            raise EncodeError(f"{self.name}: a string is too long or holds a NUL (SMPP 3.4 section 4.4.1)")
        try:
            body = _join(
                (
                    service_type,
                    _pack3(0, self.source_addr_ton, self.source_addr_npi),
                    source,
                    _pack3(0, self.dest_addr_ton, self.dest_addr_npi),
                    destination,
                    _pack4(0, self.esm_class, self.protocol_id, self.priority_flag),
                    schedule,
                    b"\0",
                    validity,
                    _pack6(
                        0,
                        self.registered_delivery,
                        self.replace_if_present_flag,
                        self.data_coding,
                        self.sm_default_msg_id,
                        len(message),
                    ),
                    message,
                    self.tlv_octets,
                )
            )
        except struct.error as error:
            raise EncodeError(f"{self.name}: a one-octet field is not within 0..255") from error
        return pack_header(16 + len(body), self.command_id, 0, sequence_number) + body


_SHORT_MESSAGE_LAYOUT: Layout = (SERVICE_TYPE, *SOURCE, *DESTINATION, *AFTER_DESTINATION)


@pdu_type(0x00000004, "submit_sm", _SHORT_MESSAGE_LAYOUT)
class SubmitSm(ShortMessage, frozen=True, gc=False):
    pass


@pdu_type(0x00000005, "deliver_sm", _SHORT_MESSAGE_LAYOUT)
class DeliverSm(ShortMessage, frozen=True, gc=False):
    pass


class MessageIdResp(Response, frozen=True, gc=False):
    """The answer to a message: the id under which receipts will speak of it (empty in deliver_sm_resp)."""

    message_id: bytes = b""
    tlv_octets: bytes = b""

    @property
    def tlvs(self) -> dict[int, bytes]:
        return unpack_tlvs(self.tlv_octets)

    def encode(self, sequence_number: int) -> bytes:
        message_id = self.message_id
        if len(message_id) > 64 or b"\0" in message_id:
            raise EncodeError("message_id must be at most 64 octets without a NUL")
        length = 17 + len(message_id) + len(self.tlv_octets)
        header = pack_header(length, self.command_id, self.command_status, sequence_number)
        return _join((header, message_id, b"\0", self.tlv_octets))


@pdu_type(0x80000004, "submit_sm_resp", (MESSAGE_ID,))
class SubmitSmResp(MessageIdResp, frozen=True, gc=False):
    pass


@pdu_type(0x80000005, "deliver_sm_resp", (MESSAGE_ID,))
class DeliverSmResp(MessageIdResp, frozen=True, gc=False):
    pass


@pdu_type(0x80000103, "data_sm_resp", (MESSAGE_ID,))
class DataSmResp(MessageIdResp, frozen=True, gc=False):
    pass


_DATA_LAYOUT: Layout = (
    SERVICE_TYPE,
    *LONG_SOURCE,
    *LONG_DESTINATION,
    Octet("esm_class"),
    Octet("registered_delivery"),
    Octet("data_coding"),
)


@pdu_type(0x00000103, "data_sm", _DATA_LAYOUT)
class DataSm(Request, frozen=True, gc=False):
    service_type: bytes = b""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: bytes = b""
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = 0
    tlv_octets: bytes = b""

    @property
    def tlvs(self) -> dict[int, bytes]:
        """Optional parameters by tag, read anew at each call."""
        return unpack_tlvs(self.tlv_octets)

    @property
    def payload(self) -> bytes:
        """The user data, which data_sm always carries in message_payload."""
        return unpack_tlvs(self.tlv_octets).get(TLV_MESSAGE_PAYLOAD, b"")
