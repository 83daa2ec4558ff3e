"""Texts as carriers get and bring them: what goes out is read here, and what comes in is written, by the
standards' tables and bits alone (3GPP TS 23.038, 23.040; smpplib's GSM table)."""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from smpplib import consts, gsm

from tests.peers.hostile import pdu, short_message, tlv
from tests.peers.processes import KEY, Daemon, until
from tests.peers.settings import bind
from tests.peers.smpplib_smsc import Smsc

pytestmark = pytest.mark.e2e

DELIVER, DATA = 0x00000005, 0x00000103
MESSAGE_PAYLOAD = 0x0424
SAR = (0x020C, 0x020E, 0x020F)  # reference, total, part
CUSTOMERS = (f"4477003{n:05}" for n in itertools.count())
SMILE = "\U0001f600"

KINDS = {
    "udh8": "",
    "udh16": 'long_messages = "udh16"',
    "sar": 'long_messages = "sar"',
    "payload": 'long_messages = "payload"',
    "packed": 'default_alphabet = "gsm-packed"',
    "packed-sar": 'default_alphabet = "gsm-packed"\nlong_messages = "sar"',
    "latin1": 'default_alphabet = "latin1"',
    "utf8": 'default_alphabet = "utf8"',
    "turkish": 'national_languages = ["turkish"]',
    "flash": "message_class = 0",
    "plain": "transliterate = true",
    "by-text": "receipt_by_text = true",
}
NUMBERS = {name: str(23_400 + n) for n, name in enumerate(KINDS)}
SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = {list(NUMBERS.values())}
"""

DEFAULT = gsm.GSM_CHARACTER_TABLE[:128]
EXTENSION = {code: char for code, char in enumerate(gsm.GSM_CHARACTER_TABLE[128:]) if char != "`"}
# annex A.2.1 and A.3.1: what Turkish has elsewhere
TURKISH = dict(zip((0x47, 0x49, 0x53, 0x63, 0x67, 0x69, 0x73), "ĞİŞçğış", strict=True))
LOCKED = dict(zip((0x04, 0x07, 0x0B, 0x0C, 0x1C, 0x1D, 0x40, 0x60), "€ıĞğŞşİç", strict=True))


class Sent(NamedTuple):
    """A submit_sm: its header's elements, the octets behind it, data_coding, and parameters."""

    elements: dict[int, bytes]
    octets: bytes
    data_coding: int
    tlvs: dict[int, bytes]
    header_octets: int

    @property
    def place(self) -> tuple[int, int, int]:
        """Reference, total, part."""
        if 0x00 in self.elements:
            reference, total, part = self.elements[0x00]
        elif 0x08 in self.elements:
            reference, total, part = struct.unpack(">HBB", self.elements[0x08])
        elif SAR[0] in self.tlvs:
            reference, total, part = (int.from_bytes(self.tlvs[tag], "big") for tag in SAR)
        else:
            reference, total, part = 0, 1, 1
        return reference, total, part


def read(frame: bytes) -> Sent:
    """SMPP 3.4 section 4.4.1."""
    at = 16

    def string() -> bytes:
        nonlocal at
        end = frame.index(0, at)
        at, start = end + 1, at
        return frame[start:end]

    def octets(count: int) -> bytes:
        nonlocal at
        at += count
        return frame[at - count : at]

    string(), octets(2), string(), octets(2), string()
    esm_class = octets(3)[0]
    string(), string()
    _, _, data_coding, _, length = octets(5)
    text, tlvs = octets(length), {}
    while at < len(frame):
        tag, size = struct.unpack(">HH", octets(4))
        tlvs[tag] = octets(size)
    text = text or tlvs.get(MESSAGE_PAYLOAD, b"")
    elements, header = {}, 0
    if esm_class & 0x40:
        header, place = 1 + text[0], 1
        while place < header:
            size = text[place + 1]
            elements[text[place]] = text[place + 2 : place + 2 + size]
            place += 2 + size
    return Sent(elements, text[header:], data_coding, tlvs, header)


def septets(sent: Sent, last: bool) -> bytes:
    """Packed ones: a carriage return at an octet's end in the last part fills it."""
    fill = -8 * sent.header_octets % 7
    bits = "".join(f"{octet:08b}"[::-1] for octet in sent.octets)[fill:]
    found = [bits[at : at + 7][::-1] for at in range(0, len(bits) - 6, 7)]
    values = bytes(int(septet, 2) for septet in found)
    return values[:-1] if last and len(bits) == 7 * len(values) and values[-1:] == b"\r" else values


