from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.store import engine as engine_module
from gateway.store import thread as thread_module
from gateway.store import writer as writer_module
from gateway.store.engine import Engine, Verdict
from gateway.store.sqlite import SqliteStore
from gateway.store.thread import ThreadHand
from gateway.store.writer import Writer
from gateway.values.errors import StoreError, Throttled, Unstorable

Records = Any


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "gateway.db", queue=100)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def writer(store: SqliteStore) -> Writer:
    assert store._writer is not None
    return store._writer


@pytest.fixture
def engine(writer: Writer) -> Engine:
    assert isinstance(writer.hand, ThreadHand)
    return writer.hand.engine


@pytest.fixture
def transactions(engine: Engine) -> list[str]:
    """The statements that begin and end transactions, as SQLite sees them."""
    seen: list[str] = []

    def trace(sql: str) -> None:
        if sql.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            seen.append(sql)

    engine.connection.set_trace_callback(trace)
    return seen


async def test_groups_that_wait_together_share_a_transaction(
    store: SqliteStore, transactions: list[str], records: Records
) -> None:
    await asyncio.gather(*[store.commit([records.message(f"m{n}")]) for n in range(90)])
    # the first may go alone; what came meanwhile goes in one
    assert transactions.count("COMMIT") <= 3
    assert (await store.counts())["messages"] == 90


async def test_after_a_shared_transaction_the_next_one_waits_for_more(
    store: SqliteStore, writer: Writer, engine: Engine, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "GATHER_SECONDS", 0.3)
    await asyncio.gather(*[store.commit([records.event()]) for _ in range(writer_module.SHARED_GROUPS)])
    commits: list[str] = []
    engine.connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    waiting = []
    for _ in range(3):
        waiting.append(store.commit([records.event()]))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert len(commits) == 1
    await store.commit([records.event()])
    assert writer._pause_seconds == 0.0, "callers that come alone wait for nobody"


async def test_a_transaction_is_bounded(
    tmp_path: Path, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "TRANSACTION_WRITES", 10)
    store = SqliteStore(tmp_path / "bounded.db")
    await store.open()
    commits: list[str] = []
    assert store._writer is not None and isinstance(store._writer.hand, ThreadHand)
    connection = store._writer.hand.engine.connection
    connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    await asyncio.gather(*[store.commit([records.event(), records.event()]) for _ in range(30)])
    assert len(commits) >= 6
    await store.close()


BAD: list[dict[str, Any]] = [
    {"created_at": float("nan")},  # NOT NULL
    {"created_at": "yesterday"},  # STRICT
    {"step": 1 << 70},  # too large for SQLite
    {"text": "\ud83c"},  # half a surrogate pair
    {"text": object()},
    {"text": None},
]


@pytest.mark.parametrize("fields", BAD)
async def test_only_the_group_that_cannot_be_written_fails(
    store: SqliteStore, records: Records, fields: dict[str, Any]
) -> None:
    groups = [[records.message(f"m{n}"), records.event(f"m{n}")] for n in range(20)]
    groups[7] = [records.event("m7"), records.message("m7", **fields)]
    done = await asyncio.gather(*[store.commit(group) for group in groups], return_exceptions=True)
    assert [type(outcome) for outcome in done] == [Unstorable if n == 7 else type(None) for n in range(20)]
    assert (await store.counts())["messages"] == (await store.counts())["events"] == 19
    assert await store.events("m7") == []
    assert store.trouble == ""


async def test_a_full_queue_refuses_at_the_call_and_takes_again_later(
    store: SqliteStore, records: Records
) -> None:
    waiting = [store.commit([records.message(f"m{n}")]) for n in range(100)]
    with pytest.raises(Throttled) as refused:
        store.commit([records.message("more")])
    assert refused.value.retryable
    await asyncio.gather(*waiting)
    await store.commit([records.message("more")])
    assert (await store.counts())["messages"] == 101


async def test_a_group_larger_than_the_queue_passes_when_alone(store: SqliteStore, records: Records) -> None:
    await store.commit([records.message(f"m{n}") for n in range(150)])
    assert (await store.counts())["messages"] == 150


