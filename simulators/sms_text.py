"""Text as a handset sees it: octets to characters and back, and the header that ties parts together.

Sources: 3GPP TS 23.038 section 6.2.1 (alphabet), TS 23.040 section 9.2.3.24 (user data header), SMPP 3.4
section 5.2.19 (data_coding). GSM text is one septet per octet, as SMPP carries it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
ESCAPE = 0x1B
_ENCODE = {character: bytes([septet]) for septet, character in enumerate(GSM) if septet != ESCAPE} | {
    character: bytes([ESCAPE, septet]) for septet, character in EXTENSION.items()
}
_PLAIN = {octet: GSM[octet] if octet < 0x80 else "\ufffd" for octet in range(256)}

CODINGS = {"gsm": 0, "ia5": 1, "latin1": 3, "binary": 4, "ucs2": 8}
SAR_REFERENCE, SAR_TOTAL, SAR_PART = 0x020C, 0x020E, 0x020F


def encode(text: str, data_coding: int) -> bytes:
    """Binary "text" is hexadecimal. Raises UnicodeError, also for a data_coding without a known alphabet."""
    match data_coding:
        case 0:
            try:
                return b"".join(_ENCODE[character] for character in text)
            except KeyError as missing:
                raise UnicodeError(f"{missing} is not in the GSM alphabet") from None
        case 1:
            return text.encode("ascii")
        case 2 | 4:
            try:
                return bytes.fromhex(text)
            except ValueError as error:
                raise UnicodeError(f"not hexadecimal: {error}") from None
        case 3:
            return text.encode("latin-1")
        case 8:
            return text.encode("utf-16-be", "surrogatepass")
    raise UnicodeError(f"no alphabet is known for data_coding {data_coding}")


def choose(text: str) -> int:
    """data_coding 0 when every character is in the GSM alphabet, else 8."""
    return 0 if all(character in _ENCODE for character in text) else 8


def decode(data: bytes, data_coding: int) -> str:
    """Never fails: what has no character becomes U+FFFD; binary comes back as Latin-1, octet for octet."""
    if data_coding >= 0xF0:  # GSM message class: bit 2 says 8-bit data
        data_coding = 4 if data_coding & 0x04 else 0
    match data_coding:
        case 1 | 2 | 3 | 4:
            return data.decode("latin-1")
        case 8:
            return data.decode("utf-16-be", "replace")
    if ESCAPE not in data:
        return data.decode("latin-1").translate(_PLAIN)
    characters, escaped = [], False
    for octet in data:
        if octet == ESCAPE and not escaped:
            escaped = True
            continue
        plain = GSM[octet] if octet < 0x80 else "\ufffd"
        characters.append(EXTENSION.get(octet, plain) if escaped else plain)
        escaped = False
    return "".join(characters)


def split(text: str, data_coding: int, reference: int) -> list[bytes]:
    """User data of each part; more than one part carries 05 00 03 reference total part in front.

    Never cuts an escape or a surrogate pair. Raises UnicodeError, and ValueError beyond 255 parts.
    """
    data = encode(text, data_coding)
    whole, each = (160, 153) if data_coding == 0 else (140, 134)
    if len(data) <= whole:
        return [data]
    pieces = []
    while data:
        end = min(each, len(data))
        if end < len(data) and data_coding == 0 and _ends_in_escape(data[:end]):
            end -= 1
        if end < len(data) and data_coding == 8 and 0xD8 <= data[end - 2] <= 0xDB:
            end -= 2
        pieces.append(data[:end])
        data = data[end:]
    if len(pieces) > 255:
        raise ValueError(f"{len(pieces)} parts; a message has 255 at most")
    return [bytes([5, 0, 3, reference, len(pieces), n]) + piece for n, piece in enumerate(pieces, 1)]


def _ends_in_escape(data: bytes) -> bool:
    return data.endswith(b"\x1b")  # an escape is never itself escaped in what encode() makes


@dataclass(frozen=True, slots=True)
class Part:
    """One segment's user data without its header; `key` is None for a message that is whole by itself."""

    data: bytes
    number: int = 1
    total: int = 1
    key: tuple[str, int] | None = None


def take_apart(data: bytes, *, udhi: bool, tlvs: Mapping[int, bytes]) -> Part:
    """Find the concatenation in the header (8- or 16-bit reference) or the SAR TLVs. Never fails."""
    found: tuple[str, int, int, int] | None = None
    if udhi and data and len(data) > data[0]:
        header, data = data[1 : data[0] + 1], data[data[0] + 1 :]
        while len(header) >= 2:
            element, length = header[0], header[1]
            value, header = header[2 : 2 + length], header[2 + length :]
            if element == 0x00 and len(value) == 3:
                found = ("udh8", value[0], value[1], value[2])
            elif element == 0x08 and len(value) == 4:
                found = ("udh16", int.from_bytes(value[:2], "big"), value[2], value[3])
    elif SAR_REFERENCE in tlvs and SAR_TOTAL in tlvs and SAR_PART in tlvs:
        reference, total, number = (
            int.from_bytes(tlvs[tag], "big") for tag in (SAR_REFERENCE, SAR_TOTAL, SAR_PART)
        )
        found = ("sar", reference, total, number)
    if found is None:
        return Part(data)
    kind, reference, total, number = found
    if not 1 <= number <= total:  # TS 23.040: such a header is ignored
        return Part(data)
    return Part(data, number, total, (kind, reference) if total > 1 else None)


class Handsets:
    """All the phones behind the SMSC: joins parts until a whole message can be shown."""

    LIMIT = 10_000  # unfinished messages; the oldest goes first

    def __init__(self) -> None:
        self._unfinished: dict[tuple[str, str, str, int, int], dict[int, bytes]] = {}

    def receive(self, source: str, destination: str, part: Part, data_coding: int) -> str | None:
        """The text once the last missing part is here, else None."""
        if part.key is None:
            return decode(part.data, data_coding)
        key = (source, destination, *part.key, part.total)
        parts = self._unfinished.setdefault(key, {})
        parts[part.number] = part.data
        if len(parts) == part.total:
            del self._unfinished[key]
            # joined before decoding: some senders cut escapes and surrogate pairs
            return decode(b"".join(parts[number] for number in sorted(parts)), data_coding)
        if len(self._unfinished) > self.LIMIT:
            del self._unfinished[next(iter(self._unfinished))]
        return None
