"""3xx: where a call may be found instead (RFC 3261 section 8.1.3.4)."""

from __future__ import annotations

from gateway.protocol.sip.headers import BadHeader, NameAddr
from gateway.protocol.sip.message import Response
from gateway.protocol.sip.uri import SIP_SCHEMES, BadUri, Uri, without_headers

MAX_REDIRECTIONS = 5


def contacts(response: Response) -> list[tuple[str, Uri]]:
    """The sip URIs of a 3xx as text and parsed, the most wanted (q) first, of equal ones in their order."""
    found: list[tuple[float, str, Uri]] = []
    for value in response.headers.values("Contact"):
        try:
            address = NameAddr.parse(value)
            uri = Uri.parse(address.uri)
        except (BadHeader, BadUri):
            continue
        if uri.scheme in SIP_SCHEMES and uri.host:
            found.append((_preference(address), without_headers(address.uri), uri))
    return [(text, uri) for _, text, uri in sorted(found, key=lambda one: -one[0])]


def _preference(address: NameAddr) -> float:
    """The q parameter, 0 to 1; without one, or with nonsense, 1."""
    try:
        q = float(address.parameters.get("q") or "1")
    except ValueError:
        return 1.0
    return q if 0.0 <= q <= 1.0 else 1.0
