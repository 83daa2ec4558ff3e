"""Custom events, which applications, rules and flows raise: from their parameters to the rules on them."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from gateway.config.model import Service
from gateway.flows import effects
from gateway.flows.inputs import EffectDone
from gateway.outbound.accept import Owing
from gateway.rules import variables
from gateway.store.base import Delete, Store, Unit
from gateway.values.address import subscriber
from gateway.values.clock import Clock, iso
from gateway.values.customer import Raised
from gateway.values.errors import BadAddress, BadInput
from gateway.values.event import CUSTOM, Event
from gateway.values.fault import nearest
from gateway.values.ids import NewId
from gateway.values.parameters import filled
from gateway.values.work import Run

log = logging.getLogger(__name__)

WINDOW_SECONDS = 86_400.0  # the same correlationid within it is the same event
_REMEMBERED = 500_000  # of those; past it the oldest are forgotten early
_FORGOTTEN_AT_ONCE = 100

UNLINKED = "no rule and no flow of the service waits for this event"
EXPIRED = "it has expired; nothing was done"
REPEATED = "it has been raised before"


class Following(Protocol):
    """What follows from an event (inbound.consequences)."""

    def fire(
        self,
        unit: Unit,
        event: Event,
        seen: variables.Variables,
        *,
        customer: str,
        number: str,
        body: Mapping[str, object],
        hops: int = 0,
    ) -> None: ...
    def concerns(self, service: str, event: str) -> bool: ...


class Occurrence(Struct, frozen=True, kw_only=True):
    """A custom event to be raised.  `by` is what raises it: api, rule, flow; `customer` whom it is about, ""
    where its own parameters say so."""

    service: str
    name: str
    parameters: Mapping[str, Any] = {}
    customer: str = ""
    number: str = ""
    correlationid: str = ""
    expiry: float = 0.0  # Unix seconds: nothing is done after that; 0 = never
    notify_url: str = ""
    by: str


class Outcome(Struct, frozen=True):
    """`id` is the event's transid; `warning` why nothing came of it, "" if something may have."""

    id: str
    warning: str = ""


class CustomEvents:
    """`follow` is set once what follows is there."""

    def __init__(self, *, services: Mapping[str, Service], clock: Clock, new_id: NewId, owing: Owing) -> None:
        self._services = services
        self._clock = clock
        self._new_id = new_id
        self._owing = owing
        self._raised: OrderedDict[tuple[str, str], Raised] = OrderedDict()
        self.follow: Following | None = None

    async def load(self, store: Store) -> None:
        for raised in await store.raised():
            self._raised[raised.service, raised.correlationid] = raised

    def check(self, service: str, name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters in their types, with defaults.  Raises BadInput, naming the field."""
        settings = self._services[service]
        if settings.status != "live":
            raise BadInput(f"service {service!r} is suspended", field="service", code="suspended")
        declared = settings.events.get(name)
        if declared is None:
            near = nearest(name, settings.events) or f" (it has: {', '.join(settings.events) or 'none'})"
            raise BadInput(
                f"service {service!r} has no event {name!r}{near}", field="event", code="unknown_event"
            )
        return filled(declared.parameters, parameters, of=f"event {name}", field="parameters")

    def happen(self, unit: Unit, what: Occurrence) -> Outcome:
        """Raise it: what follows joins the unit.  Raises BadInput; then the unit has nothing of it."""
        values = self.check(what.service, what.name, what.parameters)
        customer = self._customer(what, values)
        now = self._clock.now()
        key = (what.service, what.correlationid)
        self._forget(unit, now)
        if what.correlationid and (before := self._raised.get(key)) is not None:
            return Outcome(before.id, REPEATED)
        id = self._new_id()
        if what.correlationid:
            self._remember(unit, Raised(service=key[0], correlationid=key[1], id=id, at=now))
        outcome = Outcome(id, self._warning(what, now))
        event = Event(
            ref=id,
            type=f"{CUSTOM}{what.name}",
            service=what.service,
            at=now,
            data={"by": what.by, "correlationid": what.correlationid, "warning": outcome.warning},
        )
        unit.writes.append(event)
        if outcome.warning:
            log.warning(
                "custom.unused",
                extra={
                    "transid": id,
                    "service": what.service,
                    "custom": what.name,
                    "reason": outcome.warning,
                },
            )
        if outcome.warning != EXPIRED and self.follow is not None:
            body = {"parameters": values, "correlationid": what.correlationid}
            self.follow.fire(
                unit, event, variables.custom(values), customer=customer, number=what.number, body=body
            )
        if what.notify_url:
            self._notify(unit, what, event, outcome)
        return outcome

    def act(self, unit: Unit, run: Run, effect: effects.RaiseEvent) -> EffectDone:
        """What a node of a flow raises.  Raises BadInput."""
        raised = Occurrence(
            service=run.service,
            name=effect.name,
            parameters=effect.data,
            customer=run.customer,
            number=run.number,
            by="flow",
        )
        outcome = self.happen(unit, raised)
        return EffectDone(effect.key, "success", {"id": outcome.id, "reason": outcome.warning})

    def _customer(self, what: Occurrence, values: Mapping[str, Any]) -> str:
        settings = self._services[what.service]
        parameter = settings.events[what.name].customer
        given = str(values.get(parameter) or "")
        if not given:
            return what.customer
        try:
            return subscriber(given, settings.country)
        except BadAddress as error:
            raise BadAddress(error.reason, field=f"parameters.{parameter}") from None

    def _warning(self, what: Occurrence, now: float) -> str:
        if what.expiry and now >= what.expiry:
            return EXPIRED
        linked = self.follow is not None and self.follow.concerns(what.service, f"{CUSTOM}{what.name}")
        return "" if linked or self._awaited(what.service, f"{CUSTOM}{what.name}") else UNLINKED

    def _awaited(self, service: str, event: str) -> bool:
        """Whether a node of a flow waits for it."""
        for flow in self._services[service].flows.values():
            nodes = flow.get("nodes", {})
            if any(event in (node.get("await") or ()) for node in nodes.values()):
                return True
        return False

    def _notify(self, unit: Unit, what: Occurrence, event: Event, outcome: Outcome) -> None:
        body = {
            "type": event.type,
            "transid": event.ref,
            "service": what.service,
            "correlationid": what.correlationid,
            "warning": outcome.warning,
            "timestamp": iso(event.at),
        }
        self._owing.owe(unit, service=what.service, ref=event.ref, url=what.notify_url, body=body)

    def _remember(self, unit: Unit, raised: Raised) -> None:
        key = (raised.service, raised.correlationid)
        self._raised[key] = raised
        unit.writes.append(raised)

        def take_back() -> None:
            if self._raised.get(key) is raised:
                del self._raised[key]

        unit.undo.append(take_back)

    def _forget(self, unit: Unit, now: float) -> None:
        """What is older than the window, a few at each event."""
        for _ in range(_FORGOTTEN_AT_ONCE):
            oldest = next(iter(self._raised.values()), None)
            if oldest is None or (oldest.at > now - WINDOW_SECONDS and len(self._raised) < _REMEMBERED):
                return
            key = (oldest.service, oldest.correlationid)
            del self._raised[key]
            unit.writes.append(Delete(Raised, key))
