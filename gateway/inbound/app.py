"""What a customer writes in a client's app: an event `app.received`, with what follows from it."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.config.model import Service
from gateway.inbound.custom import Following
from gateway.outbound.accept import Owing
from gateway.rules import variables
from gateway.store.base import Unit
from gateway.values.clock import Clock, iso
from gateway.values.customer import Device
from gateway.values.errors import BadInput
from gateway.values.event import Event, Trigger
from gateway.values.ids import NewId
from gateway.values.message import Message
from gateway.values.outcome import Status

MAX_TEXT = 10_000  # characters


class AppTexts:
    """`follow` is set once what follows is there."""

    def __init__(self, *, services: Mapping[str, Service], clock: Clock, new_id: NewId, owing: Owing) -> None:
        self._services = services
        self._clock = clock
        self._new_id = new_id
        self._owing = owing
        self.follow: Following | None = None

    def received(self, unit: Unit, device: Device, text: str) -> str:
        """Take a text; its transid.  It goes to sessions that wait for `app.received`, to rules and to the
        service's inbound notify URL.  Raises BadInput; then the unit has nothing of it."""
        service = self._services.get(device.service)
        if service is None or service.status != "live":
            raise BadInput(f"service {device.service!r} is suspended", field="service", code="suspended")
        if not text.strip():
            raise BadInput("the text is empty", field="text", code="empty")
        if len(text) > MAX_TEXT:
            raise BadInput(f"{len(text)} characters; {MAX_TEXT} is the most", field="text", code="too_long")
        id, now = self._new_id(), self._clock.now()
        unit.writes.append(
            Message(
                id=id,
                direction="mo",
                service=device.service,
                sender=device.address,
                recipient=device.app,
                text=text,
                status=Status.HANDLED,
                carrier=device.app,
                created_at=now,
                updated_at=now,
            )
        )
        event = Event(
            ref=id,
            type=str(Trigger.APP_RECEIVED),
            service=device.service,
            at=now,
            data={"from": device.address, "to": device.app},
        )
        unit.writes.append(event)
        seen = variables.app(customer=device.address, app=device.app, text=text)
        body = {
            "type": event.type,
            "transid": id,
            "timestamp": iso(now),
            "service": device.service,
            "from": device.address,
            "to": device.app,
            "text": text,
        }
        if service.notify.inbound:
            self._owing.owe(unit, service=device.service, ref=id, url=service.notify.inbound, body=body)
        if self.follow is not None:
            self.follow.fire(unit, event, seen, customer=device.address, number=device.app, body=body)
        return id
