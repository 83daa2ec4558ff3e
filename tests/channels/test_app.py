from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from gateway.channels import app
from gateway.channels.app import AppChannel
from gateway.config.model import App, Service
from gateway.content.otp import Codes
from gateway.directory.devices import Devices
from gateway.store.base import Unit
from gateway.values.customer import Device
from gateway.values.message import Message, Segment, StepPlan, StepRecord
from gateway.values.otp import Code
from gateway.values.outcome import Outcome, Result

BOB, ANN = "+447700900001", "+447700900002"
STEP = StepPlan(channel="app", sender="shop", text="Hello")


class FakeClock:
    def now(self) -> float:
        return 1_800_000_000.0

    def monotonic(self) -> float:
        return 1.0


class FakeLink:
    def __init__(self, device: Device) -> None:
        self.device = device
        self.frames: list[Mapping[str, object]] = []
        self.full = False
        self.closed = ""

    def push(self, frame: Mapping[str, object]) -> bool:
        if not self.full:
            self.frames.append(frame)
        return not self.full

    def close(self, reason: str) -> None:
        self.closed = reason


class Bench:
    def __init__(self) -> None:
        numbers = itertools.count(1)
        self.services = {"pizza": Service(name="Pizza", apps={"shop": App()})}
        self.devices = Devices(lambda: f"token-{next(numbers)}")
        self.reports: list[tuple[str, int, Outcome | None]] = []
        self.refusal = ""
        self.channel = AppChannel(
            services=self.services,
            devices=self.devices,
            clock=FakeClock(),
            refusal=lambda service, address: self.refusal,
            codes=Codes(b"key"),
            report=self.report,
        )

    def report(self, id: str, index: int, outcome: Outcome | None, segments: Sequence[Segment]) -> None:
        self.reports.append((id, index, outcome))

    def link(self, address: str = BOB) -> FakeLink:
        now = FakeClock().now()
        _, device = self.devices.issue(Unit(), ("pizza", "shop", address), now, 1000.0)
        return FakeLink(device)

    def join(self, address: str = BOB) -> FakeLink:
        link = self.link(address)
        assert self.channel.join(link)
        return link


def message(recipient: str = BOB, *, exempt: bool = False) -> Message:
    return Message(
        id="m1",
        direction="mt",
        service="pizza",
        sender="shop",
        recipient=recipient,
        plan=(STEP,),
        steps=(StepRecord(),),
        consent_exempt=exempt,
        created_at=0.0,
        updated_at=0.0,
    )


def test_a_customer_without_the_app_is_told_apart_from_one_who_is_not_connected() -> None:
    bench = Bench()
    assert "no installation of the app shop" in bench.channel.applicable(message(), STEP)
    link = bench.link()
    assert bench.channel.applicable(message(), STEP) == ""
    carrier = bench.channel.available(message(), STEP)
    assert (carrier.name, carrier.reason) == ("", "no installation of the app shop is connected")
    bench.channel.join(link)
    assert bench.channel.available(message(), STEP).up
    bench.channel.leave(link)
    assert not bench.channel.available(message(), STEP).up and bench.channel.connected == 0


def test_consent_counts_for_the_app_too() -> None:
    bench = Bench()
    bench.join()
    bench.refusal = "has opted out"
    assert bench.channel.applicable(message(), STEP) == "has opted out"
    assert bench.channel.applicable(message(exempt=True), STEP) == ""


def test_each_installation_of_the_customer_is_given_the_message_and_no_one_else() -> None:
    bench = Bench()
    phone, tablet, stranger = bench.join(), bench.join(), bench.join(ANN)
    assert bench.channel.send(message(), 0, "shop")
    [frame] = phone.frames
    assert tablet.frames == [frame] and stranger.frames == []
    assert (frame["type"], frame["id"], frame["text"], frame["from"]) == ("message", "m1/0", "Hello", "shop")
    assert bench.reports == [("m1", 0, Outcome(Result.ACCEPTED, carrier="shop"))]


def test_a_message_that_nobody_takes_is_unreachable_and_one_that_somebody_takes_is_not() -> None:
    bench = Bench()
    full, other = bench.join(), bench.join()
    full.full = other.full = True
    bench.channel.send(message(), 0, "shop")
    other.full = False
    bench.channel.send(message(), 0, "shop")
    bench.channel.leave(full)
    bench.channel.leave(other)
    bench.channel.send(message(), 0, "shop")
    results = [outcome.result for _, _, outcome in bench.reports if outcome]
    assert results == [Result.UNREACHABLE, Result.ACCEPTED, Result.UNREACHABLE]


def test_only_whom_a_message_was_to_can_say_that_it_was_read() -> None:
    bench = Bench()
    own, stranger = bench.join(), bench.join(ANN)
    assert bench.channel.told(own.device, message(), 0, Result.READ)
    assert not bench.channel.told(stranger.device, message(), 0, Result.READ)
    assert not bench.channel.told(own.device, message(), 7, Result.READ)
    assert not bench.channel.told(own.device, None, 0, Result.READ)
    assert [(index, outcome and outcome.result) for _, index, outcome in bench.reports] == [(0, Result.READ)]


def test_those_whose_token_or_app_is_gone_are_dismissed() -> None:
    bench = Bench()
    bob, ann = bench.join(), bench.join(ANN)
    bench.channel.dismiss()
    assert (bob.closed, ann.closed) == ("", "")
    bench.devices.revoke(Unit(), ("pizza", "shop", BOB))
    bench.channel.dismiss()
    assert (bob.closed, ann.closed) == ("the token was revoked", "")
    bench.services["pizza"] = Service(name="Pizza")
    bench.channel.dismiss()
    assert ann.closed == "the app is no longer served"


def test_there_is_a_limit_of_connections(monkeypatch: object) -> None:
    bench = Bench()
    limit, app.MAX_LINKS = app.MAX_LINKS, 1
    try:
        first = bench.join()
        assert not bench.channel.join(bench.link(ANN))
        bench.channel.leave(first)
        bench.channel.leave(first)
        assert bench.channel.join(bench.link(ANN)) and bench.channel.connected == 1
    finally:
        app.MAX_LINKS = limit


def test_a_one_time_password_is_shown_by_the_app_and_stored_nowhere() -> None:
    bench = Bench()
    link = bench.join()
    said = Code("o1", 1, "numeric", 6, (6,))
    step = replace(STEP, text="Code: ******", code=said)
    bench.channel.send(replace(message(), plan=(step,)), 0, "shop")
    assert link.frames[0]["text"] == f"Code: {Codes(b'key').code('pizza', BOB, said)}"
