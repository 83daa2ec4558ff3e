"""Where a SIP domain's servers are: NAPTR, SRV and address records asked of a name server (RFC 3263)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import dns.asyncresolver
import dns.exception
import dns.resolver
from dns.rdatatype import RdataType

from gateway.config.endpoint import host_port
from gateway.protocol.sip.address import DEFAULT_PORTS, Address, Transport
from gateway.protocol.sip.locate import SRV_NAMES, Naptr, Srv, in_order, services

_ANSWER_SECONDS = 5.0
_LEAST_SECONDS, _MOST_SECONDS = 30.0, 3600.0  # that an answer is kept, whatever its TTL says
_SYSTEM_SECONDS = 60.0  # the system's resolver does not tell a TTL
_MOST_HOSTS = 16


@dataclass(frozen=True, slots=True)
class Located:
    """`addresses` in the order to be tried; `seconds` until they are to be looked up again, None: never."""

    addresses: list[Address]
    seconds: float | None


class Resolver:
    """`name_server` is "ADDRESS:PORT", empty for the system's.  `wide`: IPv6 addresses, else IPv4 ones.
    `chance` gives numbers in [0, 1)."""

    def __init__(self, name_server: str, chance: Callable[[], float], *, wide: bool = False) -> None:
        self._chance = chance
        self._own = bool(name_server)
        self._family = socket.AF_INET6 if wide else socket.AF_INET
        self._dns = dns.asyncresolver.Resolver(configure=not name_server)
        self._dns.lifetime = _ANSWER_SECONDS
        if name_server:
            host, self._dns.port = host_port(name_server)
            self._dns.nameservers = [host]

    async def locate(
        self, host: str, port: int, transport: Transport | None, supported: Sequence[Transport]
    ) -> Located:
        """The servers of a host or domain.  Without a `port` its SRV records say, without a transport the
        NAPTR records say which of those `supported`.  Raises OSError when there is nothing to be found."""
        transports = [transport] if transport is not None else list(supported)
        try:
            ip_address(host)
        except ValueError:
            pass
        else:
            return Located([Address(host, port or DEFAULT_PORTS[transports[0]], transports[0])], None)
        if port:
            return await self._of_hosts([(host, port, transports[0])], _MOST_SECONDS)
        denied = set()
        for way, name, seconds in await self._ways(host, transport, supported):
            records, srv_seconds = await self._srv(name)
            if records:
                servers = [(record.target, record.port, way) for record in records[:_MOST_HOSTS]]
                return await self._of_hosts(servers, min(seconds, srv_seconds))
            if records is not None:
                denied.add(way)
        left = next((way for way in transports if way not in denied), None)
        if left is None:
            raise OSError(f'{host} says that it has no SIP service (SRV with target ".")')
        return await self._of_hosts([(host, DEFAULT_PORTS[left], left)], _MOST_SECONDS)

    async def _ways(
        self, host: str, transport: Transport | None, supported: Sequence[Transport]
    ) -> list[tuple[Transport, str, float]]:
        """(transport, name of the SRV records, seconds) in the order to be asked for."""
        if transport is not None:
            return [(transport, f"{SRV_NAMES[transport]}.{host}", _MOST_SECONDS)]
        answer = await self._ask(host, RdataType.NAPTR)
        records = [
            Naptr(r.order, r.preference, r.flags.decode(), r.service.decode(), r.replacement.to_text())
            for r in answer or ()
        ]
        found = services(records, supported)
        if answer is not None and found:
            return [(way, name, _ttl(answer)) for way, name in found]
        return [(way, f"{SRV_NAMES[way]}.{host}", _MOST_SECONDS) for way in supported]

    async def _srv(self, name: str) -> tuple[list[Srv] | None, float]:
        """None: there are no such records.  An empty list: they say that there is no such service."""
        answer = await self._ask(name, RdataType.SRV)
        if answer is None:
            return None, _MOST_SECONDS
        records = [Srv(r.priority, r.weight, r.port, r.target.to_text()) for r in answer]
        return in_order(records, self._chance), _ttl(answer)

    async def _of_hosts(self, servers: Sequence[tuple[str, int, Transport]], seconds: float) -> Located:
        addresses: list[Address] = []
        for name, port, transport in servers:
            hosts, host_seconds = await self._addresses(name)
            seconds = min(seconds, host_seconds)
            addresses += [Address(host, port, transport) for host in hosts]
        if not addresses:
            raise OSError("no address found")
        return Located(addresses[:_MOST_HOSTS], max(_LEAST_SECONDS, min(seconds, _MOST_SECONDS)))

    async def _addresses(self, name: str) -> tuple[list[str], float]:
        if not self._own:  # the system's way knows /etc/hosts too
            try:
                infos = await asyncio.get_running_loop().getaddrinfo(
                    name, None, family=self._family, type=socket.SOCK_DGRAM
                )
            except (OSError, UnicodeError):
                return [], _SYSTEM_SECONDS
            return list(dict.fromkeys(str(info[4][0]) for info in infos)), _SYSTEM_SECONDS
        wanted = RdataType.AAAA if self._family == socket.AF_INET6 else RdataType.A
        answer = await self._ask(name, wanted)
        if answer is None:
            return [], _MOST_SECONDS
        return [record.address for record in answer], _ttl(answer)

    async def _ask(self, name: str, kind: RdataType) -> dns.resolver.Answer | None:
        """None: there are no such records, or nobody says so."""
        try:
            return await self._dns.resolve(name, kind, search=False)
        except (dns.exception.DNSException, OSError):
            return None


def _ttl(answer: dns.resolver.Answer) -> float:
    return float(answer.rrset.ttl) if answer.rrset is not None else 0.0
