"""From an answered call of a list to its session."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.config.model import CallList, Seconds
from gateway.inbound.dialled import DialledCalls
from gateway.store.base import Unit
from gateway.values.dial import DialEntry
from gateway.values.errors import BadInput
from tests.inbound.test_live import SAY, Exchange, FakeLeg, ivr

OURS, CUSTOMER = "+442079460000", "+447700900401"
WANTED = CallList(file="people.csv", flow="ivr", longest=Seconds(600))
ENTRY = DialEntry(
    list="l", position=1, number=CUSTOMER, variables={"size": "M"}, message="m1", updated_at=0.0
)


class Bench:
    def __init__(self, world: Any) -> None:
        self.it = Exchange(world)
        self.live: Any = self.it.live
        self.calls = DialledCalls(
            sessions=world.runs,
            live=lambda: self.live,
            clock=world.clock,
            refusal=world.consents.refusal,
            sender=lambda service, wanted: wanted or OURS,
        )

    async def begin(self, wanted: CallList = WANTED) -> str:
        unit = Unit()
        run = self.calls.begin(unit, ENTRY, "shop", wanted, "east")
        self.it.world.outbound.record(unit)
        await self.it.settled()
        return run


async def test_the_call_is_that_of_the_session_and_the_columns_are_its_variables(open_world: Any) -> None:
    it = Bench(await open_world(shop=ivr(hello=SAY % "end")))
    leg = FakeLeg("m1")
    it.live.adopt(ENTRY.owner, leg, "dial")
    id = await it.begin()
    assert leg.did == ["play Hello"]
    run = await it.it.world.store.run(id)
    assert (run.customer, run.number, run.data["size"]) == (CUSTOMER, OURS, "M")
    assert (run.data["call.to"], run.data["call.direction"], run.data["call.trunk"]) == (
        *(CUSTOMER, "out", "east"),
    )


async def test_a_call_is_up_no_longer_than_the_list_allows(open_world: Any) -> None:
    it = Bench(await open_world(shop=ivr(hello=SAY % "end")))
    leg = FakeLeg("m1")
    it.live.adopt(ENTRY.owner, leg, "dial")
    id = await it.begin(replace(WANTED, longest=Seconds(0.5)))
    assert not leg.over
    await leg.gone
    await it.it.settled()
    assert (await it.it.world.store.run(id)).result == 11


async def test_who_has_hung_up_already_has_a_session_without_a_call(open_world: Any) -> None:
    it = Bench(await open_world(shop=ivr(hello=SAY % "end")))
    leg = FakeLeg("m1")
    it.live.adopt(ENTRY.owner, leg, "dial")
    leg.ended()
    await it.it.settled()
    id = await it.begin()
    assert (await it.it.world.store.run(id)).result == 11


async def test_a_call_that_nobody_wants_is_hung_up(open_world: Any) -> None:
    it = Bench(await open_world(shop=ivr(hello=SAY % "end")))
    leg = FakeLeg("m1")
    it.live.adopt(ENTRY.owner, leg, "dial")
    it.live.release(ENTRY.owner)
    assert leg.did == ["hang up"]
    it.live.release("somebody else's")


async def test_there_may_be_no_session(open_world: Any) -> None:
    it = Bench(
        await open_world(shop=ivr(hello=SAY % "end").replace("[flows.ivr]", '[flows.ivr]\nkey = "one"'))
    )
    await it.begin()
    with pytest.raises(BadInput, match="session key"):
        await it.begin()
    it.live = None
    with pytest.raises(BadInput, match="no telephony"):
        await it.begin()
