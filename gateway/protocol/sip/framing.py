"""Messages cut out of a stream by Content-Length (RFC 3261 section 18.3), and its keep-alives (RFC 5626)."""

from __future__ import annotations

import re

LONGEST_HEAD = 32_768  # octets
LONGEST_BODY = 65_536

PING = b"\r\n\r\n"  # RFC 5626 section 3.5.1
PONG = b"\r\n"

_LENGTH = re.compile(
    rb"^(?:content-length|l)[ \t]*:[ \t]*(?:\r\n[ \t]+)?([0-9]{1,9})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE
)


class StreamError(Exception):
    """The stream cannot be cut any more: whoever sent that must begin again."""


class Framer:
    """`pings` counts those that want a PONG for an answer, `pongs_due` those that our own pings wait for;
    whoever sends keeps both."""

    def __init__(self) -> None:
        self.pings = 0
        self.pongs_due = 0
        self._buffer = bytearray()
        self._line_ends = 0  # octets of them since the last message
        self._seen = 0  # octets of the head that hold no end
        self._needed = 0  # octets of a message whose head is known

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete now.  Raises StreamError."""
        self._buffer += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    @property
    def begun(self) -> bool:
        """Whether part of a message is here."""
        return bool(self._buffer)

    def _next(self) -> bytes | None:
        if not self._needed and not self._measure():
            return None
        if len(self._buffer) < self._needed:
            return None
        message = bytes(self._buffer[: self._needed])
        del self._buffer[: self._needed]
        self._needed = self._seen = 0
        return message

    def _measure(self) -> bool:
        """Find the end of the head, and with it that of the message."""
        if not self._seen:
            self._take_line_ends()
        end = self._buffer.find(b"\r\n\r\n", max(0, self._seen - 3))
        if end < 0:
            self._seen = len(self._buffer)
        if (self._seen if end < 0 else end) > LONGEST_HEAD:
            raise StreamError(f"a head of more than {LONGEST_HEAD} octets")
        if end < 0:
            return False
        lengths = set(_LENGTH.findall(self._buffer, 0, end + 2))
        if len(lengths) != 1:  # a stream has no other way to tell where a message ends
            raise StreamError("more than one Content-Length" if lengths else "no Content-Length")
        length = int(lengths.pop())
        if length > LONGEST_BODY:
            raise StreamError(f"a body of {length} octets")
        self._needed = end + len(PING) + length
        return True

    def _take_line_ends(self) -> None:
        """Between messages: pings, pongs, or what a careless sender leaves there."""
        octets = len(self._buffer) - len(self._buffer.lstrip(PONG))
        del self._buffer[:octets]
        self._line_ends += octets
        while self.pongs_due and self._line_ends >= len(PONG):
            self._line_ends -= len(PONG)
            self.pongs_due -= 1
        self.pings += self._line_ends // len(PING)
        self._line_ends %= len(PING)
        if self._buffer:
            self._line_ends = 0
