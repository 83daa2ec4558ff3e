import asyncio
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.store import upkeep
from gateway.store.sqlite import SqliteStore
from gateway.values.errors import StoreUnusable
from gateway.values.work import FlowState


async def fill(store: SqliteStore, records: Any, count: int) -> None:
    await store.commit([records.message(f"m{n:05}", text="x" * 1000) for n in range(count)])


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        number = connection.execute("SELECT count(*) FROM messages").fetchone()[0]
    assert isinstance(number, int)
    return number


async def test_a_backup_is_complete_while_the_gateway_writes(tmp_path: Path, records: Any) -> None:
    store, target = SqliteStore(tmp_path / "gateway.db"), tmp_path / "copy.db"
    await store.open()
    await fill(store, records, 10)
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))

    octets = await asyncio.to_thread(upkeep.backup, store.path, target, progress)
    await fill(store, records, 20)  # the copy has let go of the store
    await store.close()
    assert octets == target.stat().st_size
    assert rows(target) == 10
    assert seen[-1][0] == seen[-1][1] > 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert not (tmp_path / "copy.db.partial").exists()


async def test_what_is_committed_during_a_backup_does_not_begin_it_anew(tmp_path: Path, records: Any) -> None:
    store, target = SqliteStore(tmp_path / "gateway.db"), tmp_path / "copy.db"
    await store.open()
    await fill(store, records, 12_000)
    steps = 0
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:

        def progress(done: int, total: int) -> None:
            nonlocal steps
            steps += 1
            other.execute("UPDATE messages SET text = 'y' WHERE id = 'm00000'")

        upkeep.backup(store.path, target, progress)
    await store.close()
    assert steps == -(-target.stat().st_size // 4096 // 2000)
    assert steps > 1
    assert rows(target) == 12_000


async def test_a_backup_opens_as_a_store(tmp_path: Path, records: Any) -> None:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    await fill(store, records, 3)
    await store.close()
    upkeep.backup(store.path, tmp_path / "copy.db")
    copy = SqliteStore(tmp_path / "copy.db")
    await copy.open()
    assert (await copy.counts())["messages"] == 3
    await copy.close()


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("gateway.db", "taken.db", "exists already"),
        ("gateway.db", "no/where.db", "No such file or directory"),
        ("nowhere.db", "copy.db", "unable to open database file"),
        ("taken.db", "copy.db", "file is not a database"),
    ],
)
async def test_a_backup_that_cannot_be_leaves_nothing(
    tmp_path: Path, source: str, target: str, reason: str
) -> None:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    await store.close()
    (tmp_path / "taken.db").write_text("something else, and longer than a header of SQLite would be" * 20)
    before = set(os.listdir(tmp_path))
    with pytest.raises(StoreUnusable, match=reason):
        upkeep.backup(tmp_path / source, tmp_path / target)
    assert set(os.listdir(tmp_path)) == before


async def test_vacuum_gives_space_back(tmp_path: Path, records: Any) -> None:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    await fill(store, records, 2000)
    await store.close()
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM messages WHERE id > 'm00010'")
    before, after = upkeep.vacuum(store.path)
    assert after < before / 4
    assert after == upkeep.octets(store.path)
    assert rows(store.path) == 11


async def test_vacuum_waits_for_no_running_gateway(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    with pytest.raises(StoreUnusable, match=f"in use by another gateway .process {os.getpid()}"):
        upkeep.vacuum(store.path)
    await store.close()
    upkeep.vacuum(store.path)


def test_vacuum_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="does not exist"):
        upkeep.vacuum(tmp_path / "gateway.db")
    assert list(tmp_path.iterdir()) == []


async def test_a_group_is_written_beside_a_running_gateway(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    store = SqliteStore(path)
    await store.open()
    state = FlowState(service="s", flow="f", live=1, updated_at=1.0)
    await asyncio.to_thread(upkeep.write, path, [state])
    assert await store.flow_states() == [state]
    await store.close()
    with pytest.raises(StoreUnusable, match="does not exist"):
        upkeep.write(tmp_path / "other.db", [state])
