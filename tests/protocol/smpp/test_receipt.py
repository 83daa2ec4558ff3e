"""Receipts as seen in the wild (field notes 1-14), and the standard's own form both ways."""

from datetime import datetime
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.smpp.receipt import (
    FINAL,
    STAT,
    MessageState,
    Receipt,
    Stamp,
    format_receipt,
    normal_id,
    parse,
    response_id,
)

D, U, R, X = (
    MessageState.DELIVERED,
    MessageState.UNDELIVERABLE,
    MessageState.REJECTED,
    MessageState.UNKNOWN,
)
STANDARD = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:2401020304 done date:2401020305 stat:DELIVRD err:000 "
    b"text:Hello there"
)
LONG_ID = "3f8-" + "a1.b2_" * 9 + "@smsc:7.example"

WILD: list[tuple[str, bytes, dict[str, Any]]] = [
    (
        "the standard's form",
        STANDARD,
        {"message_id": "0123456789", "state": D, "err": "000", "sub": 1, "dlvrd": 1},
    ),
    ("only id and stat", b"id:42 stat:DELIVRD", {"message_id": "42", "state": D, "sub": None, "dlvrd": None}),
    ("id alone decides nothing", b"id:42", {"message_id": "42", "state": X, "stat": "", "final": False}),
    (
        "no sub, no dlvrd",
        b"id:7 submit date:2401020304 done date:2401020305 stat:EXPIRED err:1 text:",
        {"message_id": "7", "state": MessageState.EXPIRED, "err": "1", "text": ""},
    ),
    (
        "no dates",
        b"id:7 sub:001 dlvrd:000 stat:UNDELIV err:027 text:x",
        {"state": U, "err": "027", "dlvrd": 0},
    ),
    ("stat last, nothing after it", b"sub:001 id:9 stat:DELIVRD", {"message_id": "9", "state": D}),
    ("stat first", b"stat:REJECTD err:088 id:9a sub:1", {"message_id": "9a", "state": R, "err": "088"}),
    (
        "text first",
        b"text:Hi you id:9 sub:001 stat:UNDELIV err:5",
        {"message_id": "9", "state": U, "err": "5", "text": "Hi you"},
    ),
    (
        "text in the middle",
        b"id:9 text:Hi you stat:DELIVRD",
        {"message_id": "9", "state": D, "text": "Hi you"},
    ),
    (
        "keys in capitals",
        b"ID:A1 SUB:001 DLVRD:001 SUBMIT DATE:2401020304 DONE DATE:2401020305 STAT:DELIVRD ERR:000 TEXT:x",
        {"message_id": "A1", "state": D, "text": "x"},
    ),
    ("value in small letters", b"id:1 stat:delivrd err:000 Text:x", {"state": D, "stat": "delivrd"}),
    (
        "blanks after the colons",
        b"id: 12 sub: 001 stat: UNDELIV err: 0 text: x",
        {"message_id": "12", "state": U, "err": "0", "sub": 1, "text": "x"},
    ),
    (
        "tabs between",
        b"id:12\tsub:001\tdlvrd:001\tstat:DELIVRD\terr:000\ttext:x y",
        {"message_id": "12", "state": D, "text": "x y"},
    ),
    ("NUL at the end", STANDARD + b"\x00", {"state": D, "text": "Hello there"}),
    ("NUL right after stat", b"id:12 stat:DELIVRD\x00", {"state": D, "stat": "DELIVRD"}),
    ("line ends", b"id:12\r\nstat:EXPIRED\r\n", {"message_id": "12", "state": MessageState.EXPIRED}),
    (
        "underscored dates",
        b"id:1 submit_date:2401020304 done_date:2401020305 stat:DELIVRD",
        {"done_date": Stamp("2401020305", datetime(2024, 1, 2, 3, 5))},
    ),
    ("FAILED", b"id:1 stat:FAILED err:1", {"state": U, "stat": "FAILED"}),
    ("full name", b"id:1 stat:DELIVERED err:0", {"state": D, "stat": "DELIVERED"}),
    ("DND_REJECTED", b"id:1 stat:DND_REJECTED err:1", {"state": X, "stat": "DND_REJECTED", "final": False}),
    ("a number", b"id:1 stat:0 err:0", {"state": X, "stat": "0", "final": False}),
    ("a number that is DELIVERED in the parameter", b"id:1 stat:2", {"state": X, "stat": "2"}),
    ("cut word", b"id:1 stat:DELIV err:0", {"state": X, "stat": "DELIV"}),
    ("empty stat", b"id:1 stat: err:000 text:x", {"state": X, "stat": "", "err": "000"}),
    ("empty err", b"id:1 stat:UNDELIV err: text:x", {"state": U, "err": "", "text": "x"}),
    ("err in hex", b"id:1 stat:UNDELIV err:0x1F text:x", {"err": "0x1F"}),
    ("err of four digits", b"id:1 stat:UNDELIV err:0045 text:x", {"err": "0045"}),
    ("err in words", b"id:1 stat:UNDELIV err:Absent subscriber text:x", {"err": "Absent subscriber"}),
    (
        "accepted is on the way",
        b"id:1 stat:ACCEPTD err:000",
        {"state": MessageState.ACCEPTED, "final": False},
    ),
    ("enroute is on the way", b"id:1 stat:ENROUTE err:000", {"state": MessageState.ENROUTE, "final": False}),
    ("unknown decides nothing", b"id:1 stat:UNKNOWN err:000", {"state": X, "final": False}),
    ("hyphens in the id", b"id:0f6a-11-22 stat:DELIVRD", {"message_id": "0f6a-11-22"}),
    (
        "uuid",
        b"id:7c9e6679-7425-40de-944b-e07fc1f90ae7 sub:001 stat:DELIVRD",
        {"message_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7"},
    ),
    ("dots, at and colons in a long id", b"id:%b stat:DELIVRD" % LONG_ID.encode(), {"message_id": LONG_ID}),
    (
        "an id that holds key words",
        b"id:a.id:stat:x-err:1 stat:DELIVRD",
        {"message_id": "a.id:stat:x-err:1", "state": D, "err": ""},
    ),
    ("octets before id", b"\x05\x00\x03\x07\x01\x01id:12 stat:DELIVRD", {"message_id": "12", "state": D}),
    ("words before id", b"Delivery receipt, valid: id:12 stat:DELIVRD", {"message_id": "12", "state": D}),
    ("letters glued to id", b"DLRid:12 stat:DELIVRD text:id:99", {"message_id": "12", "state": D}),
    ("message_id as name", b"message_id:12 stat:DELIVRD", {"message_id": "12", "state": D}),
    (
        "keys inside text",
        b"id:1 sub:001 stat:UNDELIV err:5 text:id:2 stat:DELIVRD err:0",
        {"message_id": "1", "state": U, "err": "5", "text": "id:2 stat:DELIVRD err:0"},
    ),
    ("stat missing, text says one", b"id:1 sub:001 text:stat:DELIVRD", {"state": X, "text": "stat:DELIVRD"}),
    (
        "text first with keys inside",
        b"text:my id:5 stat:DELIVRD id:1 stat:UNDELIV",
        {"message_id": "1", "state": U},
    ),
    ("high octets in text", b"id:1 stat:DELIVRD err:000 text:\xc8\xff\x80", {"state": D, "text": "Èÿ\x80"}),
    (
        "UCS-2 inside text",
        b"id:1 stat:DELIVRD err:000 text:\x04\x1f\x04\x40",
        {"message_id": "1", "state": D},
    ),
    (
        "all of it UCS-2",
        STANDARD.decode().encode("utf-16-be"),
        {"message_id": "0123456789", "state": D, "text": "Hello there"},
    ),
    (
        "all of it UCS-2, little endian with mark",
        STANDARD.decode().encode("utf-16"),
        {"message_id": "0123456789", "state": D, "text": "Hello there"},
    ),
    (
        "commas between",
        b"id:12,sub:001,dlvrd:001,stat:DELIVRD,err:000",
        {"message_id": "12", "state": D, "err": "000"},
    ),
]