def characters(
    octets: bytes, single: dict[int, str] = EXTENSION, locked: dict[int, str] | None = None
) -> str:
    text, escaped = "", False
    for octet in octets:
        assert octet < 128, octets
        if escaped or octet != 0x1B:
            table = EXTENSION | single if escaped else dict(enumerate(DEFAULT)) | (locked or {})
            text += table[octet]
        escaped = octet == 0x1B and not escaped
    assert not escaped
    return text


class Site:
    def __init__(self, daemon: Daemon, smscs: dict[str, Smsc]) -> None:
        self.daemon, self.smscs = daemon, smscs
        self.sequences = itertools.count(1)

    def sent(self, kind: str, text: str, count: int) -> list[Sent]:
        """What the carrier gets of a text, in the order of its parts, which came in that order."""
        to = next(CUSTOMERS)
        self.daemon.send(to=f"+{to}", sender=NUMBERS[kind], text=text)
        self.smscs[kind].submit(to, count)
        parts = [read(frame) for frame in self.smscs[kind].raw if to.encode() in frame]
        assert [part.place[1:] for part in parts] == [(count, n) for n in range(1, count + 1)]
        assert len({part.place[0] for part in parts}) == len({part.data_coding for part in parts}) == 1
        return parts

    def bring(self, kind: str, bodies: Sequence[bytes], command: int = DELIVER) -> None:
        """All at once, as so many requests."""
        first = next(self.sequences)
        numbers = [first, *[next(self.sequences) for _ in bodies[1:]]]
        frames = [pdu(command, number, body) for number, body in zip(numbers, bodies, strict=True)]
        smsc = self.smscs[kind]
        smsc.connections[-1].sendall(b"".join(frames))
        smsc.wait(lambda: {answer.sequence for answer in smsc.answers} >= set(numbers))
        statuses = {answer.status for answer in smsc.answers if answer.sequence in numbers}
        assert statuses == {consts.SMPP_ESME_ROK}

    def texts(self, customer: str) -> list[str]:
        query = "SELECT text FROM messages WHERE direction = 'mo' AND sender = ? ORDER BY id"
        return [str(text) for (text,) in self.daemon.rows(query, f"+{customer}")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    smscs = {name: Smsc() for name in KINDS}
    settings = "".join(
        bind(name, smscs[name].port, NUMBERS[name], more, "window = 100") for name, more in KINDS.items()
    )
    folder: Path = tmp_path_factory.mktemp("text") / "site"
    try:
        with Daemon(folder, settings, {"shop": SHOP}) as daemon:
            until(lambda: len(daemon.log("bind.up")) == len(KINDS), "all binds are up")
            yield Site(daemon, smscs)
    finally:
        for smsc in smscs.values():
            smsc.close()


# -- what goes out -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "count"),
    [
        ("udh8", "a" * 160, 1),
        ("udh8", "a" * 152 + "€" + "b" * 7, 2),
        ("udh8", "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ^{}\\[~]|€", 1),
        ("udh16", "[" * 153, 3),
        ("sar", "a" * 159 + "€€", 2),
        ("payload", "{" * 200, 1),
        ("flash", "now" * 60, 2),
    ],
)
def test_septets_an_octet_each(site: Site, kind: str, text: str, count: int) -> None:
    parts = site.sent(kind, text, count)
    assert "".join(characters(part.octets) for part in parts) == text
    assert parts[0].data_coding == (0x10 if kind == "flash" else 0)
    assert kind == "payload" or all(len(p.octets) * 7 + p.header_octets * 8 <= 1120 for p in parts)


@pytest.mark.parametrize("kind", ["packed", "packed-sar"])
@pytest.mark.parametrize("end", ["", "€", "\r", "@", "b€", "bb", "\r\n", "a\r", "bbb€", "bbbb"])
def test_packed_septets(site: Site, kind: str, end: str) -> None:
    for text, count in (
        ("abcdef" + end, 1),
        ("abcdefg" + end, 1),
        ("a" * 152 + end + "€" * 50, 2),
        ("a" * 153 + end + "€" * 70, 2),
        ("€" * 76 + "a" + end + "€" * 40, 2),
    ):
        parts = site.sent(kind, text, count)
        read = b"".join(septets(part, last=part is parts[-1]) for part in parts)
        # a carriage return that ends the last octet must be said twice (TS 23.038 section 6.1.2.3.1)
        doubled = text.endswith("\r") and characters(read) == text + "\r"
        assert characters(read)[: -1 if doubled else None] == text
        assert all(part.header_octets + len(part.octets) <= 140 for part in parts)
        assert all(septets(part, last=True) == septets(part, last=False) for part in parts[:-1])


