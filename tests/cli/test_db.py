import asyncio
import json
import os
import sqlite3
import time
from contextlib import closing
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.store import lock
from gateway.store.sqlite import SqliteStore
from gateway.values.ids import uuid7
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


def old(number: int, **fields: Any) -> Message:
    at = time.time() - 100 * 86_400
    plain = replace(message(uuid7(int(at * 1000), number)), created_at=at, updated_at=at)
    return replace(plain, **{"status": Status.DELIVERED} | fields)


def test_purge_says_what_went_and_what_stayed(place: Any) -> None:
    place.fill([old(1), old(2), old(3, status=Status.IN_DOUBT), old(4, service="pizza"), message("m1")])
    would = place.run("db", "purge", "--older-than", "90d", "--dry-run")
    assert (would.exit_code, would.stderr) == (0, "")
    assert "messages\t3\t1" in would.stdout.splitlines()
    assert "3 rows would go: finished, and touched last before 20" in would.stdout
    one = json.loads(place.run("db", "purge", "--older-than", "90d", "--service", "pizza", "--json").stdout)
    assert (one["service"], one["dry_run"], one["removed"]["messages"]) == ("pizza", False, 1)
    assert (one["kept"]["messages"], one["removed"]["sessions"]) == (3, 0)
    result = place.run("db", "purge", "--older-than", "90d")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert {"messages\t2\t1", "sessions\t0\t0", "segments\t0\t"} < set(lines)
    assert lines[-2].startswith("2 rows removed: finished, and touched last before 20")
    assert lines[-1].startswith("gateway db vacuum")
    again = place.run("db", "purge", "--older-than", "90d").stdout.splitlines()
    assert again[-1].startswith("0 rows removed")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "Missing option '--older-than'"),
        (("--older-than", "90"), "'90' is no duration; write"),
        (("--older-than", "ages"), "'ages' is no duration; write"),
        (("--older-than", "400d"), "'400d' is not between 0 and 366 days"),
        (("--older-than", "0d"), "'0d' would be everything that is finished"),
    ],
)
def test_purge_wants_an_age(place: Any, arguments: tuple[str, ...], reason: str) -> None:
    place.fill([old(1)])
    result = place.run("db", "purge", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr
    assert json.loads(place.run("db", "stats", "--json").stdout)["rows"]["messages"] == 1


def test_purge_beside_a_gateway_leaves_it_the_last_day(place: Any) -> None:
    place.fill([old(1)])
    held = lock.take(place.store)
    refused = place.run("db", "purge", "--older-than", "23h")
    result = place.run("db", "purge", "--older-than", "24h")
    os.close(held)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "purge what is older than 1d, or stop it first" in refused.stderr
    assert (result.exit_code, "messages\t1\t0" in result.stdout) == (0, True)


def test_purge_of_no_store_says_so(place: Any) -> None:
    result = place.run("db", "purge", "--older-than", "90d")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "gateway.db does not exist" in result.stderr


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
