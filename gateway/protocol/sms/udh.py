"""User data headers (3GPP TS 23.040 section 9.2.3.24).

The length of the rest, then information elements (IE): identifier, length of its data, data.

    05 00 03 RR TT NN       concatenated, reference 0..255, total parts, this part from 1
    06 08 04 RR RR TT NN    concatenated, reference 0..65535
    04 04 02 DD SS          application ports 0..255, destination and source
    06 05 04 DD DD SS SS    application ports 0..65535
    03 24 01 LL             national language single shift table; 25: locking shift
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.protocol.sms.national import Shift

CONCAT_8BIT: Final = 0x00
PORTS_8BIT: Final = 0x04
PORTS_16BIT: Final = 0x05
CONCAT_16BIT: Final = 0x08
SINGLE_SHIFT: Final = 0x24
LOCKING_SHIFT: Final = 0x25

_CONCATS: Final = frozenset({CONCAT_8BIT, CONCAT_16BIT})
_OF_TEXT: Final = _CONCATS | {SINGLE_SHIFT, LOCKING_SHIFT}


class DecodeError(ValueError):
    """The octets are no user data header: it ends before its own lengths say."""


class Element(NamedTuple):
    """An information element: its identifier (0..255) and its data."""

    identifier: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Concat:
    """Which part of which message this is: `part` 1..`total`, `total` 1..255.

    `wide` means a 16-bit reference: by IE 08, or by sar_msg_ref_num when `sar` is set.
    """

    reference: int
    total: int
    part: int
    wide: bool
    sar: bool = False


class Ports(NamedTuple):
    """The applications a message is between (TS 23.040 sections 9.2.3.24.3, .4); WAP push goes to 2948."""

    destination: int
    source: int


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed header: its length in `octets`, its elements in order, and the concatenation if any."""

    octets: int
    elements: tuple[Element, ...]
    concat: Concat | None

    @property
    def plain(self) -> bool:
        """Nothing in it but a concatenation and national language tables."""
        return all(identifier in _OF_TEXT for identifier, _ in self.elements)

    @property
    def without_concat(self) -> bytes:
        """The header as octets, its length first, with no concatenation; empty if there is nothing else."""
        rest = b"".join(
            bytes((identifier, len(data))) + data
            for identifier, data in self.elements
            if identifier not in _CONCATS
        )
        return bytes((len(rest),)) + rest if rest else b""

    @property
    def shift(self) -> Shift:
        """The national language tables; of an element given twice the last one counts."""
        tables = {identifier: data[0] for identifier, data in self.elements if len(data) == 1}
        return Shift(tables.get(LOCKING_SHIFT, 0), tables.get(SINGLE_SHIFT, 0))

    @property
    def ports(self) -> Ports | None:
        found = None
        for identifier, data in self.elements:
            if identifier == PORTS_8BIT and len(data) == 2:
                found = Ports(data[0], data[1])
            elif identifier == PORTS_16BIT and len(data) == 4:
                found = Ports(int.from_bytes(data[:2], "big"), int.from_bytes(data[2:], "big"))
        return found


def build(concat: Concat | None, shift: Shift = Shift()) -> bytes:  # noqa: B008 (immutable)
    """The header with a concatenation (5 octets, 6 when wide) and shift tables (3 octets each) after its
    length; nothing without either.  Raises ValueError out of range."""
    elements = _concat_element(concat) if concat is not None else b""
    if shift.single:
        elements += bytes((SINGLE_SHIFT, 1, shift.single))
    if shift.locking:
        elements += bytes((LOCKING_SHIFT, 1, shift.locking))
    return bytes((len(elements),)) + elements if elements else b""


def _concat_element(concat: Concat) -> bytes:
    if not 1 <= concat.part <= concat.total <= 255:
        raise ValueError(f"part {concat.part} of {concat.total} is not within 1..255")
    if not 0 <= concat.reference <= (0xFFFF if concat.wide else 0xFF):
        raise ValueError(f"reference {concat.reference} takes more bits than the header has")
    if concat.wide:
        high, low = divmod(concat.reference, 256)
        return bytes((CONCAT_16BIT, 4, high, low, concat.total, concat.part))
    return bytes((CONCAT_8BIT, 3, concat.reference, concat.total, concat.part))


def parse(octets: bytes) -> Header:
    """Read the header at the start of `octets`; what follows it is left alone.

    Elements may come in any order, unknown ones are kept.  A concatenation with an impossible length or
    numbering (total 0, part 0 or beyond the total) counts as absent, the last good one wins
    (TS 23.040 sections 9.2.3.24 and 9.2.3.24.1).  Raises DecodeError, and nothing else.
    """
    if not octets:
        raise DecodeError("no octets where a header should be")
    end = 1 + octets[0]
    if end > len(octets):
        raise DecodeError(f"UDHL says {octets[0]} octets, {len(octets) - 1} are there")
    elements: list[Element] = []
    concat: Concat | None = None
    at = 1
    while at < end:
        if at + 2 > end or (after := at + 2 + octets[at + 1]) > end:
            raise DecodeError(f"the information element at octet {at} runs past the header")
        element = Element(octets[at], octets[at + 2 : after])
        elements.append(element)
        concat = _concat(element) or concat
        at = after
    return Header(end, tuple(elements), concat)


def _concat(element: Element) -> Concat | None:
    identifier, data = element
    if identifier == CONCAT_8BIT and len(data) == 3:
        reference, total, part = data
    elif identifier == CONCAT_16BIT and len(data) == 4:
        high, low, total, part = data
        reference = high << 8 | low
    else:
        return None
    return Concat(reference, total, part, identifier == CONCAT_16BIT) if 1 <= part <= total else None
