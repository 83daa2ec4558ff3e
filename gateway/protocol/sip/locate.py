"""Which servers a domain's DNS records name, in which order (RFC 3263 section 4, RFC 2782)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.protocol.sip.address import Transport

# how SRV records are asked for by transport (RFC 3263 section 4.1, RFC 3261 table of services)
SRV_NAMES: dict[Transport, str] = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}
_NAPTR_SERVICES: dict[str, Transport] = {"sip+d2u": "udp", "sip+d2t": "tcp", "sips+d2t": "tls"}


@dataclass(frozen=True, slots=True)
class Naptr:
    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    priority: int
    weight: int
    port: int
    target: str


def services(records: Iterable[Naptr], supported: Sequence[Transport]) -> list[tuple[Transport, str]]:
    """The transports that both sides have with the names to ask for SRV records, best first."""
    usable = [
        record
        for record in records
        if record.flags.lower() == "s"
        and _NAPTR_SERVICES.get(record.service.lower()) in supported
        and record.replacement.strip(".")
    ]
    usable.sort(key=lambda record: (record.order, record.preference))
    return [(_NAPTR_SERVICES[record.service.lower()], record.replacement) for record in usable]


def in_order(records: Iterable[Srv], chance: Callable[[], float]) -> list[Srv]:
    """By priority, and by lot within one: a weight of 20 comes first twice as often as one of 10.

    Empty when the domain says that it has no such service (a single target ".").
    """
    left = sorted(
        (record for record in records if record.target.strip(".")),
        key=lambda record: (record.priority, record.weight),  # weight 0 first, as RFC 2782 wants it
    )
    chosen = []
    while left:
        peers = [record for record in left if record.priority == left[0].priority]
        lot = chance() * (sum(record.weight for record in peers) + 1)
        for record in peers:
            lot -= record.weight
            if lot < 1:
                break
        chosen.append(record)
        left.remove(record)
    return chosen
