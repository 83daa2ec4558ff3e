"""Where a message comes from or goes to, and by which transport (RFC 3261 section 18)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Transport = Literal["udp", "tcp", "tls"]

DEFAULT_PORT: Final = 5060
DEFAULT_PORTS: Final[Mapping[Transport, int]] = {"udp": DEFAULT_PORT, "tcp": DEFAULT_PORT, "tls": 5061}


class Address(NamedTuple):
    """An IP address and port (of a TCP or TLS request: the peer's end of its connection)."""

    host: str
    port: int
    transport: Transport = "udp"

    @property
    def reliable(self) -> bool:
        """Whether what is sent arrives or its connection breaks: nothing is repeated then."""
        return self.transport != "udp"


def transport_named(text: str | None) -> Transport | None:
    """The transport that a URI's parameter names, in any case; None for none and for one that is not ours."""
    match (text or "").lower():
        case "udp":
            return "udp"
        case "tcp":
            return "tcp"
        case "tls":
            return "tls"
    return None
