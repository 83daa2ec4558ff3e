"""National language tables: words written by hand from the standard's tables, and what holds for all of them.

All 128 codes of all 27 tables were compared with two other readings of the standard (of its releases 16 and
18).  They differ from ours in these places, where ours follows the order of the Unicode block or the other
reading: Kannada locking 24 (0CA1; both print 0CAA, which is at 3D), Tamil and Telugu locking 11 (void; one
prints 0B91 and 0C11, which are no characters), Tamil single 24 (0BEE; the standard is reported to print 0BEF
twice), Oriya single 20 and Telugu single 1C (0B6A, 0C66; one prints 0BEA, 0CE6), and 2C of the Asian locking
tables (a comma; one lost it to its file format), and Telugu single 65 (the euro sign, as in all the others).
`test_the_tables_are_those_that_were_compared` holds them to that.
"""

import hashlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sms.coding import Text
from gateway.protocol.sms.coding import decode as read
from gateway.protocol.sms.gsm import NotGsm
from gateway.protocol.sms.national import LOCKING, SINGLE, Language, Shift, decode, encode, shifts
from gateway.protocol.sms.reassembly import Payload, join, user_data

BOTH = [language for language in Language if language in LOCKING]

WORDS = [
    (Shift(Language.TURKISH), "İstanbul", "4073 74616e62756c"),
    (Shift(Language.TURKISH), "ığdır şeker", "070c640772 20 1d656b6572"),
    (Shift(Language.TURKISH), "€", "04"),
    (Shift(0, Language.TURKISH), "İğneş ç", "1b49 1b67 6e65 1b73 20 1b63"),
    (Shift(0, Language.SPANISH), "adiós Úá", "61 64 69 1b6f 73 20 1b55 1b61"),
    (Shift(Language.PORTUGUESE), "não ação ∞", "6e7b6f 20 61097b6f 20 15"),
    (Shift(0, Language.PORTUGUESE), "não ação", "6e 1b7b 6f 20 61 1b09 1b7b 6f"),
    (Shift(Language.BENGALI, Language.BENGALI), "বাংলা ০৺", "4050014650 20 1b19 1b34"),
    (Shift(Language.GUJARATI, Language.GUJARATI), "ગુજરાતી ૦", "17531d44502752 20 1b1c"),
    (Shift(Language.HINDI, Language.HINDI), "नमस्ते।A१", "2f424c5f2759 1b19 1b41 1b1d"),
    (Shift(Language.KANNADA, Language.KANNADA), "ಕನ್ನಡ ೯", "152f5f2f24 20 1b25"),
    (Shift(Language.MALAYALAM, Language.MALAYALAM), "മലയാളം ൿ", "424643504701 20 1b34"),
    (Shift(Language.ORIYA, Language.ORIYA), "ଓଡ\u0b3cିଆ ୱ", "13244e5104 20 1b2c"),
    (Shift(Language.PUNJABI, Language.PUNJABI), "ਪੰਜਾਬੀ ੧", "3d7b1d504052 20 1b1d"),
    (Shift(Language.TAMIL, Language.TAMIL), "தமிழ் ௳", "274251485f 20 1b26"),
    (Shift(Language.TELUGU, Language.TELUGU), "తెలుగు ౦", "275846531753 20 1b1c"),
    (Shift(Language.URDU, Language.URDU), "اردو ۱۔؟", "00251a53 20 1b1d 1b3f 1b33"),
]


@pytest.mark.parametrize(("shift", "text", "octets"), WORDS, ids=[text for _, text, _ in WORDS])
def test_words_of_each_language(shift: Shift, text: str, octets: str) -> None:
    assert encode(text, shift) == bytes.fromhex(octets)
    assert decode(bytes.fromhex(octets), shift) == text


def test_the_tables_are_those_that_were_compared() -> None:
    cells = [f"{language:d}:{table!r}" for language, table in sorted(LOCKING.items())]
    cells += [f"{language:d}:{sorted(table.items())!r}" for language, table in sorted(SINGLE.items())]
    assert (
        hashlib.sha256("\n".join(cells).encode()).hexdigest()
        == "270bc053f465eafe60364a4f7630e475c93d0b70671d0217b07fcbf61a024426"
    )


@pytest.mark.parametrize("language", Language)
def test_each_language_has_a_single_shift_table(language: Language) -> None:
    table = SINGLE[language]
    # what the default extension has stays where it is in all of them
    assert table.items() >= SINGLE[Language.DEFAULT].items()
    assert 0x0D not in table and 0x1B not in table  # reserved: a control character, a further extension


def test_spanish_has_no_locking_shift_table() -> None:
    assert set(Language) - set(LOCKING) == {Language.SPANISH}
    assert decode(b"\x40", Shift(Language.SPANISH)) == "¡"  # as the default table


@pytest.mark.parametrize("language", BOTH)
def test_locking_tables_keep_digits_letters_and_the_controls_in_place(language: Language) -> None:
    table = LOCKING[language]
    assert len(table) == 128
    assert (table[0x0A], table[0x0D], table[0x1B], table[0x20]) == ("\n", "\r", "\x1b", " ")
    assert table[0x30:0x3A] == "0123456789"
    assert table[0x61:0x7B] == "abcdefghijklmnopqrstuvwxyz"
    there = table.replace("\0", "")
    assert len(set(there)) == len(there)
    assert all(unicodedata.category(char) != "Cn" for char in there)


