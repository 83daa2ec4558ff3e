"""Backends that the contract's tests run on, and records to fill them with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.store.base import Store
from gateway.store.sqlite import SqliteStore
from gateway.values.call import Call
from gateway.values.event import Event
from gateway.values.link import Link
from gateway.values.message import Consent, Message, Offence, Part, Receipt, Segment
from gateway.values.otp import Otp
from gateway.values.work import Effect, FlowVersion, Notification, Run, Timer

BACKENDS: dict[str, Callable[[Path], Store]] = {
    "sqlite": lambda directory: SqliteStore(directory / "gateway.db"),
}


@pytest.fixture(params=list(BACKENDS))
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Gives a store object on the same data each time it is called."""
    make = BACKENDS[request.param]
    return lambda: make(tmp_path)


@pytest.fixture
async def store(backend: Callable[[], Store]) -> AsyncIterator[Store]:
    store = backend()
    await store.open()
    yield store
    await store.close()


class Records:
    """One plain record of each type; fields by keyword."""

    def message(self, id: str = "m1", **fields: Any) -> Message:
        plain = {
            "direction": "mt",
            "service": "alerts",
            "sender": "12345",
            "recipient": "+447700900001",
            "created_at": 1.5,
            "updated_at": 2.5,
        }
        return Message(id=id, **plain | fields)

    def segment(self, message: str = "m1", step: int = 0, part: int = 1, **fields: Any) -> Segment:
        return Segment(message=message, step=step, part=part, **{"total": 1, "bind": "north"} | fields)

    def part(self, id: str = "p1", **fields: Any) -> Part:
        plain = {
            "bind": "north",
            "sender": "+447700900001",
            "recipient": "12345",
            "reference": 7,
            "total": 2,
            "part": 1,
            "wide": False,
            "sar": False,
            "octets": b"\x00\xff",
            "data_coding": 0,
            "received_at": 1.0,
        }
        return Part(id=id, **plain | fields)

    def receipt(self, id: str = "r1", **fields: Any) -> Receipt:
        plain = {"bind": "north", "smsc_id": "A1", "state": "delivered", "final": True, "received_at": 1.0}
        return Receipt(id=id, **plain | fields)

    def consent(self, address: str = "+447700900001", **fields: Any) -> Consent:
        return Consent(address=address, **{"service": "alerts", "opted_out": True, "at": 1.0} | fields)

    def offence(self, address: str = "+447700900001", **fields: Any) -> Offence:
        return Offence(address=address, **{"service": "alerts", "count": 1, "at": 1.0} | fields)

    def otp(self, id: str = "o1", **fields: Any) -> Otp:
        plain = {
            "service": "alerts",
            "address": "+447700900001",
            "salt": "00",
            "hash": "ff",
            "most_attempts": 5,
            "created_at": 1.0,
            "sent_at": 1.0,
            "expires_at": 301.0,
            "validity_seconds": 300.0,
        }
        return Otp(id=id, **plain | fields)

    def link(self, token: str = "abcdefgh", **fields: Any) -> Link:
        plain = {
            "number": 1,
            "service": "alerts",
            "name": "offer",
            "address": "+447700900001",
            "ref": "m1",
            "android": "",
            "ios": "",
            "other": "https://example.org/",
            "after": "",
            "created_at": 1.0,
            "expires_at": 9.0,
        }
        return Link(token=token, **plain | fields)

    def call(self, id: str = "c1", **fields: Any) -> Call:
        plain = {
            "direction": "in",
            "service": "alerts",
            "trunk": "east",
            "caller": "+447700900001",
            "called": "+442079460000",
            "started_at": 1.0,
        }
        return Call(id=id, **plain | fields)

    def event(self, ref: str = "m1", **fields: Any) -> Event:
        return Event(ref=ref, **{"type": "message.accepted", "service": "alerts", "at": 1.0} | fields)

    def effect(self, key: str = "m1/0", **fields: Any) -> Effect:
        return Effect(key=key, **{"kind": "submit", "ref": "m1", "created_at": 1.0} | fields)

    def timer(self, ref: str = "m1", **fields: Any) -> Timer:
        return Timer(ref=ref, **{"kind": "step", "due": 1.0} | fields)

    def notification(self, id: str = "n1", **fields: Any) -> Notification:
        plain = {
            "ref": "m1",
            "service": "alerts",
            "url": "http://localhost/dlr",
            "body": b"{}",
            "due": 1.0,
            "created_at": 1.0,
        }
        return Notification(id=id, **plain | fields)

    def flow_version(self, version: str = "abc", **fields: Any) -> FlowVersion:
        plain = {"service": "alerts", "flow": "order", "definition": {"start": "ask"}, "created_at": 1.0}
        plain |= {"number": 1}
        return FlowVersion(version=version, **plain | fields)

    def run(self, id: str = "s1", **fields: Any) -> Run:
        plain = {
            "service": "alerts",
            "flow": "order",
            "version": "abc",
            "customer": "+447700900001",
            "number": "12345",
            "created_at": 1.0,
            "updated_at": 1.0,
        }
        return Run(id=id, **plain | fields)


@pytest.fixture(scope="session")
def records() -> Records:
    return Records()