@pytest.mark.parametrize(("octets", "expected"), [case[1:] for case in WILD], ids=[case[0] for case in WILD])
def test_receipts_of_the_wild(octets: bytes, expected: dict[str, Any]) -> None:
    receipt = parse(octets)
    assert receipt is not None
    assert {name: getattr(receipt, name) for name in expected} == expected


DATES = b"submit date:2101020304 done date:2101020305 "
E, A, N = MessageState.EXPIRED, MessageState.ACCEPTED, MessageState.ENROUTE
# As vendors and aggregators send them, by hand: (text, id, state, err)
VENDORS: list[tuple[bytes, str, MessageState, str]] = [
    (
        b"id:0A1B2C3D sub:001 dlvrd:001 " + DATES + b"stat:DELIVRD err:000 text:Your code",
        "0A1B2C3D",
        D,
        "000",
    ),
    (
        b"id:1 sub:1 dlvrd:1 submit date:210304121314 done date:210304121316 stat:DELIVRD err:0 Text:",
        "1",
        D,
        "0",
    ),
    (
        b"id:c449ab9744f47b6af1879e49e75e4f40 sub:001 dlvrd:0 "
        + DATES
        + b"stat:ACCEPTD err:0 text:This is an Acti",
        "c449ab9744f47b6af1879e49e75e4f40",
        A,
        "0",
    ),
    (
        b"id:1 submit date:2024-01-02 03:04:05 done date:2024-01-02 03:04:09 stat:DELIVRD err:000",
        "1",
        D,
        "000",
    ),
    (b"id:1 sub:001 dlvrd:000 " + DATES + b"stat:UNDELIV err:1 Text:-", "1", U, "1"),
    (
        b"id:1sub:001dlvrd:000submit date:2611301200done date:2611301201stat:UNDELIVerr:00Btext:Hi",
        "1",
        U,
        "00B",
    ),
    (b"id:1 stat:UNDELIVerr:034", "1", U, "034"),
    (
        b"id:ab.sub:1-err:2 stat:UNDELIV err:1",
        "ab.sub:1-err:2",
        U,
        "1",
    ),  # an id of dots and colons stays whole
    (b"id:1 sub:001 dlvrd:000 " + DATES + b"stat:UNDELIVERABLE err:1", "1", U, "1"),
    (b"id:1 sub:001 dlvrd:000 " + DATES + b"stat:UNDELIVRD err:1", "1", U, "1"),
    (b"id:1 sub:001 dlvrd:000 " + DATES + b"stat:Undelivered err:31", "1", U, "31"),
    (b"id:1 sub:001 dlvrd:000 " + DATES + b"stat:REJECTED err:1", "1", R, "1"),
    (b"id:1 stat:ACCEPTED err:0", "1", A, "0"),
    (b"id:1 stat:BUFFRED err:0", "1", N, "0"),
    (b"id:1 stat:BUFFERED", "1", N, ""),
    (b"id:1 stat:CANCELED err:0", "1", MessageState.DELETED, "0"),
    (b"id:1 stat:CANCELLED err:0", "1", MessageState.DELETED, "0"),
    (b"id:1 stat:SCHEDULED", "1", MessageState.SCHEDULED, ""),
    (b"id:1 stat:SKIPPED err:0", "1", MessageState.SKIPPED, "0"),
    (b"id:1 stat:SENT err:0", "1", X, "0"),
    (b"id:1 stat:NOROUTE err:0", "1", X, "0"),
    (b"id:1 stat:Unknown err:0", "1", X, "0"),
    (b"id:1 stat:5 err:0", "1", X, "0"),
    (b"id:1 stat:DELIVRD.", "1", D, ""),
    (b"id:1 stat:DELIVRD;err:000;", "1", D, "000"),
    (
        b"id:1;sub:001;dlvrd:001;submit date:2101020304;done date:2101020305;stat:DELIVRD;err:000;text:x",
        "1",
        D,
        "000",
    ),
    (
        b"id:1|sub:001|dlvrd:001|submit date:2101020304|done date:2101020305|stat:EXPIRED|err:000|text:",
        "1",
        E,
        "000",
    ),
    (
        b"id=1 sub=001 dlvrd=001 submit date=2101020304 done date=2101020305 stat=DELIVRD err=000 text=x",
        "1",
        D,
        "000",
    ),
    (
        b"id:1\nsub:001\ndlvrd:001\nsubmit date:2101020304\ndone date:2101020305\n"
        b"stat:DELIVRD\nerr:000\ntext:hi",
        "1",
        D,
        "000",
    ),
    (b'id:"7a-1" stat:"DELIVRD" err:"000"', "7a-1", D, "000"),
    (b"id:'7a-1' stat:'DELIVRD' err:'000'", "7a-1", D, "000"),
    (b"MsgId:1 Stat:DELIVRD", "1", D, ""),
    (b"message id:1 stat:DELIVRD", "1", D, ""),
    (b"smsid:1 stat:DELIVRD", "1", D, ""),
    (b"id:1 sub:001 dlvrd:001 " + DATES + b"status:DELIVRD err:000 text:x", "1", D, "000"),
    (b"id:1 sub:001 dlvrd:001 " + DATES + b"state:EXPIRED err:000 text:x", "1", E, "000"),
    (b"id:1 sub:001 dlvrd:000 " + DATES + b"stat:UNDELIV error:027 text:x", "1", U, "027"),
    (b"id:1 sub:001 dlvrd:000 " + DATES + b"stat:UNDELIV errcode:027", "1", U, "027"),
    (b"id:1 sub:001 dlvrd:000 " + DATES + b"stat:UNDELIV error code:027", "1", U, "027"),
    (b"id:1 submitdate:2101020304 donedate:2101020305 stat:DELIVRD err:000", "1", D, "000"),
    (b"id:1 submit-date:2101020304 done-date:2101020305 stat:DELIVRD err:000", "1", D, "000"),
    (b"id:1 submit  date:2101020304 done  date:2101020305 stat:DELIVRD err:000", "1", D, "000"),
    (b"id:1 submit date:21010203 04 done date:2101020305 stat:DELIVRD err:000", "1", D, "000"),
    (b"id:1 submit date:2101020304+0200 done date:2101020305+0200 stat:DELIVRD err:000", "1", D, "000"),
    (b"id:1 sub: dlvrd: submit date: done date: stat:DELIVRD err: text:", "1", D, ""),
    (b"id:1 sub:001 dlvrd:001 " + DATES + b"stat: DELIVRD err: 000 text: ", "1", D, "000"),
    (
        b"id:1 sub:001 dlvrd:001 " + DATES + b"stat:DELIVRD err:000 network:24405 price:0.01 text:",
        "1",
        D,
        "000",
    ),
    (b"id:1 sub:001 dlvrd:001 " + DATES + b"stat:DELIVRD err:000 text:x mcc:310 mnc:260", "1", D, "000"),
    (b"id:1 sub:001 dlvrd:001 " + DATES + b"stat:DELIVRD err:000 text:\x00\x00", "1", D, "000"),
    (b"\x00id:1 stat:DELIVRD", "1", D, ""),
    (b"\nid:1 stat:DELIVRD", "1", D, ""),
    (b"Message to 447700900123 id:17 stat:EXPIRED", "17", E, ""),
    (b"id:000000000000000000012345 stat:DELIVRD", "000000000000000000012345", D, ""),
    (b"id:-1234567 stat:DELIVRD", "-1234567", D, ""),
    (b"id:+1234567 stat:DELIVRD", "+1234567", D, ""),
    (b"id:12345/6 stat:DELIVRD", "12345/6", D, ""),
    (b"id:AbC+/=1== stat:DELIVRD", "AbC+/=1==", D, ""),
    (b"id:1234_0@host.example stat:DELIVRD", "1234_0@host.example", D, ""),
    (b"id:{12} stat:DELIVRD", "{12}", D, ""),
    (b"id:1 stat:UNDELIV err:00A1", "1", U, "00A1"),
    (b"id:1 stat:UNDELIV err:-1", "1", U, "-1"),
    (b"id:1 stat:UNDELIV err:0x0000000B", "1", U, "0x0000000B"),
    (b"id:1 stat:UNDELIV err:ABSENT_SUBSCRIBER text:x", "1", U, "ABSENT_SUBSCRIBER"),
    (b"id:1 stat:REJECTD err:ESME_RINVDSTADR text:", "1", R, "ESME_RINVDSTADR"),
    (b"id:1 stat:UNDELIV err:69 (unknown subscriber) text:", "1", U, "69"),
    (b"id:1 stat:UNDELIV err:027,069 text:", "1", U, "027,069"),
]


