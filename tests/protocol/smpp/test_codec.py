"""The codec on its own: a table of octets, every boundary, wrong bodies, and any octets at all."""

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.smpp import codec, operations, pdu
from gateway.protocol.smpp.codec import LENGTH_LIMIT_OCTETS, Framer, decode, header_only
from gateway.protocol.smpp.constants import (
    ESME_RINVCMDID,
    ESME_RINVCMDLEN,
    ESME_RINVDESTFLAG,
    ESME_RINVDSTADR,
    ESME_RINVEXPIRY,
    ESME_RINVMSGID,
    ESME_RINVMSGLEN,
    ESME_RINVNUMDESTS,
    ESME_RINVOPTPARSTREAM,
    ESME_RINVPASWD,
    ESME_RINVSCHED,
    ESME_RINVSERTYP,
    ESME_RINVSRCADR,
    ESME_RINVSYSID,
)
from gateway.protocol.smpp.fields import CString, DecodeError, EncodeError, Octet, pack_tlvs

TLVS = pack_tlvs({0x0427: b"\x02", 0x1400: b"1234\0", 0x020C: b"\x00\x07"})
SUBMIT = pdu.SubmitSm(
    service_type=b"CMT",
    source_addr_ton=5,
    source_addr=b"Trunkline",
    dest_addr_ton=1,
    dest_addr_npi=1,
    destination_addr=b"447700900123",
    esm_class=0x40,
    registered_delivery=1,
    data_coding=8,
    short_message=b"\x05\x00\x03\x07\x02\x01\x00H\x00i\x00\x00",
    tlv_octets=TLVS,
)

# SMPP 3.4 sections 4.1.1 (its own example), 4.2.2, 4.4.2, 4.3.1, 4.8.1
OCTETS = [
    (
        pdu.BindTransmitter(
            sequence_number=1,
            system_id=b"SMPP3TEST",
            password=b"secret08",
            system_type=b"SUBMIT1",
            interface_version=0x00,
            addr_ton=1,
            addr_npi=1,
        ),
        "0000002F 00000002 00000000 00000001 534D50503354455354 00 7365637265743038 00 5355424D495431 00"
        "00 01 01 00",
    ),
    (pdu.UnbindResp(sequence_number=3), "00000010 80000006 00000000 00000003"),
    (
        pdu.SubmitSmResp(sequence_number=0x7FFFFFFF, message_id=b"2f"),
        "00000013 80000004 00000000 7FFFFFFF 326600",
    ),
    (
        pdu.GenericNack(sequence_number=9, command_status=ESME_RINVCMDID),
        "00000010 80000000 00000003 00000009",
    ),
    (
        operations.QuerySm(
            sequence_number=2, message_id=b"A", source_addr_ton=1, source_addr_npi=1, source_addr=b"7"
        ),
        "00000016 00000003 00000000 00000002 4100 01 01 3700",
    ),
]


@pytest.mark.parametrize(("value", "octets"), OCTETS, ids=lambda value: getattr(value, "name", ""))
def test_octets_of_the_standard_both_ways(value: pdu.Pdu, octets: str) -> None:
    wire = bytes.fromhex(octets)
    assert value.encode(value.sequence_number) == wire
    assert decode(wire) == value


def _strategy(kind: type[pdu.Pdu]) -> st.SearchStrategy[pdu.Pdu]:
    """Values of a PDU type within the limits of its layout."""

    def text(limit: int) -> st.SearchStrategy[bytes]:
        return st.binary(max_size=limit - 1).map(lambda octets: octets.replace(b"\0", b"."))

    octet, octets20 = st.integers(0, 255), text(21)
    special = {
        "destinations": st.lists(st.tuples(octet, octet, octets20) | octets20, min_size=1, max_size=4).map(
            tuple
        ),
        "unsuccessful": st.lists(
            st.tuples(octet, octet, octets20, st.integers(0, 2**32 - 1)), max_size=4
        ).map(tuple),
        "short_message": st.binary(max_size=254),
        "message_id": text(65),
        "tlv_octets": st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=40), max_size=3).map(
            pack_tlvs
        ),
        "sequence_number": st.integers(0, 2**32 - 1),
        "command_status": st.integers(0, 2**32 - 1),
    }
    limits = {
        field.name: text(field.limit) if isinstance(field, CString) else octet
        for field in (*kind.layout, *pdu.SubmitSm.layout)
        if isinstance(field, CString | Octet)
    }
    return st.builds(kind, **{name: (limits | special)[name] for name in kind.__struct_fields__})


ALL_TYPES = [*pdu.REQUESTS.values(), *pdu.RESPONSES.values()]


def test_every_command_of_the_standard_has_a_type() -> None:
    from smpplib.command_codes import commands

    assert {kind.name: kind.command_id for kind in ALL_TYPES} == commands


