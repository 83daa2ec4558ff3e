from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.config.model import App, NotifyUrls, Service
from gateway.inbound.app import MAX_TEXT, AppTexts
from gateway.store.base import Unit
from gateway.values.customer import Device
from gateway.values.errors import BadInput
from gateway.values.event import Event
from gateway.values.message import Message
from gateway.values.outcome import Status

BOB = "+447700900001"
DEVICE = Device(digest="d", service="pizza", app="shop", address=BOB, created_at=0.0, expires_at=1e12)


class Bench:
    def __init__(self, status: Any = "live") -> None:
        self.services = {
            "pizza": Service(
                name="Pizza",
                status=status,
                apps={"shop": App()},
                notify=NotifyUrls(inbound="https://example.org/mo"),
            )
        }
        self.owed: list[Mapping[str, Any]] = []
        self.fired: list[dict[str, Any]] = []
        self.texts = AppTexts(services=self.services, clock=self, new_id=lambda: "m1", owing=self)
        self.texts.follow = self

    def now(self) -> float:
        return 5.0

    def monotonic(self) -> float:
        return 5.0

    def owe(self, unit: Unit, *, service: str, ref: str, url: str, body: Mapping[str, Any]) -> None:
        self.owed.append({"url": url, **body})

    def fire(self, unit: Unit, event: Event, seen: Any, *, customer: str, number: str, body: Any) -> None:
        self.fired.append({"event": event, "seen": seen, "customer": customer, "number": number})


def test_a_text_is_kept_told_and_rules_see_it() -> None:
    bench, unit = Bench(), Unit()
    assert bench.texts.received(unit, DEVICE, "Hello THERE!") == "m1"
    message, event = unit.writes
    assert isinstance(message, Message) and message.status is Status.HANDLED and message.direction == "mo"
    assert isinstance(event, Event) and "text" not in event.data
    [told] = bench.owed
    assert (told["type"], told["from"], told["to"], told["text"]) == (
        "app.received",
        BOB,
        "shop",
        "Hello THERE!",
    )
    [fired] = bench.fired
    assert (fired["customer"], fired["number"]) == (BOB, "shop")
    assert fired["seen"]["app"] == {
        "from": BOB,
        "to": "shop",
        "text": "Hello THERE!",
        "words": ["hello", "there"],
    }


@pytest.mark.parametrize(
    ("status", "text", "code"),
    [("suspended", "Hi", "suspended"), ("live", " ", "empty"), ("live", "x" * (MAX_TEXT + 1), "too_long")],
)
def test_what_cannot_be_taken_leaves_nothing_in_the_unit(status: str, text: str, code: str) -> None:
    unit = Unit()
    with pytest.raises(BadInput) as refused:
        Bench(status).texts.received(unit, DEVICE, text)
    assert refused.value.code == code and unit.writes == []
