import asyncio
import json
import os
import sqlite3
from contextlib import closing
from typing import Any

from msgspec.structs import replace

from gateway.store import lock
from gateway.store.sqlite import SqliteStore
from gateway.values.message import Message, Segment
from gateway.values.outcome import Status


def message(id: str) -> Message:
    return Message(
        id=id,
        direction="mt",
        service="alerts",
        sender="12345",
        recipient="+447700900001",
        status=Status.SENT,
        created_at=1.0,
        updated_at=1.0,
    )


def test_stats_count_rows_and_octets(place: Any) -> None:
    place.fill([message("m1"), message("m2")])
    lines = place.run("db", "stats").stdout.splitlines()
    assert {"messages\t2", "messages.sent\t2", "calls\t0"} < set(lines)
    assert lines[-1].startswith(f"{place.store}: ")
    assert lines[-1].endswith("KiB")
    found = json.loads(place.run("db", "stats", "--json").stdout)
    assert found["octets"] == place.store.stat().st_size
    assert (found["file"], found["rows"]["messages"]) == (str(place.store), 2)


def test_a_backup_is_made_beside_a_running_gateway(place: Any) -> None:
    target = place.folder / "copy.db"

    async def beside() -> Any:
        store = SqliteStore(place.store)
        await store.open()
        await store.commit([message("m1")])
        result = await asyncio.to_thread(place.run, "db", "backup", str(target))
        await store.close()
        return result

    result = asyncio.run(beside())
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{target}: ")
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("SELECT id FROM messages").fetchall() == [("m1",)]


def test_a_backup_overwrites_nothing(place: Any) -> None:
    place.fill()
    target = place.folder / "copy.db"
    target.write_text("precious")
    result = place.run("db", "backup", str(target))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "exists already" in result.stderr
    assert target.read_text() == "precious"


def test_vacuum_says_what_it_gained(place: Any) -> None:
    place.fill([message(f"m{n:04}") for n in range(2000)])
    with closing(sqlite3.connect(place.store, isolation_level=None)) as connection:
        connection.execute("DELETE FROM messages")
    before = place.store.stat().st_size
    result = place.run("db", "vacuum")
    assert result.exit_code == 0
    assert " before, " in result.stdout
    assert place.store.stat().st_size < before


def test_vacuum_is_refused_while_a_gateway_runs(place: Any) -> None:
    place.fill()
    held = lock.take(place.store)
    result = place.run("db", "vacuum")
    os.close(held)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"in use by another gateway (process {os.getpid()})" in result.stderr


def test_audit_counts_by_service_and_in_sum(place: Any) -> None:
    segment = Segment(message="m1", step=0, part=1, total=1, bind="north", state="accepted")
    place.fill([message("m1"), replace(message("m2"), status=Status.DELIVERED), segment])
    result = place.run("db", "audit")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].split("\t") == ["alerts", "2", "1", "0", "0", "0", "0", "0", "1", "0", "0", "0", "0"]
    assert lines[1].split("\t")[:2] == ["in sum", "2"]
    assert lines[-1] == "messages unaccounted for: 0"


def test_audit_names_what_is_unaccounted_for_and_fails(place: Any) -> None:
    place.fill([message(f"m{n:02}") for n in range(25)])
    result = place.run("db", "audit")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "messages unaccounted for: 25" in lines
    assert "  m00 of alerts: sent since 1970-01-01 00:00:01, lacks a segment, a call, a timer" in lines
    assert lines[-1] == "  and 5 more; --json names up to 1,000"
    found = json.loads(place.run("db", "audit", "--json").stdout)
    assert (found["sum"], found["stuck_count"]) == ({"accepted": 25, "sent": 25}, 25)
    assert found["stuck"][0]["id"] == "m00"


def test_audit_reads_a_copy(place: Any) -> None:
    place.fill([message("m1")])
    target = place.folder / "copy.db"
    place.run("db", "backup", str(target))
    place.fill([message("m2")])
    found = json.loads(place.run("db", "audit", str(target), "--json").stdout)
    assert (found["file"], found["sum"]["sent"]) == (str(target), 1)


def test_audit_of_no_store_says_so(place: Any) -> None:
    result = place.run("db", "audit", str(place.folder / "none.db"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "none.db does not exist" in result.stderr
