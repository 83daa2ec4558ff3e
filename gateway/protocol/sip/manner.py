"""How one carrier wants to be spoken to, where that is more than an address."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.protocol.sip.digest import Digest
from gateway.protocol.sip.identity import Identity
from gateway.protocol.sip.uri import host_port


@dataclass(frozen=True, slots=True)
class Manner:
    """`domain` with its port stands in Request-URI and To, in place of the address that the request goes to.
    `routes` are the URIs of outbound proxies, nearest first.  `trunk` is a name: trunks may share an address.
    """

    trunk: str | None = None
    domain: str = ""
    port: int | None = None
    routes: tuple[str, ...] = ()
    digest: Digest | None = None
    identity: Identity | None = None

    @property
    def route_headers(self) -> list[tuple[str, str]]:
        return [("Route", f"<{uri}>") for uri in self.routes]


PLAIN = Manner()


@dataclass(slots=True, eq=False)
class Binding:
    """An address of record of ours at a carrier: what one REGISTER after another has in common.

    `user` is the carrier's name for us, `contact` the URI that the latest REGISTER gave.
    """

    user: str
    manner: Manner
    call_id: str
    tag: str
    cseq: int = 0
    contact: str = field(default="", init=False)

    @property
    def registrar(self) -> str:
        return f"sip:{host_port(self.manner.domain, self.manner.port)}"