@pytest.mark.parametrize(("octets", "message_id", "state", "err"), VENDORS)
def test_vendors_forms(octets: bytes, message_id: str, state: MessageState, err: str) -> None:
    receipt = parse(octets)
    assert receipt is not None
    assert (receipt.message_id, receipt.state, receipt.err) == (message_id, state, err)


@pytest.mark.parametrize("state", list(MessageState))
def test_what_is_formatted_is_read_back(state: MessageState) -> None:
    octets = format_receipt(
        "00ab-1",
        state,
        submit_date=datetime(2024, 1, 2, 3, 4),
        done_date=datetime(2024, 1, 2, 3, 5),
        err="011",
        text="Grüße an alle, die dies lesen",
    )
    delivered = int(state is D)
    assert octets == (
        b"id:00ab-1 sub:001 dlvrd:%03d submit date:2401020304 done date:2401020305 stat:%b err:011 "
        b"text:Gr??e an alle, die d" % (delivered, STAT[state].encode())
    )
    assert parse(octets) == Receipt(
        message_id="00ab-1",
        text_message_id="00ab-1",
        state=state,
        stat=STAT[state],
        err="011",
        submit_date=Stamp("2401020304", datetime(2024, 1, 2, 3, 4)),
        done_date=Stamp("2401020305", datetime(2024, 1, 2, 3, 5)),
        sub=1,
        dlvrd=delivered,
        text="Gr??e an alle, die d",
    )


