"""What any request must pass before anybody looks at what it asks for (RFC 3261 section 8.2)."""

from __future__ import annotations

from gateway.protocol.sip.body import ACCEPTED
from gateway.protocol.sip.message import Request
from gateway.protocol.sip.sessions import ALLOW, SUPPORTED
from gateway.protocol.sip.uri import BadUri, UnknownScheme, Uri

METHODS = frozenset(ALLOW.split(", "))
ABLE = [("Allow", ALLOW), ("Accept", ACCEPTED), ("Supported", SUPPORTED)]  # the answer to OPTIONS
_KNOWN = frozenset({"REGISTER", "SUBSCRIBE", "REFER", "MESSAGE", "PUBLISH"})  # and not allowed here
_OPTIONS = frozenset(SUPPORTED.split(", "))


def judge(request: Request) -> Uri | tuple[int, list[tuple[str, str]]]:
    """The Request-URI of a request that may go on, or the status and header fields of its refusal."""
    if request.method not in METHODS:
        return 405 if request.method in _KNOWN else 501, [("Allow", ALLOW)]
    # whoever is asked for itself answers with no hop left too; a call that has gone so far goes no farther
    if request.max_forwards == 0 and request.method == "INVITE" and not request.to_tag:
        return 483, []
    try:
        uri = Uri.parse(request.uri)
    except UnknownScheme:
        return 416, []
    except BadUri:
        return 400, []
    if uri.headers:  # they belong to links, not into a Request-URI (section 19.1.1)
        return 400, []
    if "Require" in request.headers:
        required = [option for option in request.headers.values("Require") if option.lower() not in _OPTIONS]
        if required:
            return 420, [("Unsupported", option) for option in required]
    return uri
