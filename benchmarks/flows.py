"""Flows: how many durable steps a second, and what a hundred thousand waiting sessions cost.

    python benchmarks/flows.py [--waiting 100000] [--seconds 8]

The real engine, sessions and SQLite store with its writer process; nothing is sent.  A step is a node that
is entered, as in "100 steps on one input"; the customer writes, three nodes are entered, and all of it is
durable before the same customer writes again.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from gateway.config.model import Service
from gateway.content.journal import Journal
from gateway.directory.consent import Consents
from gateway.directory.customer import Customers
from gateway.inbound.actions import Subject
from gateway.inbound.runs import Runs
from gateway.observe.system import IdSource, SystemClock
from gateway.rules import variables
from gateway.store.base import Unit
from gateway.store.sqlite import SqliteStore

FLOW: dict[str, Any] = {
    "start": "ask",
    "variables": {"score": 0, "round": 0},
    "nodes": {
        "ask": {"type": "receive", "timeout": "7d", "on": {"message": "count", "timeout": "end:103"}},
        "count": {
            "type": "evaluate",
            "values": {"round": "round + 1"},
            "on": {"done": "judge", "error": "end:1"},
        },
        "judge": {
            "type": "branch",
            "cases": [{"when": 'sms.words.size() > 0 && sms.words[0] == "stop"', "go": "end"}],
            "else": "ask",
        },
    },
}
SOON = {
    "start": "wait",
    "nodes": {"wait": {"type": "delay", "for": 2, "on": {"done": "end"}}},
}
NODES = 3  # that are entered on one input
AT_ONCE = 400  # sessions that write at the same time


class Nobody:
    """Takes messages and notifications for nobody."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **more: None


def runs_on(store: SqliteStore, clock: SystemClock) -> Runs:
    service = Service(name="Bench", assets=["12345"], flows={"ask": FLOW, "soon": SOON})
    nobody: Any = Nobody()

    def record(unit: Unit) -> None:
        unit.commit_soon(store, lambda error: None)

    return Runs(
        services={"bench": service},
        clock=clock,
        new_id=IdSource(clock),
        accepting=nobody,
        owing=nobody,
        consents=Consents(),
        customers=Customers(),
        record=record,
        fetch=lambda effect: None,
        randomness=os.urandom,
        journal=Journal("benchmark", os.urandom),
    )


def subject(customer: str, text: str) -> Subject:
    seen = variables.sms(sender=customer, recipient="12345", text=text)
    return Subject(
        ref=customer, type="sms.received", service="bench", customer=customer, number="12345", variables=seen
    )


def customers(count: int) -> list[str]:
    return [f"+4477{n:08}" for n in range(count)]


def resident() -> float:
    """MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def begin(runs: Runs, store: SqliteStore, flow: str, people: list[str]) -> list[str]:
    """Sessions by customer; durable when this returns."""
    found = []
    for first in range(0, len(people), 500):
        unit = Unit()
        found += [runs.start(unit, flow, subject(each, "ASK")) for each in people[first : first + 500]]
        await unit.commit(store)
    return found


async def steps(runs: Runs, store: SqliteStore, seconds: float) -> None:
    people = customers(AT_ONCE)
    sessions = await begin(runs, store, "ask", people)
    until, done, busy = time.monotonic() + seconds, 0, time.process_time()

    async def write(customer: str, session: str) -> None:
        nonlocal done
        while time.monotonic() < until:
            unit = Unit()
            runs.message(unit, session, subject(customer, "three, I think"))
            await unit.commit(store)
            done += 1

    began = time.monotonic()
    await asyncio.gather(*(write(*each) for each in zip(people, sessions, strict=True)))
    took = time.monotonic() - began
    busy = time.process_time() - busy
    rate = done / took
    print(f"durable: {rate:,.0f} inputs, {NODES * rate:,.0f} steps a second", end="; ")
    print(f"{busy / took:.0%} of one processor, beside the writer")
    for session in sessions:
        unit = Unit()
        runs.stop(unit, session, "done")
        await unit.commit(store)


async def waiting(runs: Runs, store: SqliteStore, count: int) -> None:
    gc.collect()
    before = resident()
    await begin(runs, store, "ask", customers(count))
    gc.collect()
    print(f"{len(runs):,} waiting sessions: {resident() - before:.0f} MiB")
    busy, began = time.process_time(), time.monotonic()
    await asyncio.sleep(3)
    idle = (time.process_time() - busy) / (time.monotonic() - began)
    print(f"while they wait: {idle:.2%} of a processor")
    late = await lateness(runs, store)
    print(f"a time-out among them: {late * 1000:.0f} ms after its time")


async def lateness(runs: Runs, store: SqliteStore) -> float:
    """Seconds between the time that a delay of two seconds was over and the session's end."""
    [session] = await begin(runs, store, "soon", ["+447799999999"])
    run = await store.run(session)
    assert run is not None
    while True:
        now = await store.run(session)
        if now is not None and now.state == "ended":
            return now.updated_at - run.due
        await asyncio.sleep(0.05)


async def measure(count: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "flows.db", process=True)
        await store.open()
        runs = runs_on(store, SystemClock())
        await runs.load(store)
        await steps(runs, store, seconds)
        await waiting(runs, store, count)
        runs.close()
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--waiting", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=8.0)
    given = parser.parse_args()
    try:
        import uvloop
    except ImportError:
        asyncio.run(measure(given.waiting, given.seconds))
    else:
        uvloop.run(measure(given.waiting, given.seconds))