@given(st.one_of([_strategy(kind) for kind in ALL_TYPES]))
def test_what_is_encoded_decodes_to_itself(value: pdu.Pdu) -> None:
    assert decode(value.encode(value.sequence_number)) == value


@given(
    st.sampled_from([kind.command_id for kind in ALL_TYPES] + [0xDEAD, 0x8000DEAD]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=120),
)
def test_random_bodies_give_a_value_or_decode_error_only(
    command_id: int, status: int, sequence_number: int, body: bytes
) -> None:
    frame = struct.pack(">IIII", 16 + len(body), command_id, status, sequence_number) + body
    try:
        value = decode(frame)
    except DecodeError as error:
        assert (error.command_id, error.sequence_number) == (command_id, sequence_number)
        assert error.status != 0 and not error.fatal
    else:
        assert value.sequence_number == sequence_number
        assert getattr(value, "tlvs", {}) is not None


@given(st.data())
def test_a_mutated_pdu_gives_a_value_or_decode_error_only(data: st.DataObject) -> None:
    value = data.draw(st.one_of([_strategy(kind) for kind in ALL_TYPES]))
    wire = bytearray(value.encode(1))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(4, len(wire) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(wire))
    except DecodeError as error:
        assert error.status != 0


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_random_octets_never_break_the_framer(chunks: list[bytes]) -> None:
    framer = Framer()
    for chunk in chunks:
        for frame in framer.feed(chunk):
            assert len(frame) == int.from_bytes(frame[:4], "big") >= 16


def test_the_framer_splits_at_any_boundary() -> None:
    wire = b"".join(SUBMIT.encode(number) + pdu.EnquireLink().encode(number) for number in range(1, 4))
    whole = Framer().feed(wire)
    assert len(whole) == 6
    for cut in range(len(wire) + 1):
        framer = Framer()
        assert framer.feed(wire[:cut]) + framer.feed(wire[cut:]) == whole
    framer = Framer()
    assert [frame for octet in wire for frame in framer.feed(bytes((octet,)))] == whole


def test_the_framer_gives_a_thousand_pdus_of_one_read() -> None:
    wire = b"".join(SUBMIT.encode(number) for number in range(1, 1001))
    assert [decode(frame).sequence_number for frame in Framer().feed(wire)] == list(range(1, 1001))


@pytest.mark.parametrize("length", [0, 15, LENGTH_LIMIT_OCTETS + 1, 0x47455420])  # the last is "GET "
def test_an_absurd_length_breaks_the_stream_at_its_fourth_octet(length: int) -> None:
    framer = Framer()
    good = pdu.EnquireLink().encode(1)
    assert framer.feed(good + struct.pack(">I", length)) == [good]
    assert framer.broken is not None
    assert framer.broken.status == ESME_RINVCMDLEN and framer.broken.fatal
    assert framer.feed(good) == []


def test_an_absurd_length_is_reported_with_the_header_where_it_is_there() -> None:
    framer = Framer()
    framer.feed(struct.pack(">IIII", 5, 4, 0, 77) + b"....")
    assert framer.broken is not None and framer.broken.sequence_number == 77


def _frame(command_id: int, body: bytes) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command_id, 0, 5) + body


ADDRESSES = b"\0\0A\0\0\0B\0"
WRONG_BODIES = [
    ("empty", 4, b"", ESME_RINVSERTYP),
    ("service_type too long", 4, b"CMTXXX\0" + ADDRESSES + bytes(10), ESME_RINVSERTYP),
    ("source without NUL", 4, b"\0\0\0" + b"1" * 60, ESME_RINVSRCADR),
    ("source of 21", 4, b"\0\0\0" + b"1" * 21 + b"\0\0\0B\0" + bytes(10), ESME_RINVSRCADR),
    ("destination of 21", 4, b"\0\0\0A\0\0\0" + b"1" * 21 + bytes(11), ESME_RINVDSTADR),
    ("schedule of 17", 4, b"\0" + ADDRESSES + b"\0\0\0" + b"1" * 17 + bytes(8), ESME_RINVSCHED),
    ("validity of 17", 5, b"\0" + ADDRESSES + b"\0\0\0\0" + b"1" * 17 + bytes(8), ESME_RINVEXPIRY),
    ("cut before sm_length", 4, b"\0" + ADDRESSES + bytes(9), ESME_RINVCMDLEN),
    ("sm_length lies", 4, b"\0" + ADDRESSES + bytes(9) + b"\x05abcd", ESME_RINVMSGLEN),
    ("TLV overruns", 4, b"\0" + ADDRESSES + bytes(10) + b"\x04\x24\x00\x05abcd", ESME_RINVOPTPARSTREAM),
    ("TLV cut", 5, b"\0" + ADDRESSES + bytes(10) + b"\x04\x24\x00", ESME_RINVOPTPARSTREAM),
    ("system_id endless", 9, b"x" * 80, ESME_RINVSYSID),
    ("password endless", 9, b"x\0" + b"y" * 80, ESME_RINVPASWD),
    ("message_id of 65", 3, b"x" * 65 + b"\0", ESME_RINVMSGID),
    ("no destinations", 0x21, b"\0\0\0A\0\0", ESME_RINVNUMDESTS),
    ("wrong dest_flag", 0x21, b"\0\0\0A\0\x01\x03", ESME_RINVDESTFLAG),
    ("replace_sm: sm_length lies", 7, b"\0\0\0A\0\0\0\0\0\x09abc", ESME_RINVMSGLEN),
    ("unknown command", 0x99, b"", ESME_RINVCMDID),
]


