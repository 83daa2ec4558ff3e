from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.store import lock
from gateway.store import purge as purging
from gateway.store.audit import audit
from gateway.store.base import Write
from gateway.store.migrations import migrate
from gateway.store.purge import Purged, purge
from gateway.store.queries import queries
from gateway.store.sqlite import SqliteStore
from gateway.values.dial import DialEntry, DialList
from gateway.values.errors import StoreUnusable
from gateway.values.ids import uuid7
from gateway.values.outcome import Status
from gateway.values.work import Begun
from tests.store.test_queries import PARAMETERS

DAY = 86_400.0
NOW = 1_800_000_000.0
OLD, YOUNG = NOW - 100 * DAY, NOW - 10 * DAY


def made(at: float, number: int = 0) -> str:
    return uuid7(int(at * 1000), number)


ID, CALL, RUN, NOTE, LIST = (made(OLD, n) for n in range(1, 6))


async def stored(folder: Path, *writes: Write) -> Path:
    store = SqliteStore(folder / "gateway.db")
    await store.open()
    await store.commit(writes)
    await store.close()
    return store.path


def purged(path: Path, **fields: Any) -> Purged:
    return purge(path, **{"older_than": 90 * DAY, "now": NOW} | fields)


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        number = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    assert isinstance(number, int)
    return number


def old(records: Any, id: str = ID, **fields: Any) -> Any:
    plain = {"status": Status.DELIVERED, "created_at": OLD, "updated_at": OLD}
    return records.message(id, **plain | fields)


def finished(records: Any) -> list[Write]:
    """One of each that goes, with what goes along."""
    return [
        old(records),
        records.segment(ID, state="delivered"),
        records.segment(ID, part=2, state="delivered"),
        records.receipt(made(OLD, 6), message=ID, received_at=OLD),
        records.call(CALL, state="ended", started_at=OLD, ended_at=OLD, message=ID),
        records.run(RUN, state="ended", created_at=OLD, updated_at=OLD),
        records.notification(NOTE, ref=ID, state="dead", due=OLD, created_at=OLD),
        *(records.event(ref) for ref in (ID, CALL, CALL, RUN)),
    ]


async def test_what_is_finished_and_old_goes_with_all_that_belongs_to_it(
    tmp_path: Path, records: Any
) -> None:
    path = await stored(tmp_path, *finished(records))
    removed = {
        "receipts": 1,
        "calls": 1,
        "messages": 1,
        "runs": 1,
        "notifications": 1,
        "segments": 2,
        "events": 4,
    }
    would = purged(path, dry_run=True)
    assert (would.removed, count(path, "messages")) == (removed, 1)
    found = purged(path)
    assert found.removed == removed
    assert not any(found.kept.values())
    assert found.before == NOW - 90 * DAY
    for table in removed:
        assert count(path, table) == 0
    assert not any(purged(path).removed.values())


def test_every_final_status_but_in_doubt_may_go() -> None:
    [named] = re.findall(r"status IN \((.*)\)", queries()["purge_finished_messages"])
    assert set(re.findall(r"'(.*?)'", named)) == {s for s in Status if s.final} - {Status.IN_DOUBT}


