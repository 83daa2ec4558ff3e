from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest
from msgspec.structs import replace

from gateway.channels import app
from gateway.channels.app import AppChannel, Close, unconfirmed
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
PATIENT = replace(STEP, away="last")
QUEUE = f"app:pizza/shop/{BOB}"


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
        self.closed: Close | None = None

    def push(self, frame: Mapping[str, object]) -> bool:
        if not self.full:
            self.frames.append(frame)
        return not self.full

    def close(self, code: Close, reason: str) -> None:
        self.closed = code


class Bench:
    def __init__(self) -> None:
        numbers = itertools.count(1)
        self.services = {"pizza": Service(name="Pizza", apps={"shop": App()})}
        self.devices = Devices(lambda: f"token-{next(numbers)}")
        self.reports: list[tuple[str, int, Outcome | None]] = []
        self.rooms: list[str] = []
        self.refusal = ""
        self.channel = AppChannel(
            services=self.services,
            devices=self.devices,
            clock=FakeClock(),
            refusal=lambda service, address: self.refusal,
            codes=Codes(b"key"),
            report=self.report,
            room=self.rooms.append,
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
        self.channel.ready(link)
        return link


def message(recipient: str = BOB, *, exempt: bool = False, step: StepPlan = STEP) -> Message:
    return Message(
        id="m1",
        direction="mt",
        service="pizza",
        sender="shop",
        recipient=recipient,
        plan=(step,),
        steps=(StepRecord(),),
        consent_exempt=exempt,
        created_at=1_700_000_000.0,
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
    bench.channel.ready(link)
    assert bench.channel.available(message(), STEP).up
    bench.channel.leave(link)
    assert not bench.channel.available(message(), STEP).up and bench.channel.connected == 0


def test_a_step_that_waits_for_an_installation_does_so_in_a_queue_of_its_customer() -> None:
    bench = Bench()
    away = bench.channel.available(message(), PATIENT)
    assert (away.name, away.up, away.queue) == ("shop", False, QUEUE) and bench.channel.absent(QUEUE)
    assert not bench.channel.absent("north")
    assert not bench.channel.send(message(step=PATIENT), 0, QUEUE) and bench.reports == []
    bench.join()
    assert bench.rooms == [QUEUE] and not bench.channel.absent(QUEUE)
    here = bench.channel.available(message(), PATIENT)
    assert (here.up, here.queue) == (True, QUEUE)


def test_one_that_has_connected_is_given_nothing_new_before_it_is_ready() -> None:
    bench = Bench()
    link = bench.link()
    assert bench.channel.join(link)
    assert not bench.channel.send(message(step=PATIENT), 0, QUEUE)
    assert link.frames == [] and bench.rooms == [] and bench.channel.connected == 1
    bench.channel.leave(link)
    bench.channel.ready(link)  # it has gone meanwhile
    assert bench.rooms == [] and bench.channel.absent(QUEUE)


def test_consent_counts_for_the_app_too() -> None:
    bench = Bench()
    bench.join()
    bench.refusal = "has opted out"
    assert bench.channel.applicable(message(), STEP) == "has opted out"
    assert bench.channel.applicable(message(exempt=True), STEP) == ""


def test_each_installation_of_the_customer_is_given_the_message_and_no_one_else() -> None:
    bench = Bench()
    phone, tablet, stranger = bench.join(), bench.join(), bench.join(ANN)
    assert bench.channel.send(message(), 0, QUEUE)
    [frame] = phone.frames
    assert tablet.frames == [frame] and stranger.frames == []
    assert (frame["type"], frame["id"], frame["text"], frame["from"]) == ("message", "m1/0", "Hello", "shop")
    assert frame["sent"] == "2023-11-14T22:13:20.000Z"  # when it was accepted, however long it has waited
    assert bench.reports == [("m1", 0, Outcome(Result.ACCEPTED, carrier="shop"))]


def test_a_message_that_nobody_takes_is_unreachable_and_one_that_somebody_takes_is_not() -> None:
    bench = Bench()
    full, other = bench.join(), bench.join()
    full.full = other.full = True
    bench.channel.send(message(), 0, QUEUE)
    other.full = False
    bench.channel.send(message(), 0, QUEUE)
    bench.channel.leave(full)
    bench.channel.leave(other)
    bench.channel.send(message(), 0, QUEUE)
    results = [outcome.result for _, _, outcome in bench.reports if outcome]
    assert results == [Result.UNREACHABLE, Result.ACCEPTED, Result.UNREACHABLE]


def test_what_a_slow_installation_has_no_room_for_waits_until_it_has() -> None:
    bench = Bench()
    slow = bench.join()
    slow.full = True
    assert not bench.channel.send(message(step=PATIENT), 0, QUEUE) and bench.reports == []
    bench.channel.room(slow)
    assert bench.rooms == [QUEUE, QUEUE]
    bench.channel.leave(slow)
    bench.channel.room(slow)
    assert bench.rooms == [QUEUE, QUEUE]


def test_only_whom_a_message_was_to_can_say_that_it_was_read() -> None:
    bench = Bench()
    own, stranger = bench.join(), bench.join(ANN)
    assert bench.channel.told(own.device, message(), 0, Result.READ)
    assert not bench.channel.told(stranger.device, message(), 0, Result.READ)
    assert not bench.channel.told(own.device, message(), 7, Result.READ)
    assert not bench.channel.told(own.device, None, 0, Result.READ)
    assert [(index, outcome and outcome.result) for _, index, outcome in bench.reports] == [(0, Result.READ)]


@pytest.mark.parametrize(
    ("result", "app", "again"),
    [
        ("accepted", "shop", True),
        ("delivered", "shop", False),
        ("timeout", "shop", False),
        ("", "shop", False),
        ("accepted", "other", False),
    ],
)
def test_what_no_installation_has_confirmed_is_known(result: str, app: str, again: bool) -> None:
    device = Bench().link().device
    sent = replace(message(), step=0, steps=(StepRecord(result=result),))
    sent = replace(sent, plan=(replace(STEP, sender=app),))
    assert unconfirmed(sent, device) is again
    assert not unconfirmed(message(), device) and not unconfirmed(replace(sent, service="x"), device)


def test_those_that_may_not_be_connected_any_more_are_dismissed() -> None:
    bench = Bench()
    bob, ann = bench.join(), bench.join(ANN)
    bench.channel.dismiss()
    assert (bob.closed, ann.closed) == (None, None)
    bench.devices.revoke(Unit(), ("pizza", "shop", BOB))
    bench.channel.dismiss()
    assert [link.closed for link in (bob, ann)] == [Close.TOKEN, None]
    bench.services["pizza"] = replace(bench.services["pizza"], status="suspended")
    bench.channel.dismiss()
    assert [ann.closed] == [Close.SUSPENDED]
    bench.services["pizza"] = Service(name="Pizza")
    bench.channel.dismiss()
    assert [ann.closed] == [Close.GONE]


def test_an_installation_that_connects_again_takes_the_place_of_its_old_connection() -> None:
    bench = Bench()
    old = bench.join()
    new = FakeLink(old.device)
    assert bench.channel.join(new) and bench.channel.connected == 1
    assert old.closed is Close.REPLACED
    bench.channel.ready(new)
    bench.channel.leave(old)  # its end is noticed later, and is not that of the new one
    assert bench.channel.send(message(), 0, QUEUE) and len(new.frames) == 1 and old.frames == []
    assert bench.channel.connected == 1


def test_there_is_a_limit_of_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    monkeypatch.setattr(app, "MAX_LINKS", 1)
    first = bench.join()
    assert not bench.channel.join(bench.link(ANN))
    again = FakeLink(first.device)
    assert bench.channel.join(again)
    bench.channel.leave(again)
    bench.channel.leave(again)
    assert bench.channel.join(bench.link(ANN)) and bench.channel.connected == 1


def test_a_one_time_password_is_shown_by_the_app_and_stored_nowhere() -> None:
    bench = Bench()
    link = bench.join()
    said = Code("o1", 1, "numeric", 6, (6,))
    step = replace(STEP, text="Code: ******", code=said)
    bench.channel.send(replace(message(), plan=(step,)), 0, QUEUE)
    assert link.frames[0]["text"] == f"Code: {Codes(b'key').code('pizza', BOB, said)}"
