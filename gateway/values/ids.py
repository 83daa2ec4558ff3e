"""Identifiers that sort by time: UUID version 7 (RFC 9562 section 5.7)."""

from __future__ import annotations

from collections.abc import Callable

NewId = Callable[[], str]
_HYPHENS = 4  # in a UUID


def uuid7(milliseconds: int, randomness: int) -> str:
    """A UUIDv7 in its 36-character text form, `milliseconds` of Unix time.

    Of `randomness` the lowest 62 bits are rand_b, the 12 from bit 68 on rand_a.
    """
    rand_a, rand_b = randomness >> 68 & 0xFFF, randomness & 0x3FFFFFFFFFFFFFFF
    high, low = milliseconds >> 16 & 0xFFFFFFFF, milliseconds & 0xFFFF
    return f"{high:08x}-{low:04x}-7{rand_a:03x}-{0x8000 | rand_b >> 48:04x}-{rand_b & 0xFFFFFFFFFFFF:012x}"


def part_id(message: str, part: int) -> str:
    """What an account knows a segment as that it has submitted; `part` from 1."""
    return f"{message}-{part}"


def message_of(part_id: str) -> str:
    """The message that such a segment belongs to; "" for what is no such id."""
    message, _, part = part_id.rpartition("-")
    return message if message.count("-") == _HYPHENS and part.isascii() and part.isdigit() else ""
