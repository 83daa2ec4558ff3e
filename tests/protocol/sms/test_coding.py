"""data_coding values one by one, and octets that are not what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sms.coding import Binary, Coding, Text, choose, classify, decode, is_text, ucs2
from gateway.protocol.sms.national import Language, Shift


@pytest.mark.parametrize(
    ("data_coding", "coding", "message_class"),
    [
        # SMPP 3.4 section 5.2.19
        (0x00, Coding.GSM, None),
        (0x01, Coding.ASCII, None),
        (0x02, Coding.BINARY, None),
        (0x03, Coding.LATIN1, None),
        (0x04, Coding.BINARY, None),
        (0x05, Coding.BINARY, None),
        (0x06, Coding.CYRILLIC, None),
        (0x07, Coding.HEBREW, None),
        (0x08, Coding.UCS2, None),
        (0x09, Coding.BINARY, None),
        (0x0A, Coding.ISO_2022_JP, None),
        (0x0B, Coding.GSM, None),
        (0x0C, Coding.GSM, None),
        (0x0D, Coding.BINARY, None),
        (0x0E, Coding.KSC5601, None),
        (0x0F, Coding.GSM, None),
        # TS 23.038 section 4: general groups, with and without class, compressed, automatic deletion
        (0x10, Coding.GSM, 0),
        (0x11, Coding.GSM, 1),
        (0x12, Coding.GSM, 2),
        (0x13, Coding.GSM, 3),
        (0x14, Coding.BINARY, 0),
        (0x17, Coding.BINARY, 3),
        (0x18, Coding.UCS2, 0),
        (0x19, Coding.UCS2, 1),
        (0x1C, Coding.GSM, 0),
        (0x20, Coding.BINARY, None),
        (0x28, Coding.BINARY, None),
        (0x31, Coding.BINARY, 1),
        (0x40, Coding.GSM, None),
        (0x43, Coding.GSM, None),
        (0x44, Coding.BINARY, None),
        (0x48, Coding.UCS2, None),
        (0x50, Coding.GSM, 0),
        (0x59, Coding.UCS2, 1),
        (0x60, Coding.BINARY, None),
        # reserved
        (0x80, Coding.GSM, None),
        (0xBF, Coding.GSM, None),
        # message waiting
        (0xC0, Coding.GSM, None),
        (0xC8, Coding.GSM, None),
        (0xD1, Coding.GSM, None),
        (0xE0, Coding.UCS2, None),
        (0xE8, Coding.UCS2, None),
        # data coding and message class
        (0xF0, Coding.GSM, 0),
        (0xF1, Coding.GSM, 1),
        (0xF2, Coding.GSM, 2),
        (0xF3, Coding.GSM, 3),
        (0xF4, Coding.BINARY, 0),
        (0xF5, Coding.BINARY, 1),
        (0xF7, Coding.BINARY, 3),
    ],
)
def test_data_coding_names_alphabet_and_class(
    data_coding: int, coding: Coding, message_class: int | None
) -> None:
    assert classify(data_coding) == (coding, message_class)


@pytest.mark.parametrize(
    ("octets", "data_coding", "expected"),
    [
        (b"a\x00\x1be", 0x00, Text("a@€")),
        (b"a@[", 0x01, Text("a@[")),
        (b"caf\xe9", 0x03, Text("café")),
        (b"\x00\xff", 0x04, Binary(b"\x00\xff")),
        (b"\x04\x1f\xd8\x3d\xde\x00", 0x08, Text("П\U0001f600")),
        (b"\xbf\xe0", 0x06, Text("Пр")),
        (b"\xf9\xec", 0x07, Text("של")),
        (b"\xc7\xd1", 0x0E, Text("한")),
        (b"\x1b$B4A\x1b(B", 0x0A, Text("漢")),
        (b"\x00", 0x10, Text("@", 0)),
        (b"\x00\x41", 0x18, Text("A", 0)),
        (b"\x00", 0xF1, Text("@", 1)),
        (b"\x00", 0xF5, Binary(b"\x00", 1)),
        (b"", 0x08, Text("")),
    ],
)
def test_octets_are_read_by_their_data_coding(
    octets: bytes, data_coding: int, expected: Text | Binary
) -> None:
    assert decode(octets, data_coding) == expected


@pytest.mark.parametrize(
    ("octets", "data_coding", "text"),
    [
        (b"\x00A\x00", 0x08, "A\ufffd"),  # odd length
        (b"\xd8\x3d", 0x08, "\ufffd"),  # high surrogate at the end
        (b"\xd8\x3d\x00A", 0x08, "\ufffdA"),
        (b"\xde\x00\x00A", 0x08, "\ufffdA"),  # low surrogate alone
        (b"A\xe9", 0x01, "A\ufffd"),
        (b"A\xe9", 0x00, "A\ufffd"),
    ],
)
def test_ill_formed_text_is_shown_and_marked(octets: bytes, data_coding: int, text: str) -> None:
    assert decode(octets, data_coding) == Text(text, faulty=True)


@pytest.mark.parametrize(
    ("alphabet", "text"),
    [
        (Coding.GSM, "¡$\ufffd"),
        (Coding.LATIN1, "@\x02é"),
        (Coding.ASCII, "@\x02\ufffd"),
        (Coding.UCS2, "䀂\ufffd"),
    ],
)
def test_the_default_alphabet_is_the_smscs_choice(alphabet: Coding, text: str) -> None:
    result = decode(b"@\x02\xe9", 0x00, alphabet)
    assert isinstance(result, Text)
    assert result.text == text
    assert decode(b"@\x02\xe9", 0xF1, alphabet) == Text(text, 1, result.faulty)


@pytest.mark.parametrize(
    ("data_coding", "text"),
    [(0x00, "şeker"), (0x01, "şeker"), (0x03, "\x1bseker"), (0xF0, "şeker"), (0x04, b"\x1bseker")],
)
def test_national_tables_are_about_the_7_bit_alphabet_however_it_is_announced(
    data_coding: int, text: str | bytes
) -> None:
    read = decode(b"\x1bseker", data_coding, Coding.LATIN1, Shift(0, Language.TURKISH))
    assert (read.text if isinstance(read, Text) else read.octets) == text


def test_the_default_alphabet_does_not_touch_other_codings() -> None:
    assert decode(b"\x00A", 0x08, Coding.LATIN1) == Text("A")
    assert decode(b"\xe9", 0x03, Coding.ASCII) == Text("é")


@pytest.mark.parametrize(
    ("text", "coding"),
    [
        ("", Coding.GSM),
        ("Grüße [€]", Coding.GSM),
        ("`", Coding.UCS2),
        ("ç", Coding.UCS2),
        ("Привет", Coding.UCS2),
    ],
)
def test_gsm_is_chosen_where_everything_fits(text: str, coding: Coding) -> None:
    assert choose(text) is coding


def test_a_replacement_character_that_was_sent_is_no_fault() -> None:
    assert decode(b"\xff\xfd", 0x08) == Text("\ufffd")


def test_single_surrogates_in_a_str_are_paired_or_replaced() -> None:
    assert ucs2("\ud83d\ude00") == b"\xd8\x3d\xde\x00"
    assert ucs2("a\ud83d") == b"\x00a\xff\xfd"


@given(st.text().filter(lambda text: text[:1] != "\ufffe"))  # which is no character, but a mark
def test_ucs2_comes_back(text: str) -> None:
    assert decode(ucs2(text), 0x08) == Text(text)


@given(
    st.binary(max_size=160),
    st.integers(0, 255),
    st.sampled_from([c for c in Coding if c is not Coding.BINARY]),
)
def test_octets_of_any_kind_give_a_value(octets: bytes, data_coding: int, alphabet: Coding) -> None:
    result = decode(octets, data_coding, alphabet)
    if isinstance(result, Binary):
        assert result.octets == octets
    else:
        result.text.encode()  # no lone surrogate came through


@pytest.mark.parametrize(
    ("data_coding", "text"),
    [
        *((octet, True) for octet in (0x00, 0x01, 0x03, 0x08, 0x0E, 0x10, 0x13, 0x18, 0x1B, 0xF0, 0xF3)),
        *((octet, False) for octet in (0x02, 0x04, 0x0B, 0x14, 0x1C, 0x20, 0x30, 0x40, 0x80)),
        *((octet, False) for octet in (0xC0, 0xD8, 0xE0, 0xF4, 0xF8)),
    ],
)
def test_only_what_is_text_and_nothing_more_may_go_on_in_another_alphabet(
    data_coding: int, text: bool
) -> None:
    assert is_text(data_coding) is text


def test_ucs2_the_other_way_round_is_read_where_a_mark_says_so() -> None:
    assert decode("STOP Ж😀".encode("utf-16"), 8) == Text("STOP Ж😀")  # little endian with its mark
    assert decode(b"\xff\xfe\x41", 8) == Text("\ufffd", faulty=True)
    assert decode(b"\xfe\xff\x00S\x00T\x00O\x00P", 8) == Text("STOP")
    assert decode("Ж".encode("utf-16-be"), 8) == Text("Ж")
