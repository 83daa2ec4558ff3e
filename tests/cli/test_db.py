import asyncio
import json
import os
import sqlite3
from contextlib import closing
from typing import Any

from gateway.store import lock
from gateway.store.sqlite import SqliteStore
from gateway.values.message import Message
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