def test_formatted_counts_can_be_given() -> None:
    day = datetime(2024, 12, 31, 23, 59)
    assert b" sub:003 dlvrd:002 " in format_receipt("1", D, submit_date=day, done_date=day, sub=3, dlvrd=2)


def test_fields_in_every_order_give_the_same_receipt() -> None:
    fields = (b"id:12-a", b"sub:001", b"done date:2401020305", b"stat:UNDELIV", b"err:07", b"text:two words")
    receipts = {parse(b" ".join(order)) for order in permutations(fields)}
    assert len(receipts) == 1
    (receipt,) = receipts
    assert receipt is not None
    assert (receipt.message_id, receipt.state, receipt.err, receipt.text) == ("12-a", U, "07", "two words")


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x00", b"Hello, where is my parcel?", b"id:", b"id: stat:DELIVRD", b"stat:DELIVRD err:000"],
)
def test_without_an_id_there_is_no_receipt(octets: bytes) -> None:
    assert parse(octets) is None


def test_parameters_alone_are_a_receipt() -> None:
    receipt = parse(
        b"", receipted_message_id=b"7f.1\x00", message_state=2, network_error_code=b"\x03\x00\x0b"
    )
    assert receipt == Receipt("7f.1", None, D, "", "11", None, None, None, None, "")


