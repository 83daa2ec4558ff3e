"""When a service may reach a customer unasked: once they have opted in, where it wants that; with marketing
outside quiet hours where they live, and not too often.

A customer who has written to the service is awake for a while: what is sent to them then is an answer, and
neither held, counted nor refused for want of an opt-in.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from gateway.config.model import Service
from gateway.store.base import Store, Unit
from gateway.values.hours import Hours, hours, within
from gateway.values.zone import zone_of

AWAKE_SECONDS = 900.0
DAY_SECONDS, WEEK_SECONDS = 86_400.0, 7 * 86_400.0
_AWAKE = 100_000  # customers who are remembered as such; the oldest are forgotten early


class _Rules:
    __slots__ = ("opt_in", "per_day", "per_week", "quiet", "written")

    def __init__(self, service: Service) -> None:
        marketing = service.traffic == "marketing"
        self.opt_in = service.consent == "opt-in"
        self.written = service.quiet_hours if marketing else ""
        self.quiet: Hours | None = hours(self.written) if self.written else None
        self.per_day = service.per_day if marketing else 0
        self.per_week = service.per_week if marketing else 0

    def any(self) -> bool:
        return bool(self.opt_in or self.quiet or self.per_day or self.per_week)


class Policy:
    """`governs` is what most services pay for it: one look-up a message."""

    def __init__(
        self,
        services: Mapping[str, Service],
        opted_in: Callable[[str, str], bool] = lambda service, address: True,
    ) -> None:
        self._opted_in = opted_in
        self._rules: dict[str, _Rules] = {}
        self._sent: dict[tuple[str, str], deque[float]] = {}
        self._awake: OrderedDict[tuple[str, str], float] = OrderedDict()
        self.configure(services)

    def configure(self, services: Mapping[str, Service]) -> None:
        rules = {name: _Rules(service) for name, service in services.items()}
        self._rules = {name: one for name, one in rules.items() if one.any()}

    async def load(self, store: Store, now: float) -> None:
        """Count again what was sent before a restart; answers among it count then too."""
        for name, rules in self._rules.items():
            if rules.per_day or rules.per_week:
                for recipient, at in await store.sent_since(name, now - WEEK_SECONDS):
                    self._sent.setdefault((name, recipient), deque()).append(at)

    def governs(self, service: str) -> bool:
        return service in self._rules

    def heard(self, service: str, customer: str, now: float) -> None:
        """The customer has written to the service."""
        if service not in self._rules:
            return
        self._awake[service, customer] = now
        self._awake.move_to_end((service, customer))
        if len(self._awake) > _AWAKE:
            self._awake.popitem(last=False)

    def awake(self, service: str, customer: str, now: float) -> bool:
        return now - self._awake.get((service, customer), -AWAKE_SECONDS) < AWAKE_SECONDS

    def opens(self, service: str, customer: str, now: float) -> float:
        """When the quiet hours that it is now end, Unix seconds; 0: there are none now."""
        rules = self._rules.get(service)
        if rules is None or rules.quiet is None:
            return 0.0
        begin, end = rules.quiet
        opens = within(now, zone_of(customer), (end, begin))
        return opens if opens > now else 0.0

    def quiet(self, service: str, customer: str, now: float) -> str:
        """Why nothing may go to the customer now, as a sentence; "" if it may."""
        opens = self.opens(service, customer, now)
        if not opens:
            return ""
        zone = zone_of(customer)
        until = datetime.fromtimestamp(opens, UTC).astimezone(zone)
        return (
            f"quiet hours of {service} ({self._rules[service].written}) until "
            f"{until:%H:%M} where the customer is ({zone})"
        )

    def unasked(self, service: str, customer: str) -> str:
        """Why the customer wants nothing unasked, as a sentence; "" if they have said that they do."""
        rules = self._rules.get(service)
        if rules is None or not rules.opt_in or self._opted_in(service, customer):
            return ""
        return f"the customer has not opted in to {service}"

    def cap(self, service: str, customer: str, now: float) -> str:
        """Why the customer has had enough, as a sentence; "" if not."""
        rules, sent = self._rules.get(service), self._sent.get((service, customer))
        if rules is None or not sent:
            return ""
        while sent and sent[0] <= now - WEEK_SECONDS:
            sent.popleft()
        today = sum(at > now - DAY_SECONDS for at in sent)
        for most, had, when in ((rules.per_day, today, "24 hours"), (rules.per_week, len(sent), "7 days")):
            if most and had >= most:
                return f"the customer has had {had} messages of {service} in {when}, and {most} is the most"
        return ""

    def count(self, unit: Unit, service: str, customer: str, now: float) -> None:
        """A message to the customer has been accepted."""
        rules = self._rules.get(service)
        if rules is None or not (rules.per_day or rules.per_week):
            return
        sent = self._sent.setdefault((service, customer), deque())
        sent.append(now)

        def take_back() -> None:
            if now in sent:
                sent.remove(now)

        unit.undo.append(take_back)


def explicit(services: Mapping[str, Service]) -> list[str]:
    """Those whose customers must have opted in."""
    return [name for name, service in services.items() if service.consent == "opt-in"]
