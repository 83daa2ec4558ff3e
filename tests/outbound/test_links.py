from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config.model import Seconds, Service, SmartLink
from gateway.content.smart_link import Tokens
from gateway.outbound.links import Links
from gateway.store.base import Unit
from gateway.store.sqlite import SqliteStore
from gateway.values.errors import BadInput
from gateway.values.link import Link
from gateway.values.message import Message, StepPlan

OFFER = SmartLink(other="https://example.org/offer", ios="https://example.org/ios", expires=Seconds(100))


class Bench:
    def __init__(self, store: SqliteStore) -> None:
        self.at = 1000.0
        self.store = store
        self.clicks: list[tuple[dict[str, Any], str]] = []
        self.counts: list[str] = []
        self.units: list[Unit] = []
        self.services = {"shop": Service(name="Shop", links={"offer": OFFER}), "plain": Service(name="Plain")}
        self.links = self.new()

    def new(self) -> Links:
        return Links(
            services=self.services,
            base="https://s.example.org/",
            tokens=Tokens(b"key"),
            clock=self,
            store=self.store,
            record=self.units.append,
            clicked=lambda unit, event, link, device: self.clicks.append((event.data, device)),
            count=lambda service, what: self.counts.append(what),
        )

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def made(self) -> Link:
        unit = Unit()
        url = self.links.make(unit, "shop", "offer", "+447700900123", "m1")
        await unit.commit(self.store)
        link = await self.links.find(url.rpartition("/")[2])
        assert link is not None
        return link

    async def settle(self) -> None:
        for unit in self.units:
            await unit.commit(self.store)
        self.units.clear()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    yield Bench(store)
    await store.close()


def message(service: str, *texts: str) -> Message:
    return Message(
        id="m1",
        direction="mt",
        service=service,
        sender="12345",
        recipient="+447700900123",
        text=texts[0],
        plan=tuple(StepPlan(channel="sms", text=text) for text in texts),
        created_at=0.0,
        updated_at=0.0,
    )


async def test_a_url_says_nothing_of_the_customer(bench: Bench) -> None:
    unit = Unit()
    url = bench.links.make(unit, "shop", "offer", "+447700900123", "m1")
    assert url.startswith("https://s.example.org/l/") and len(url) == len("https://s.example.org/l/") + 8
    [link] = unit.writes
    assert isinstance(link, Link) and (link.address, link.expires_at) == ("+447700900123", 1100.0)


async def test_a_link_that_the_service_has_not(bench: Bench) -> None:
    with pytest.raises(BadInput, match=r"has no link 'offr' \(it has: offer\)"):
        bench.links.make(Unit(), "shop", "offr", "+447700900123", "m1")


async def test_all_steps_of_a_message_share_its_link(bench: Bench) -> None:
    unit = Unit()
    after = bench.links.put_in(
        unit, message("shop", "See $(link.offer)", "Once more: $(link.offer)", "Call us")
    )
    [link] = unit.writes
    assert isinstance(link, Link) and link.ref == "m1"
    url = f"https://s.example.org/l/{link.token}"
    assert [step.text for step in after.plan] == [f"See {url}", f"Once more: {url}", "Call us"]
    assert after.text == after.plan[0].text


async def test_what_names_no_link_stays_as_it_is(bench: Bench) -> None:
    unit = Unit()
    for untouched in (message("shop", "See $(link.nothing)"), message("plain", "See $(link.offer)")):
        assert bench.links.put_in(unit, untouched) is untouched
    assert unit.writes == []


async def test_a_click_is_counted_told_and_leads_on_by_device(bench: Bench) -> None:
    link = await bench.made()
    assert bench.links.open(link, "ios", by_program=False) == "https://example.org/ios"
    assert bench.links.open(link, "android", by_program=False) == "https://example.org/offer"
    assert bench.clicks == [
        ({"link": "offer", "device": "ios", "count": 1}, "ios"),
        ({"link": "offer", "device": "android", "count": 2}, "android"),
    ]
    await bench.settle()
    stored = await bench.store.link(link.token)
    assert stored is not None and (stored.clicks, stored.clicked_at) == (2, 1000.0)
    assert [event.type for event in await bench.store.events("m1")] == ["link.clicked", "link.clicked"]


async def test_a_program_that_looks_is_no_click(bench: Bench) -> None:
    link = await bench.made()
    assert bench.links.open(link, "other", by_program=True) == "https://example.org/offer"
    await bench.settle()
    stored = await bench.store.link(link.token)
    assert stored is not None and (stored.clicks, stored.previews) == (0, 1)
    assert bench.clicks == [] and bench.counts == ["preview"]


async def test_an_expired_link_leads_nowhere(bench: Bench) -> None:
    link = await bench.made()
    bench.at += 100
    assert bench.links.open(link, "ios", by_program=False) == ""


async def test_tokens_go_on_after_a_restart(bench: Bench) -> None:
    first = await bench.made()
    bench.links = bench.new()
    await bench.links.load()
    second = await bench.made()
    assert (first.number, second.number) == (1, 2) and first.token != second.token


async def test_a_link_of_nobody(bench: Bench) -> None:
    assert await bench.links.find("abcdefgh") is None
    assert await bench.links.find("../etc/passwd") is None
