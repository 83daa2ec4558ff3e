"""Identifiers that sort by time: UUID version 7 (RFC 9562 section 5.7)."""

from __future__ import annotations

from collections.abc import Callable

NewId = Callable[[], str]
_HYPHENS = 4  # in a UUID


def uuid7(now: float, randomness: bytes) -> str:
    """A UUIDv7 in its 36-character text form.  `now` is Unix seconds, `randomness` 10 octets."""
    milliseconds = int(now * 1000) & 0xFFFFFFFFFFFF
    tail = int.from_bytes(randomness[:10], "big")
    value = (
        milliseconds << 80 | 0x7 << 76 | (tail >> 68 & 0xFFF) << 64 | 0b10 << 62 | (tail & 0x3FFFFFFFFFFFFFFF)
    )
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def part_id(message: str, part: int) -> str:
    """What an account knows a segment as that it has submitted; `part` from 1."""
    return f"{message}-{part}"


def message_of(part_id: str) -> str:
    """The message that such a segment belongs to; "" for what is no such id."""
    message, _, part = part_id.rpartition("-")
    return message if message.count("-") == _HYPHENS and part.isascii() and part.isdigit() else ""
