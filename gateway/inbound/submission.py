"""What an account asks for by submit_sm or data_sm: a text, or user data that goes out as it came.

A text is understood and goes out in the form that the carrier wants.  What is more than text, or none that
can be read, keeps its octets, header and data_coding; a message class, protocol_id, priority_flag,
service_type, the reply path and all optional parameters that are the message's own go along in any case.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from gateway.inbound.registered import ASKS
from gateway.inbound.sms import AsIs, Inbound, as_is, read, text_of, unreadable
from gateway.inbound.times import Times, times
from gateway.protocol.smpp import constants
from gateway.protocol.smpp.fields import pack_tlvs, unpack_tlvs
from gateway.protocol.smpp.parameters import wrong_length
from gateway.protocol.smpp.pdu import DataSm, SubmitSm
from gateway.protocol.sms import user_data
from gateway.protocol.sms.coding import classify
from gateway.protocol.sms.reassembly import Payload
from gateway.protocol.sms.segments import MAX_PARTS, LongMethod, TooManySegments, count
from gateway.values.errors import BadInput
from gateway.values.message import Form

_PLAIN = Form()
_SHORT_MESSAGE_OCTETS = 254
_AT_ONCE = Times(0.0, 0.0)
_HIGHEST_PRIORITY = 3
_HIGHEST_TON, _HIGHEST_NPI = 6, 18  # sections 5.2.5, 5.2.6
# esm_class, section 5.2.12: what an ESME may send.  Receipts come from the SMSC (no customer must be texted
# one), the others are reserved
_TYPES = frozenset({0x00, 0x08, 0x10})
# esm_class, section 5.2.12: reply path, and an acknowledgement by a person or an application.  Not the mode:
# everything is stored and forwarded here
_KEPT_BITS = 0x80 | 0x08 | 0x10
_SAR = frozenset(
    {constants.TLV_SAR_MSG_REF_NUM, constants.TLV_SAR_TOTAL_SEGMENTS, constants.TLV_SAR_SEGMENT_SEQNUM}
)
# about the account's own session, or of a response or a receipt
_NOT_PASSED = frozenset(
    {
        constants.TLV_MESSAGE_PAYLOAD,
        constants.TLV_SC_INTERFACE_VERSION,
        constants.TLV_MORE_MESSAGES_TO_SEND,
        constants.TLV_SET_DPF,
        constants.TLV_DPF_RESULT,
        constants.TLV_RECEIPTED_MESSAGE_ID,
        constants.TLV_MESSAGE_STATE,
        constants.TLV_NETWORK_ERROR_CODE,
        constants.TLV_DELIVERY_FAILURE_REASON,
        constants.TLV_ADDITIONAL_STATUS_INFO_TEXT,
    }
)
_SURELY_FITS = MAX_PARTS * 66 // 2  # characters, each at most two UTF-16 units


class Submission(Struct, frozen=True, kw_only=True):
    """`part`: the PDU is one segment of a message that is to be put together."""

    inbound: Inbound
    part: bool
    text: str = ""
    form: Form | None = None
    registered_delivery: int
    when: Times


def read_submission(pdu: SubmitSm | DataSm, now: float, *, pass_through: bool) -> Submission:
    """Raises BadInput; `accounts` has the command_status of each code.

    `pass_through`: segments, and whatever is in message_payload, are messages of their own.
    """
    tlvs = unpack_tlvs(pdu.tlv_octets) if pdu.tlv_octets else {}
    if fault := wrong_length(tlvs):  # carriers would refuse the message for it, or lose their way in it
        raise BadInput(fault[1], field=fault[0], code="bad_parameter_length")
    _check(pdu, bool(tlvs.get(constants.TLV_MESSAGE_PAYLOAD)))
    when = _AT_ONCE
    if isinstance(pdu, SubmitSm) and (pdu.schedule_delivery_time or pdu.validity_period):
        when = times(pdu.schedule_delivery_time, pdu.validity_period, now)
    inbound = read(pdu)
    registered_delivery = pdu.registered_delivery & ASKS
    if inbound.data.concat is not None and not pass_through:
        return Submission(inbound=inbound, part=True, registered_delivery=registered_delivery, when=when)
    data = inbound.data
    decoded = data.decode(inbound.data_coding)
    payload = Payload(data.octets, pdu.data_coding, header=data.header)
    special = as_is([payload], unreadable=unreadable(decoded))
    text = text_of(decoded)
    form: Form | None
    # a header that nobody can read: it is not for us to say where the text begins
    unread = bool(pdu.esm_class & constants.ESM_CLASS_UDHI and pdu.payload) and not data.header
    whole = special is None and data.concat is None and not tlvs.get(constants.TLV_MESSAGE_PAYLOAD)
    if unread or (pass_through and not whole):
        form = _single(pdu)
    else:
        form = form_of(pdu, special, inbound.data_coding)
        check_length(text, form)
    return Submission(
        inbound=inbound,
        part=False,
        text=text,
        form=form,
        registered_delivery=registered_delivery,
        when=when,
    )


def _check(pdu: SubmitSm | DataSm, has_payload: bool) -> None:
    """Raises BadInput for what no text could make good."""
    if pdu.esm_class & constants.ESM_CLASS_TYPE not in _TYPES:
        reason = f"0x{pdu.esm_class:02x} is no type of message that is submitted"
        raise BadInput(reason, field="esm_class", code="bad_esm_class")
    _check_types(pdu)
    if isinstance(pdu, DataSm):
        return
    if pdu.priority_flag > _HIGHEST_PRIORITY:
        reason = f"{pdu.priority_flag} is not within 0..{_HIGHEST_PRIORITY}"
        raise BadInput(reason, field="priority_flag", code="bad_priority")
    if pdu.short_message and has_payload:
        reason = "short_message and message_payload exclude each other (SMPP 3.4 section 5.3.2.32)"
        raise BadInput(reason, field="message_payload", code="two_payloads")
    if pdu.sm_default_msg_id and not pdu.short_message and not has_payload:
        reason = f"no message {pdu.sm_default_msg_id} is kept here"
        raise BadInput(reason, field="sm_default_msg_id", code="no_default_message")


def _check_types(pdu: SubmitSm | DataSm) -> None:
    """Type of number and numbering plan of both addresses.  Raises BadInput."""
    for value, highest, field, code in (
        (pdu.source_addr_ton, _HIGHEST_TON, "source_addr_ton", "bad_source_ton"),
        (pdu.source_addr_npi, _HIGHEST_NPI, "source_addr_npi", "bad_source_npi"),
        (pdu.dest_addr_ton, _HIGHEST_TON, "dest_addr_ton", "bad_dest_ton"),
        (pdu.dest_addr_npi, _HIGHEST_NPI, "dest_addr_npi", "bad_dest_npi"),
    ):
        if value > highest:
            raise BadInput(f"{value} is reserved", field=field, code=code)


def form_of(pdu: SubmitSm | DataSm, special: AsIs | None, data_coding: int) -> Form | None:
    """None for a text that says nothing more.  `pdu` is the last that came of the message's parts."""
    form = _settings(pdu, _SAR) if _has_settings(pdu) else _PLAIN
    if special is not None:
        return replace(
            form,
            raw=True,
            octets=special.octets,
            udh=special.udh,
            parts=special.parts,
            data_coding=special.data_coding,
        )
    if classify(data_coding)[1] is not None:
        form = replace(form, data_coding=data_coding)
    return None if form is _PLAIN else form


