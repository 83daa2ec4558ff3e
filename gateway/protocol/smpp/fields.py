"""The body of a PDU as a row of fields, and the errors of reading and writing one (SMPP 3.4 section 3).

A layout is a tuple of fields in the order of the standard's table:

    CString(name, limit, status)    C-Octet String of at most `limit` octets, the final NUL counted
    Octet(name)                     one octet, 0..255
    Word(name)                      four octets, most significant first

`read` and `write` work from a layout, one field at a time: right for rare PDUs.  The frequent ones are read
by one compiled pattern in `codec`, which turns to `read` only to learn what is wrong with a body that does
not match.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from gateway.protocol.smpp.constants import ESME_RINVCMDLEN, ESME_RINVOPTPARSTREAM

Value: TypeAlias = bytes | int

_TAG_LENGTH = struct.Struct(">HH")


class DecodeError(ValueError):
    """The peer's octets are no PDU of SMPP 3.4.

    `status` is the ESME_* to answer with, `command_id` and `sequence_number` are the header's (0 where there
    is none).  `fatal`: the stream has lost its framing and the link must be closed.
    """

    def __init__(
        self, reason: str, status: int, command_id: int = 0, sequence_number: int = 0, *, fatal: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.command_id = command_id
        self.sequence_number = sequence_number
        self.fatal = fatal


class EncodeError(ValueError):
    """SMPP cannot express this PDU: a field too long, a NUL in a string, a number out of range."""


class CString(NamedTuple):
    """A C-Octet String.  `status` answers one that is too long or has no end."""

    name: str
    limit: int
    status: int


class Octet(NamedTuple):
    name: str


class Word(NamedTuple):
    name: str


Layout: TypeAlias = Sequence[CString | Octet | Word]


def read(layout: Layout, frame: bytes, at: int) -> tuple[list[Value], int]:
    """The values of the fields from octet `at` on, and the octet after them.  Raises DecodeError."""
    values: list[Value] = []
    for field in layout:
        if isinstance(field, CString):
            end = frame.find(b"\0", at, at + field.limit)
            if end < 0:
                fault = "has no NUL" if frame.find(b"\0", at) < 0 else f"exceeds {field.limit - 1} octets"
                raise DecodeError(f"{field.name} {fault}", field.status)
            values.append(frame[at:end])
            at = end + 1
        elif at + (size := 1 if isinstance(field, Octet) else 4) > len(frame):
            raise DecodeError(f"body ends before {field.name}", ESME_RINVCMDLEN)
        else:
            values.append(int.from_bytes(frame[at : at + size], "big"))
            at += size
    return values, at


def write(layout: Layout, values: Iterable[object]) -> bytes:
    """The octets of the fields.  Raises EncodeError."""
    chunks: list[bytes] = []
    for field, value in zip(layout, values, strict=True):
        if isinstance(field, CString) and isinstance(value, bytes):
            if len(value) >= field.limit or b"\0" in value:
                raise EncodeError(f"{field.name} must be at most {field.limit - 1} octets without a NUL")
            chunks.append(value + b"\0")
        elif not isinstance(field, CString) and isinstance(value, int):
            size = 1 if isinstance(field, Octet) else 4
            if not 0 <= value < 256**size:
                raise EncodeError(f"{field.name} must fit {size} octet(s) and is {value}")
            chunks.append(value.to_bytes(size, "big"))
        else:
            raise EncodeError(f"{field.name} cannot be {type(value).__name__}")
    return b"".join(chunks)


def pack_tlvs(tlvs: Mapping[int, bytes]) -> bytes:
    """Optional parameters as octets, in the mapping's order (section 3.2.4.1).  Raises EncodeError.

    TT TT LL LL value    tag and length of 16 bits, the length that of the value alone
    """
    try:
        return b"".join(_TAG_LENGTH.pack(tag, len(value)) + value for tag, value in tlvs.items())
    except struct.error as error:
        raise EncodeError("a TLV's tag and length must fit 16 bits") from error


def unpack_tlvs(octets: bytes) -> dict[int, bytes]:
    """Optional parameters by tag.  Of a repeated tag the last counts; what follows an overrun is left out."""
    tlvs: dict[int, bytes] = {}
    at, end = 0, len(octets)
    while at + 4 <= end:
        tag, length = _TAG_LENGTH.unpack_from(octets, at)
        at += 4 + length
        if at > end:
            break
        tlvs[tag] = octets[at - length : at]
    return tlvs


def check_tlvs(frame: bytes, at: int) -> None:
    """Raises DecodeError unless whole TLVs fill the frame from octet `at` to its end."""
    end = len(frame)
    while at < end:
        if at + 4 > end:
            raise DecodeError("octets left over after the last TLV", ESME_RINVOPTPARSTREAM)
        tag, length = _TAG_LENGTH.unpack_from(frame, at)
        at += 4 + length
        if at > end:
            raise DecodeError(f"TLV 0x{tag:04x} overruns the PDU", ESME_RINVOPTPARSTREAM)