async def test_a_full_disk_fails_every_group_and_writing_goes_on_once_there_is_room(
    store: SqliteStore, engine: Engine, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await store.commit([records.message("before")])
    pages = engine.connection.execute("PRAGMA page_count").fetchone()[0]
    engine.connection.execute(f"PRAGMA max_page_count = {pages}")
    large = [store.commit([records.message(f"m{n}", text="x" * 50_000)]) for n in range(5)]
    done = await asyncio.gather(*large, return_exceptions=True)
    assert all(isinstance(outcome, StoreError) and "full" in str(outcome) for outcome in done)
    assert "full" in store.trouble and str(store.path) in store.trouble
    assert (await store.counts())["messages"] == 1
    engine.connection.execute("PRAGMA max_page_count = 1000000")
    await store.commit([records.message("after")])
    assert store.trouble == ""
    assert await store.message("before") and await store.message("after")
    said = [record.message for record in caplog.records]
    assert said == ["store.failing", "store.recovered"]  # once each, not once for every commit


async def test_a_store_locked_by_another_program_fails_and_recovers(
    store: SqliteStore, engine: Engine, records: Records
) -> None:
    engine.connection.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        await store.commit([records.message()])
    other.execute("ROLLBACK")
    other.close()
    await store.commit([records.message()])
    assert await store.message("m1") is not None


async def test_what_waits_behind_a_failed_transaction_fails_with_it(
    store: SqliteStore, writer: Writer, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else news of a message would be written before what had come before it, which is written again."""
    given = asyncio.Event()
    with monkeypatch.context() as patch:
        patch.setattr(writer.hand, "give", lambda groups: given.set())
        sent = store.commit([records.message("m1", status="sent")])
        await given.wait()
        delivered = store.commit([records.message("m1", status="delivered")])
        writer._replied(Verdict(trouble="disk I/O error"))
        for outcome in (sent, delivered):
            with pytest.raises(StoreError, match="disk I/O error"):
                await outcome
    assert writer.queued == 0
    await store.commit([records.message("m2")])
    assert (await store.counts())["messages"] == 1


async def test_a_dead_writer_is_an_error_for_every_commit_and_close_still_works(
    store: SqliteStore, engine: Engine, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(order: object) -> None:
        raise MemoryError("no memory")

    monkeypatch.setattr(engine, "execute", die)
    during = [store.commit([records.message(f"m{n}")]) for n in range(10)]
    done = await asyncio.gather(*during, return_exceptions=True)
    assert all(isinstance(outcome, StoreError) and "no memory" in str(outcome) for outcome in done)
    with pytest.raises(StoreError, match="writer has ended"):
        await store.commit([records.message("later")])
    assert "writer has ended" in store.trouble
    assert store.queued == 0
    assert await store.message("m1") is None  # reading goes on


async def test_the_log_is_bounded_while_traffic_goes_on(
    store: SqliteStore, engine: Engine, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "WAL_STEP", 200_000)
    monkeypatch.setattr(engine_module, "WAL_LIMIT", 400_000)
    engine.wal_mark = 200_000
    largest = 0
    for n in range(100):
        await store.commit([records.message(f"m{n}", text="x" * 20_000)])
        largest = max(largest, engine.wal_size())
    # 100 x 20 kB were written: more than 2 MB
    assert os.stat(store.path).st_size > 1_500_000
    assert largest < 700_000


async def test_an_idle_writer_moves_the_log_into_the_database(
    tmp_path: Path, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_module, "IDLE_SECONDS", 0.0)
    store = SqliteStore(tmp_path / "idle.db")
    await store.open()
    moved = asyncio.Event()
    loop, writer = asyncio.get_running_loop(), store._writer
    assert writer is not None and isinstance(writer.hand, ThreadHand)
    checkpoint = writer.hand.engine.checkpoint

    def watched() -> str:
        wrong = checkpoint()
        loop.call_soon_threadsafe(moved.set)
        return wrong

    monkeypatch.setattr(writer.hand.engine, "checkpoint", watched)
    await store.commit([records.message(text="needle-in-the-file")])
    async with asyncio.timeout(30):
        await moved.wait()
    assert b"needle-in-the-file" in store.path.read_bytes()
    await store.close()


async def test_a_long_reader_does_not_stop_writing(
    store: SqliteStore, engine: Engine, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "WAL_STEP", 100_000)
    monkeypatch.setattr(engine_module, "WAL_LIMIT", 200_000)
    engine.wal_mark = 100_000
    await store.commit([records.message("m0")])
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN")
    assert other.execute("SELECT count(*) FROM messages").fetchone() == (1,)
    for n in range(20):
        await store.commit([records.message(f"m{n}", text="x" * 20_000)])
    assert other.execute("SELECT count(*) FROM messages").fetchone() == (1,)
    other.close()
    assert (await store.counts())["messages"] == 20


async def test_the_loop_gives_way_when_the_writer_gets_nothing_done(
    store: SqliteStore, writer: Writer, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(writer_module, "WAY_SECONDS", 60.0)  # called by hand here
    monkeypatch.setattr(writer_module.time, "sleep", slept.append)
    # no await in between: for the loop nothing is settled yet
    done = store.commit([records.message("m1")])
    writer._give_way(writer._settled)
    assert slept == [0.0001]
    writer._give_way(writer._settled - 1)  # something was settled since
    await done
    writer._give_way(writer._settled)  # nothing waits
    assert slept == [0.0001]
    assert writer._way is None
