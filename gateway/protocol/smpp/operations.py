"""The operations of SMPP 3.4 that this program reads and writes but does not act on.

Each side answers them with a proper status (see `session`); outbind and alert_notification have no answer.
"""

from __future__ import annotations

from typing import TypeAlias

from gateway.protocol.smpp.constants import ESME_RINVDLNAME, ESME_RINVDSTADR, ESME_RINVEXPIRY
from gateway.protocol.smpp.fields import CString, EncodeError, Layout, Octet, Word, write
from gateway.protocol.smpp.pdu import (
    AFTER_DESTINATION,
    DESTINATION,
    LONG_SOURCE,
    MESSAGE_ID,
    PASSWORD,
    SCHEDULE,
    SERVICE_TYPE,
    SOURCE,
    SYSTEM_ID,
    VALIDITY,
    Request,
    Response,
    pdu_type,
)


@pdu_type(0x0000000B, "outbind", (SYSTEM_ID, PASSWORD))
class Outbind(Request, frozen=True, gc=False):
    system_id: bytes = b""
    password: bytes = b""
    tlv_octets: bytes = b""


Destination: TypeAlias = tuple[int, int, bytes] | bytes


@pdu_type(0x00000021, "submit_multi")
class SubmitMulti(Request, frozen=True, gc=False):
    """Section 4.5.1.  A destination is (ton, npi, destination_addr) or the name of a distribution list."""

    service_type: bytes = b""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    destinations: tuple[Destination, ...] = ()
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

    def _body(self) -> bytes:
        if len(self.destinations) > 254 or len(self.short_message) > 254:
            raise EncodeError("submit_multi takes at most 254 destinations and 254 octets")
        chunks = [
            write(
                MULTI_HEAD, (self.service_type, self.source_addr_ton, self.source_addr_npi, self.source_addr)
            ),
            bytes((len(self.destinations),)),
        ]
        for destination in self.destinations:
            if isinstance(destination, bytes):
                chunks.append(b"\x02" + write((DL_NAME,), (destination,)))
            else:
                chunks.append(b"\x01" + write(DESTINATION, destination))
        tail = [getattr(self, field.name) for field in AFTER_DESTINATION[:-1]]
        chunks.append(write(AFTER_DESTINATION, (*tail, len(self.short_message))))
        return b"".join((*chunks, self.short_message, self.tlv_octets))


MULTI_HEAD: Layout = (SERVICE_TYPE, *SOURCE)
DL_NAME = CString("dl_name", 21, ESME_RINVDLNAME)


Unsuccessful: TypeAlias = tuple[int, int, bytes, int]
UNSUCCESSFUL: Layout = (*DESTINATION, Word("error_status_code"))


@pdu_type(0x80000021, "submit_multi_resp")
class SubmitMultiResp(Response, frozen=True, gc=False):
    """Section 4.5.2.  `unsuccessful`: (dest_addr_ton, dest_addr_npi, destination_addr, error_status_code)."""

    message_id: bytes = b""
    unsuccessful: tuple[Unsuccessful, ...] = ()
    tlv_octets: bytes = b""

    def _body(self) -> bytes:
        if len(self.unsuccessful) > 255:
            raise EncodeError("submit_multi_resp takes at most 255 unsuccessful destinations")
        chunks = [write((MESSAGE_ID,), (self.message_id,)), bytes((len(self.unsuccessful),))]
        chunks += [write(UNSUCCESSFUL, unsuccessful) for unsuccessful in self.unsuccessful]
        return b"".join((*chunks, self.tlv_octets))


@pdu_type(0x00000003, "query_sm", (MESSAGE_ID, *SOURCE))
class QuerySm(Request, frozen=True, gc=False):
    message_id: bytes = b""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    tlv_octets: bytes = b""


_QUERY_RESP_LAYOUT: Layout = (
    MESSAGE_ID,
    CString("final_date", 17, ESME_RINVEXPIRY),
    Octet("message_state"),
    Octet("error_code"),
)


@pdu_type(0x80000003, "query_sm_resp", _QUERY_RESP_LAYOUT)
class QuerySmResp(Response, frozen=True, gc=False):
    message_id: bytes = b""
    final_date: bytes = b""
    message_state: int = 0
    error_code: int = 0
    tlv_octets: bytes = b""


@pdu_type(0x00000008, "cancel_sm", (SERVICE_TYPE, MESSAGE_ID, *SOURCE, *DESTINATION))
class CancelSm(Request, frozen=True, gc=False):
    service_type: bytes = b""
    message_id: bytes = b""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: bytes = b""
    tlv_octets: bytes = b""


@pdu_type(0x80000008, "cancel_sm_resp")
class CancelSmResp(Response, frozen=True, gc=False):
    pass


_REPLACE_LAYOUT: Layout = (
    MESSAGE_ID,
    *SOURCE,
    SCHEDULE,
    VALIDITY,
    Octet("registered_delivery"),
    Octet("sm_default_msg_id"),
    Octet("sm_length"),
)


@pdu_type(0x00000007, "replace_sm", _REPLACE_LAYOUT)
class ReplaceSm(Request, frozen=True, gc=False):
    message_id: bytes = b""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    schedule_delivery_time: bytes = b""
    validity_period: bytes = b""
    registered_delivery: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlv_octets: bytes = b""

    def _body(self) -> bytes:
        if len(self.short_message) > 254:
            raise EncodeError("short_message must be at most 254 octets")
        values = [getattr(self, field.name) for field in self.layout[:-1]]
        return write(self.layout, (*values, len(self.short_message))) + self.short_message + self.tlv_octets


@pdu_type(0x80000007, "replace_sm_resp")
class ReplaceSmResp(Response, frozen=True, gc=False):
    pass


_ALERT_LAYOUT: Layout = (
    *LONG_SOURCE,
    Octet("esme_addr_ton"),
    Octet("esme_addr_npi"),
    CString("esme_addr", 65, ESME_RINVDSTADR),
)


@pdu_type(0x00000102, "alert_notification", _ALERT_LAYOUT)
class AlertNotification(Request, frozen=True, gc=False):
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    esme_addr_ton: int = 0
    esme_addr_npi: int = 0
    esme_addr: bytes = b""
    tlv_octets: bytes = b""
