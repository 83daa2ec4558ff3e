"""Where texts are cut: at the standard's sizes, and never inside a character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sms import gsm, udh
from gateway.protocol.sms.coding import Coding, Text, decode
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
        alphabet=st.sampled_from("ab€[Ж" + SMILE) | st.characters(exclude_categories=["Cs"]), max_size=700
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
