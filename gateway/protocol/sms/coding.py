"""data_coding: the alphabet of a message's octets (SMPP 3.4 section 5.2.19, 3GPP TS 23.038 section 4).

    0000 cccc   SMPP's own table: 0 SMSC default, 1 IA5, 2 and 4 octets, 3 Latin-1, 8 UCS-2, ...
    00zm aacc   TS 23.038: z compressed, m class present, aa alphabet (GSM, 8 bit, UCS-2), cc message class
    01zm aacc   the same, marked for automatic deletion
    10xx xxxx   reserved: read as the default alphabet
    1100 xxxx   message waiting, 1101 the same with text: GSM;  1110: UCS-2
    1111 0acc   a: GSM or 8 bit, cc message class

Text is never lost for being ill formed: what cannot be read shows as U+FFFD and the value says `faulty`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from gateway.protocol.sms import gsm, national
from gateway.protocol.sms.national import Shift
from gateway.protocol.sms.udh import Ports


class Coding(IntEnum):
    """An alphabet; its value is the data_coding that announces it."""

    GSM = 0x00
    """GSM 7 bit, unpacked.  On the wire 0 says "SMSC default alphabet", which need not be this one."""
    ASCII = 0x01
    LATIN1 = 0x03
    BINARY = 0x04
    CYRILLIC = 0x06
    """ISO 8859-5."""
    HEBREW = 0x07
    """ISO 8859-8."""
    UCS2 = 0x08
    """UTF-16BE, surrogate pairs included: what handsets send, whatever the standard calls it."""
    ISO_2022_JP = 0x0A
    KSC5601 = 0x0E
    """KS C 5601, as EUC-KR."""
    # No data_coding announces these: they are what an SMSC may mean by its default alphabet.
    PACKED = 0x100
    """GSM 7 bit, packed as on air."""
    UTF8 = 0x101


@dataclass(frozen=True, slots=True)
class Text:
    """Octets read as text: `message_class` 0 (flash) to 3, `faulty` when U+FFFD stands in for some."""

    text: str
    message_class: int | None = None
    faulty: bool = False


@dataclass(frozen=True, slots=True)
class Binary:
    """Octets that no alphabet applies to: 8 bit data, compressed text, pictograms.  `ports` are those of the
    applications that it is between, if its header names any."""

    octets: bytes
    message_class: int | None = None
    ports: Ports | None = None


ALPHABETS: Final[Mapping[str, Coding]] = {
    "gsm": Coding.GSM,
    "gsm-packed": Coding.PACKED,
    "latin1": Coding.LATIN1,
    "ascii": Coding.ASCII,
    "utf8": Coding.UTF8,
}
"""What an SMSC may mean by its default alphabet, as settings call it."""
CODECS: Final[Mapping[Coding, str]] = {
    Coding.UTF8: "utf-8",
    Coding.ASCII: "ascii",
    Coding.LATIN1: "latin-1",
    Coding.CYRILLIC: "iso8859-5",
    Coding.HEBREW: "iso8859-8",
    Coding.UCS2: "utf-16-be",
    Coding.ISO_2022_JP: "iso2022_jp",
    Coding.KSC5601: "euc_kr",
}
# 5 (JIS X 0208) and 13 (extended Kanji) have no agreed form on the wire, 9 is pictograms: octets handed on.
_SMPP_TABLE: Final[Mapping[int, Coding]] = {
    **{int(coding): coding for coding in Coding if coding < 0x100},
    0x02: Coding.BINARY,
    0x05: Coding.BINARY,
    0x09: Coding.BINARY,
    0x0D: Coding.BINARY,
}
_ALPHABET_BITS: Final = (Coding.GSM, Coding.BINARY, Coding.UCS2, Coding.GSM)
# Byte order marks of UCS-2: nobody has typed them
_LITTLE_ENDIAN: Final = b"\xff\xfe"  # in the right order this is no character at all
_BIG_ENDIAN: Final = b"\xfe\xff"


def choose(text: str) -> Coding:
    """GSM where every character fits, otherwise UCS2."""
    return Coding.GSM if gsm.fits(text) else Coding.UCS2


def classify(data_coding: int) -> tuple[Coding, int | None]:
    """The alphabet and the message class (0..3, None without one) that a data_coding octet announces.

    GSM means the SMSC's default alphabet.  Reserved values read as GSM (TS 23.038 section 4).
    """
    group = data_coding >> 4
    if group == 0x0:
        return _SMPP_TABLE.get(data_coding, Coding.GSM), None
    if group <= 0x7:
        message_class = data_coding & 0x03 if data_coding & 0x10 else None
        if data_coding & 0x20:
            return Coding.BINARY, message_class  # compressed (TS 23.042)
        return _ALPHABET_BITS[data_coding >> 2 & 0x03], message_class
    if group == 0xE:
        return Coding.UCS2, None
    if group == 0xF:
        return Coding.BINARY if data_coding & 0x04 else Coding.GSM, data_coding & 0x03
    return Coding.GSM, None


def is_text(data_coding: int) -> bool:
    """Whether a text, its alphabet and its message class are all that the octet tells: the same text may go
    on in another alphabet.  Not so with 8 bit data, compression, message waiting, or what is reserved."""
    coding, message_class = classify(data_coding)
    if coding is Coding.BINARY:
        return False
    if message_class is None:
        return data_coding in _SMPP_TABLE
    return data_coding >> 2 in (0x10 >> 2, 0x18 >> 2, 0xF0 >> 2)


def with_class(coding: Coding, message_class: int, *, group_f: bool = False) -> int:
    """The data_coding of GSM (the default alphabet), BINARY or UCS2 with a message class: 0 (flash) to 3.

    0x10 to 0x1B; `group_f` gives 0xF0 to 0xF7 instead, which UCS-2 has no form in.  Raises ValueError.
    """
    if not 0 <= message_class <= 3:
        raise ValueError(f"there is no message class {message_class}")
    bits = {Coding.GSM: 0x00, Coding.BINARY: 0x04, Coding.UCS2: 0x08}[coding]
    return (0xF0 if group_f and coding is not Coding.UCS2 else 0x10) | bits | message_class


def decode(
    octets: bytes,
    data_coding: int,
    default_alphabet: Coding = Coding.GSM,
    shift: Shift = Shift(),  # noqa: B008 (immutable)
) -> Text | Binary:
    """Read the user data (after any header) of a message.  Never raises.

    `default_alphabet` is what the SMSC means by its default alphabet: GSM, PACKED, ASCII, LATIN1 and UTF8 are
    seen; packed octets are taken to begin on a septet boundary.
    `shift` are the national language tables that the header names; they are about the 7 bit alphabet only.
    Octets in UCS-2 of odd number, and lone surrogates, give U+FFFD each; a byte order mark is no part of the
    text, and says when it is the other way round.
    """
    coding, message_class = classify(data_coding)
    if shift != Shift() and coding in (Coding.GSM, Coding.ASCII):  # some call the 7 bit alphabet IA5
        text = national.decode(octets, shift)
        return Text(text, message_class, gsm.REPLACEMENT in text)
    if coding is Coding.GSM:
        coding = default_alphabet
    if coding is Coding.BINARY:
        return Binary(octets, message_class)
    if coding is Coding.PACKED:
        coding, octets = Coding.GSM, gsm.unpack_filled(octets)
    if coding is Coding.GSM:
        text = gsm.decode(octets)
        return Text(text, message_class, gsm.REPLACEMENT in text)
    codec = CODECS[coding]
    if coding is Coding.UCS2 and octets.startswith((_LITTLE_ENDIAN, _BIG_ENDIAN)):
        codec, octets = "utf-16-le" if octets.startswith(_LITTLE_ENDIAN) else codec, octets[2:]
    try:
        return Text(octets.decode(codec), message_class)
    except UnicodeDecodeError:
        return Text(octets.decode(codec, "replace"), message_class, faulty=True)


def ucs2(text: str) -> bytes:
    """The text in UTF-16BE.  Surrogates that a str holds singly are joined into pairs, else become U+FFFD."""
    try:
        return text.encode("utf-16-be")
    except UnicodeEncodeError:
        return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace").encode("utf-16-be")