def test_the_parameters_id_and_state_go_before_the_texts() -> None:
    receipt = parse(b"id:26 stat:DELIVRD err:001", receipted_message_id=b"1A", message_state=5)
    assert receipt is not None
    assert (receipt.message_id, receipt.text_message_id) == ("1A", "26")
    assert (receipt.state, receipt.stat) == (U, "DELIVRD")


def test_message_state_zero_is_scheduled_and_not_missing() -> None:
    receipt = parse(b"id:1 stat:DELIVRD", message_state=0)
    assert receipt is not None
    assert receipt.state is MessageState.SCHEDULED


def test_a_message_state_out_of_range_leaves_the_word_to_the_text() -> None:
    receipt = parse(b"id:1 stat:EXPIRED", message_state=200)
    assert receipt is not None
    assert receipt.state is MessageState.EXPIRED


@pytest.mark.parametrize("tlv", [None, b"", b"\x00"])
def test_an_empty_parameter_leaves_the_id_to_the_text(tlv: bytes | None) -> None:
    receipt = parse(b"id:1 stat:DELIVRD", receipted_message_id=tlv)
    assert receipt is not None
    assert receipt.message_id == "1"


@pytest.mark.parametrize(
    ("text", "code", "err"),
    [
        (b"err:007", b"\x03\x00\x0b", "007"),
        (b"", b"\x03\x01\x00", "256"),
        (b"err: ", b"\x03\x00\x00", "0"),
        (b"", b"\xab\xcd", "abcd"),
        (b"", b"", ""),
    ],
)
def test_the_network_error_fills_in_for_a_missing_err(text: bytes, code: bytes, err: str) -> None:
    receipt = parse(b"id:1 " + text, network_error_code=code)
    assert receipt is not None
    assert receipt.err == err