@pytest.mark.parametrize(
    ("language", "void"),
    [
        (Language.TURKISH, ""),
        (Language.PORTUGUESE, ""),
        (Language.BENGALI, "0c 0e 11 12 3c 45 47 48 49 57 58 5b 5c"),
        (Language.GUJARATI, "0e 12 3c 45 48 58 5c"),
        (Language.HINDI, ""),
        (Language.KANNADA, "00 0c 11 3c 48 57 5b"),
        (Language.MALAYALAM, "00 0c 11 3c 4e 57 5b"),
        (Language.ORIYA, "0c 0e 11 12 3c 45 48 57 58 5b 5c"),
        (Language.PUNJABI, "09 0b 0c 0e 11 12 3c 45 48 4b 4f 55 56 57 58 5b 5c"),
        (Language.TAMIL, "00 09 0b 0c 11 16 17 18 1c 1e 23 24 25 2a 2b 2d 3e 40 41 4e 4f 55 56 57 5b"),
        (Language.TELUGU, "0c 11 3c 48 4e 57 5b"),
        (Language.URDU, ""),
    ],
)
def test_void_codes_show_as_replacement(language: Language, void: str) -> None:
    codes = bytes.fromhex(void)
    assert bytes(code for code, char in enumerate(LOCKING[language]) if char == "\0") == codes
    assert decode(codes, Shift(language)) == "\ufffd" * len(codes)
    assert read(b"a\xff", 0, shift=Shift(language)) == Text("a\ufffd", faulty=True)


def test_escapes_without_entry_give_the_locking_tables_character() -> None:
    hindi = Shift(Language.HINDI, Language.HINDI)
    assert decode(bytes.fromhex("1b70 1b1b 1b0d"), hindi) == "p \r"
    assert decode(b"\x42\x1b", hindi) == "म "
    assert decode(bytes.fromhex("1b42"), Shift(Language.HINDI)) == "म"  # the default extension has no 42
    assert decode(bytes.fromhex("1b65"), Shift(Language.HINDI)) == "€"


def test_identifiers_that_nobody_has_assigned_mean_the_default_tables() -> None:
    assert decode(bytes.fromhex("00 1b3c"), Shift(14, 255)) == "@["
    assert encode("@[", Shift(200, 201)) == bytes.fromhex("00 1b3c")


def test_a_character_that_no_table_has_is_named_with_its_place() -> None:
    with pytest.raises(NotGsm) as refusal:
        encode("şЖ", Shift(Language.TURKISH))
    assert (refusal.value.char, refusal.value.position) == ("Ж", 1)
    with pytest.raises(NotGsm):
        encode("\0", Shift(Language.TAMIL))
    with pytest.raises(NotGsm):
        encode("\x1b", Shift(Language.TAMIL))


@given(
    octets=st.binary(max_size=40), locking=st.integers(0, 255) | st.integers(0, 13), single=st.integers(0, 13)
)
def test_any_octets_are_read_and_what_is_read_can_be_written(
    octets: bytes, locking: int, single: int
) -> None:
    text = decode(octets, Shift(locking, single))
    assert len(text) <= len(octets)
    if "\ufffd" not in text:
        assert decode(encode(text, Shift(locking, single)), Shift(locking, single)) == text


@given(language=st.sampled_from(BOTH), data=st.data())
def test_text_of_a_language_comes_back(language: Language, data: st.DataObject) -> None:
    characters = set(LOCKING[language]) | set(SINGLE[language].values())
    text = data.draw(st.text(alphabet=sorted(characters - {"\0", "\x1b"})))
    shift = Shift(language, language)
    assert decode(encode(text, shift), shift) == text


def test_the_header_of_each_part_says_how_that_part_is_read() -> None:
    """A peer that shifts in its second part only, with the parts' octets otherwise alike."""
    first = user_data(True, bytes.fromhex("050003070201 40"))
    second = user_data(True, bytes.fromhex("0b 000307020224 0101 250101 40"))
    assert first.header and second.header
    payloads = [Payload(data.octets, 0, header=data.header) for data in (first, second)]
    assert join(payloads) == Text("¡İ")


def test_an_escape_straddling_two_shifted_parts_is_read_as_one() -> None:
    parts = [bytes.fromhex("080003070201 240102 611b"), bytes.fromhex("080003070202 240102 61")]
    read_parts = [user_data(True, part) for part in parts]
    assert join([Payload(part.octets, 0, header=part.header) for part in read_parts]) == Text("aá")


@pytest.mark.parametrize(
    ("octets", "data_coding", "expected"),
    [
        ("03 240102 1b61", 0x00, "á"),
        ("03 250101 40", 0x00, "İ"),
        ("03 250101 40", 0xF1, "İ"),
        ("06 240101 250103 1b67 09", 0x00, "ğç"),
        ("03 240163 1b65", 0x00, "€"),
        ("04 24020102 1b61", 0x00, "a"),  # a table's identifier is one octet
        ("03 250101 0040", 0x08, "@"),  # tables are about the 7 bit alphabet
        ("03 250101 c4", 0x03, "Ä"),
    ],
)
def test_a_message_in_one_part_is_read_with_its_headers_tables(
    octets: str, data_coding: int, expected: str
) -> None:
    data = user_data(True, bytes.fromhex(octets))
    assert data.decode(data_coding) == Text(expected, 1 if data_coding == 0xF1 else None)


def test_the_ways_to_send_are_single_then_locking_then_both() -> None:
    assert shifts([]) == []
    assert shifts([Language.SPANISH]) == [Shift(0, 2)]
    assert shifts([Language.TURKISH]) == [Shift(0, 1), Shift(1, 0), Shift(1, 1)]
