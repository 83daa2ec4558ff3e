import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import smpp_pdu
from simulators.smpp_pdu import Frames, Malformed

SUBMIT = smpp_pdu.request(
    "submit_sm",
    7,
    source_addr="12345",
    destination_addr="447700900123",
    short_message=b"hello",
    registered_delivery=1,
    sar_msg_ref_num=258,
)


def test_a_request_reads_as_it_was_written() -> None:
    (pdu,) = Frames().feed(SUBMIT)
    smpp_pdu.read(pdu)
    assert (pdu.command, pdu.sequence, pdu.status) == ("submit_sm", 7, 0)
    assert (pdu.text("source_addr"), pdu.text("destination_addr")) == ("12345", "447700900123")
    assert (pdu.user_data(), pdu.number("registered_delivery")) == (b"hello", 1)
    assert pdu.tlvs_by_name() == {"sar_msg_ref_num": "0102"}


@given(st.lists(st.integers(1, 90), max_size=20))
def test_pdus_are_cut_out_of_any_pieces(sizes: list[int]) -> None:
    frames, stream, seen = Frames(), SUBMIT * 5, 0
    for size in [*sizes, len(stream)]:
        seen += len(list(frames.feed(stream[:size])))
        stream = stream[size:]
    assert seen == 5


@given(st.binary(max_size=80), st.sampled_from([1, 2, 4, 9, 0x103]))
def test_a_random_body_is_a_pdu_or_malformed(body: bytes, command_id: int) -> None:
    header = smpp_pdu.HEADER.pack(16 + len(body), command_id, 0, 1)
    (pdu,) = Frames().feed(header + body)
    with contextlib.suppress(Malformed):
        smpp_pdu.read(pdu)


@given(st.integers(16, len(SUBMIT) - 1), st.integers(0, 255))
def test_a_damaged_submit_sm_is_a_pdu_or_malformed(place: int, octet: int) -> None:
    (pdu,) = Frames().feed(SUBMIT[:place] + bytes([octet]) + SUBMIT[place + 1 :])
    with contextlib.suppress(Malformed):
        smpp_pdu.read(pdu)


@given(st.integers(17, len(SUBMIT) - 1).filter(lambda length: length != len(SUBMIT) - 6))  # whole without TLV
def test_a_submit_sm_cut_short_is_malformed(length: int) -> None:
    header = smpp_pdu.HEADER.pack(length, 4, 0, 1)
    (pdu,) = Frames().feed(header + SUBMIT[16:length])
    with pytest.raises(Malformed):
        smpp_pdu.read(pdu)


@pytest.mark.parametrize("length", [0, 15, 70_001, 2**32 - 1])
def test_an_absurd_command_length_is_fatal(length: int) -> None:
    with pytest.raises(Malformed) as error:
        list(Frames().feed(length.to_bytes(4, "big") + bytes(12)))
    assert error.value.status == smpp_pdu.STATUSES["ESME_RINVCMDLEN"]


def test_an_error_response_has_no_body() -> None:
    assert smpp_pdu.response(4, 9, 0x58, message_id="1") == bytes.fromhex(
        "00000010 80000004 00000058 00000009"
    )
    assert smpp_pdu.response(4, 9, 0, message_id="1").endswith(b"\x091\x00")


def test_a_status_goes_by_number_or_name() -> None:
    assert [smpp_pdu.status_of(text) for text in ("ESME_RTHROTTLED", "rthrottled", "88", "0x58")] == [
        0x58
    ] * 4
    for text in ("ESME_NONSENSE", "-1", "0x100000000", ""):
        with pytest.raises(ValueError, match=r"neither|fit"):
            smpp_pdu.status_of(text)
