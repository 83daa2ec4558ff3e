"""Requests of ours that belong to no call: OPTIONS and REGISTER (RFC 3261 sections 10.2 and 11.1)."""

from __future__ import annotations

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.body import ACCEPTED
from gateway.protocol.sip.call import Probe
from gateway.protocol.sip.manner import Binding, Manner
from gateway.protocol.sip.message import make_request
from gateway.protocol.sip.sessions import ALLOW, Sessions
from gateway.protocol.sip.uri import sip_uri


class Outside:
    """What each method is for is told at the agent's of the same name."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def options(self, target: Address, now: float, manner: Manner) -> Probe:
        layer = self._sessions.layer
        uri = sip_uri("", *((manner.domain, manner.port) if manner.domain else (target.host, target.port)))
        probe = Probe(target)
        own = self._own_uri("", target, manner)
        request = make_request(
            "OPTIONS",
            uri,
            via=layer.via(target.transport),
            from_=f"<{own}>;tag={layer.token()}",
            to=f"<{uri}>",
            call_id=f"{layer.token()}@{layer.host}",
            cseq=1,
            headers=[
                *manner.route_headers,
                ("Contact", f"<{own}>"),
                ("Accept", ACCEPTED),
                ("User-Agent", self._sessions.user_agent),
            ],
        )
        layer.request(request, target, now, probe, manner.digest)
        return probe

    def register(self, binding: Binding, target: Address, expires: int, now: float) -> None:
        layer = self._sessions.layer
        binding.cseq += 1
        binding.contact = self._own_uri(binding.user, target, binding.manner)
        aor = f"<sip:{binding.user}@{binding.manner.domain}>"
        request = make_request(
            "REGISTER",
            binding.registrar,
            via=layer.via(target.transport),
            from_=f"{aor};tag={binding.tag}",
            to=aor,
            call_id=binding.call_id,
            cseq=binding.cseq,
            headers=[
                *binding.manner.route_headers,
                ("Contact", f"<{binding.contact}>;expires={expires}"),
                ("Expires", str(expires)),
                ("Allow", ALLOW),
                ("User-Agent", self._sessions.user_agent),
            ],
        )
        layer.request(request, target, now, binding, binding.manner.digest)

    def _own_uri(self, user: str, target: Address, manner: Manner) -> str:
        """Where a peer at this address reaches us."""
        uri = sip_uri(user, *self._sessions.own_place(target.transport, manner.trunk))
        return uri if target.transport == "udp" else f"{uri};transport={target.transport}"
