import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.sms_text import (
    EXTENSION,
    GSM,
    SAR_PART,
    SAR_REFERENCE,
    SAR_TOTAL,
    Handsets,
    Part,
    choose,
    decode,
    encode,
    split,
    take_apart,
)

GSM_TEXT = st.text(st.sampled_from(GSM.replace("\x1b", "") + "".join(EXTENSION.values())), max_size=700)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


@pytest.mark.parametrize(
    ("text", "data_coding", "octets"),
    [
        ("@£Δ", 0, "00 01 10"),  # @ is septet 0: no string here ends at a NUL
        ("€[", 0, "1b 65 1b 3c"),
        ("§à", 0, "5f 7f"),
        ("hi", 1, "68 69"),
        ("é", 3, "e9"),
        ("я🍕", 8, "04 4f d8 3c df 55"),
    ],
)
def test_octets_of_each_alphabet(text: str, data_coding: int, octets: str) -> None:
    assert encode(text, data_coding) == bytes.fromhex(octets)
    assert decode(bytes.fromhex(octets), data_coding) == text


def test_the_alphabet_has_128_places() -> None:
    assert (len(GSM), len(set(GSM))) == (128, 128)


def test_binary_goes_in_as_hexadecimal_and_comes_out_octet_for_octet() -> None:
    assert encode("00ff", 4) == b"\x00\xff"
    assert decode(b"\x00\xff", 4) == decode(b"\x00\xff", 0xF5) == "\x00\xff"


def test_what_has_no_place_in_the_alphabet_is_refused() -> None:
    for text, data_coding in [("я", 0), ("é", 1), ("я", 3), ("xyz", 4), ("x", 13)]:
        with pytest.raises(UnicodeError):
            encode(text, data_coding)


@given(st.binary(max_size=200), st.integers(0, 255))
def test_decode_never_fails(data: bytes, data_coding: int) -> None:
    decode(data, data_coding)


@given(GSM_TEXT)
def test_gsm_parts_come_together_again_and_each_reads_alone(text: str) -> None:
    assert choose(text) == 0
    pieces = split(text, 0, 7)
    assert all(len(piece) <= 160 for piece in pieces)
    parts = [take_apart(piece, udhi=len(pieces) > 1, tlvs={}) for piece in pieces]
    assert "".join(decode(part.data, 0) for part in parts) == text
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))


@given(ANY_TEXT)
def test_ucs2_parts_never_cut_a_surrogate_pair(text: str) -> None:
    pieces = split(text, 8, 255)
    assert all(len(piece) <= 140 for piece in pieces)
    parts = [take_apart(piece, udhi=len(pieces) > 1, tlvs={}) for piece in pieces]
    assert "".join(part.data.decode("utf-16-be") for part in parts) == text


def test_a_text_beyond_255_parts_is_refused() -> None:
    assert len(split("x" * 153 * 255, 0, 1)) == 255
    with pytest.raises(ValueError, match="256 parts"):
        split("x" * (153 * 255 + 1), 0, 1)


@pytest.mark.parametrize(
    ("octets", "part"),
    [
        ("050003 2a 03 02 41", Part(b"A", 2, 3, ("udh8", 0x2A))),
        ("060804 012a 03 02 41", Part(b"A", 2, 3, ("udh16", 0x12A))),
        ("09 0003070201 0102aabb 41", Part(b"A", 1, 2, ("udh8", 7))),
        ("0b 0504 15b3 0000 0003070201 41", Part(b"A", 1, 2, ("udh8", 7))),
        ("050003 2a 03 04 41", Part(b"A")),  # part 4 of 3
        ("050003 2a 03 00 41", Part(b"A")),
        ("050003 2a 01 01 41", Part(b"A", 1, 1, None)),
        ("ff0003 2a 03 02 41", Part(bytes.fromhex("ff00032a030241"))),  # longer than the message
        ("", Part(b"")),
    ],
)
def test_the_header_says_which_part_it_is(octets: str, part: Part) -> None:
    assert take_apart(bytes.fromhex(octets), udhi=True, tlvs={}) == part


def test_sar_tlvs_say_which_part_it_is() -> None:
    tlvs = {SAR_REFERENCE: b"\x01\x02", SAR_TOTAL: b"\x02", SAR_PART: b"\x01"}
    assert take_apart(b"A", udhi=False, tlvs=tlvs) == Part(b"A", 1, 2, ("sar", 258))
    del tlvs[SAR_PART]
    assert take_apart(b"A", udhi=False, tlvs=tlvs) == Part(b"A")


@given(st.binary(max_size=60))
def test_no_header_is_too_strange(data: bytes) -> None:
    take_apart(data, udhi=True, tlvs={})


@given(st.permutations([1, 2, 3]))
def test_parts_join_in_any_order_and_by_sender(order: list[int]) -> None:
    handsets = Handsets()
    shown = []
    for number in order:
        for source in ("1", "2"):
            part = Part(f"{source}{number} ".encode(), number, 3, ("udh8", 9))
            shown.append(handsets.receive(source, "447700900123", part, 0))
    assert shown == [None] * 4 + ["11 12 13 ", "21 22 23 "]
    assert handsets.receive("1", "447700900123", Part(b"A", 1, 3, ("udh8", 9)), 0) is None