Kept = Callable[[Any], list[Write]]
STAYS: dict[str, Kept] = {
    "young": lambda r: [old(r, made(YOUNG), created_at=YOUNG, updated_at=YOUNG)],
    "touched since": lambda r: [old(r, updated_at=YOUNG)],
    **{str(s): lambda r, s=s: [old(r, status=s)] for s in Status if not s.final and s is not Status.SENT},
    "in doubt": lambda r: [old(r, status=Status.IN_DOUBT)],
    "a segment in doubt": lambda r: [old(r), r.segment(ID, state="in-doubt")],
    "waits for a carrier": lambda r: [old(r, waits="north")],
    "begun": lambda r: [old(r), Begun(id="b", carrier="north", keys=(f"{ID}/0",), created_at=OLD)],
    "a timer": lambda r: [old(r), r.timer(ID)],
    "held": lambda r: [old(r), r.timer(ID, kind="held")],
    "to be asked about": lambda r: [old(r), r.timer(f"{ID}/0/1", kind="query")],
    "a notification owed": lambda r: [old(r), r.notification(NOTE, ref=ID, due=NOW)],
    "a session that goes on": lambda r: [
        old(r, run=RUN),
        r.run(RUN, state="waiting", created_at=OLD, updated_at=OLD),
    ],
    "what began a session": lambda r: [
        old(r, direction="mo", status=Status.HANDLED),
        r.run(made(NOW), state="waiting", data={"session.transid": ID}),
    ],
    "a call list that goes on": lambda r: [
        old(r, run=f"dial:{LIST}:1"),
        DialList(id=LIST, service="alerts", name="l", state="running", created_at=OLD, updated_at=OLD),
        DialEntry(list=LIST, position=1, number="+447700900001", message=ID, updated_at=OLD),
    ],
    "a link that leads on": lambda r: [old(r), r.link(ref=ID, expires_at=NOW + 1)],
    "a call going on": lambda r: [old(r), r.call(CALL, message=ID, started_at=NOW)],
}


@pytest.mark.parametrize("why", STAYS)
async def test_a_message_stays_that_is_open_or_referred_to(tmp_path: Path, records: Any, why: str) -> None:
    id = made(YOUNG) if why == "young" else ID
    along = [records.event(id), records.call(CALL, state="ended", ended_at=OLD, message=id)]
    receipt = records.receipt(made(OLD, 6), message=id, received_at=OLD)
    writes = STAYS[why](records)
    here = [write for write in along if why != "a call going on" or write is along[0]]
    path = await stored(tmp_path, *here, receipt, *writes)
    tables = (
        "messages",
        "segments",
        "events",
        "calls",
        "receipts",
        "runs",
        "links",
        "notifications",
        "timers",
    )
    before = [count(path, table) for table in tables]
    found = purged(path)
    assert not any(found.removed.values())
    assert [count(path, table) for table in tables] == before


@pytest.mark.parametrize(
    ("state", "over"),
    [("stopped", True), ("done", True), ("paused", False), ("loading", False)],
)
async def test_calls_of_a_list_go_when_it_is_through(
    tmp_path: Path, records: Any, state: str, over: bool
) -> None:
    list_ = DialList(id=LIST, service="alerts", name="l", state=state, created_at=OLD, updated_at=OLD)
    path = await stored(tmp_path, old(records, run=f"dial:{LIST}:1"), list_)
    assert purged(path).removed["messages"] == over


@pytest.mark.parametrize(
    ("what", "writes"),
    [
        ("goes on", lambda r: [r.run(RUN, state="waiting", created_at=OLD, updated_at=OLD)]),
        ("touched", lambda r: [r.run(RUN, state="ended", created_at=OLD, updated_at=YOUNG)]),
        ("called by one that goes on", lambda r: [ended(r, parent=made(YOUNG)), r.run(made(YOUNG))]),
        ("calls one that goes on", lambda r: [ended(r), r.run(made(YOUNG), parent=RUN)]),
        ("owes", lambda r: [ended(r), r.effect(f"{RUN}/1", ref=RUN)]),
        ("timed", lambda r: [ended(r), r.timer(RUN, kind="run")]),
        ("its message is out", lambda r: [ended(r), old(r, run=RUN, status=Status.QUEUED)]),
        (
            "of a call list that goes on",
            lambda r: [
                ended(r),
                DialList(id=LIST, service="s", name="l", state="paused", created_at=OLD, updated_at=OLD),
                DialEntry(list=LIST, position=1, number="1", state="answered", run=RUN, updated_at=OLD),
            ],
        ),
        ("notified of", lambda r: [ended(r), r.notification(NOTE, ref=RUN, due=NOW)]),
    ],
)
async def test_a_session_stays_that_is_open_or_referred_to(
    tmp_path: Path, records: Any, what: str, writes: Kept
) -> None:
    path = await stored(tmp_path, records.event(RUN), *writes(records))
    before = count(path, "runs")
    assert not any(purged(path).removed.values()), what
    assert (count(path, "runs"), count(path, "events")) == (before, 1)


