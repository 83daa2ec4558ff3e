"""Bodies in several parts, of which one is the session description: SIP-I carriers send ISUP beside it.

RFC 3261 section 20.11 (what is `handling=optional` may be ignored), RFC 5621, RFC 2046 section 5.1.
"""

from __future__ import annotations

from gateway.protocol.sip.grammar import parse_parameters
from gateway.protocol.sip.headers import BadHeader, Headers
from gateway.protocol.sip.message import Message, Response

SDP = "application/sdp"
ACCEPTED = f"{SDP}, multipart/mixed"
_MOST_PARTS = 16
_OF_SESSIONS = ("INVITE", "ACK", "PRACK", "UPDATE")


def unwrap(message: Message) -> None:
    """Leave of the body what is the session description, or nothing where all of it may be ignored.

    What we should have understood and do not stays as it is: 415 is the answer to that.
    """
    if message.cseq_method not in _OF_SESSIONS:
        return
    kind, parameters = media_type(message.headers)
    if kind == SDP:
        return
    if not kind.startswith("multipart/"):
        if _handling(message.headers) == "optional":
            message.body = b""
        return
    session: bytes | None = None
    for headers, body in _parts(message.body, parameters.get("boundary") or ""):
        if media_type(headers)[0] == SDP:
            session = body if session is None else session
        elif _handling(headers) == "required" and not isinstance(message, Response):
            return
    if session is not None:
        message.headers.set("Content-Type", SDP)
        message.body = session
    elif _handling(message.headers) == "optional":
        message.body = b""


def media_type(headers: Headers) -> tuple[str, dict[str, str | None]]:
    """The Content-Type, lower case and without its parameters, and these."""
    kind, _, rest = headers.get("Content-Type").partition(";")
    return kind.strip().lower(), parse_parameters(rest)


def _handling(headers: Headers) -> str:
    return (parse_parameters(headers.get("Content-Disposition")).get("handling") or "").lower()


def _parts(body: bytes, boundary: str) -> list[tuple[Headers, bytes]]:
    """Its parts in their order; those whose head cannot be read are left out."""
    if not boundary:
        return []
    # the line end before a boundary belongs to that
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("utf-8", "surrogateescape"))
    parts = []
    for piece in pieces[1 : _MOST_PARTS + 1]:
        if piece.startswith(b"--"):
            break
        head, _, content = piece.partition(b"\r\n\r\n")
        headers = Headers()
        try:
            headers.read(
                [line for line in head.decode("utf-8", "surrogateescape").split("\r\n") if line.strip()]
            )
        except BadHeader:
            continue
        parts.append((headers, content))
    return parts
