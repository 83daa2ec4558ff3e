from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.config.model import App, Service
from gateway.inbound.app import MAX_TEXT, AppTexts
from gateway.store.base import Unit
from gateway.values.customer import Device
from gateway.values.errors import BadInput
from gateway.values.message import Message
from gateway.values.outcome import Status

BOB = "+447700900001"
DEVICE = Device(digest="d", service="pizza", app="shop", address=BOB, created_at=0.0, expires_at=1e12)


class Bench:
    def __init__(self, status: Any = "live") -> None:
        services = {"pizza": Service(name="Pizza", status=status, apps={"shop": App()})}
        self.handled: list[Message] = []
        self.texts = AppTexts(services=services, clock=self, new_id=lambda: "m1")
        self.texts.deciding = self

    def now(self) -> float:
        return 5.0

    def monotonic(self) -> float:
        return 5.0

    def handle(self, unit: Unit, message: Message, details: Mapping[str, str]) -> None:
        self.handled.append(message)


def test_a_text_is_a_message_from_the_customer_to_the_app() -> None:
    bench = Bench()
    assert bench.texts.received(Unit(), DEVICE, "Hello THERE!") == "m1"
    [message] = bench.handled
    assert (message.id, message.direction, message.status) == ("m1", "mo", Status.RECEIVED)
    assert (message.service, message.sender, message.recipient) == ("pizza", BOB, "shop")
    assert (message.carrier, message.text) == ("shop", "Hello THERE!")


@pytest.mark.parametrize(
    ("status", "text", "code"),
    [("suspended", "Hi", "suspended"), ("live", " ", "empty"), ("live", "x" * (MAX_TEXT + 1), "too_long")],
)
def test_what_cannot_be_taken_is_not_decided_on(status: str, text: str, code: str) -> None:
    bench = Bench(status)
    with pytest.raises(BadInput) as refused:
        bench.texts.received(Unit(), DEVICE, text)
    assert refused.value.code == code and bench.handled == []
