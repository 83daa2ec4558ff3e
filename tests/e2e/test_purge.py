"""`gateway db purge` beside a daemon under traffic."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.audit import audit
from gateway.store.base import Write
from gateway.store.sqlite import SqliteStore
from gateway.values.event import Event
from gateway.values.ids import uuid7
from gateway.values.message import Message, Segment
from gateway.values.outcome import Status
from tests.peers.processes import KEY, Daemon, Simulator, until

pytestmark = pytest.mark.e2e

OLD = 4_000  # messages of long ago
OPEN = 40  # each so many of them are still out

BIND = """
[smpp.binds.north]
host = "127.0.0.1"
port = {smsc}
system_id = "gw"
addresses = ["12345"]
"""
SHOP = f'name = "Shop"\nkey = "{KEY}"\nassets = ["12345"]\n'


@pytest.fixture
def north() -> Iterator[Simulator]:
    with Simulator("smsc", "--name=north", "--listen=127.0.0.1:0") as smsc:
        yield smsc


async def fill(path: Path) -> None:
    at = time.time() - 100 * 86_400
    store = SqliteStore(path)
    await store.open()
    writes: list[Write] = []
    for number in range(OLD):
        id = uuid7(int(at * 1000), number)
        status = Status.IN_DOUBT if number % OPEN == 0 else Status.DELIVERED
        message = Message(
            id=id,
            direction="mt",
            service="shop",
            sender="12345",
            recipient=f"+4477009{number:05}",
            text="long ago",
            status=status,
            created_at=at,
            updated_at=at,
        )
        segment = Segment(message=id, step=0, part=1, total=1, bind="north", smsc_id=f"old{number}")
        writes += [message, segment, Event(ref=id, type="receipt", service="shop", at=at)]
    await store.commit(writes)
    await store.close()


def test_beside_traffic_the_old_goes_and_nothing_new_is_lost_or_refused(
    tmp_path: Path, north: Simulator
) -> None:
    site = Daemon(tmp_path / "site", BIND.format(smsc=north.port), {"shop": SHOP})
    path = site.state / "gateway.db"
    asyncio.run(fill(path))
    with site as daemon:
        until(lambda: north.heard("bound"), "the session is bound")
        command = ("db", "purge", "--older-than", "90d", "--json", "-c", str(daemon.config))
        with subprocess.Popen(
            [sys.executable, "-m", "gateway", *command],
            stdout=subprocess.PIPE,
            env={"STATE_DIRECTORY": str(daemon.state)},
        ) as purge:
            ids: list[str] = []
            while purge.poll() is None:  # one refused message ends it
                number = len(ids)
                ids += daemon.send_batch(
                    [{"to": f"4477008{number + n:05}", "text": f"m{number + n}"} for n in range(10)]
                )
                time.sleep(0.02)
            assert purge.stdout is not None
            told = json.loads(purge.stdout.read())
        assert purge.returncode == 0
        assert (told["removed"]["messages"], told["kept"]["messages"]) == (OLD - OLD // OPEN, OLD // OPEN)
        assert told["removed"]["segments"] == told["removed"]["events"] == OLD - OLD // OPEN
        for id in ids:
            assert daemon.reaches(id, "sent", "delivered")
        assert sorted(event["text"] for event in north.heard("submit")) == sorted(
            f"m{n}" for n in range(len(ids))
        )
        found = audit(path)
        assert sum(found.total.values()) == len(ids) + OLD // OPEN
        assert (found.stuck_count, set(found.left_over.values())) == (0, {0})
        assert not daemon.log("store.failing")
