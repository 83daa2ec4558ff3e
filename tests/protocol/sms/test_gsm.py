"""The default alphabet and its extension: TS 23.038 table by table, and whatever octets may come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sms import gsm

# TS 23.038 section 6.2.1, column by column: each string is the column's sixteen rows.
COLUMNS = [
    "@£$¥èéùìòÇ\nØø\rÅå",
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ",
    " !\"#¤%&'()*+,-./",
    "0123456789:;<=>?",
    "¡ABCDEFGHIJKLMNO",
    "PQRSTUVWXYZÄÖÑÜ§",
    "¿abcdefghijklmno",
    "pqrstuvwxyzäöñüà",
]
TABLE = [
    (char, bytes((column << 4 | row,)))
    for column, chars in enumerate(COLUMNS)
    for row, char in enumerate(chars)
    if char != "\x1b"
]
EXTENSION = [
    ("\f", b"\x1b\x0a"),
    ("^", b"\x1b\x14"),
    ("{", b"\x1b\x28"),
    ("}", b"\x1b\x29"),
    ("\\", b"\x1b\x2f"),
    ("[", b"\x1b\x3c"),
    ("~", b"\x1b\x3d"),
    ("]", b"\x1b\x3e"),
    ("|", b"\x1b\x40"),
    ("€", b"\x1b\x65"),
]
gsm_text = st.text(alphabet=[char for char, _ in TABLE + EXTENSION], max_size=400)


def test_the_table_has_127_characters() -> None:
    assert len(TABLE) == len({char for char, _ in TABLE}) == 127


@pytest.mark.parametrize(("char", "octets"), TABLE + EXTENSION)
def test_each_character_both_ways(char: str, octets: bytes) -> None:
    assert gsm.encode(char) == octets
    assert gsm.decode(octets) == char
    assert gsm.fits(char)
    assert gsm.septets(char) == len(octets)


def test_the_at_sign_is_a_nul_octet_and_ends_nothing() -> None:
    assert gsm.encode("a@b@") == b"a\x00b\x00"
    assert gsm.decode(b"\x00a\x00b\x00") == "@a@b@"


def test_characters_outside_the_alphabet_are_named_with_their_place() -> None:
    for text, char, position in (
        ("aé€ç", "ç", 3),
        ("Hi \U0001f600!", "\U0001f600", 3),
        ("`", "`", 0),
        ("a\x1b", "\x1b", 1),
    ):
        assert not gsm.fits(text)
        with pytest.raises(gsm.NotGsm) as caught:
            gsm.encode(text)
        assert (caught.value.char, caught.value.position) == (char, position)
        assert repr(char) in str(caught.value)


def test_every_character_of_the_basic_plane_fits_or_is_refused() -> None:
    known = {char for char, _ in TABLE + EXTENSION}
    assert {char for char in map(chr, range(0x10000)) if gsm.fits(char)} == known


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\x1bA", "A"),  # no extension character there: the default table's
        (b"\x1b\x00", "@"),
        (b"\x1b\x0d", "\r"),
        (b"\x1b\x1b", " "),  # reserved for a further table: a space
        (b"\x1b\x1be", " e"),
        (b"a\x1b", "a "),
        (b"\x1b", " "),
        (b"\x80\xff", "\ufffd\ufffd"),
        (b"\x1b\xe5", "\ufffd"),
        (b"", ""),
    ],
)
def test_octets_without_meaning_read_as_the_standard_says(octets: bytes, text: str) -> None:
    assert gsm.decode(octets) == text


@given(gsm_text)
def test_what_is_encoded_is_read_back(text: str) -> None:
    octets = gsm.encode(text)
    assert gsm.decode(octets) == text
    assert gsm.septets(text) == len(octets)
    assert max(octets, default=0) < 0x80


@given(st.binary(max_size=300))
def test_octets_of_any_kind_give_text(octets: bytes) -> None:
    assert len(gsm.decode(octets)) <= len(octets)


@given(st.text())
def test_fits_says_whether_encode_succeeds(text: str) -> None:
    if gsm.fits(text):
        assert gsm.decode(gsm.encode(text)) == text
    else:
        with pytest.raises(gsm.NotGsm):
            gsm.encode(text)


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        ("", ""),
        ("@", "00"),
        ("hellohello", "e8329bfd4697d9ec37"),
        ("1234567", "31d98c56b3dd00"),
        ("12345678", "31d98c56b3dd70"),
        ("€", "9b32"),
    ],
)
def test_packed_octets_both_ways(text: str, packed: str) -> None:
    septets = gsm.encode(text)
    assert gsm.pack(septets).hex() == packed
    assert gsm.unpack(bytes.fromhex(packed), len(septets)) == septets


def test_a_fill_bit_brings_text_behind_a_header_to_a_septet_boundary() -> None:
    # 6 octets of header are 48 bits.  One fill bit makes 49, as if seven septets had gone before.
    header = bytes.fromhex("0500034e0201")
    packed = header + gsm.pack(b"Hello", fill_bits=1)
    assert packed[6] == ord("H") << 1
    assert gsm.unpack(packed, 12)[7:] == b"Hello"


@given(st.binary(max_size=200).map(lambda octets: bytes(octet & 0x7F for octet in octets)), st.integers(0, 6))
def test_packing_comes_back_whatever_the_fill_bits(septets: bytes, fill_bits: int) -> None:
    packed = gsm.pack(septets, fill_bits)
    assert len(packed) == ((len(septets) * 7 + fill_bits + 7) // 8 if septets else 0)
    assert gsm.unpack(packed, len(septets), fill_bits) == septets


@given(st.binary(max_size=200), st.integers(-5, 400), st.integers(0, 6))
def test_unpacking_never_gives_more_than_is_there(octets: bytes, count: int, fill_bits: int) -> None:
    septets = gsm.unpack(octets, count, fill_bits)
    assert len(septets) <= max(0, min(count, len(octets) * 8 // 7))
    assert all(septet < 0x80 for septet in septets)


def test_an_octet_that_is_no_septet_cannot_be_packed() -> None:
    with pytest.raises(ValueError, match="no septet"):
        gsm.pack(b"a\x80")


@pytest.mark.parametrize(
    ("septets", "fill_bits", "octets"),
    [
        (b"", 0, ""),
        (b"hellohello", 0, "e8329bfd4697d9ec37"),  # TS 23.038 section 6.1.2.1
        (b"abcdefg", 0, "61f1985c369f1b"),  # seven bits left over: a carriage return
        (b"abcdefgh", 0, "61f1985c369fd1"),
        (b"abcdefg\r", 0, "61f1985c369f1b0d"),  # its own carriage return would be taken for one: twice
        (b"abcdef\r", 0, "61f1985c36371a"),
        (b"abcdefg\r", 1, None),
        (b"abcdefgh\r", 6, None),
        (b"abcdefgh", 1, None),
        (b"abc", 6, None),
    ],
)
def test_packed_septets_without_their_number_come_back(
    septets: bytes, fill_bits: int, octets: str | None
) -> None:
    packed = gsm.pack_filled(septets, fill_bits)
    assert octets is None or packed == bytes.fromhex(octets)
    assert gsm.unpack_filled(packed, fill_bits) == septets


def test_a_full_part_ends_in_an_at_sign_or_a_fill_and_in_no_carriage_return() -> None:
    for septets, read in ((b"a" * 159 + b"\0", b"a" * 159 + b"\0"), (b"a" * 159 + b"\r", b"a" * 159)):
        assert gsm.unpack_full(gsm.pack(septets)) == read
    assert gsm.unpack_full(gsm.pack_filled(b"b" * 152, 1), 1) == b"b" * 152


@pytest.mark.parametrize(
    ("septets", "header_octets", "ends"),
    [
        (b"a" * 200, 6, 153),
        (b"a" * 152 + b"\x1b" + b"e" * 50, 6, 151),  # 152 would leave seven bits over
        (b"a" * 150 + b"\x1be\x1b" + b"e" * 50, 6, 150),
        (b"a" * 152 + b"\r" + b"b" * 50, 6, 151),  # the last of an octet: it would be taken for a fill
        (b"a" * 151 + b"\x1b" + b"e" * 50, 7, 150),
        (b"a" * 159 + b"\x1b" + b"e" * 50, 0, 158),
        (b"a" * 152 + b"\x1b" + b"e" * 50, None, 152),
        (b"a" * 152 + b"\r" + b"b" * 50, None, 153),
        (b"\x1b" * 400, 6, 153),
    ],
)
def test_a_piece_ends_where_nobody_reads_it_longer_or_shorter(
    septets: bytes, header_octets: int | None, ends: int
) -> None:
    size = {None: 153, 0: 160, 6: 153, 7: 152}[header_octets]
    first, *others = gsm.cut(septets, size, header_octets)
    assert len(first) == ends
    assert first + b"".join(others) == septets


def test_zeros_in_the_last_seven_bits_are_no_at_sign() -> None:
    assert gsm.unpack_filled(gsm.pack(b"abcdefg")) == b"abcdefg"
    assert gsm.unpack_filled(gsm.pack(b"abc\0")) == b"abc\0"


@pytest.mark.parametrize(
    ("header_octets", "fill_bits"), [(0, 0), (1, 6), (4, 3), (6, 1), (7, 0), (8, 6), (12, 2)]
)
def test_septets_begin_on_a_boundary_after_a_header(header_octets: int, fill_bits: int) -> None:
    assert gsm.fill_bits(header_octets) == fill_bits
    assert (8 * header_octets + fill_bits) % 7 == 0
