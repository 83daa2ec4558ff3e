"""Octets into PDUs: `Framer` cuts a stream, `decode` reads one frame and raises DecodeError only.

    00 00 00 21  00 00 00 04  00 00 00 00  00 00 00 01  body        (SMPP 3.4 section 3.2)
    command_length command_id command_status sequence_number

Accepted beyond the letter of the standard, because peers do it: a response without body whatever its status;
a message_id in a response without NUL or up to 255 octets; unreadable TLVs in a response; a body after a PDU
that has none; system_id and password of up to 64 octets, since carriers issue such; sm_length 255 (SMPP 5.0).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from gateway.protocol.smpp.constants import (
    ESME_RINVCMDID,
    ESME_RINVCMDLEN,
    ESME_RINVDESTFLAG,
    ESME_RINVMSGID,
    ESME_RINVMSGLEN,
    ESME_RINVNUMDESTS,
)
from gateway.protocol.smpp.fields import DecodeError, Layout, Value, check_tlvs, read
from gateway.protocol.smpp.operations import (
    DL_NAME,
    MULTI_HEAD,
    UNSUCCESSFUL,
    Destination,
    ReplaceSm,
    SubmitMulti,
    SubmitMultiResp,
)
from gateway.protocol.smpp.pdu import (
    AFTER_DESTINATION,
    DESTINATION,
    MESSAGE_ID,
    REQUESTS,
    RESPONSES,
    MessageIdResp,
    Pdu,
    Request,
    Response,
    ShortMessage,
)

HEADER_OCTETS = 16
LENGTH_LIMIT_OCTETS = 0x10000 + 0x2000  # a message_payload of 64 KiB, 254 destinations and some TLVs
MESSAGE_ID_LIMIT_OCTETS = 255
RESPONSE_BIT = 0x80000000

_unpack_header = struct.Struct(">IIII").unpack_from
_unpack_length = struct.Struct(">I").unpack_from


class Framer:
    """Cuts a stream of octets, arriving in pieces of any size, into frames of one PDU each.

    Holds at most one unfinished PDU.  Once `broken` is set the rest of the stream means nothing.
    """

    __slots__ = ("_need", "_rest", "broken")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._need = 4  # octets that must be there before looking again makes sense
        self.broken: DecodeError | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """The PDUs that these octets complete."""
        if self.broken:
            return []
        if self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        frames: list[bytes] = []
        at, end, length = 0, len(data), 4
        while at + 4 <= end:
            (length,) = _unpack_length(data, at)
            if not HEADER_OCTETS <= length <= LENGTH_LIMIT_OCTETS:
                self.broken = self._bad_length(length, data[at : at + HEADER_OCTETS])
                return frames
            if at + length > end:
                break
            frames.append(data[at : at + length])
            at += length
            length = 4
        self._need = length
        if at < end:
            self._rest += data[at:]
        return frames

    @staticmethod
    def _bad_length(length: int, header: bytes) -> DecodeError:
        command_id, sequence_number = 0, 0
        if len(header) == HEADER_OCTETS:
            _, command_id, _, sequence_number = _unpack_header(header)
        reason = f"command_length {length} is not within {HEADER_OCTETS}..{LENGTH_LIMIT_OCTETS}"
        return DecodeError(reason, ESME_RINVCMDLEN, command_id, sequence_number, fatal=True)


def decode(frame: bytes) -> Pdu:
    """One PDU from the whole frame.  Raises DecodeError, which carries the status to answer with."""
    if len(frame) < HEADER_OCTETS:
        raise DecodeError("a frame shorter than its header", ESME_RINVCMDLEN, fatal=True)
    length, command_id, command_status, sequence_number = _unpack_header(frame)
    if length != len(frame):
        raise DecodeError("command_length is not the frame's", ESME_RINVCMDLEN, fatal=True)
    decoder = _DECODERS.get(command_id)
    if decoder is None:
        reason = f"unknown command_id 0x{command_id:08x}"
        raise DecodeError(reason, ESME_RINVCMDID, command_id, sequence_number)
    try:
        return decoder(frame, command_status, sequence_number)
    except DecodeError as error:
        error.command_id, error.sequence_number = command_id, sequence_number
        raise


def header_only(frame: bytes) -> Response | None:
    """What the header alone tells of a response whose body cannot be read: its verdict still counts."""
    _, command_id, command_status, sequence_number = _unpack_header(frame)
    kind = RESPONSES.get(command_id)
    return kind(sequence_number=sequence_number, command_status=command_status) if kind else None


Decoder = Callable[[bytes, int, int], Pdu]

# service_type, source, destination, three octets, schedule, validity, four octets and sm_length: the limits
# are those of the layout, which finds the fault when this does not match
_match_short_message = re.compile(
    rb"([^\0]{0,5})\0(..)([^\0]{0,20})\0(..)([^\0]{0,20})\0(...)([^\0]{0,16})\0([^\0]{0,16})\0(.....)",
    re.DOTALL,
).match

M = TypeVar("M", bound=ShortMessage)


def _short_message(kind: type[M]) -> Decoder:
    layout = kind.layout

    def decoder(frame: bytes, _status: int, sequence_number: int) -> M:
        match = _match_short_message(frame, HEADER_OCTETS)
        if match is None:
            read(layout, frame, HEADER_OCTETS)
            raise DecodeError("the body is not a short message's", ESME_RINVCMDLEN)
        service_type, source_type, source, dest_type, destination, flags, schedule, validity, rest = (
            match.groups()
        )
        at = match.end()
        end = at + rest[4]
        if end < len(frame):
            check_tlvs(frame, end)
        elif end > len(frame):
            raise DecodeError("sm_length exceeds the PDU", ESME_RINVMSGLEN)
        return kind(
            sequence_number,
            service_type,
            source_type[0],
            source_type[1],
            source,
            dest_type[0],
            dest_type[1],
            destination,
            flags[0],
            flags[1],
            flags[2],
            schedule,
            validity,
            rest[0],
            rest[1],
            rest[2],
            rest[3],
            frame[at:end],
            frame[end:],
        )

    return decoder


def _message_id_resp(kind: type[MessageIdResp]) -> Decoder:
    def decoder(frame: bytes, command_status: int, sequence_number: int) -> MessageIdResp:
        end = frame.find(b"\0", HEADER_OCTETS)
        if end < 0:
            end = len(frame)
        if end - HEADER_OCTETS > MESSAGE_ID_LIMIT_OCTETS:
            raise DecodeError(f"message_id exceeds {MESSAGE_ID_LIMIT_OCTETS} octets", ESME_RINVMSGID)
        return kind(sequence_number, command_status, frame[HEADER_OCTETS:end], frame[end + 1 :])

    return decoder


def _header_only_request(kind: type[Request]) -> Decoder:
    return lambda _frame, _status, sequence_number: kind(sequence_number)


def _header_only_response(kind: type[Response]) -> Decoder:
    return lambda _frame, command_status, sequence_number: kind(sequence_number, command_status)


def _plain_request(kind: Callable[..., Request], layout: Layout) -> Decoder:

    def decoder(frame: bytes, _status: int, sequence_number: int) -> Request:
        values, at = read(layout, frame, HEADER_OCTETS)
        check_tlvs(frame, at)
        return kind(sequence_number, *values, frame[at:])

    return decoder


def _plain_response(kind: Callable[..., Response], layout: Layout) -> Decoder:

    def decoder(frame: bytes, command_status: int, sequence_number: int) -> Response:
        if len(frame) == HEADER_OCTETS:
            return kind(sequence_number, command_status)
        values, at = read(layout, frame, HEADER_OCTETS)
        return kind(sequence_number, command_status, *values, frame[at:])

    return decoder


def _user_data(frame: bytes, at: int, length: Value) -> tuple[bytes, bytes]:
    """short_message and the TLVs behind it."""
    end = at + int(length)
    if end > len(frame):
        raise DecodeError("sm_length exceeds the PDU", ESME_RINVMSGLEN)
    check_tlvs(frame, end)
    return frame[at:end], frame[end:]


def _replace_sm(frame: bytes, _status: int, sequence_number: int) -> ReplaceSm:
    (*values, length), at = read(ReplaceSm.layout, frame, HEADER_OCTETS)
    make: Callable[..., ReplaceSm] = ReplaceSm
    return make(sequence_number, *values, *_user_data(frame, at, length))


def _submit_multi(frame: bytes, _status: int, sequence_number: int) -> SubmitMulti:
    head, at = read(MULTI_HEAD, frame, HEADER_OCTETS)
    destinations: list[Destination] = []
    count, at = _octet(frame, at)
    if not 1 <= count <= 254:
        raise DecodeError(f"number_of_dests {count} is not within 1..254", ESME_RINVNUMDESTS)
    for _ in range(count):
        flag, at = _octet(frame, at)
        if flag == 1:
            values, at = read(DESTINATION, frame, at)
            destinations.append(cast(Destination, tuple(values)))
        elif flag == 2:
            values, at = read((DL_NAME,), frame, at)
            destinations.append(cast(Destination, values[0]))
        else:
            raise DecodeError(f"dest_flag {flag} is neither 1 nor 2", ESME_RINVDESTFLAG)
    (*tail, length), at = read(AFTER_DESTINATION, frame, at)
    make: Callable[..., SubmitMulti] = SubmitMulti
    return make(sequence_number, *head, tuple(destinations), *tail, *_user_data(frame, at, length))


def _submit_multi_resp(frame: bytes, command_status: int, sequence_number: int) -> SubmitMultiResp:
    if len(frame) == HEADER_OCTETS:
        return SubmitMultiResp(sequence_number, command_status)
    (message_id,), at = read((MESSAGE_ID,), frame, HEADER_OCTETS)
    make: Callable[..., SubmitMultiResp] = SubmitMultiResp
    unsuccessful: list[tuple[Value, ...]] = []
    count, at = _octet(frame, at) if at < len(frame) else (0, at)
    for _ in range(count):
        values, at = read(UNSUCCESSFUL, frame, at)
        unsuccessful.append(tuple(values))
    return make(sequence_number, command_status, message_id, tuple(unsuccessful), frame[at:])


def _octet(frame: bytes, at: int) -> tuple[int, int]:
    if at >= len(frame):
        raise DecodeError("the body ends too early", ESME_RINVCMDLEN)
    return frame[at], at + 1


def _decoders() -> Mapping[int, Decoder]:
    decoders: dict[int, Decoder] = {}
    for command_id, request in REQUESTS.items():
        if issubclass(request, ShortMessage):
            decoders[command_id] = _short_message(request)
        elif request.layout:
            decoders[command_id] = _plain_request(request, request.layout)
        else:
            decoders[command_id] = _header_only_request(request)
    for command_id, response in RESPONSES.items():
        if issubclass(response, MessageIdResp):
            decoders[command_id] = _message_id_resp(response)
        elif response.layout:
            decoders[command_id] = _plain_response(response, response.layout)
        else:
            decoders[command_id] = _header_only_response(response)
    # these have lists or user data between their fields
    decoders[ReplaceSm.command_id] = _replace_sm
    decoders[SubmitMulti.command_id] = _submit_multi
    decoders[SubmitMultiResp.command_id] = _submit_multi_resp
    return decoders


_DECODERS = _decoders()
