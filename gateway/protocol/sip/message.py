"""SIP messages: datagram to validated request or response, and back (RFC 3261 sections 7, 8.2.6, 18).

Parsing is lazy: it splits the head into lines, checks what a transaction relies on (start line, Via, tags,
Call-ID, CSeq, Max-Forwards, Content-Length) and leaves every other field as text until someone asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from gateway.protocol.sip.address import DEFAULT_PORTS, Address
from gateway.protocol.sip.grammar import TOKEN, readable, split_list
from gateway.protocol.sip.headers import BadHeader, Headers, NameAddr, Via, parse_cseq, parse_tag
from gateway.protocol.sip.uri import BadUri, scheme_of

MAX_FORWARDS = 70
CREDENTIALS = ("authorization", "proxy-authorization")

REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    469: "Bad Info Package",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    580: "Precondition Failure",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
    608: "Rejected",
}

_REQUEST_LINE = re.compile(rf"({TOKEN}) ([^\s<>\"]+) SIP/([0-9]+\.[0-9]+)", re.IGNORECASE)
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9][0-9])(?: (.*))?", re.IGNORECASE | re.DOTALL)
_FOLD = re.compile(r"[ \t]*+\r\n[ \t]++")
_CALL_ID = re.compile(r"[^\s,;]++")


class SipParseError(Exception):
    """A datagram that is no SIP message.

    `status` is what a request deserves (400, 505), `answer` the response that says so; both are None
    when there is nothing to answer: a response, an ACK, or too little left to address an answer with.
    """

    def __init__(self, reason: str, status: int | None = None, request: Request | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status if request is not None else None
        self.request = request


@dataclass(slots=True)
class Message:
    """What requests and responses share.  Text may hold surrogate escapes; `body` is exact."""

    headers: Headers
    body: bytes
    via: Via  # the topmost
    call_id: str
    cseq: int
    cseq_method: str
    from_tag: str
    to_tag: str

    def address(self, name: str) -> NameAddr:
        """The first value of an address field (From, To, Contact, ...).  Raises BadHeader."""
        values = self.headers.values(name) if name in ("Contact", "Route") else [self.headers.get(name)]
        return NameAddr.parse(values[0] if values else "")

    def _encode(self, start_line: str) -> bytes:
        self.headers.set("Content-Length", str(len(self.body)))
        return f"{start_line}\r\n{self.headers}\r\n".encode("utf-8", "surrogateescape") + self.body


@dataclass(slots=True)
class Request(Message):
    method: str
    uri: str
    max_forwards: int = MAX_FORWARDS

    def __bytes__(self) -> bytes:
        return self._encode(f"{self.method} {self.uri} SIP/2.0")


@dataclass(slots=True)
class Response(Message):
    status: int
    reason: str

    def __bytes__(self) -> bytes:
        return self._encode(f"SIP/2.0 {self.status} {self.reason}")


def parse(datagram: bytes) -> Request | Response | None:
    """One datagram to one message; None for a keep-alive (nothing but line ends).  Raises SipParseError.

    Octets behind Content-Length are dropped, as section 18.3 has it.
    """
    datagram = datagram.lstrip(b"\r\n")
    if not datagram.strip(b"\0 "):
        return None
    raw_head, end, body = datagram.partition(b"\r\n\r\n")
    head = raw_head.decode("utf-8", "surrogateescape")
    if "\r\n " in head or "\r\n\t" in head:
        head = _FOLD.sub(" ", head)
    lines = head.split("\r\n")
    response = _STATUS_LINE.fullmatch(lines[0])
    request = None if response else _REQUEST_LINE.fullmatch(lines[0])
    headers = Headers()
    fault = "" if end else "no empty line after the headers"
    if not head.count("\r") == head.count("\n") == len(lines) - 1:
        raise SipParseError("a line end that is not CR LF")
    try:
        headers.read(lines[1:])
    except BadHeader as bad:
        fault = fault or str(bad)
        # the good lines may still say whom to answer
        headers.read([line for line in lines[1:] if _reads(line)])
    if response:
        if fault:
            raise SipParseError(fault)
        return _response(int(response[1]), response[2] or "", headers, body)
    if request is None:
        method, _, rest = lines[0].partition(" ")
        if not rest or not re.fullmatch(TOKEN, method) or not rest.upper().rstrip().endswith("SIP/2.0"):
            raise SipParseError("neither a request nor a response")
        return _refuse(f"bad request line {readable(lines[0])[:60]!r}", 400, method, headers)
    method, uri, version = request.groups()
    if version != "2.0":
        return _refuse(f"SIP version {version}", 505, method, headers)
    if fault:
        return _refuse(fault, 400, method, headers)
    return _request(method, uri, headers, body)


def _reads(line: str) -> bool:
    try:
        Headers().read([line])
    except BadHeader:
        return False
    return True


def _refuse(reason: str, status: int, method: str, headers: Headers) -> Request:
    """Raise SipParseError, with enough of the request to answer it if that much can be read."""
    try:
        via = Via.parse(_first(headers.get("Via")))
        cseq = headers.get("CSeq")
        answerable = method != "ACK" and cseq  # without From, To or Call-ID the Via still leads to the sender
        from_tag, to_tag = _tag(headers, "From"), _tag(headers, "To")
    except BadHeader as bad:
        raise SipParseError(f"{reason}; {bad}") from None
    if not answerable:
        raise SipParseError(reason)
    for name in ("From", "To", "Call-ID", "CSeq"):
        if name in headers:
            headers.set(name, headers.get(name))
    request = Request(
        headers, b"", via, headers.get("Call-ID"), 0, method, from_tag, to_tag, method, "", MAX_FORWARDS
    )
    raise SipParseError(reason, status, request)


def _first(line: str) -> str:
    return split_list(line)[0] if "," in line and split_list(line) else line


def _tag(headers: Headers, name: str) -> str:
    """The tag of From or To, leniently: this only serves answers to what is broken anyway."""
    try:
        return parse_tag(headers.get(name))
    except BadHeader:
        return ""


def _common(headers: Headers, body: bytes) -> tuple[bytes, Via, str, int, str, str, str]:
    """The fields of `Message` but headers, in its order.  Raises BadHeader."""
    top = headers.get("Via")
    if not top:
        raise BadHeader("no via")
    if ";;" in top:
        raise BadHeader("an empty parameter in Via")
    via = Via.parse(_first(top))
    call_id = headers.single("call-id", required=True)
    if not _CALL_ID.fullmatch(call_id):
        raise BadHeader("bad Call-ID")
    cseq, cseq_method = parse_cseq(headers.single("cseq", required=True))
    from_tag = parse_tag(headers.single("from", required=True))
    to_tag = parse_tag(headers.single("to", required=True))
    length = headers.single("content-length")
    if length:
        octets = _number(length, "Content-Length")
        if octets > len(body):
            raise BadHeader(f"Content-Length {octets}, but {len(body)} octets came")
        body = body[:octets]
    return body, via, call_id, cseq, cseq_method, from_tag, to_tag


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadHeader(f"bad {name} {readable(text)[:20]!r}")
    return int(text)


def _request(method: str, uri: str, headers: Headers, body: bytes) -> Request:
    try:
        scheme_of(uri)
        fields = _common(headers, body)
        if fields[4] != method:
            raise BadHeader(f"CSeq of {readable(fields[4])[:20]} in {readable(method)[:20]}")
        hops = headers.single("max-forwards")
        max_forwards = _number(hops, "Max-Forwards") if hops else MAX_FORWARDS
        if max_forwards > 255:
            raise BadHeader("Max-Forwards above 255")
    except (BadHeader, BadUri) as bad:
        return _refuse(str(bad), 400, method, headers)
    return Request(headers, *fields, method, uri, max_forwards)


def _response(status: int, reason: str, headers: Headers, body: bytes) -> Response:
    try:
        return Response(headers, *_common(headers, body), status, reason)
    except BadHeader as bad:
        raise SipParseError(str(bad)) from None


def make_request(
    method: str,
    uri: str,
    *,
    via: Via,
    from_: str,
    to: str,
    call_id: str,
    cseq: int,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str = "",
) -> Request:
    """A request of our own.  `from_` and `to` are field values with their tags; `uri` is the Request-URI."""
    fields = Headers(
        [
            ("Via", str(via)),
            ("Max-Forwards", str(MAX_FORWARDS)),
            ("From", from_),
            ("To", to),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} {method}"),
            *headers,
        ]
    )
    if body:
        fields.set("Content-Type", content_type)
    tags = parse_tag(from_), parse_tag(to)
    return Request(fields, body, via, call_id, cseq, method, *tags, method, uri)


def renewed(request: Request, via: Via, cseq: int) -> Request:
    """A request of ours as another transaction: all but its credentials stays, Call-ID and tags too."""
    headers = Headers()
    for name, value in request.headers.fields():
        if name not in CREDENTIALS:
            headers.add(name, value)
    headers.set("Via", str(via))
    headers.set("CSeq", f"{cseq} {request.method}")
    return replace(request, headers=headers, via=via, cseq=cseq)


def respond(
    request: Request,
    status: int,
    reason: str = "",
    *,
    to_tag: str = "",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str = "",
) -> Response:
    """The response to a request (section 8.2.6): Via list, From, To, Call-ID and CSeq as they came.

    `to_tag` is added unless the request carries one or the response is 100.
    """
    source = request.headers
    fields = source.picked("via", "from", "to", "call-id", "cseq")
    tagged = bool(to_tag) and not request.to_tag and status > 100
    if tagged and (to := source.get("To")):  # a malformed request may lack it
        fields.set("To", f"{to};tag={to_tag}")
    if status == 100 and "Timestamp" in source:
        fields.set("Timestamp", source.get("Timestamp"))
    for name, value in headers:
        fields.add(name, value)
    if body:
        fields.set("Content-Type", content_type)
    return Response(
        fields,
        body,
        request.via,
        request.call_id,
        request.cseq,
        request.cseq_method,
        request.from_tag,
        to_tag if tagged else request.to_tag,
        status,
        reason or REASONS.get(status, ""),
    )


def stamp(request: Request, source: Address) -> None:
    """Note in the topmost Via where the request came from (section 18.2.1, RFC 3581 section 4)."""
    via = request.via
    host, port = source.host, source.port
    asked = "rport" in via.parameters
    if asked or via.host.strip("[]") != host:
        via.parameters["received"] = host
    else:
        via.parameters.pop("received", None)
    if asked:
        via.parameters["rport"] = str(port)
    first, *others = request.headers.lines("Via")
    rest = split_list(first)[1:] if "," in first else []
    request.headers.set("Via", ", ".join([str(via), *rest]), *others)


def reply_address(request: Request, source: Address) -> Address:
    """Where responses go: to the source's address always, `maddr` being an invitation to flood others.

    Over a reliable transport back by the connection; over UDP to the source's port when the client asked by
    `rport`, else to the one in Via (section 18.2.2).
    """
    if source.reliable or "rport" in request.via.parameters:
        return source
    return via_address(request, source)


def via_address(request: Request, source: Address) -> Address:
    """Where the sender of a request listens as its Via tells: port of sent-by, at the source's address."""
    via = request.via
    return Address(source.host, via.port or DEFAULT_PORTS[source.transport], source.transport)


def sipfrag_status(body: bytes) -> int | None:
    """The status of a message/sipfrag body, `SIP/2.0 180 Ringing` (RFC 3420, RFC 3515 section 2.4.5)."""
    line = body.lstrip(b"\r\n").partition(b"\r\n")[0].partition(b"\n")[0]
    status = _STATUS_LINE.fullmatch(line.decode("utf-8", "surrogateescape").strip())
    return int(status[1]) if status else None


def retry_after(response: Response) -> int | None:
    """Seconds of Retry-After; the field may carry a comment and parameters (section 20.33)."""
    text = response.headers.get("Retry-After").partition(";")[0].partition("(")[0].strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
