"""A bind's settings for text, each as the octets that it makes of one."""

from typing import Any

import msgspec
import pytest
import smpplib.gsm

from gateway.channels.segmentation import Cutter, raw_segments
from gateway.config.model import Bind
from gateway.protocol.sms.national import Language
from gateway.values.message import Form


def cut(text: str, **settings: Any) -> list[tuple[int, bytes]]:
    bind = Bind(host="a", system_id="gw", **settings)
    return [(one.data_coding, one.octets) for one in Cutter(bind).segments(text, 7)]


def ucs2(text: str) -> bytes:
    return text.encode("utf-16-be")


@pytest.mark.parametrize(
    ("settings", "text", "data_coding", "octets"),
    [
        ({}, "@é", 0x00, b"\x00\x05"),
        ({"default_alphabet": "latin1"}, "@é", 0x00, b"@\xe9"),
        ({"default_alphabet": "latin1"}, "€", 0x08, ucs2("€")),
        ({"default_alphabet": "ascii"}, "@", 0x00, b"@"),
        ({"default_alphabet": "utf8"}, "é", 0x00, b"\xc3\xa9"),
        ({"default_alphabet": "gsm-packed"}, "hellohello", 0x00, bytes.fromhex("e8329bfd4697d9ec37")),
        ({"data_codings": {"default": 0xF1}}, "a", 0xF1, b"a"),
        ({"data_codings": {"default": 0xF1}}, "ć", 0x08, ucs2("ć")),
        ({"data_codings": {"ucs2": 0x18}}, "ć", 0x18, ucs2("ć")),
        ({"message_class": 0}, "a", 0x10, b"a"),
        ({"message_class": 0}, "ć", 0x18, ucs2("ć")),
        ({"message_class": 0, "message_class_group": "0xF0"}, "a", 0xF0, b"a"),
        ({}, "“a”", 0x08, ucs2("“a”")),
        ({"transliterate": True}, "“a”", 0x00, b'"a"'),
        # UCS-2 anyway, in as many segments: the quotes stay
        ({"transliterate": True}, "“ć”", 0x08, ucs2("“ć”")),
        ({"national_languages": ["turkish"]}, "ş", 0x08, ucs2("ş")),
        ({"national_languages": ["turkish"]}, "ş" + "a" * 99, 0x00, b"\x03\x24\x01\x01\x1bs" + b"a" * 99),
    ],
)
def test_settings_decide_on_coding_and_octets(
    settings: dict[str, Any], text: str, data_coding: int, octets: bytes
) -> None:
    assert cut(text, **settings) == [(data_coding, octets)]


def test_transliteration_that_saves_a_segment_is_used_although_the_text_stays_ucs2() -> None:
    text = "ﬃ" + "ć" * 66 + "\u200b\u200b\u200b\u200b\u200b"
    assert len(cut(text)) == 2
    [(_, octets)] = cut(text, transliterate=True)
    assert octets == ucs2("ffi" + "ć" * 66)


@pytest.mark.parametrize(
    ("settings", "text", "number"),
    [
        ({}, "x" * 161, 2),
        ({"long_messages": "sar"}, "x" * 320, 2),
        ({"long_messages": "udh16"}, "x" * 305, 3),
        ({"national_languages": ["turkish"]}, "ş" + "a" * 152, 1),
        ({"transliterate": True}, "’" * 160, 1),
        ({"default_alphabet": "latin1"}, "ê" * 140, 1),
        ({}, "x" * 153 * 256, 256),
    ],
)
def test_segments_are_counted_as_they_are_cut(settings: dict[str, Any], text: str, number: int) -> None:
    cutter = Cutter(Bind(host="a", system_id="gw", **settings))
    assert cutter.count(text) == number
    if number <= 255:
        assert len(cutter.segments(text, 7)) == number


def test_every_language_but_the_default_can_be_set() -> None:
    names = [language.name.lower() for language in Language if language]
    written = [{"host": "a", "system_id": "gw", "national_languages": [name]} for name in names]
    binds = [msgspec.convert(bind, Bind) for bind in written]
    assert [Cutter(bind).segments("a", 7)[0].octets for bind in binds] == [b"a"] * 13


