"""SIP messages as text on the wire: RFC 3261 sections 7, 19 and 25, the parts a carrier with handsets needs.

INVITE sip:+442079460000@127.0.0.1:5060 SIP/2.0      request line, or "SIP/2.0 180 Ringing"
Via: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK1;rport
...                                                  CRLF after every line, an empty line, then the body
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote

HEADER_LIMIT = 200
DEFAULT_PORT = 5060
COMPACT = {
    "c": "Content-Type",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "s": "Subject",
    "t": "To",
    "v": "Via",
}
REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    603: "Decline",
}

_TOKEN = r"[A-Za-z0-9.!%*_+`'~-]+"
_REQUEST_LINE = re.compile(rf"({_TOKEN}) (\S+) SIP/2\.0", re.IGNORECASE)
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9][0-9]) ?(.*)", re.IGNORECASE)
_HEADER_NAME = re.compile(_TOKEN)
_CSEQ = re.compile(rf"([0-9]{{1,10}})[ \t]+({_TOKEN})")
_VIA = re.compile(
    r"SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*(\w+)[ \t]+(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
    r"(?:[ \t]*:[ \t]*([0-9]{1,5}))?[ \t]*(;.*)?",
    re.IGNORECASE | re.DOTALL,
)
_URI = re.compile(
    r"(sips?):(?:([^@<>\s]*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?([;?].*)?", re.I
)
_TEL = re.compile(r"tel:([^;<>\s]+)(;.*)?", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")


class Malformed(ValueError):
    """The peer broke the grammar. The text says how."""


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Cut at a separator that stands outside "..." and <...>; the parts are stripped, empty ones left out."""
    parts, start, quoted, angle, escaped = [], 0, False, False, False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            escaped = char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char in "<>":
            angle = char == "<"
        elif char == separator and not angle:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def parameters(text: str) -> dict[str, str]:
    """Read ";tag=1;lr"; names in lower case, a parameter without a value has ""."""
    found: dict[str, str] = {}
    for part in split_outside_quotes(text, ";"):
        name, _, value = part.partition("=")
        found.setdefault(name.strip().lower(), value.strip())
    return found


