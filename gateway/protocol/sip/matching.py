"""Which transaction a request belongs to (RFC 3261 section 17.2.3), and the requests that share one."""

from __future__ import annotations

import re

from gateway.protocol.sip.address import DEFAULT_PORT
from gateway.protocol.sip.headers import MAGIC_COOKIE
from gateway.protocol.sip.message import Request, make_request

ServerKey = tuple[object, ...]

# nearly every ACK begins like this; the rest goes the long way
_USUAL_ACK = re.compile(
    rb"ACK [^\s]++ SIP/2\.0\r\nVia: SIP/2\.0/[A-Z]{3} ([A-Za-z0-9.\-]++)"
    rb"(?::([1-9][0-9]{0,3}|[1-5][0-9]{4}))?;"
    rb"(?:(?!branch=)[A-Za-z0-9=.]++;)*branch=(z9hG4bK[A-Za-z0-9\-.!%*_+`'~]++)[;\r]"
)


def server_key(request: Request, method: str) -> ServerKey:
    """Without the magic cookie it is the fields that RFC 2543 compared."""
    via = request.via
    if via.branch.startswith(MAGIC_COOKIE) and len(via.branch) > len(MAGIC_COOKIE):
        return via.branch, via.sent_by, method
    first = request.headers.get("Via").partition(",")[0]
    return request.uri, request.from_tag, request.call_id, request.cseq, first, method


def key_of_ack(datagram: bytes) -> ServerKey | None:
    """The key of the INVITE that an ACK would belong to if it was refused: the topmost Via alone tells.

    None: it is no ACK, or not written as usual.
    """
    usual = _USUAL_ACK.match(datagram)
    if usual is None:
        return None
    host, port, branch = usual.groups()
    return branch.decode(), (host.decode().lower(), int(port or DEFAULT_PORT)), "INVITE"


def companion(invite: Request, method: str, to: str = "") -> Request:
    """The CANCEL, or the ACK to a failure, of our INVITE: its branch, its route (17.1.1.3, 9.1)."""
    headers = invite.headers
    return make_request(
        method,
        invite.uri,
        via=invite.via,
        from_=headers.get("From"),
        to=to or headers.get("To"),
        call_id=invite.call_id,
        cseq=invite.cseq,
        headers=[("Route", route) for route in headers.lines("Route")],
    )
