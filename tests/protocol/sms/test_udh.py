"""User data headers both ways, octet by octet, and headers that lie."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sms.national import Shift
from gateway.protocol.sms.udh import Concat, DecodeError, Element, Header, Ports, build, parse

TABLE = [
    (Concat(0x4E, 2, 1, wide=False), "0500034e0201"),
    (Concat(0x00, 1, 1, wide=False), "050003000101"),
    (Concat(0xFF, 255, 255, wide=False), "050003ffffff"),
    (Concat(0x1234, 3, 2, wide=True), "06080412340302"),
    (Concat(0xFFFF, 255, 1, wide=True), "060804ffffff01"),
]


@pytest.mark.parametrize(("concat", "octets"), TABLE)
def test_each_concatenation_both_ways(concat: Concat, octets: str) -> None:
    header = bytes.fromhex(octets)
    assert build(concat) == header
    assert parse(header).concat == concat
    assert parse(header + b"text\x00\xff") == parse(header)
    assert parse(header).octets == len(header)


@pytest.mark.parametrize(("concat", "octets"), TABLE)
def test_a_header_cut_anywhere_is_a_decode_error(concat: Concat, octets: str) -> None:
    header = bytes.fromhex(octets)
    for end in range(len(header)):
        with pytest.raises(DecodeError):
            parse(header[:end])


@pytest.mark.parametrize(
    "concat",
    [
        Concat(1, 0, 0, wide=False),
        Concat(1, 2, 0, wide=False),
        Concat(1, 2, 3, wide=False),
        Concat(1, 256, 1, wide=True),
        Concat(256, 2, 1, wide=False),
        Concat(65536, 2, 1, wide=True),
        Concat(-1, 2, 1, wide=True),
    ],
)
def test_numbers_out_of_range_are_not_built(concat: Concat) -> None:
    with pytest.raises(ValueError, match=r"part|reference"):
        build(concat)


@pytest.mark.parametrize(
    ("octets", "concat"),
    [
        ("0b0504158a00000003070201", Concat(7, 2, 1, wide=False)),  # ports before
        ("0b00030702010504158a0000", Concat(7, 2, 1, wide=False)),  # ports behind
        ("0d7000240101080400070201" + "6000", Concat(7, 2, 1, wide=True)),  # between others, empty ones too
        ("0400020702", None),  # IE 00 of a wrong length
        ("0508030702ff", None),
        ("050003070200", None),  # part 0
        ("050003070203", None),  # part 3 of 2
        ("050003070000", None),  # of none
        ("0a00030702010003080202", Concat(8, 2, 2, wide=False)),  # twice: the last one
        ("0a00030702010003080200", Concat(7, 2, 1, wide=False)),  # the last good one
        ("06050415b30000", None),
        ("00", None),
    ],
)
def test_a_concatenation_is_found_among_other_elements(octets: str, concat: Concat | None) -> None:
    header = bytes.fromhex(octets)
    assert header[0] == len(header) - 1
    assert parse(header).concat == concat


def test_elements_are_kept_in_order() -> None:
    assert parse(bytes.fromhex("0b0504158a00000003070201") + b"x") == Header(
        12,
        (Element(5, b"\x15\x8a\x00\x00"), Element(0, b"\x07\x02\x01")),
        Concat(7, 2, 1, wide=False),
    )


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "05",
        "ff000307020100",
        "0100",  # an identifier without length
        "0500ff070201",  # an element longer than the header
        "06000307020100",  # a single octet left over
    ],
)
def test_lengths_that_lie_are_a_decode_error(octets: str) -> None:
    with pytest.raises(DecodeError):
        parse(bytes.fromhex(octets))


@given(st.binary(max_size=60))
def test_octets_of_any_kind_give_a_header_or_decode_error(octets: bytes) -> None:
    try:
        header = parse(octets)
    except DecodeError:
        return
    assert header.octets == 1 + octets[0] <= len(octets)
    assert sum(2 + len(element.data) for element in header.elements) == octets[0]


@given(
    others=st.lists(st.tuples(st.integers(0x20, 0x7F), st.binary(max_size=6)), max_size=6),
    at=st.integers(0, 6),
    total=st.integers(1, 255),
    data=st.data(),
    wide=st.booleans(),
)
def test_a_concatenation_at_any_place_comes_back(
    others: list[tuple[int, bytes]], at: int, total: int, data: st.DataObject, wide: bool
) -> None:
    reference = data.draw(st.integers(0, 0xFFFF if wide else 0xFF))
    concat = Concat(reference, total, data.draw(st.integers(1, total)), wide)
    elements = [bytes((identifier, len(octets))) + octets for identifier, octets in others]
    elements.insert(at, build(concat)[1:])
    body = b"".join(elements)
    assert parse(bytes((len(body),)) + body + b"rest").concat == concat


def test_application_ports_are_read_in_both_widths() -> None:
    assert parse(bytes.fromhex("06 0504 0b84 23f0")).ports == Ports(2948, 9200)
    assert parse(bytes.fromhex("04 0402 e4f0")).ports == Ports(228, 240)
    assert parse(bytes.fromhex("05 0003 070201")).ports is None
    assert parse(bytes.fromhex("05 0503 0b8423")).ports is None  # a length that they cannot have


def test_shift_tables_are_read_wherever_they_stand() -> None:
    assert parse(bytes.fromhex("0b 240101 0003070201 250103")).shift == Shift(locking=3, single=1)
    assert parse(bytes.fromhex("06 240101 240102")).shift == Shift(single=2)  # the last one wins
    assert parse(bytes.fromhex("02 2400")).shift == Shift()
    assert parse(bytes.fromhex("05 0003 070201")).shift == Shift()


@pytest.mark.parametrize(
    ("concat", "shift", "header"),
    [
        (None, Shift(), ""),
        (None, Shift(single=2), "03 240102"),
        (None, Shift(locking=1), "03 250101"),
        (Concat(7, 2, 1, wide=False), Shift(1, 2), "0b 0003070201 240102 250101"),
        (Concat(7, 2, 1, wide=True), Shift(single=13), "09 080400070201 24010d"),
    ],
)
def test_headers_with_shift_tables(concat: Concat | None, shift: Shift, header: str) -> None:
    assert build(concat, shift) == bytes.fromhex(header)
    if header:
        parsed = parse(build(concat, shift))
        assert (parsed.concat, parsed.shift) == (concat, shift)


@pytest.mark.parametrize(
    ("header", "plain", "rest"),
    [
        ("0500034e0201", True, ""),
        ("0b05040b8423f000034e0201", False, "0605040b8423f0"),
        ("09080412340302240102", True, "03240102"),
        ("0401028001", False, "0401028001"),
    ],
)
def test_what_a_header_has_beside_the_concatenation(header: str, plain: bool, rest: str) -> None:
    parsed = parse(bytes.fromhex(header))
    assert (parsed.plain, parsed.without_concat.hex()) == (plain, rest)
