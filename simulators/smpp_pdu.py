"""smpplib's PDUs behind a wall: whatever a peer sends becomes a Pdu or a Malformed, never another exception.

smpplib raises on TLVs it does not know, on TLVs that are not in its list for that PDU and on short bodies,
and reads a string without its NUL as something else. So it reads the mandatory parameters only, what it read
is weighed against the octets there were, and TLVs are collected here by number.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from smpplib import command_codes, consts, smpp
from smpplib.ptypes import ostr

HEADER = struct.Struct(">LLLL")
LIMIT_OCTETS = 70_000  # a message_payload of 64 KiB and everything around it
RESPONSE = 0x80000000
COMMANDS: dict[int, str] = {code: name for name, code in command_codes.commands.items()}
READABLE = frozenset(
    {"bind_transmitter", "bind_receiver", "bind_transceiver", "submit_sm", "data_sm", "query_sm"}
)
STATUSES: dict[str, int] = {
    name.removeprefix("SMPP_"): value
    for name, value in vars(consts).items()
    if name.startswith("SMPP_ESME_R") and isinstance(value, int)
}
TLV_NAMES: dict[int, str] = {tag: name for name, tag in consts.OPTIONAL_PARAMS.items()}
MESSAGE_PAYLOAD: int = consts.OPTIONAL_PARAMS["message_payload"]


class Malformed(Exception):
    """The peer broke the rules; `status` is the answer."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(slots=True)
class Pdu:
    """`command` is smpplib's name, "" for an unknown command_id. `fields` hold the mandatory parameters."""

    command: str
    command_id: int
    status: int
    sequence: int
    body: bytes
    fields: dict[str, Any] = field(default_factory=dict)
    tlvs: dict[int, bytes] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A string parameter, Latin-1."""
        return bytes(self.fields[name]).decode("latin-1")

    def number(self, name: str) -> int:
        return int(self.fields[name])

    def user_data(self) -> bytes:
        """short_message, or the TLV message_payload where that is empty."""
        return bytes(self.fields.get("short_message") or self.tlvs.get(MESSAGE_PAYLOAD, b""))

    def tlvs_by_name(self) -> dict[str, str]:
        """For events: name (or 0x1400) to hexadecimal value."""
        return {TLV_NAMES.get(tag, f"0x{tag:04x}"): value.hex() for tag, value in self.tlvs.items()}


class Frames:
    """Cuts the stream into PDUs."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Pdu]:
        """Whole PDUs, bodies unread. Raises Malformed, the end of the stream, on an absurd command_length."""
        self._buffer += data
        position = 0
        try:
            while len(self._buffer) - position >= HEADER.size:
                length, command_id, status, sequence = HEADER.unpack_from(self._buffer, position)
                if not HEADER.size <= length <= LIMIT_OCTETS:
                    raise Malformed(f"command_length {length}", consts.SMPP_ESME_RINVCMDLEN)
                if len(self._buffer) - position < length:
                    return
                body = bytes(self._buffer[position + HEADER.size : position + length])
                position += length
                yield Pdu(COMMANDS.get(command_id, ""), command_id, status, sequence, body)
        finally:
            del self._buffer[:position]


def read(pdu: Pdu) -> None:
    """Fill fields and tlvs of a request from its body. Raises Malformed."""
    if pdu.command not in READABLE:
        return
    parsed = smpp.make_pdu(pdu.command, sequence=pdu.sequence)
    optional = b""

    def keep(data: bytes) -> None:
        nonlocal optional
        optional = data

    parsed.parse_optional_params = keep
    try:
        parsed.parse_params(pdu.body)
    except Exception as error:  # its parser raises struct.error, IndexError and others of its own
        raise Malformed(f"{pdu.command}: {error!r}", consts.SMPP_ESME_RINVCMDLEN) from None
    weight = len(optional)
    for name in parsed.params_order:
        if name in consts.OPTIONAL_PARAMS:
            break
        value = getattr(parsed, name)
        param = parsed.params[name]
        if param.type is ostr:
            value = value or b""
            weight += len(value)
        elif value is None:
            raise Malformed(f"{pdu.command} ends before {name}", consts.SMPP_ESME_RINVCMDLEN)
        else:
            weight += param.size if param.type is int else len(value) + 1
        pdu.fields[name] = value
    if weight != len(pdu.body):
        raise Malformed(f"{pdu.command}: a string without its NUL", consts.SMPP_ESME_RINVCMDLEN)
    if "short_message" in pdu.fields and len(pdu.fields["short_message"]) != parsed.sm_length:
        raise Malformed(f"sm_length {parsed.sm_length} reaches beyond the PDU", consts.SMPP_ESME_RINVMSGLEN)
    pdu.tlvs = _tlvs(optional)


def _tlvs(data: bytes) -> dict[int, bytes]:
    tlvs: dict[int, bytes] = {}
    position = 0
    while position < len(data):
        if position + 4 > len(data):
            raise Malformed("half a TLV header", consts.SMPP_ESME_RINVOPTPARSTREAM)
        tag, length = struct.unpack_from(">HH", data, position)
        position += 4
        if position + length > len(data):
            raise Malformed(f"TLV 0x{tag:04x} is longer than its PDU", consts.SMPP_ESME_RINVOPTPARSTREAM)
        tlvs[tag] = data[position : position + length]
        position += length
    return tlvs


def request(command: str, sequence: int, **parameters: object) -> bytes:
    """A whole request. Raises UnicodeError where a string is not Latin-1."""
    pdu = smpp.make_pdu(command, sequence=sequence, **parameters)
    pdu.sequence = sequence  # smpplib does not take it from the keyword
    return bytes(pdu.generate())


def response(command_id: int, sequence: int, status: int, **parameters: object) -> bytes:
    """The response to `command_id`. With an error status it has no body (SMPP 3.4 section 4.4.2)."""
    if status or not parameters:
        return HEADER.pack(HEADER.size, command_id | RESPONSE, status, sequence)
    pdu = smpp.make_pdu(COMMANDS[command_id | RESPONSE], sequence=sequence, **parameters)
    pdu.sequence = sequence
    return bytes(pdu.generate())


def generic_nack(sequence: int, status: int) -> bytes:
    return HEADER.pack(HEADER.size, RESPONSE, status, sequence)


def status_of(text: str) -> int:
    """A command_status by number (decimal or 0x) or name, with or without ESME_. Raises ValueError."""
    name = text.strip().upper()
    for known in (name, f"ESME_{name}"):
        if known in STATUSES:
            return STATUSES[known]
    try:
        value = int(text, 0)
    except ValueError:
        raise ValueError(f"{text!r} is neither a number nor an ESME_ name") from None
    if not 0 <= value <= 0xFFFFFFFF:
        raise ValueError(f"{text!r} does not fit command_status")
    return value
