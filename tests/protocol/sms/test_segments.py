"""Where texts are cut: at the standard's sizes, and never inside a character."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sms import gsm, udh
from gateway.protocol.sms.coding import Binary, Coding, Text, decode
from gateway.protocol.sms.national import Language, Shift
from gateway.protocol.sms.reassembly import Payload, join, user_data
from gateway.protocol.sms.segments import LongMethod, Segment, TooManySegments, count, split

UDH8, UDH16, SAR, PAYLOAD = LongMethod
METHODS = st.sampled_from(LongMethod)
SMILE = "\U0001f600"


@pytest.mark.parametrize("method", list(LongMethod))
@pytest.mark.parametrize(
    ("text", "coding", "octets"),
    [
        ("", Coding.GSM, 0),
        ("a" * 160, Coding.GSM, 160),
        ("€" * 80, Coding.GSM, 160),
        ("Ж" * 70, Coding.UCS2, 140),
        (SMILE * 35, Coding.UCS2, 140),
    ],
)
def test_what_fits_alone_is_one_plain_segment(
    method: LongMethod, text: str, coding: Coding, octets: int
) -> None:
    (segment,) = split(text, reference=7, method=method)
    assert segment == Segment(segment.octets, coding)
    assert len(segment.octets) == octets
    assert (segment.part, segment.total, segment.udhi, segment.sar, segment.payload) == (
        1,
        1,
        False,
        False,
        False,
    )
    assert count(text, method) == (coding, 1)


@pytest.mark.parametrize(
    ("method", "text", "lengths"),
    [
        (UDH8, "a" * 161, [153, 8]),
        (UDH8, "a" * 306, [153, 153]),
        (UDH8, "a" * 307, [153, 153, 1]),
        (UDH16, "a" * 305, [152, 152, 1]),
        (SAR, "a" * 321, [160, 160, 1]),
        (UDH8, "Ж" * 71, [134, 8]),
        (UDH8, "Ж" * 135, [134, 134, 2]),
        (UDH16, "Ж" * 133, [132, 132, 2]),
        (SAR, "Ж" * 141, [140, 140, 2]),
        # an escape pair or a surrogate pair that would be cut moves on whole
        (UDH8, "a" * 152 + "€" + "a" * 10, [152, 12]),
        (UDH8, "a" * 151 + "€" + "a" * 10, [153, 10]),
        (UDH16, "a" * 151 + "€" + "a" * 10, [151, 12]),
        (SAR, "a" * 159 + "€", [159, 2]),
        (UDH8, "Ж" * 66 + SMILE + "Ж" * 5, [132, 14]),
        (UDH8, "Ж" * 65 + SMILE + "Ж" * 5, [134, 10]),
        (UDH16, "Ж" * 65 + SMILE + "Ж" * 5, [130, 14]),
        (SAR, "Ж" * 69 + SMILE, [138, 4]),
        (UDH8, "€" * 81, [152, 10]),
        (UDH8, SMILE * 36, [132, 12]),
    ],
)
def test_long_texts_are_cut_at_the_standards_sizes(method: LongMethod, text: str, lengths: list[int]) -> None:
    segments = split(text, reference=1, method=method)
    header = {UDH8: 6, UDH16: 7, SAR: 0}[method]
    assert [len(segment.octets) - header for segment in segments] == lengths
    assert count(text, method) == (segments[0].data_coding, len(lengths))


def test_segments_carry_what_their_method_needs() -> None:
    text = "a" * 200
    assert split(text, reference=0x1FE, method=UDH8) == [
        Segment(b"\x05\x00\x03\xfe\x02\x01" + b"a" * 153, Coding.GSM, 1, 2, 0xFE, udhi=True),
        Segment(b"\x05\x00\x03\xfe\x02\x02" + b"a" * 47, Coding.GSM, 2, 2, 0xFE, udhi=True),
    ]
    assert split(text, reference=0x11234, method=UDH16) == [
        Segment(b"\x06\x08\x04\x12\x34\x02\x01" + b"a" * 152, Coding.GSM, 1, 2, 0x1234, udhi=True),
        Segment(b"\x06\x08\x04\x12\x34\x02\x02" + b"a" * 48, Coding.GSM, 2, 2, 0x1234, udhi=True),
    ]
    assert split(text, reference=0x11234, method=SAR) == [
        Segment(b"a" * 160, Coding.GSM, 1, 2, 0x1234, sar=True),
        Segment(b"a" * 40, Coding.GSM, 2, 2, 0x1234, sar=True),
    ]
    assert split(text, reference=1, method=PAYLOAD) == [Segment(b"a" * 200, Coding.GSM, payload=True)]


@pytest.mark.parametrize("method", list(LongMethod))
@pytest.mark.parametrize("char", ["a", "Ж"])
def test_255_segments_pass_and_256_do_not(method: LongMethod, char: str) -> None:
    sizes = {UDH8: (153, 67), UDH16: (152, 66), SAR: (160, 70), PAYLOAD: (153, 67)}
    most = 255 * sizes[method][char == "Ж"]
    segments = split(char * most, reference=1, method=method)
    assert len(segments) == (1 if method is PAYLOAD else 255)
    assert len(segments[0].octets) <= 0xFFFF
    with pytest.raises(TooManySegments) as caught:
        split(char * (most + 1), reference=1, method=method)
    assert caught.value.segments == 256
    assert count(char * (most + 1), method)[1] == 256


def test_one_character_outside_the_alphabet_makes_all_of_it_ucs2() -> None:
    assert count("a" * 160) == (Coding.GSM, 1)
    assert count("a" * 159 + "`") == (Coding.UCS2, 3)


@given(
    st.text(
        alphabet=st.sampled_from("ab€[Ж" + SMILE)
        | st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe"),
        max_size=700,
    ),
    METHODS,
)
def test_no_segment_is_too_long_and_each_reads_on_its_own(text: str, method: LongMethod) -> None:
    segments = split(text, reference=5, method=method)
    texts = []
    for number, segment in enumerate(segments, 1):
        assert (segment.part, segment.total) == (number, len(segments))
        octets = segment.octets
        if segment.udhi:
            header = udh.parse(octets)
            assert header.concat == udh.Concat(5, len(segments), number, method is UDH16)
            octets = octets[header.octets :]
        bits = (
            (8 * (len(segment.octets) - len(octets)) + 6) // 7 * 7 if segment.data_coding is Coding.GSM else 0
        )
        if segment.payload:
            assert len(octets) > 140
        elif segment.data_coding is Coding.GSM:
            assert bits + 7 * len(octets) <= 1120
        else:
            assert len(segment.octets) <= 140
        read = decode(octets, segment.data_coding)
        assert isinstance(read, Text)
        assert not read.faulty or "\ufffd" in text
        texts.append(read.text)
    assert "".join(texts) == text
    assert (segments[0].data_coding is Coding.GSM) == gsm.fits(text)


def test_a_lone_surrogate_goes_out_as_the_replacement_character() -> None:
    (segment,) = split("Ж\ud83d", reference=1, method=UDH8)
    assert segment.octets == b"\x04\x16\xff\xfd"


def sent(text: str, method: LongMethod = UDH8, **style: Any) -> list[Segment]:
    return split(text, reference=7, method=method, **style)


def received(segments: list[Segment], default_alphabet: Coding) -> Text | Binary:
    parts = [(user_data(one.udhi, one.octets), one.data_coding) for one in segments]
    return join([Payload(data.octets, coding, None, data.header) for data, coding in parts], default_alphabet)


@pytest.mark.parametrize(
    ("alphabet", "text", "octets", "data_coding"),
    [
        (Coding.LATIN1, "@ é [ ê", b"@ \xe9 [ \xea", 0),
        (Coding.LATIN1, "5 €", "5 €".encode("utf-16-be"), 8),
        (Coding.ASCII, "@ [ `", b"@ [ `", 0),
        (Coding.ASCII, "é", "é".encode("utf-16-be"), 8),
        (Coding.UTF8, "@ é € Ж", "@ é € Ж".encode(), 0),
        (Coding.UTF8, "\ud800", b"\xff\xfd", 8),
        (Coding.PACKED, "hellohello", bytes.fromhex("e8329bfd4697d9ec37"), 0),  # TS 23.038 section 6.1.2.1
        (Coding.PACKED, "A234567", bytes.fromhex("41d9 8c56b3dd1a"), 0),  # a carriage return fills up
        (Coding.PACKED, "Ж", b"\x04\x16", 8),
    ],
)
def test_the_default_alphabet_is_the_smscs(
    alphabet: Coding, text: str, octets: bytes, data_coding: int
) -> None:
    (segment,) = sent(text, alphabet=alphabet)
    assert segment == Segment(octets, data_coding)
    assert count(text, UDH8, alphabet) == (Coding(data_coding), 1)


@pytest.mark.parametrize(
    ("alphabet", "text", "lengths"),
    [
        # counted in septets, as it will be on air, although an octet each here
        (Coding.LATIN1, "a" * 160, [160]),
        (Coding.LATIN1, "[" * 81, [76, 5]),
        (Coding.LATIN1, "é" * 161, [153, 8]),
        # what GSM lacks may go on air as it is
        (Coding.LATIN1, "ê" * 141, [134, 7]),
        (Coding.UTF8, "é" * 127, [254]),
        (Coding.UTF8, "é" * 128, [248, 8]),  # short_message takes no more
        (Coding.UTF8, "Ж" * 70, [140]),
        (Coding.UTF8, "Ж" * 71, [134, 8]),
        (Coding.UTF8, SMILE * 36, [132, 12]),
        (Coding.PACKED, "a" * 160, [140]),
        (Coding.PACKED, "a" * 161, [134, 8]),
    ],
)
def test_other_alphabets_are_cut_to_what_fits_on_air(alphabet: Coding, text: str, lengths: list[int]) -> None:
    segments = sent(text, alphabet=alphabet)
    assert [len(one.octets) - (6 if one.udhi else 0) for one in segments] == lengths
    assert all(len(one.octets) <= 254 for one in segments)
    assert received(segments, alphabet) == Text(text)


@given(
    text=st.text(alphabet=st.sampled_from("ab@[é\rê€Ж" + SMILE), max_size=400),
    alphabet=st.sampled_from([Coding.GSM, Coding.LATIN1, Coding.ASCII, Coding.UTF8, Coding.PACKED]),
    method=st.sampled_from([UDH8, UDH16, SAR]),
)
def test_text_in_any_default_alphabet_comes_back(text: str, alphabet: Coding, method: LongMethod) -> None:
    segments = sent(text, method, alphabet=alphabet)
    read = received(segments, alphabet)
    assert isinstance(read, Text)
    full = len(segments[-1].octets) == 140
    if alphabet is Coding.PACKED and (text.endswith("@") or (full and text.endswith("\r"))):
        assert read.text in (text, text[:-1])  # nothing tells it from a fill
    else:
        assert read == Text(text)
    assert count(text, method, alphabet)[1] == len(segments)


@pytest.mark.parametrize("method", list(LongMethod))
@pytest.mark.parametrize("text", ["abc€", "€", "{}ab\r\nc", "a\r"])
def test_packed_parts_come_back_wherever_they_are_cut(text: str, method: LongMethod) -> None:
    for length in range(1, 500):
        whole = (text * length)[:length] + "."
        segments = sent(whole, method, alphabet=Coding.PACKED)
        assert received(segments, Coding.PACKED) == Text(whole)
        assert segments[0].payload or max(len(segment.octets) for segment in segments) <= 140


def test_a_full_packed_text_that_ends_in_a_carriage_return_stays_one_segment() -> None:
    (alone,) = sent("a" * 159 + "\r", alphabet=Coding.PACKED)
    assert alone.octets == gsm.pack(b"a" * 159 + b"\r")


def test_a_packed_part_begins_on_a_septet_boundary_after_its_header() -> None:
    first, second = sent("a" * 153 + "b" * 7 + "c", alphabet=Coding.PACKED)
    assert first.octets[:8] == bytes.fromhex("050003070201 c2e1")  # one fill bit, then 'a's
    assert second.octets == bytes.fromhex("050003070202") + gsm.pack(b"b" * 7 + b"c\r", 1)


@pytest.mark.parametrize(
    ("text", "message_class", "group_f", "data_coding"),
    [
        ("a", 0, False, 0x10),
        ("Ж", 0, False, 0x18),
        ("a", 0, True, 0xF0),
        ("Ж", 0, True, 0x18),  # group F has no UCS-2
        ("a", 1, True, 0xF1),
        ("a", 3, False, 0x13),
    ],
)
def test_flash_and_the_other_classes(text: str, message_class: int, group_f: bool, data_coding: int) -> None:
    (segment,) = sent(text, message_class=message_class, group_f=group_f)
    assert segment.data_coding == data_coding
    assert decode(segment.octets, data_coding) == Text(text, message_class)
    assert {one.data_coding for one in sent(text * 200, message_class=message_class, group_f=group_f)} == {
        data_coding
    }


def test_an_impossible_class_is_the_callers_error() -> None:
    with pytest.raises(ValueError, match="class 4"):
        sent("a", message_class=4)


def test_a_carriers_own_data_codings() -> None:
    mapping = {Coding.GSM: 0xF1, Coding.UCS2: 0x19}
    assert [one.data_coding for one in sent("a" * 161, data_codings=mapping)] == [0xF1, 0xF1]
    assert sent("Ж", data_codings=mapping)[0].data_coding == 0x19
    assert sent("a", data_codings=mapping, message_class=0)[0].data_coding == 0x10  # the class says more


@pytest.mark.parametrize(
    ("method", "text", "languages", "shift", "lengths"),
    [
        # UCS-2 does as well, and every handset knows it
        (UDH8, "ş" * 70, [Language.TURKISH], Shift(), [140]),
        (UDH8, "ş" + "a" * 153, [Language.TURKISH], Shift(single=1), [4 + 155]),
        (UDH8, "ş" * 152, [Language.TURKISH], Shift(locking=1), [4 + 152]),
        (UDH8, "ş" + "a" * 155, [Language.TURKISH], Shift(single=1), [9 + 149, 9 + 8]),
        (UDH8, "ğ" * 153 + "€" * 8, [Language.TURKISH], Shift(locking=1), [9 + 149, 9 + 12]),
        (UDH16, "ş" + "a" * 200, [Language.SPANISH, Language.TURKISH], Shift(single=1), [10 + 148, 10 + 54]),
        # an escape pair is not cut here either
        (UDH8, "a" * 148 + "ş" + "a" * 8, [Language.TURKISH], Shift(single=1), [9 + 148, 9 + 10]),
        (UDH8, "नमस्ते।" * 21, [Language.HINDI], Shift(6, 6), [12 + 146, 12 + 22]),
        # three segments either way
        (UDH16, "á" * 160, [Language.SPANISH], Shift(), [139, 139, 63]),
        (SAR, "ş" + "a" * 153, [Language.TURKISH], Shift(single=1), [4 + 155]),
        # their parts have no room for a header
        (SAR, "ş" + "a" * 200, [Language.TURKISH], Shift(), [140, 140, 122]),
        (PAYLOAD, "ş" + "a" * 200, [Language.TURKISH], Shift(), [402]),
        # no table has it
        (UDH8, "Ж" + "a" * 100, [Language.TURKISH], Shift(), [140, 74]),
    ],
)
def test_national_tables_where_they_save_segments(
    method: LongMethod, text: str, languages: list[Language], shift: Shift, lengths: list[int]
) -> None:
    segments = sent(text, method, languages=languages)
    assert [len(one.octets) for one in segments] == lengths
    assert {udh.parse(one.octets).shift if one.udhi else Shift() for one in segments} == {shift}
    assert {one.data_coding for one in segments} == {0 if shift != Shift() else 8}
    assert received(segments, Coding.GSM) == Text(text)
    assert count(text, method, languages=languages)[1] == (3 if method is PAYLOAD else len(segments))


def test_national_tables_are_asked_for() -> None:
    assert sent("ş" * 152)[0].data_coding == 8


@given(
    text=st.text(alphabet=st.sampled_from("abşığİ€[Ж" + SMILE), max_size=400),
    method=METHODS,
    languages=st.lists(st.sampled_from(Language), max_size=3),
)
def test_national_tables_never_cost_more_than_ucs2(
    text: str, method: LongMethod, languages: list[Language]
) -> None:
    segments = sent(text, method, languages=languages)
    assert received(segments, Coding.GSM) == Text(text)
    assert len(segments) <= len(sent(text, method))
    for one in segments:
        if one.udhi and one.data_coding == Coding.GSM:
            header = udh.parse(one.octets).octets
            assert header * 8 + 7 * (len(one.octets) - header) <= 1120