@pytest.mark.parametrize(
    ("raw", "at"),
    [
        ("2401020304", datetime(2024, 1, 2, 3, 4)),
        ("20240102030405", datetime(2024, 1, 2, 3, 4, 5)),
        ("240102030405", datetime(2024, 1, 2, 3, 4, 5)),  # 2401 is no year of a receipt
        ("202401020304", datetime(2024, 1, 2, 3, 4)),  # 2020 has no month 24
        ("201012010203", None),  # 2020-10-12 01:02:03 or 2010-12-01 02:03
        ("0000000000", None),
        ("00000000000000", None),
        ("2413020304", None),
        ("24010203", None),
        ("2024-01-02 03:04", None),
    ],
)
def test_dates_are_read_only_where_they_read_one_way(raw: str, at: datetime | None) -> None:
    receipt = parse(f"id:1 done date:{raw} stat:DELIVRD".encode())
    assert receipt is not None
    assert receipt.done_date == Stamp(raw, at)
    assert receipt.state is D


def test_final_states_are_those_that_end_a_message() -> None:
    open_ones = {MessageState.SCHEDULED, MessageState.ENROUTE, MessageState.ACCEPTED, MessageState.UNKNOWN}
    assert frozenset(MessageState) - open_ones == FINAL


@pytest.mark.parametrize(
    ("response", "receipt", "form"),
    [
        ("1a", "26", "decimal"),
        ("0000001A", "26", "decimal"),
        ("1A", "0000000026", "decimal"),
        ("10", "16", "decimal"),
        ("26", "1a", "hex"),
        ("0026", "0000001A", "hex"),
        ("10", "A", "hex"),
        ("ffffffffffffffffff", "4722366482869645213695", "decimal"),  # beyond 2^63
        ("4722366482869645213695", "FFFFFFFFFFFFFFFFFF", "hex"),
        ("0", "000", "decimal"),
        ("ab-7", "ab-7", "decimal"),
        ("ab-7", "ab-7", "hex"),
        ("0A", "0A", "same"),
    ],
)
def test_ids_meet_in_the_configured_form(response: str, receipt: str, form: Any) -> None:
    assert normal_id(receipt, form) == response_id(response, form)


