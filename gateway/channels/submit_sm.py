"""One segment as the `submit_sm` that a bind's settings ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Final

from gateway.config.model import Bind
from gateway.protocol.smpp import constants
from gateway.protocol.smpp.fields import pack_tlvs, unpack_tlvs
from gateway.protocol.smpp.pdu import SubmitSm
from gateway.protocol.sms.segments import Segment
from gateway.values.address import kind
from gateway.values.message import Form
from gateway.values.smpp import TON_NPI, octets, tag

# section 5.2.17; bit 4 asks for intermediate notifications too
_REGISTERED: Final = {"final": 0x01, "failure": 0x02, "intermediate": 0x11}
_DAY = 86_400
_SENDERS = 1_000  # whose addresses are kept as they go out
_PLAIN: Final = Form()


class Maker:
    """Makes the submit_sm of one bind; what its settings say is worked out once."""

    def __init__(self, bind: Bind) -> None:
        self._service_type = bind.service_type.encode("latin-1")
        self._tlvs = {tag(number): octets(value) for number, value in bind.tlvs.items()}
        self._tlv_octets = pack_tlvs(self._tlvs)
        # version 3.3 knows none: only what its operator asks for, and what ties segments together
        self._takes_tlvs = bind.interface_version != "3.3"
        self._registered_delivery = _REGISTERED[bind.registered_delivery] if bind.receipts else 0
        self._validity_format = bind.validity_format
        self._source = lru_cache(_SENDERS)(partial(source_address, bind=bind))
        self._dest = {
            kind: (_or(bind.dest_addr_ton, ton), _or(bind.dest_addr_npi, npi))
            for kind, (ton, npi) in TON_NPI.items()
        }

    def submit_sm(
        self,
        sender: str,
        recipient: str,
        segment: Segment,
        *,
        form: Form | None = None,
        expires: float,
        now: float,
    ) -> SubmitSm:
        """`form` is the step's; where both say something the bind's settings go before it.

        `expires` is when nobody needs the message any more, in Unix seconds as `now` is; 0 = never.
        """
        form = form or _PLAIN
        source_ton, source_npi, source = self._source(sender)
        dest_ton, dest_npi = self._dest[kind(recipient)]
        tlv_octets = self._tlv_octets
        own = form.tlvs if self._takes_tlvs or form.single else b""
        if segment.sar or segment.payload or own:
            tlv_octets = pack_tlvs(self._all_tlvs(segment, own))
        return SubmitSm(
            service_type=self._service_type or form.service_type.encode("latin-1"),
            source_addr_ton=source_ton,
            source_addr_npi=source_npi,
            source_addr=source,
            dest_addr_ton=dest_ton,
            dest_addr_npi=dest_npi,
            destination_addr=recipient.removeprefix("+").encode("ascii"),
            esm_class=form.esm_class | constants.ESM_CLASS_UDHI if segment.udhi else form.esm_class,
            protocol_id=form.protocol_id,
            priority_flag=form.priority_flag,
            validity_period=validity_period(self._validity_format, expires, now) if expires else b"",
            registered_delivery=self._registered_delivery,
            data_coding=int(segment.data_coding),
            short_message=b"" if segment.payload else segment.octets,
            tlv_octets=tlv_octets,
        )

    def _all_tlvs(self, segment: Segment, own: bytes) -> dict[int, bytes]:
        tlvs = {**unpack_tlvs(own), **self._tlvs}
        if segment.sar:
            tlvs[constants.TLV_SAR_MSG_REF_NUM] = segment.reference.to_bytes(2, "big")
            tlvs[constants.TLV_SAR_TOTAL_SEGMENTS] = bytes((segment.total,))
            tlvs[constants.TLV_SAR_SEGMENT_SEQNUM] = bytes((segment.part,))
        if segment.payload:
            tlvs[constants.TLV_MESSAGE_PAYLOAD] = segment.octets
        return tlvs


def source_address(sender: str, bind: Bind) -> tuple[int, int, bytes]:
    """source_addr_ton, source_addr_npi and source_addr."""
    ton, npi = TON_NPI[kind(sender)]
    address = sender.removeprefix("+").encode("ascii")
    return _or(bind.source_addr_ton, ton), _or(bind.source_addr_npi, npi), address


def validity_period(form: str, expires: float, now: float) -> bytes:
    """When the SMSC may give a message up, "none", "relative" or "absolute" (UTC), to the second.

        YYMMDDhhmmsstnnp    t tenths of a second, nn quarters of an hour from UTC, p = + or R (relative)

    A relative month has 30 days here; SMSCs differ.  Source: SMPP 3.4 section 7.1.1.
    """
    if form == "none":
        return b""
    if form == "absolute":
        return f"{datetime.fromtimestamp(expires, UTC):%y%m%d%H%M%S}000+".encode()
    seconds = min(max(1, round(expires - now)), 99 * 360 * _DAY)
    days, seconds = divmod(seconds, _DAY)
    months, days = divmod(days, 30)
    years, months = divmod(months, 12)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    return f"{years:02}{months:02}{days:02}{hours:02}{minutes:02}{seconds:02}000R".encode()


def _or(fixed: int | None, automatic: int) -> int:
    return automatic if fixed is None else fixed