def _single(pdu: SubmitSm | DataSm) -> Form:
    """Just as it came."""
    octets = pdu.payload
    in_payload = len(octets) > _SHORT_MESSAGE_OCTETS or (isinstance(pdu, SubmitSm) and not pdu.short_message)
    form = _settings(pdu, frozenset())
    return replace(
        form,
        raw=True,
        single=True,
        octets=octets,
        payload=bool(octets) and in_payload,
        data_coding=pdu.data_coding,
        esm_class=form.esm_class | pdu.esm_class & constants.ESM_CLASS_UDHI,
    )


def _has_settings(pdu: SubmitSm | DataSm) -> bool:
    more = pdu.tlv_octets or pdu.service_type or pdu.esm_class & _KEPT_BITS
    return bool(more or (isinstance(pdu, SubmitSm) and (pdu.protocol_id or pdu.priority_flag)))


def _settings(pdu: SubmitSm | DataSm, without: frozenset[int]) -> Form:
    tlvs = {tag: value for tag, value in pdu.tlvs.items() if tag not in _NOT_PASSED and tag not in without}
    form = Form(
        esm_class=pdu.esm_class & _KEPT_BITS,
        protocol_id=pdu.protocol_id if isinstance(pdu, SubmitSm) else 0,
        priority_flag=pdu.priority_flag if isinstance(pdu, SubmitSm) else 0,
        service_type=pdu.service_type.decode("latin-1"),
        tlvs=pack_tlvs(tlvs),
    )
    return _PLAIN if form == _PLAIN else form


def check_length(text: str, form: Form | None) -> None:
    """Raises BadInput, code "too_long", for what would take more than 255 segments on some carrier."""
    try:
        if form is not None and form.raw:
            user_data.split(form.octets, form.data_coding, header=form.udh, method=LongMethod.UDH16)
        elif len(text) > _SURELY_FITS and (needed := count(text, LongMethod.UDH16)[1]) > MAX_PARTS:
            raise TooManySegments(needed)
    except TooManySegments as error:
        raise BadInput(str(error), field="short_message", code="too_long") from None