@pytest.mark.parametrize(
    ("kind", "codec", "text", "count", "data_coding"),
    [
        ("latin1", "latin-1", "façade ÿ ¼", 1, 0),
        ("latin1", "latin-1", "ê" * 141, 2, 0),
        ("latin1", "utf-16-be", "10 €", 1, 8),
        ("utf8", "utf-8", "Привет " + SMILE, 1, 0),
        ("udh8", "utf-16-be", "Ж" * 70, 1, 8),
        ("udh8", "utf-16-be", "Ж" * 66 + SMILE + "Ж" * 10, 2, 8),
        ("flash", "utf-16-be", "Ж", 1, 0x18),
        ("udh8", "utf-16-be", "it’s", 1, 8),
    ],
)
def test_texts_in_other_alphabets(
    site: Site, kind: str, codec: str, text: str, count: int, data_coding: int
) -> None:
    parts = site.sent(kind, text, count)
    assert "".join(part.octets.decode(codec) for part in parts) == text
    assert {part.data_coding for part in parts} == {data_coding}


@pytest.mark.parametrize(
    ("text", "count"), [("iyi günler ğ" * 12, 1), ("Şşğ" * 50, 1), ("şeker ığdır İstanbul " * 20, 3)]
)
def test_national_tables_where_they_take_fewer_segments(site: Site, text: str, count: int) -> None:
    parts = site.sent("turkish", text, count)
    assert count < -(-len(text) // 67)
    read = ""
    for part in parts:
        tables = {tag: value for tag, value in part.elements.items() if tag in (0x24, 0x25)}
        assert tables and set(tables.values()) == {b"\1"} and part.data_coding == 0
        single, locked = TURKISH if 0x24 in tables else {}, LOCKED if 0x25 in tables else {}
        read += characters(part.octets, single, locked)
        assert len(part.octets) * 7 + part.header_octets * 8 <= 1120
    assert read == text


def test_typography_is_made_plain_where_the_bind_says_so(site: Site) -> None:
    [part] = site.sent("plain", "“It’s” – 5 €…", 1)
    assert characters(part.octets) == '"It\'s" - 5 €...'


# -- what comes in -------------------------------------------------------------------------------------


def part_of(
    kind: str, customer: str, octets: bytes, place: tuple[int, int, int], how: str, data_coding: int = 0
) -> bytes:
    reference, total, part = place
    header, tlvs = b"", b""
    if how == "udh8":
        header = bytes((5, 0, 3, reference & 0xFF, total, part))
    elif how == "udh16":
        header = bytes((6, 8, 4)) + struct.pack(">HBB", reference, total, part)
    elif how == "others first":  # text formatting, a port, and one that nobody knows
        others = bytes.fromhex("0a03000100700100")
        header = bytes((len(others) + 5,)) + others + bytes((0, 3, reference & 0xFF, total, part))
    else:
        values = (struct.pack(">H", reference), bytes((total,)), bytes((part,)))
        tlvs = b"".join(tlv(tag, value) for tag, value in zip(SAR, values, strict=True))
    return short_message(
        header + octets,
        source=customer.encode(),
        to=NUMBERS[kind].encode(),
        esm_class=0x40 if header else 0,
        data_coding=data_coding,
        tlvs=tlvs,
    )


WIDE = ("Привет " + SMILE) * 30  # its pairs are cut, at 67 units a part
NARROW = "a" * 152 + "€" + "b" * 151 + "[" + "c" * 20  # and its escapes, at 153 septets a part


@pytest.mark.parametrize("how", ["udh8", "udh16", "sar", "others first"])
def test_parts_in_any_order_twice_and_interleaved(site: Site, how: str) -> None:
    customer = next(CUSTOMERS)
    wide = WIDE.encode("utf-16-be")
    narrow = NARROW.replace("€", "\x1be").replace("[", "\x1b<").encode("ascii")
    messages = {
        7: ([wide[at : at + 134] for at in range(0, len(wide), 134)], 8),
        8: ([narrow[at : at + 153] for at in range(0, len(narrow), 153)], 0),
        9: ([b"hi"], 0),
    }
    assert narrow[152:153] == b"\x1b"
    assert any(piece[-2] & 0xFC == 0xD8 for piece in messages[7][0])
    bodies = [
        part_of("udh8", customer, octets, (reference, len(parts), n), how, data_coding)
        for reference, (parts, data_coding) in messages.items()
        for n, octets in enumerate(parts, 1)
    ]
    random.Random(7).shuffle(bodies)
    for body in bodies[:3]:
        site.bring("udh8", [body])
    site.bring("udh8", bodies)  # the first three again
    until(lambda: len(site.texts(customer)) == 3, "the messages are whole")
    assert sorted(site.texts(customer)) == sorted([WIDE, NARROW, "hi"])


def test_packed_parts(site: Site) -> None:
    customer = next(CUSTOMERS)
    text = "a" * 152 + "\r" + "b" * 7  # the carriage return ends the first part and is no fill

    def packed(septets: str, fill: int) -> bytes:
        bits = "0" * fill + "".join(f"{ord(septet):07b}"[::-1] for septet in septets)
        bits += "0" * (-len(bits) % 8)
        return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))

    bodies = [
        part_of("packed", customer, packed(piece, 1), (3, 2, n), "udh8")
        for n, piece in enumerate((text[:153], text[153:]), 1)
    ]
    site.bring("packed", bodies[::-1])
    site.bring("packed", [part_of("packed", customer, packed("seven 7\r", 0), (4, 1, 1), "sar")])
    until(lambda: len(site.texts(customer)) == 2, "both are there")
    assert site.texts(customer) == [text, "seven 7"]


