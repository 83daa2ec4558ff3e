"""Header fields: the store, and the structured ones a transaction or dialog reads (RFC 3261 section 20)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

from gateway.protocol.sip.address import DEFAULT_PORT
from gateway.protocol.sip.grammar import (
    BLANK,
    QUOTED,
    TOKEN,
    Parameters,
    format_parameters,
    is_token,
    parse_parameters,
    readable,
    split_list,
    unquote,
)
from gateway.protocol.sip.uri import host_port

MAGIC_COOKIE = "z9hG4bK"  # branches that begin so are unique (section 8.1.1.7)

_COMPACT = {  # IANA registry of SIP header fields
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
# fmt: off
_USUAL = [
    "Via", "Max-Forwards", "Record-Route", "Route", "From", "To", "Call-ID", "CSeq", "Contact", "Allow",
    "Supported", "Require", "Proxy-Require", "Unsupported", "Accept", "User-Agent", "Server", "Reason",
    "Retry-After", "Expires", "Timestamp", "Date", "Subject", "Warning", "WWW-Authenticate",
    "Proxy-Authenticate", "Authorization", "Proxy-Authorization", "P-Asserted-Identity", "Content-Type",
    "Content-Disposition", "Content-Length", "RSeq", "RAck", "Session-Expires", "Min-SE", "Refer-To",
    "Referred-By", "Event", "Subscription-State", "Allow-Events",
]
# fmt: on
_DISPLAY = {name.lower(): name for name in _USUAL}
_KEYS = {
    **{name.lower(): name.lower() for name in _USUAL},
    **{name: name.lower() for name in _USUAL},
    **_COMPACT,
    **{short.upper(): name for short, name in _COMPACT.items()},
}


class BadHeader(ValueError):
    """A header line or field value that breaks its grammar."""


def _key(name: str) -> str:
    name = name.rstrip(BLANK)
    if not is_token(name):
        raise BadHeader(f"bad header name {readable(name)[:40]!r}")
    lower = name.lower()
    return _COMPACT.get(lower, lower)


class Headers:
    """Header lines by name.  Names are case-insensitive, compact forms are the long ones, order is kept."""

    __slots__ = ("_lines",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._lines: dict[str, list[str]] = {}
        for name, value in fields:
            self.add(name, value)

    def read(self, lines: list[str]) -> None:
        """Take unfolded lines as they came.  Raises BadHeader; the lines before the bad one are kept."""
        store = self._lines
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise BadHeader(f"a header line without a colon: {readable(line)[:40]!r}")
            key = _KEYS.get(name) or _key(name)
            if key in store:
                store[key].append(value.strip(BLANK))
            else:
                store[key] = [value.strip(BLANK)]

    def add(self, name: str, value: str) -> None:
        self._lines.setdefault(_KEYS.get(name) or _key(name), []).append(value)

    def set(self, name: str, *values: str) -> None:
        """Replace every line of that name."""
        self._lines[_KEYS.get(name) or _key(name)] = list(values)

    def get(self, name: str, default: str = "") -> str:
        """The first line of that name."""
        lines = self._lines.get(_KEYS.get(name) or _key(name))
        return lines[0] if lines else default

    def single(self, key: str, *, required: bool = False) -> str:
        """The only line under a lower-case long name.  Raises BadHeader for more, or none when required."""
        lines = self._lines.get(key)
        if lines is not None and len(lines) == 1 and lines[0]:
            return lines[0]
        if lines is None or not lines[0]:
            if required or lines:
                raise BadHeader(f"no {key}")
            return ""
        raise BadHeader(f"more than one {key}")

    def lines(self, name: str) -> list[str]:
        """Every line of that name as it came."""
        return self._lines.get(_KEYS.get(name) or _key(name), [])

    def values(self, name: str) -> list[str]:
        """Every value of a comma-separated field, over all its lines."""
        return [value for line in self.lines(name) for value in split_list(line)]

    def picked(self, *keys: str) -> Self:
        """The lines under these lower-case long names; a malformed request may lack one."""
        picked, lines = type(self)(), self._lines
        picked._lines = {key: lines[key].copy() for key in keys if key in lines}
        return picked

    def fields(self) -> Iterator[tuple[str, str]]:
        """Every line as (lower-case long name, value)."""
        return ((key, value) for key, values in self._lines.items() for value in values)

    def __contains__(self, name: str) -> bool:
        return (_KEYS.get(name) or _key(name)) in self._lines

    def __str__(self) -> str:
        return "".join(
            [
                f"{_DISPLAY.get(key) or key.title()}: {value}\r\n"
                for key, values in self._lines.items()
                for value in values
            ]
        )


_VIA = re.compile(
    rf"SIP[ \t]*+/[ \t]*+[0-9]+\.[0-9]+[ \t]*+/[ \t]*+({TOKEN})[ \t]++"
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.\-]+)[ \t]*+(?::[ \t]*+([0-9]{1,5}))?[ \t]*+(?:;(.*))?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(slots=True)
class Via:
    """One Via value (section 20.42)."""

    transport: str
    host: str
    port: int | None
    parameters: Parameters

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _VIA.fullmatch(text.strip(BLANK))
        if match is None:
            raise BadHeader(f"bad Via {readable(text)[:60]!r}")
        transport, host, port, parameters = match.groups()
        if port is not None and not 0 < int(port) < 65536:
            raise BadHeader("bad port in Via")
        return cls(
            transport.upper(),
            host.lower(),
            int(port) if port else None,
            parse_parameters(parameters) if parameters else {},
        )

    @property
    def branch(self) -> str:
        """The branch parameter; empty when there is none, as in RFC 2543."""
        return self.parameters.get("branch") or ""

    @property
    def sent_by(self) -> tuple[str, int]:
        return self.host, self.port or DEFAULT_PORT

    def __str__(self) -> str:
        place = host_port(self.host, self.port)
        return f"SIP/2.0/{self.transport} {place}{format_parameters(self.parameters)}"


_NAME_ADDR = re.compile(rf'(?:({QUOTED})[ \t]*+|([^"<]*+))<([^<>"]*+)>[ \t]*+(?:;(.*))?', re.DOTALL)
_ADDR_SPEC = re.compile(r'([^<>";, \t]++)[ \t]*+(?:;(.*))?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class NameAddr:
    """From, To, Contact, Route, Record-Route: an address with its header parameters (section 20.10)."""

    uri: str
    display: str = ""
    parameters: Parameters = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        text = text.strip(BLANK)
        match = _NAME_ADDR.fullmatch(text)
        if match is not None:
            quoted, plain, uri, parameters = match.groups()
            display = unquote(quoted) if quoted else plain.strip(BLANK)
        else:
            # without brackets a semicolon begins the header's parameters, not the URI's
            match = _ADDR_SPEC.fullmatch(text)
            if match is None:
                raise BadHeader(f"bad address {readable(text)[:60]!r}")
            uri, parameters = match.groups()
            display = ""
        uri = uri.strip(BLANK)
        if ":" not in uri:
            raise BadHeader(f"no URI in address {readable(text)[:60]!r}")
        return cls(uri, display, parse_parameters(parameters) if parameters else {})

    @property
    def tag(self) -> str:
        """The tag parameter; empty when there is none."""
        return self.parameters.get("tag") or ""


_CSEQ = re.compile(rf"([0-9]{{1,20}})[ \t]++({TOKEN})")


def parse_cseq(text: str) -> tuple[int, str]:
    """(sequence number below 2**31, method).  Section 20.16."""
    match = _CSEQ.fullmatch(text)
    if match is None or int(match[1]) >= 1 << 31:
        raise BadHeader(f"bad CSeq {readable(text)[:40]!r}")
    return int(match[1]), match[2]


# nearly every From and To looks like this; the rest goes the long way
_PLAIN = re.compile(rf'(?:"[^"\\]*+"|[^"<]*+)[ \t]*+<[A-Za-z]++:[^<>" \t]++>(?:;tag=({TOKEN}))?')


def parse_tag(text: str) -> str:
    """The tag of a From or To value, empty when there is none.  Raises BadHeader."""
    match = _PLAIN.fullmatch(text)
    return (match[1] or "") if match else NameAddr.parse(text).tag
