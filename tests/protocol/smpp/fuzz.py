"""Octets of any kind through everything that reads what SMPP peers send: only the codec's own error may come.

`fuzz.hex` holds inputs that coverage-guided fuzzing has found, a line each, of which each gets somewhere the
others do not; `test_codec_fuzz.py` runs them.  To look for more, with the package atheris at hand:

    python -m tests.protocol.smpp.fuzz -max_total_time=600 -max_len=320 CORPUS
"""

from __future__ import annotations

import struct
import sys

from gateway.protocol.smpp import codec, receipt, timestamp
from gateway.protocol.smpp.fields import DecodeError, EncodeError
from gateway.protocol.smpp.pdu import REQUESTS, RESPONSES, BindTransceiver, BindTransceiverResp
from gateway.protocol.smpp.session import SmppSession
from gateway.protocol.smpp.states import Role
from gateway.protocol.sms import reassembly
from gateway.protocol.sms.coding import ALPHABETS, Coding

_COMMANDS = sorted({*REQUESTS, *RESPONSES})
_ALPHABETS = list(ALPHABETS.values())


def run(data: bytes) -> None:
    """The first octet says who reads the others.  Raises if one of them breaks a promise."""
    if len(data) < 3:
        return
    reader, data = data[0] % 6, data[1:]
    if reader < 3:
        _pdu(_COMMANDS[data[0] % len(_COMMANDS)], data[1:])
    elif reader == 3:
        _session(data[0], data[1:])
    elif reader == 4:
        _receipt(data[0], data[1:])
    else:
        _user_data(data[0], data[1], data[2:])


def _pdu(command_id: int, body: bytes) -> None:
    frame = struct.pack(">IIII", 16 + len(body), command_id, 0, 1) + body
    try:
        pdu = codec.decode(frame)
    except DecodeError:
        codec.header_only(frame)
        return
    payload = getattr(pdu, "payload", b"")
    reassembly.user_data(True, payload).decode(len(body) & 0xFF, _alphabet(len(body)))
    try:
        octets = pdu.encode(1)
    except EncodeError:  # read although it could not be written: a message_id of 255 octets
        return
    assert codec.decode(octets) == pdu


def _session(how: int, octets: bytes) -> None:
    session = SmppSession(Role.ESME if how & 1 else Role.SMSC, now=0.0)
    if how & 1:
        session.bind(BindTransceiver(), 0.0)
        session.receive(BindTransceiverResp().encode(1), 0.1)
    step = (how >> 1) % 7 + 1
    for at in range(0, len(octets), step):
        session.receive(octets[at : at + step], 0.2)
    session.events()
    session.data_to_send()
    session.deadline()
    session.tick(100.0)


def _receipt(how: int, octets: bytes) -> None:
    named, state, network_error_code = octets[: how % 9], how & 0x0F, octets[:3]
    read = receipt.parse(
        octets, receipted_message_id=named, message_state=state, network_error_code=network_error_code
    )
    if read is not None:
        assert read.message_id
        for form in ("same", "hex", "decimal"):
            receipt.normal_id(read.message_id, form)  # type: ignore[arg-type]
    try:
        timestamp.read(octets[:16], 0.0)
    except ValueError:
        pass


def _user_data(data_coding: int, other: int, octets: bytes) -> None:
    data = reassembly.user_data(bool(data_coding & 1), octets)
    data.decode(data_coding, _alphabet(other))
    data.decode(other, _alphabet(other))
    parts = (
        reassembly.Payload(octets[:5], data_coding, header=data.header),
        reassembly.Payload(octets[5:], other),
    )
    reassembly.join(parts, _alphabet(other))


def _alphabet(number: int) -> Coding:
    return _ALPHABETS[number % len(_ALPHABETS)]


if __name__ == "__main__":
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, run)
    atheris.Fuzz()
