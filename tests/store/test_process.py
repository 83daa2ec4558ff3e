from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.store import lock
from gateway.store.process import ProcessHand
from gateway.store.sqlite import SqliteStore
from gateway.values.errors import StoreError, StoreUnusable, Unstorable

Records = Any


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "gateway.db", queue=10_000, process=True)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def child(store: SqliteStore) -> subprocess.Popen[bytes]:
    assert store._writer is not None and isinstance(store._writer.hand, ProcessHand)
    assert store._writer.hand._process is not None
    return store._writer.hand._process


async def test_what_was_written_is_there_for_others(store: SqliteStore, records: Records) -> None:
    message = records.message(text="\u20ac \U0001f600", part_receipts=bytes(range(256)))
    await store.commit([message, records.segment("m1", receipt={"a": [1, 2.5, None, True]})])
    assert await store.message("m1") == message
    with sqlite3.connect(store.path) as other:
        assert other.execute("SELECT count(*) FROM segments").fetchone() == (1,)
    other.close()


async def test_many_groups_share_transactions_and_keep_their_order(
    store: SqliteStore, records: Records
) -> None:
    waiting = [
        store.commit([records.message(text=str(n)), records.event("r1", at=float(n))]) for n in range(3000)
    ]
    await asyncio.gather(*waiting)
    assert await store.message("m1") == records.message(text="2999")
    assert [event.at for event in await store.events("r1")] == [float(n) for n in range(3000)]


async def test_only_the_group_that_cannot_be_written_fails(store: SqliteStore, records: Records) -> None:
    groups = [
        [records.message("m1")],
        [records.message("m2", text="\ud800")],  # no octets can say that
        [records.message("m3", step=1 << 70)],
        [records.message("m4")],
    ]
    outcomes = await asyncio.gather(*map(store.commit, groups), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), Unstorable, Unstorable, type(None)]
    assert [bool(await store.message(id)) for id in ("m1", "m2", "m3", "m4")] == [True, False, False, True]
    await store.commit([records.message("m5")])


async def test_a_row_that_breaks_a_rule_of_the_schema_spoils_no_others(
    store: SqliteStore, records: Records
) -> None:
    odd = records.message("m2", created_at="no number")
    outcomes = await asyncio.gather(
        store.commit([records.message("m1")]), store.commit([odd]), return_exceptions=True
    )
    assert outcomes[0] is None and isinstance(outcomes[1], Unstorable)
    assert await store.message("m1") is not None


async def test_a_locked_file_is_trouble_for_everybody_and_over_when_it_is(
    store: SqliteStore, records: Records
) -> None:
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = [store.commit([records.message(f"m{n}")]) for n in range(3)]
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(outcome, StoreError) and "locked" in str(outcome) for outcome in outcomes)
    assert "locked" in store.trouble
    other.execute("ROLLBACK")
    other.close()
    await store.commit([records.message("m9")])
    assert store.trouble == ""


async def test_signals_of_the_terminal_and_of_systemd_do_not_end_it(
    store: SqliteStore, child: subprocess.Popen[bytes], records: Records
) -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        child.send_signal(name)
    await store.commit([records.message("m1")])
    assert store.writing


async def test_one_that_was_killed_is_an_error_for_every_commit(
    store: SqliteStore, child: subprocess.Popen[bytes], records: Records
) -> None:
    await store.commit([records.message("m1")])
    child.kill()
    with pytest.raises(StoreError, match="writing process has ended"):
        async with asyncio.timeout(30):
            while True:
                await store.commit([records.message("m2")])
    assert not store.writing and "has ended" in store.trouble
    assert await store.message("m1") is not None  # reading goes on


async def test_it_ends_with_the_store(store: SqliteStore, child: subprocess.Popen[bytes]) -> None:
    await store.close()
    assert child.poll() == 0


async def test_what_waits_is_written_before_the_end(store: SqliteStore, records: Records) -> None:
    waiting = [store.commit([records.message(f"m{n}")]) for n in range(500)]
    await store.close()
    await asyncio.gather(*waiting)
    other = sqlite3.connect(store.path)
    assert other.execute("SELECT count(*) FROM messages").fetchone() == (500,)
    other.close()


PARENT = """
import asyncio, os, sys
from pathlib import Path
from gateway.store.sqlite import SqliteStore

async def main():
    store = SqliteStore(Path(sys.argv[1]), process=True)
    await store.open()
    print(store._writer.hand._process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_it_ends_after_a_kill_and_the_next_gateway_waits_for_it(
    tmp_path: Path, records: Records
) -> None:
    path = tmp_path / "gateway.db"
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    os.kill(pid, signal.SIGSTOP)  # as if its last transaction took long
    parent.kill()
    await parent.wait()
    store = SqliteStore(path, process=True)
    opening = asyncio.create_task(store.open())
    await asyncio.sleep(0.1)
    assert not opening.done()
    os.kill(pid, signal.SIGCONT)
    async with asyncio.timeout(30):
        await opening
    await store.close()


async def test_a_gateway_that_lives_keeps_its_lock(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "WAIT_SECONDS", 0.05)
    with pytest.raises(StoreUnusable, match=f"process {os.getpid()}"):
        await SqliteStore(store.path, process=True).open()
