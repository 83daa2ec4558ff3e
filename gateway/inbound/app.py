"""What a customer writes in a client's app: decided on as an SMS is, by keywords, sessions and rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from gateway.config.model import Service
from gateway.store.base import Unit
from gateway.values.clock import Clock
from gateway.values.customer import Device
from gateway.values.errors import BadInput
from gateway.values.ids import NewId
from gateway.values.message import Message
from gateway.values.outcome import Status

MAX_TEXT = 10_000  # characters


class Handling(Protocol):
    """What decides (inbound.deciding)."""

    def handle(self, unit: Unit, message: Message, details: Mapping[str, str]) -> None: ...


class AppTexts:
    """`deciding` is set once it is there."""

    def __init__(self, *, services: Mapping[str, Service], clock: Clock, new_id: NewId) -> None:
        self._services = services
        self._clock = clock
        self._new_id = new_id
        self.deciding: Handling | None = None

    def received(self, unit: Unit, device: Device, text: str) -> str:
        """Take a text; its transid.  Raises BadInput; then the unit has nothing of it."""
        service = self._services.get(device.service)
        if service is None or service.status != "live":
            raise BadInput(f"service {device.service!r} is suspended", field="service", code="suspended")
        if not text.strip():
            raise BadInput("the text is empty", field="text", code="empty")
        if len(text) > MAX_TEXT:
            raise BadInput(f"{len(text)} characters; {MAX_TEXT} is the most", field="text", code="too_long")
        id, now = self._new_id(), self._clock.now()
        message = Message(
            id=id,
            direction="mo",
            service=device.service,
            sender=device.address,
            recipient=device.app,
            text=text,
            status=Status.RECEIVED,
            carrier=device.app,
            created_at=now,
            updated_at=now,
        )
        assert self.deciding is not None, "nobody connects before the gateway is there"
        self.deciding.handle(unit, message, {})
        return id
