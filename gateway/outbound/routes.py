"""Which binds could carry an SMS, in the order in which they are to be tried."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

from msgspec import Struct

from gateway.config.model import Bind, Route, Service
from gateway.values.address import canonical
from gateway.values.errors import BadAddress
from gateway.values.hours import ALL_DAY, DAYS, hours, within
from gateway.values.message import Message, StepPlan
from gateway.values.zone import zone_named


class Considered(Struct, frozen=True):
    """A route as it was looked at.  `reason` says why it is out, "" if it is in; `prefix` is what fits."""

    name: str
    bind: str
    cost: float = 0.0
    weight: float = 1.0
    prefix: str = ""
    reason: str = ""


class Routes:
    """The settings of binds and services, read once.  A service's plain list costs one look-up a message."""

    def __init__(self, binds: Mapping[str, Bind], services: Mapping[str, Service]) -> None:
        self._sending = {name for name, bind in binds.items() if bind.mode != "receiver"}
        self._by_address: dict[str, list[str]] = {}
        self._preferred = {name: service.routes for name, service in services.items()}
        self._tables = {
            name: [_Way(key, route) for key, route in service.route_table.items()]
            for name, service in services.items()
            if service.route_table
        }
        self._plain: dict[tuple[str, str], list[str]] = {}
        for name in binds:
            for address in binds[name].addresses:
                self._carries(name, address)
        for service in services.values():
            for address, asset in service.registry.items():
                self._carries(asset.carrier, address)

    def candidates(self, message: Message, step: StepPlan, now: float) -> list[str]:
        """Names of binds; not to be changed.  `step.via` names the only one; else those that carry its
        sender, in the order of the service's routes; else, for a sender that no bind claims, the routes
        themselves.

        A service's table leaves out what does not fit the recipient or the time, Unix seconds.
        """
        if step.via:
            return [step.via] if step.via in self._sending else []
        if message.service in self._tables:
            considered = self.explain(message.service, step.sender, message.recipient, message.id, now)
            return list(dict.fromkeys(route.bind for route in considered if not route.reason))
        key = (message.service, step.sender)
        found = self._plain.get(key)
        if found is None:
            found = self._plain[key] = self._listed(*key)
        return found

    def explain(self, service: str, sender: str, recipient: str, id: str, now: float) -> list[Considered]:
        """The routes of a service for a message: those that fit in their order, then the others with the
        reason.  Among equals `id` decides, so that all tries of a message agree."""
        if service not in self._tables:
            listed = self._listed(service, sender)
            left = [name for name in self._preferred.get(service, []) if name not in listed]
            return [Considered(name, name) for name in listed] + [
                Considered(name, name, reason=self._unfit(name, sender)) for name in left
            ]
        carrying = self._by_address.get(sender, [])
        fit, out = list[tuple[tuple[float, ...], Considered]](), list[Considered]()
        for way in self._tables[service]:
            reason, prefix = way.reason(recipient, now), way.prefix(recipient) or ""
            if not reason and (way.bind not in self._sending or (carrying and way.bind not in carrying)):
                reason = self._unfit(way.bind, sender)
            route = way.route
            one = Considered(way.name, way.bind, route.cost, route.weight, prefix, reason)
            if reason:
                out.append(one)
            else:
                fit.append(((-len(prefix), route.cost, _turn(id, way.name, route.weight)), one))
        fit.sort(key=lambda item: item[0])
        return [one for _, one in fit] + out

    def _unfit(self, bind: str, sender: str) -> str:
        return f"{bind} does not carry {sender}" if bind in self._sending else f"no bind {bind} sends"

    def _carries(self, bind: str, address: str) -> None:
        if bind not in self._sending:
            return
        try:
            carrying = self._by_address.setdefault(canonical(address), [])
        except BadAddress:
            return  # an app; `gateway check` has said what else it may be
        if bind not in carrying:
            carrying.append(bind)

    def _listed(self, service: str, sender: str) -> list[str]:
        preferred = self._preferred.get(service, [])
        if carrying := self._by_address.get(sender):
            return sorted(
                carrying, key=lambda name: preferred.index(name) if name in preferred else len(preferred)
            )
        return [name for name in preferred if name in self._sending]


class _Way:
    """A route, its settings read once."""

    def __init__(self, name: str, route: Route) -> None:
        self.name, self.route = name, route
        self.bind = route.bind or name
        self._prefixes = sorted(route.prefixes, key=len, reverse=True)
        self._span = hours(route.hours) if route.hours else ALL_DAY
        self._days = {DAYS.index(day) for day in route.days} or set(range(7))
        self._timed = bool(route.hours or route.days)
        self._zone = zone_named(route.zone)

    def prefix(self, recipient: str) -> str | None:
        """The longest one that fits; None: it has some, and none does."""
        if not self._prefixes:
            return ""
        return next((prefix for prefix in self._prefixes if recipient.startswith(prefix)), None)

    def reason(self, recipient: str, now: float) -> str:
        """Why it is not to be taken; "" if it may be."""
        if self.prefix(recipient) is None:
            return f"{recipient} does not begin with {' or '.join(self.route.prefixes)}"
        if self._timed and within(now, self._zone, self._span, self._days) > now:
            when = " ".join([self.route.hours, *self.route.days]).strip()
            return f"it is for {when} ({self.route.zone})"
        return ""


def _turn(id: str, name: str, weight: float) -> float:
    """A number that is lower the more often the greater the weight: the lowest of several goes first as often
    as its share of all weights (the minimum of exponential variables)."""
    if weight <= 0:
        return math.inf
    return -math.log((zlib.crc32(f"{id}/{name}".encode()) + 1) / (1 << 32)) / weight
