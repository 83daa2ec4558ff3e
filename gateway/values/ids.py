"""Identifiers that sort by time: UUID version 7 (RFC 9562 section 5.7)."""

from __future__ import annotations

from collections.abc import Callable

NewId = Callable[[], str]


def uuid7(now: float, randomness: bytes) -> str:
    """A UUIDv7 in its 36-character text form.  `now` is Unix seconds, `randomness` 10 octets."""
    milliseconds = int(now * 1000) & 0xFFFFFFFFFFFF
    tail = int.from_bytes(randomness[:10], "big")
    value = (
        milliseconds << 80 | 0x7 << 76 | (tail >> 68 & 0xFFF) << 64 | 0b10 << 62 | (tail & 0x3FFFFFFFFFFFFFFF)
    )
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