@pytest.mark.parametrize(
    ("message_id", "form", "normal"),
    [
        ("26", "decimal", "1a"),
        ("1A", "hex", "26"),
        ("0x1A", "hex", "0x1A"),
        ("1a", "decimal", "1a"),
        ("-5", "decimal", "-5"),
        ("1_0", "decimal", "1_0"),
        (" 10", "decimal", " 10"),
        ("٣", "decimal", "٣"),
        ("", "hex", ""),
        ("0026", "same", "0026"),
        ("9" * 65, "decimal", "9" * 65),
    ],
)
def test_an_id_in_another_form_stays_as_it_is(message_id: str, form: Any, normal: str) -> None:
    assert normal_id(message_id, form) == normal


@given(st.integers(min_value=0, max_value=2**200))
def test_every_number_meets_itself_in_the_other_base(number: int) -> None:
    assert normal_id(str(number), "decimal") == response_id(f"{number:020X}", "decimal")
    assert normal_id(f"{number:X}", "hex") == response_id(f"{number:030d}", "hex")


@given(
    octets=st.one_of(
        st.binary(max_size=300), st.text(alphabet="idstaerx: =\0\t019", max_size=120).map(str.encode)
    ),
    tlv=st.none() | st.binary(max_size=70),
    state=st.none() | st.integers(0, 255),
    code=st.none() | st.binary(max_size=5),
)
def test_octets_of_any_kind_never_raise(
    octets: bytes, tlv: bytes | None, state: int | None, code: bytes | None
) -> None:
    receipt = parse(octets, receipted_message_id=tlv, message_state=state, network_error_code=code)
    assert receipt is None or receipt.message_id


@given(st.data())
def test_every_prefix_of_a_receipt_is_read_or_is_none(data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(STANDARD)))
    receipt = parse(STANDARD[:cut])
    # A cut word is not a delivery, and a cut id is what is there.
    assert receipt is None or (receipt.state is D) == (b"stat:DELIVRD" in STANDARD[:cut])


@given(
    st.text(
        alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":=,;|"), min_size=1
    )
)
def test_a_word_nobody_knows_is_never_a_delivery(word: str) -> None:
    receipt = parse(f"id:1 stat:{word}".encode())
    assert receipt is not None
    assert (receipt.state is D) == (word.upper().strip("\"'").rstrip(".") in {"DELIVRD", "DELIVERED"})


@given(
    id=st.text("0123456789abcdefXYZ-._@,;|\"'", min_size=1, max_size=20),
    numbers=st.tuples(st.integers(0, 10**9 - 1), st.integers(0, 999)),
    dates=st.tuples(st.text("0123456789", min_size=1, max_size=14), st.text("0123456789", min_size=1)),
    stat=st.text("DELIVRDexpired", min_size=1, max_size=20),
    err=st.text("0123456789ABx.;", max_size=6),
    text=st.none() | st.text(st.characters(max_codepoint=0xFF, exclude_characters="\x00"), max_size=20),
)
def test_the_standards_form_reads_the_same_by_the_short_way_and_the_long(
    id: str, numbers: tuple[int, int], dates: tuple[str, str], stat: str, err: str, text: str | None
) -> None:
    written = (
        f"id:{id} sub:{numbers[0]:03} dlvrd:{numbers[1]:03} submit date:{dates[0]} done date:{dates[1]} "
        f"stat:{stat} err:{err}" + ("" if text is None else f" text:{text}")
    )
    assert parse(written.encode("latin-1")) == parse(b" " + written.encode("latin-1"))