def ended(records: Any, **fields: Any) -> Any:
    return records.run(RUN, state="ended", created_at=OLD, updated_at=OLD, **fields)


async def test_the_key_of_a_session_is_kept_as_long_as_it_counts(tmp_path: Path, records: Any) -> None:
    path = await stored(tmp_path, ended(records, key="k"))
    assert purged(path, keyed_seconds=101 * DAY).kept["runs"] == 1
    assert purged(path, keyed_seconds=30 * DAY).removed["runs"] == 1


async def test_calls_and_notifications_stay_that_are_not_over(tmp_path: Path, records: Any) -> None:
    path = await stored(
        tmp_path,
        records.call(CALL, state="answered", started_at=OLD, answered_at=OLD),
        records.call(made(OLD, 8), state="ended", started_at=OLD, ended_at=NOW),
        records.notification(NOTE, due=OLD),
    )
    found = purged(path)
    assert not any(found.removed.values())
    assert (found.kept["calls"], found.kept["notifications"]) == (2, 1)


async def test_what_customers_have_said_and_are_is_not_touched(tmp_path: Path, records: Any) -> None:
    rows = [
        records.consent(at=OLD),
        records.offence(at=OLD),
        records.otp(made(OLD, 7), created_at=OLD),
        records.link(ref=ID, created_at=OLD, expires_at=OLD),
        records.part(),
        records.flow_version(created_at=OLD),
        DialList(id=LIST, service="alerts", name="l", state="done", created_at=OLD, updated_at=OLD),
    ]
    path = await stored(tmp_path, *rows, *finished(records))
    assert purged(path).removed["messages"] == 1
    for table in ("consents", "offences", "otps", "links", "parts", "flow_versions", "dial_lists"):
        assert count(path, table) == 1


async def test_only_one_service(tmp_path: Path, records: Any) -> None:
    other = made(OLD, 9)
    unclaimed = records.receipt(made(OLD, 10), received_at=OLD)
    path = await stored(tmp_path, *finished(records), old(records, other, service="pizza"), unclaimed)
    found = purged(path, service="pizza")
    assert {table: rows for table, rows in found.removed.items() if rows} == {"messages": 1}
    assert (found.kept["messages"], count(path, "messages")) == (1, 1)
    assert purged(path).removed["receipts"] == 2


async def test_a_sent_message_goes_when_its_receipt_can_come_no_more(tmp_path: Path, records: Any) -> None:
    days = [5, 6, 8, 9]
    sent = [NOW - number * DAY for number in days]
    path = await stored(
        tmp_path,
        *(old(records, made(at), status=Status.SENT, created_at=at, updated_at=at) for at in sent),
    )
    found = purged(path, older_than=2 * DAY)
    assert (found.removed["messages"], found.kept["messages"]) == (2, 2)


async def test_many_go_in_steps_and_progress_is_told(
    tmp_path: Path, records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "_PAGE", 7)
    monkeypatch.setattr(purging, "_FIRST", 3)
    monkeypatch.setattr(purging, "_MOST_ROWS", 5)
    ids = [made(OLD, n) for n in range(30)]
    rows = [
        old(records, id, status=Status.QUEUED if n % 3 == 0 else Status.FAILED) for n, id in enumerate(ids)
    ]
    path = await stored(tmp_path, *rows, *(records.event(id) for id in ids for _ in range(4)))
    seen: list[tuple[str, int, int]] = []

    def progress(*told: Any) -> None:
        seen.append(told)

    would = purged(path, dry_run=True)
    found = purged(path, progress=progress)
    assert (would.removed, would.kept) == (found.removed, found.kept)
    assert (found.removed["messages"], found.removed["events"], found.kept["messages"]) == (20, 80, 10)
    assert ("messages", 30, 20) in seen
    assert (count(path, "messages"), count(path, "events")) == (10, 40)