@pytest.mark.parametrize(
    ("octets", "data_coding", "header", "text"),
    [
        (b"1\x1be \0\x1b", 0, "", "1€ @ "),
        (b"\x1b\x67\x1b\x69\x07", 0, "03240101", "ğıì"),
        (b"\x1d\x07\x04", 0, "03250101", "şı€"),
        (b"\x1b\x73", 1, "03240101", "ş"),  # the 7 bit alphabet, called IA5
        ("naïve".encode("latin-1"), 3, "", "naïve"),
        ("Привет".encode("iso8859-5"), 6, "", "Привет"),
        ("שלום".encode("iso8859-8"), 7, "", "שלום"),
        ("Ж".encode("utf-16-be") + b"\x04", 8, "", "Ж\ufffd"),
        (b"flash", 0x10, "", "flash"),
        ("Ж".encode("utf-16-be"), 0x19, "", "Ж"),
        (b"\1\2\3", 4, "", "010203"),
        (b"\1\6", 0xF5, "0605040b8423f0", "port 2948 from 9200: 0106"),
        (b"hi", 0, "0405040b84", "hi"),  # an element that runs past its header: all of it is passed over
    ],
)
def test_a_message_is_read_by_what_it_says(
    site: Site, octets: bytes, data_coding: int, header: str, text: str
) -> None:
    customer = next(CUSTOMERS)
    body = short_message(
        bytes.fromhex(header) + octets,
        source=customer.encode(),
        to=NUMBERS["udh8"].encode(),
        esm_class=0x40 if header else 0,
        data_coding=data_coding,
    )
    site.bring("udh8", [body])
    assert site.texts(customer) == [text]


def test_a_long_text_in_message_payload_of_either_request(site: Site) -> None:
    for command in (DELIVER, DATA):
        customer = next(CUSTOMERS)
        payload = tlv(MESSAGE_PAYLOAD, b"long " * 300)
        body = short_message(b"", source=customer.encode(), to=NUMBERS["sar"].encode(), tlvs=payload)
        if command == DATA:
            ends = b"\0\1\1" + customer.encode() + b"\0\1\1" + NUMBERS["sar"].encode() + b"\0"
            body = ends + b"\0\0\0" + payload
        site.bring("sar", [body], command)
        assert site.texts(customer) == ["long " * 300]


@pytest.mark.parametrize("kind", ["by-text", "udh8"])
def test_a_receipt_by_its_text_alone_is_one_where_the_bind_says_so(site: Site, kind: str) -> None:
    customer = next(CUSTOMERS)
    id = site.daemon.send(to=f"+{customer}", sender=NUMBERS[kind], text="hi")
    [segment] = site.daemon.reaches(id, "sent")["segments"]
    text = f"id:{segment['smsc_id']} sub:001 dlvrd:001 stat:DELIVRD err:000 text:hi"
    site.bring(kind, [short_message(text.encode(), source=customer.encode(), to=NUMBERS[kind].encode())])
    if kind == "by-text":
        site.daemon.reaches(id, "delivered")
        assert site.texts(customer) == []
    else:  # a person may write what looks like one
        assert site.texts(customer) == [text]
        assert site.daemon.message(id)["status"] == "sent"