@dataclass(frozen=True, slots=True)
class Uri:
    """A sip:, sips: or tel: URI; `user` without its parameters and password, `port` None if not given."""

    scheme: str
    user: str
    host: str = ""
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises Malformed; a scheme of another kind gives a Uri with that scheme and nothing else."""
        if tel := _TEL.fullmatch(text):
            return cls("tel", tel[1])
        if sip := _URI.fullmatch(text):
            user = unquote((sip[2] or "").partition(";")[0].partition(":")[0])
            return cls(sip[1].lower(), user, sip[3].strip("[]"), _port(sip[4]))
        scheme = _SCHEME.match(text)
        if scheme is None or scheme[0].lower() in ("sip", "sips", "tel"):
            raise Malformed(f"not a URI: {text!r}")
        return cls(scheme[0].lower(), "")


@dataclass(frozen=True, slots=True)
class NameAddr:
    """The value of From, To or Contact: `"Name" <uri>;params` or `uri;params`."""

    uri: str
    params: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        start = _outside_quotes(text, "<")
        if start < 0:
            uri, _, rest = text.strip().partition(";")
        else:
            end = text.find(">", start)
            if end < 0:
                raise Malformed(f"no closing >: {text!r}")
            uri, rest = text[start + 1 : end], text[end + 1 :]
        if not uri.strip():
            raise Malformed(f"no address: {text!r}")
        return cls(uri.strip(), parameters(rest))

    @property
    def tag(self) -> str:
        return self.params.get("tag", "")


@dataclass(frozen=True, slots=True)
class Via:
    """One Via value. `port` is None when not given, `params` has at least `branch` from an RFC 3261 peer."""

    protocol: str
    host: str
    port: int | None
    params: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _VIA.fullmatch(text.strip())
        if match is None:
            raise Malformed(f"Via: {text!r}")
        return cls(match[1].upper(), match[2].strip("[]"), _port(match[3]), parameters(match[4] or ""))

    @property
    def branch(self) -> str:
        return self.params.get("branch", "")

    @property
    def sent_by(self) -> str:
        return f"{self.host.lower()}:{self.port or DEFAULT_PORT}"


@dataclass(slots=True)
class Message:
    """What requests and responses share. Header names are the peer's own, compact ones written out."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def all(self, name: str) -> Iterator[str]:
        """Every value of a header, with lists of the form `a, b` left as one value."""
        wanted = name.lower()
        return (value for key, value in self.headers if key.lower() == wanted)

    def get(self, name: str) -> str | None:
        return next(self.all(name), None)

    def need(self, name: str) -> str:
        """The first value; raises Malformed without one."""
        value = self.get(name)
        if not value:
            raise Malformed(f"no {name}")
        return value

    @property
    def via(self) -> Via:
        """The topmost Via."""
        values = split_outside_quotes(self.need("Via"), ",")
        if not values:
            raise Malformed("empty Via")
        return Via.parse(values[0])

    @property
    def cseq(self) -> tuple[int, str]:
        match = _CSEQ.fullmatch(self.need("CSeq").strip())
        if match is None or int(match[1]) >= 2**31:
            raise Malformed(f"CSeq: {self.get('CSeq')!r}")
        return int(match[1]), match[2]

    @property
    def call_id(self) -> str:
        return self.need("Call-ID")

    @property
    def from_(self) -> NameAddr:
        return NameAddr.parse(self.need("From"))

    @property
    def to(self) -> NameAddr:
        return NameAddr.parse(self.need("To"))

    def check(self) -> None:
        """Read all that a transaction or dialog will want. Raises Malformed. Source: RFC 3261 8.1.1."""
        _ = self.via, self.cseq, self.call_id, self.from_, self.to
        for name in ("From", "To", "Call-ID", "CSeq"):
            if sum(1 for _ in self.all(name)) > 1:
                raise Malformed(f"more than one {name}")

    def _encode(self, first_line: str) -> bytes:
        lines = [first_line, *(f"{name}: {value}" for name, value in self.headers)]
        if self.get("Content-Length") is None:
            lines.append(f"Content-Length: {len(self.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + self.body


@dataclass(slots=True)
class Request(Message):
    method: str = ""
    uri: str = ""

    def encode(self) -> bytes:
        return self._encode(f"{self.method} {self.uri} SIP/2.0")

    def check(self) -> None:
        Message.check(self)
        if self.cseq[1] != self.method:
            raise Malformed(f"CSeq method {self.cseq[1]} in a {self.method}")
        Uri.parse(self.uri)

    def reply(
        self,
        status: int,
        *,
        tag: str = "",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> "Response":
        """The response to this request, with `tag` added to a To that has none. Source: RFC 3261 8.2.6."""
        copied = [
            (name, value)
            for name, value in self.headers
            if name.lower() in ("via", "from", "to", "call-id", "cseq")
        ]
        if tag and not self.to.tag:
            copied = [(n, f"{v};tag={tag}" if n.lower() == "to" else v) for n, v in copied]
        return Response([*copied, *headers], body, status, REASONS[status])


@dataclass(slots=True)
class Response(Message):
    status: int = 0
    reason: str = ""

    def encode(self) -> bytes:
        return self._encode(f"SIP/2.0 {self.status} {self.reason}")


def parse(data: bytes) -> Request | Response:
    """Read one datagram. Raises Malformed; header values are not yet looked into (see Message.check)."""
    head, blank, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not blank:
        raise Malformed("no empty line after the headers")
    first_line, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    if len(lines) > HEADER_LIMIT:
        raise Malformed(f"more than {HEADER_LIMIT} header lines")
    headers: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and headers:  # a folded line carries on the one before
            name, value = headers.pop()
            headers.append((name, f"{value} {line.strip()}".strip()))
            continue
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if not colon or not _HEADER_NAME.fullmatch(name):
            raise Malformed(f"header line {line[:60]!r}")
        headers.append((COMPACT.get(name.lower(), name), value.strip()))
    message: Request | Response
    if status_line := _STATUS_LINE.fullmatch(first_line):
        message = Response(headers, body, int(status_line[1]), status_line[2].strip())
    elif request_line := _REQUEST_LINE.fullmatch(first_line):
        message = Request(headers, body, request_line[1], request_line[2])
    else:
        raise Malformed(f"first line {first_line[:60]!r}")
    message.body = _cut(message, body)
    return message


def _cut(message: Message, body: bytes) -> bytes:
    """The body by Content-Length; what follows it in a datagram is dropped. Source: RFC 3261 18.3."""
    stated = message.get("Content-Length")
    if stated is None:
        return body
    if not re.fullmatch(r"[0-9]{1,9}", stated):
        raise Malformed(f"Content-Length: {stated!r}")
    if int(stated) > len(body):
        raise Malformed(f"Content-Length {stated} but {len(body)} octets of body")
    return body[: int(stated)]


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if not 1 <= int(text) <= 65535:
        raise Malformed(f"port {text}")
    return int(text)


def _outside_quotes(text: str, wanted: str) -> int:
    quoted = escaped = False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            escaped = char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char == wanted:
            return index
    return -1