async def test_what_was_touched_since_it_was_found_stays(tmp_path: Path, records: Any) -> None:
    path = await stored(tmp_path, *finished(records))
    looked = purging._Purge._finished

    def touched(self: Any, table: str, ids: Any) -> list[str]:
        found = looked(self, table, ids)
        if table == "messages" and found:
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("UPDATE messages SET updated_at = ?", (NOW,))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(purging._Purge, "_finished", touched)
        assert purged(path).removed["messages"] == 0
    assert (count(path, "messages"), count(path, "segments")) == (1, 2)


async def test_the_audit_has_everything_accounted_for_afterwards(tmp_path: Path, records: Any) -> None:
    sent = old(records, made(OLD, 20), status=Status.SENT, updated_at=NOW - DAY)
    path = await stored(
        tmp_path,
        *finished(records),
        sent,
        records.segment(sent.id, state="accepted"),
        old(records, made(NOW), status=Status.QUEUED, waits="north"),
    )
    purged(path)
    found = audit(path)
    assert found.total == {"sent": 1, "queued": 1}
    assert (found.stuck_count, set(found.left_over.values())) == (0, {0})


async def test_beside_a_gateway_what_is_younger_than_a_day_stays(tmp_path: Path, records: Any) -> None:
    path = await stored(tmp_path, *finished(records))
    held = lock.take(path)
    try:
        with pytest.raises(StoreUnusable, match="older than 1d, or stop it"):
            purged(path, older_than=DAY - 1)
        assert purged(path, older_than=DAY - 1, dry_run=True).removed["messages"] == 1
        assert purged(path, older_than=DAY).removed["messages"] == 1
    finally:
        os.close(held)
    assert purged(path, older_than=60.0).removed["messages"] == 0


async def test_a_gateway_writes_on_meanwhile(tmp_path: Path, records: Any) -> None:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    await store.commit([old(records, made(OLD, n)) for n in range(3_000)])
    work = asyncio.create_task(asyncio.to_thread(purged, store.path))
    written = 0
    while not work.done():
        await store.commit([records.message(made(NOW, written), updated_at=NOW)])
        written += 1
        await asyncio.sleep(0.001)
    assert (await work).removed["messages"] == 3_000
    assert (await store.counts())["messages"] == written > 0
    await store.close()


def test_the_log_does_not_grow_without_end_beside_an_idle_gateway(tmp_path: Path, records: Any) -> None:
    path = asyncio.run(stored(tmp_path, *(old(records, made(OLD, n), text="x" * 900) for n in range(12_000))))
    with closing(sqlite3.connect(path)) as idle, pytest.MonkeyPatch.context() as patch:
        patch.setattr(purging, "WAL_STEP", 1 << 20)
        idle.execute("SELECT count(*) FROM messages").fetchone()
        assert purged(path).removed["messages"] == 12_000
        assert Path(f"{path}-wal").stat().st_size < 4 << 20


def test_rows_are_looked_at_by_their_ids() -> None:
    """SQLite, left to itself, walked all messages that were delivered, for each page of ids."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, 0.0)
        for name in queries():
            if name.startswith(("purge_finished_", "purge_delete_", "purge_count_")):
                steps = connection.execute("EXPLAIN QUERY PLAN " + queries()[name], PARAMETERS).fetchall()
                assert re.search(r"\((id|message|ref)=\?\)", steps[0][-1]), (name, steps)


def test_a_store_that_is_none_is_told_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="does not exist"):
        purge(tmp_path / "gateway.db", older_than=DAY, now=time.time())
    (tmp_path / "other.db").write_text("something else, and longer than a header of SQLite would be" * 20)
    with pytest.raises(StoreUnusable, match="cannot be purged: file is not a database"):
        purge(tmp_path / "other.db", older_than=DAY, now=time.time())
    assert not (tmp_path / "gateway.db").exists()
