"""Identifiers that sort by time: UUID version 7 (RFC 9562 section 5.7)."""

from __future__ import annotations

from collections.abc import Callable

NewId = Callable[[], str]
_HYPHENS = 4  # in a UUID


def uuid7(milliseconds: int, randomness: int) -> str:
    """A UUIDv7 in its 36-character text form, `milliseconds` of Unix time.

    Of `randomness` the lowest 62 bits are rand_b, the 12 from bit 68 on rand_a.
    """
    return uuid7_head(milliseconds) + uuid7_tail(randomness)


def uuid7_head(milliseconds: int) -> str:
    """The characters of all UUIDv7 of one millisecond."""
    return f"{milliseconds >> 16 & 0xFFFFFFFF:08x}-{milliseconds & 0xFFFF:04x}-7"


def uuid7_tail(randomness: int) -> str:
    """Those behind them."""
    variant = 0x8000 | randomness >> 48 & 0x3FFF
    return f"{randomness >> 68 & 0xFFF:03x}-{variant:04x}-{randomness & 0xFFFFFFFFFFFF:012x}"


def first_id(since: float) -> str:
    """Not greater than any id that was made at or after that time (Unix seconds): they begin with its
    milliseconds."""
    made = f"{max(0, int(since * 1000)):012x}"
    return f"{made[:8]}-{made[8:]}"


def part_id(message: str, part: int) -> str:
    """What an account knows a segment as that it has submitted; `part` from 1."""
    return f"{message}-{part}"


def message_of(part_id: str) -> str:
    """The message that such a segment belongs to; "" for what is no such id."""
    message, _, part = part_id.rpartition("-")
    return message if message.count("-") == _HYPHENS and part.isascii() and part.isdigit() else ""