@pytest.mark.parametrize(("command_id", "body", "status"), [row[1:] for row in WRONG_BODIES],
                         ids=[row[0] for row in WRONG_BODIES])  # fmt: skip
def test_a_wrong_body_tells_the_status_to_answer_with(command_id: int, body: bytes, status: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(_frame(command_id, body))
    error = caught.value
    assert (error.status, error.command_id, error.sequence_number, error.fatal) == (
        status,
        command_id,
        5,
        False,
    )


def test_every_cut_of_a_submit_is_an_error_with_a_status() -> None:
    body = msgspec.structs.replace(SUBMIT, tlv_octets=b"").encode(5)[16:]
    for cut in range(len(body)):
        with pytest.raises(DecodeError):
            decode(_frame(4, body[:cut]))


@pytest.mark.parametrize("status", [0, 0x58])
@pytest.mark.parametrize("body", [b"", b"\0", b"id", b"id\0", b"id\0\x04", b"id\0\x04\x24\x00\x50abc"])
def test_a_response_counts_with_or_without_a_readable_body(status: int, body: bytes) -> None:
    frame = struct.pack(">IIII", 16 + len(body), 0x80000004, status, 5) + body
    value = decode(frame)
    assert isinstance(value, pdu.SubmitSmResp)
    assert value.command_status == status
    assert value.message_id == (b"id" if body.startswith(b"id") else b"")
    assert value.tlvs == {}


def test_the_header_of_an_unreadable_response_can_be_kept() -> None:
    frame = struct.pack(">IIII", 16 + 300, 0x80000004, 0, 5) + b"x" * 300
    with pytest.raises(DecodeError):
        decode(frame)
    assert header_only(frame) == pdu.SubmitSmResp(sequence_number=5)
    assert header_only(_frame(0x8000DEAD, b"")) is None


def test_header_only_pdus_may_carry_a_body_that_says_nothing() -> None:
    assert decode(_frame(0x15, b"\0\0junk")) == pdu.EnquireLink(sequence_number=5)


def test_payload_is_the_short_message_or_else_message_payload() -> None:
    long = b"x" * 1000
    assert SUBMIT.payload == SUBMIT.short_message
    assert pdu.DeliverSm(tlv_octets=pack_tlvs({0x0424: long})).payload == long
    assert pdu.DataSm(tlv_octets=pack_tlvs({0x0424: long})).payload == long
    assert pdu.DeliverSm(tlv_octets=TLVS).payload == b""


@pytest.mark.parametrize(
    "value",
    [
        pdu.SubmitSm(source_addr=b"1" * 21),
        pdu.SubmitSm(destination_addr=b"1\x002"),
        pdu.SubmitSm(short_message=bytes(255)),
        pdu.SubmitSm(esm_class=256),
        pdu.SubmitSm(data_coding=-1),
        pdu.DeliverSm(validity_period=b"1" * 17),
        pdu.SubmitSmResp(message_id=b"1" * 65),
        pdu.BindReceiver(system_id=b"a" * 65),
        pdu.BindReceiver(addr_npi=300),
        operations.SubmitMulti(destinations=(b"list",) * 255),
        operations.SubmitMultiResp(unsuccessful=((0, 0, b"1", 2**32),)),
        operations.ReplaceSm(short_message=bytes(255)),
    ],
    ids=lambda value: value.name,
)
def test_what_smpp_cannot_express_is_refused(value: pdu.Pdu) -> None:
    with pytest.raises(EncodeError):
        value.encode(1)


def test_decode_refuses_a_frame_that_is_not_one() -> None:
    for frame in (b"", b"\0" * 15, _frame(0x15, b"")[:-1] + b"\0\0"):
        with pytest.raises(DecodeError) as caught:
            codec.decode(frame)
        assert caught.value.fatal
