from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from gateway.channels.base import Standing
from gateway.config.model import Bind, NotifyUrls, Seconds, Service
from gateway.outbound import queries
from gateway.outbound.queries import AT_A_TIME, GIVE_UP_SECONDS, LONGEST_WAIT_SECONDS, TIMER, Queries
from gateway.outbound.receipts import Receipts
from gateway.store.base import Unit
from gateway.values.message import Message, Receipt
from gateway.values.outcome import Result, Status

Gate = Any
BOB, SHORT = "+447700900001", "12345"
DELIVERED = Standing("delivered", True, "", "2026-11-23T13:05:12.300Z")
ENROUTE = Standing("enroute")
UNANSWERED, REFUSED = Standing(), Standing(again=False)


class World:
    """A gate, a carrier that answers by `says` (None: it cannot be asked), and who asks it."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.binds = {
            "north": Bind(host="n", system_id="gw", query_sm=Seconds(600)),
            "south": Bind(host="s", system_id="gw"),
        }
        self.services = {"alerts": Service(name="Alerts")}
        self.says: dict[str, Standing | None] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.results: list[tuple[str, str]] = []
        self.answers: asyncio.Event | None = None  # until it is set no question is answered
        gate.receipts = Receipts(
            store=gate.store,
            book=gate.book,
            pipeline=gate.pipeline,
            seen=lambda bind, state: gate.seen.append((bind, state)),
            orphaned=gate.orphaned.append,
            settled=lambda unit, segment: self.queries.settled(unit, segment),
        )
        self.queries = Queries(
            binds=self.binds,
            services=self.services,
            clock=gate.clock,
            new_id=lambda: f"q{len(self.asked)}",
            timers=gate.timers,
            pipeline=gate.pipeline,
            receipts=gate.receipts,
            ask=self.ask,
            asked=lambda *what: self.results.append(what),
        )
        gate.timers._fire = self.fire

    def fire(self, timer: Any) -> None:
        (self.queries if timer.kind == TIMER else self.gate.pipeline).timer(timer)

    async def ask(self, bind: str, message_id: str, sender: str) -> Standing | None:
        said = self.says.get(message_id, ENROUTE)
        if said is not None:
            self.asked.append((bind, message_id, sender))
        if self.answers is not None:
            await self.answers.wait()
        return said

    async def sent(self, ids: tuple[str, ...] = ("00aB",), bind: str = "north", **fields: Any) -> Message:
        """A message whose segments a carrier has accepted, each by its id, known here in small letters."""
        message: Message = await self.gate.submit(**{"until": Result.DELIVERED} | fields)
        await self.gate.begin(message)
        known = await self.gate.pipeline.load(message.id)
        for part, id in enumerate(ids, 1):
            segment = self.gate.segment(message, part, len(ids), smsc_id=id.lower(), bind=bind)
            self.gate.tell(message, Result.ACCEPTED if part == len(ids) else None, segment)
            self.queries.answered(known, segment, id)
            self.gate.receipts.known(segment)
        await self.gate.quiet()
        return message

    async def after(self, seconds: float) -> None:
        """Time passes, and all that can be asked is asked."""
        self.gate.clock.at += seconds
        self.gate.timers._due()
        for _ in range(2):
            await self.asked_all()
            await self.gate.quiet()

    async def asked_all(self) -> None:
        """Until nobody is being asked; some carriers do not answer."""
        for _ in range(100):
            for _ in range(20):
                await asyncio.sleep(0)
            if not any(self.queries._tasks.values()):
                return
            await asyncio.sleep(0.001)

    async def timers(self) -> list[Any]:
        await self.gate.quiet()
        return [timer for timer in await self.gate.store.timers() if timer.kind == TIMER]


Open = Callable[[], Awaitable[World]]


@pytest.fixture
async def open_world(open_gate: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    monkeypatch.setattr(queries, "_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(queries, "_APART_SECONDS", 0.0)
    worlds: list[World] = []

    async def open_world() -> World:
        if worlds:
            await worlds[-1].queries.stop()
        worlds.append(World(await open_gate()))
        return worlds[-1]

    yield open_world
    for world in worlds:
        await world.queries.stop()


@pytest.fixture
async def world(open_world: Open) -> World:
    return await open_world()


async def test_a_message_without_a_receipt_is_asked_about_and_delivered(world: World) -> None:
    message = await world.sent()
    await world.after(599)
    assert world.asked == []
    world.says["00aB"] = DELIVERED
    await world.after(1)
    assert world.asked == [("north", "00aB", SHORT)]  # as the carrier wrote it
    assert (await world.gate.stored(message)).status is Status.DELIVERED
    [segment] = await world.gate.store.segments(message.id)
    assert (segment.state, segment.receipt["by"]) == ("delivered", "query_sm")
    assert await world.timers() == [] and world.results == [("north", "delivered")]


async def test_a_final_receipt_ends_it(world: World) -> None:
    message = await world.sent()
    unit = Unit()
    receipt = Receipt(id="r", bind="north", smsc_id="00ab", state="delivered", final=True, received_at=1.0)
    await world.gate.receipts.apply(unit, receipt, BOB, SHORT, {})
    await unit.commit(world.gate.store)
    assert (await world.gate.stored(message)).status is Status.DELIVERED
    assert await world.timers() == []
    await world.after(10_000)
    assert world.asked == []


async def test_news_on_the_way_does_not_end_it(world: World) -> None:
    await world.sent()
    unit = Unit()
    receipt = Receipt(id="r", bind="north", smsc_id="00ab", state="enroute", final=False, received_at=1.0)
    await world.gate.receipts.apply(unit, receipt, BOB, SHORT, {})
    await unit.commit(world.gate.store)
    assert len(await world.timers()) == 1


@pytest.mark.parametrize("said", [ENROUTE, UNANSWERED, Standing("unknown"), Standing("accepted")])
async def test_it_asks_again_ever_less_often_until_nobody_tries_any_more(
    world: World, said: Standing
) -> None:
    message = await world.sent()
    world.says["00aB"] = said
    asked_at = []
    for _ in range(int((GIVE_UP_SECONDS + 600) / 300)):
        before = len(world.asked)
        world.gate.clock.at += 300
        world.gate.timers._due()
        for _ in range(30):
            await asyncio.sleep(0)
        if len(world.asked) > before:
            asked_at.append(world.gate.clock.at - message.created_at)
            await world.gate.quiet()
    waits = [after - before for before, after in zip([0.0, *asked_at], asked_at, strict=False)]
    assert waits[:6] == [600, 1200, 2400, 4800, 9600, 19200]
    assert max(waits) == LONGEST_WAIT_SECONDS and asked_at[-1] == GIVE_UP_SECONDS
    assert await world.timers() == []
    assert (await world.gate.stored(message)).status is Status.SENT


async def test_it_asks_a_last_time_when_the_validity_ends(world: World) -> None:
    message = await world.sent(validity_seconds=1000.0)
    await world.after(600)
    world.says["00aB"] = Standing("expired", True)
    await world.after(400)
    assert len(world.asked) == 2
    assert (await world.gate.stored(message)).status is Status.EXPIRED
    assert await world.timers() == []


async def test_a_refusal_is_the_end(world: World) -> None:
    await world.sent()
    world.says["00aB"] = REFUSED
    await world.after(600)
    await world.after(100_000)
    assert len(world.asked) == 1 and await world.timers() == []
    assert world.results == [("north", "refused")]


async def test_each_part_of_a_long_message_is_asked_about(world: World) -> None:
    message = await world.sent(("a", "B", "c"))
    world.says |= {"a": DELIVERED, "B": ENROUTE, "c": DELIVERED}
    await world.after(600)
    assert sorted(id for _, id, _ in world.asked) == ["B", "a", "c"]
    assert (await world.gate.stored(message)).status is Status.SENT
    world.says["B"] = DELIVERED
    await world.after(1200)
    assert (await world.gate.stored(message)).status is Status.DELIVERED


async def test_a_final_failure_moves_the_chain_on(world: World) -> None:
    world.binds["north"] = Bind(host="n", system_id="gw", query_sm=Seconds(30))
    message = await world.sent(text="", chain="alert", until=Result.ACCEPTED)
    world.says["00aB"] = Standing("undeliverable", True, "27")
    await world.after(30)
    stored = await world.gate.stored(message)
    assert (stored.steps[0].code, stored.step) == ("27", 1)


async def test_after_a_restart_it_goes_on(open_world: Open) -> None:
    world = await open_world()
    message = await world.sent()
    await world.after(600)
    world = await open_world()
    world.says["00aB"] = DELIVERED
    await world.after(1199)
    assert world.asked == []
    await world.after(1)
    assert (await world.gate.stored(message)).status is Status.DELIVERED


@pytest.mark.parametrize(
    ("fields", "notify", "wanted"),
    [
        ({"until": Result.DELIVERED}, "", True),
        ({"until": Result.ACCEPTED}, "", False),
        ({"until": Result.ACCEPTED, "notify_url": "https://a.example/"}, "", True),
        ({"until": Result.ACCEPTED, "receipt_wanted": 1}, "", True),
        ({"until": Result.ACCEPTED, "part_receipts": bytes((0, 1))}, "", True),
        ({"until": Result.ACCEPTED, "part_receipts": bytes(2)}, "", False),
        ({"until": Result.ACCEPTED}, "https://a.example/", True),
    ],
)
async def test_only_what_somebody_waits_to_hear_of_is_asked_about(
    world: World, fields: dict[str, Any], notify: str, wanted: bool
) -> None:
    world.services["alerts"] = Service(name="Alerts", notify=NotifyUrls(status=notify))
    await world.sent(**fields)
    assert len(await world.timers()) == wanted


async def test_a_bind_without_the_setting_is_not_asked(world: World) -> None:
    await world.sent(bind="south")
    assert await world.timers() == []


@pytest.mark.parametrize("gone", [True, False])
async def test_a_reload_without_the_setting_ends_it(world: World, gone: bool) -> None:
    await world.sent()
    if gone:
        del world.binds["north"]
    else:
        world.binds["north"] = Bind(host="n", system_id="gw")
    await world.after(600)
    assert world.asked == [] and await world.timers() == []


async def test_questions_are_few_at_a_time_and_wait_while_the_carrier_cannot_be_asked(world: World) -> None:
    ids = [f"i{n}" for n in range(12)]
    for id in ids:
        await world.sent((id,))
    world.says = dict.fromkeys(ids, None)  # the bind is down
    await world.after(600)
    assert world.asked == []
    world.answers = asyncio.Event()
    world.says = dict.fromkeys(ids, DELIVERED)
    await world.gate.until(lambda: len(world.asked) == AT_A_TIME)
    await world.after(0)
    assert len(world.asked) == AT_A_TIME
    world.answers.set()
    await world.gate.until(lambda: len(world.results) == 12)
    await world.gate.quiet()
    assert sorted(id for _, id, _ in world.asked) == sorted(ids)
    assert await world.timers() == []


async def test_a_receipt_that_comes_while_the_carrier_is_asked_counts_once(world: World) -> None:
    message = await world.sent()
    world.answers = asyncio.Event()
    world.says["00aB"] = Standing("undeliverable", True)
    world.gate.clock.at += 600
    world.gate.timers._due()
    await world.gate.until(lambda: world.asked)
    unit = Unit()
    receipt = Receipt(id="r", bind="north", smsc_id="00ab", state="delivered", final=True, received_at=1.0)
    await world.gate.receipts.apply(unit, receipt, BOB, SHORT, {})
    await unit.commit(world.gate.store)
    world.answers.set()
    await world.after(0)
    assert (await world.gate.stored(message)).status is Status.DELIVERED
    assert world.gate.receipts.duplicates == 0


async def test_a_store_that_cannot_be_read_postpones_the_question(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.outbound.memory._RECENT", 0)
    message = await world.sent()
    world.says["00aB"] = DELIVERED
    world.gate.store.unreadable = True
    world.gate.clock.at += 600
    world.gate.timers._due()
    for _ in range(50):
        await asyncio.sleep(0)
    assert world.asked == []
    world.gate.store.unreadable = False
    await world.gate.until(lambda: world.results)
    await world.asked_all()  # what was answered is looked up in the store and applied
    await world.gate.quiet()
    assert (await world.gate.stored(message)).status is Status.DELIVERED
