"""Marketing: what quiet hours hold and caps refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gateway.config.model import Service
from gateway.directory.policy import Policy
from gateway.outbound.accept import Planner
from gateway.values.message import Message
from gateway.values.outcome import Result, Status

if TYPE_CHECKING:
    from tests.outbound.conftest import Gate

BOB = "+447700900001"
SHOP = {
    "shop": Service(
        name="Shop",
        assets=["12345"],
        traffic="marketing",
        quiet_hours="21:00-08:00",
        per_day=2,
    )
}
NIGHT = datetime(2027, 1, 15, 23, tzinfo=UTC).timestamp()


Open = Callable[[], Awaitable["Gate"]]


@pytest.fixture
async def shop(open_gate: Open) -> AsyncIterator[Open]:
    async def opened() -> Gate:
        gate = await open_gate()
        gate.pipeline.planner = Planner(SHOP)
        gate.pipeline._policy = Policy(SHOP)
        await gate.pipeline._policy.load(gate.store, gate.clock.now())
        return gate

    yield opened


async def send(gate: Gate, **more: object) -> Message:
    return await gate.submit(service="shop", to=BOB, text="Sale!", **more)


async def test_what_comes_at_night_goes_in_the_morning_also_after_a_restart(shop: Open) -> None:
    gate = await shop()
    gate.clock.at = NIGHT
    message = await send(gate)
    assert (message.status, gate.sms.sent) == (Status.QUEUED, [])
    [held] = [e.data for e in await gate.store.events(message.id) if e.type == "message.held"]
    assert held["reason"].startswith("quiet hours of shop (21:00-08:00) until 08:00")
    await gate.quiet()
    gate = await shop()
    await gate.due(8 * 3600)
    assert gate.sms.sent == []
    await gate.due(3600 + 1)
    assert [id for id, *_ in gate.sms.sent] == [message.id]


async def test_a_third_message_in_a_day_is_refused_with_its_reason_also_after_a_restart(
    shop: Open,
) -> None:
    gate = await shop()
    await send(gate)
    await send(gate)
    for _ in range(2):
        refused = await send(gate)
        assert (refused.status, refused.code) == (Status.FAILED, "not-applicable")
        assert refused.reason == "the customer has had 2 messages of shop in 24 hours, and 2 is the most"
        await gate.quiet()
        gate = await shop()
    gate.clock.at += 86_401
    assert (await send(gate)).status is Status.QUEUED


async def test_an_answer_goes_at_any_time_and_does_not_count(shop: Open) -> None:
    gate = await shop()
    gate.clock.at = NIGHT
    gate.pipeline._policy.heard("shop", BOB, NIGHT)
    for _ in range(3):
        await send(gate)
    assert len(gate.sms.sent) == 3
    exempt = await send(gate, consent_exempt=True)
    assert (exempt.id, 0, ()) == gate.sms.sent[-1]


async def test_what_is_refused_for_another_reason_does_not_count(shop: Open) -> None:
    gate = await shop()
    gate.sms.unfit = "the customer has opted out"
    for _ in range(3):
        assert (await send(gate)).reason == "the customer has opted out"


async def test_a_later_step_does_not_go_at_night(shop: Open) -> None:
    from msgspec.structs import replace

    from gateway.config.model import Chain, Step

    chain = Chain(steps=[Step(channel="sms", text="a"), Step(channel="sms", text="b")])
    gate = await shop()
    gate.pipeline.planner = Planner({"shop": replace(SHOP["shop"], chains={"c": chain})})
    message = await gate.submit(service="shop", to=BOB, text="", chain="c")
    await gate.begin(message)
    gate.clock.at = NIGHT
    gate.tell(message, Result.REJECTED)
    stored = await gate.stored(message)
    assert stored.steps[1].reason.startswith("quiet hours of shop")


async def test_who_has_not_opted_in_gets_answers_only(open_gate: Open) -> None:
    services = {"shop": Service(name="Shop", assets=["12345"], consent="opt-in")}
    gate = await open_gate()
    gate.pipeline.planner = Planner(services)
    gate.pipeline._policy = policy = Policy(services, lambda service, address: False)
    refused = await send(gate)
    assert (refused.status, refused.reason) == (
        Status.FAILED,
        "the customer has not opted in to shop",
    )
    policy.heard("shop", BOB, gate.clock.at)
    assert (await send(gate)).status is Status.QUEUED