@pytest.mark.parametrize(
    "text",
    ["", "Hello @ £5", "a" * 160, "a" * 161, "b" * 400, "Grüße, 5 €", "Ж" * 70, "Ж" * 71, "ć" * 300, "“a”"],
)
@pytest.mark.parametrize("message_class", [None, 0])
def test_an_independent_encoder_cuts_and_codes_alike(text: str, message_class: int | None) -> None:
    parts, data_coding, esm_class = smpplib.gsm.make_parts(text)
    mine = Cutter(Bind(host="a", system_id="gw", message_class=message_class)).segments(text, 7)
    header = 6 if esm_class else 0
    assert [one.octets[header:] for one in mine] == [part[header:] for part in parts]
    # but for the reference, which is random there
    assert [(one.octets[:3], one.octets[4:header]) for one in mine if one.udhi] == [
        (part[:3], part[4:header]) for part in parts if esm_class
    ]
    assert [one.udhi for one in mine] == [bool(esm_class)] * len(parts)
    if message_class is None:
        assert {one.data_coding for one in mine} == {data_coding}


@pytest.mark.parametrize(
    ("data_coding", "settings", "text", "sent"),
    [
        (0x10, {}, "a", 0x10),
        (0xF0, {}, "a", 0xF0),
        (0xF1, {}, "ć", 0x19),
        (0x18, {}, "a", 0x10),
        (0x00, {"message_class": 1}, "a", 0x11),
        (0x12, {"message_class": 1}, "a", 0x12),
        (0x10, {"message_class_group": "0xF0"}, "a", 0xF0),
    ],
)
def test_a_text_keeps_a_class_of_its_own(
    data_coding: int, settings: dict[str, Any], text: str, sent: int
) -> None:
    bind = Bind(host="a", system_id="gw", **settings)
    [segment] = Cutter(bind).segments(text, 7, Form(data_coding=data_coding))
    assert segment.data_coding == sent


def test_octets_go_as_they_are_and_are_cut_as_the_bind_wants_it() -> None:
    form = Form(raw=True, octets=bytes(200), udh=bytes.fromhex("0605040b8423f0"), data_coding=0xF5)
    bind = Bind(host="a", system_id="gw", long_messages="sar")
    cuts = Cutter(bind).segments("shown", 7, form)
    assert [(cut.data_coding, cut.sar, cut.octets[:7]) for cut in cuts] == [(0xF5, True, form.udh)] * 2


def test_a_single_segment_is_not_touched() -> None:
    form = Form(raw=True, octets=bytes(254), data_coding=0x00, single=True, payload=True, esm_class=0x40)
    bind = Bind(host="a", system_id="gw", default_alphabet="gsm-packed", message_class=1)
    [cut] = Cutter(bind).segments("shown", 7, form)
    assert (cut.octets, cut.data_coding, cut.payload, cut.udhi) == (bytes(254), 0, True, False)


def test_octets_are_counted_with_the_longest_header_that_a_carrier_may_want() -> None:
    assert raw_segments(Form(raw=True, octets=bytes(140), data_coding=4)) == 1
    assert raw_segments(Form(raw=True, octets=bytes(133 * 2), data_coding=4)) == 2
    assert raw_segments(Form(raw=True, octets=bytes(133 * 2 + 1), data_coding=4)) == 3


@pytest.mark.parametrize("header", ["0605040b84", "020500ff", "03050400"])
def test_a_header_that_is_none_cannot_be_counted(header: str) -> None:
    with pytest.raises(ValueError, match=r"octets|header"):
        raw_segments(Form(raw=True, udh=bytes.fromhex(header)))


def test_parts_with_headers_of_their_own_keep_them_if_they_can() -> None:
    sim = b"\x02\x70\x00"
    cutter = Cutter(Bind(host="a", system_id="gw"))
    for sizes, sent in (((100, 50), [108, 56]), ((140, 140), [140, 140, 24])):
        first, second = map(bytes, sizes)
        form = Form(
            raw=True, octets=first + second, udh=sim, parts=((sim, first), (b"", second)), data_coding=0xF6
        )
        assert [len(cut.octets) for cut in cutter.segments("shown", 7, form)] == sent
