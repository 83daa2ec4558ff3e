from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.store.base import MessageQuery
from gateway.store.file import path_of
from gateway.store.sqlite import SqliteStore
from gateway.values.errors import StoreError, StoreUnusable
from gateway.values.event import Event
from gateway.values.work import Timer

Records = Any


async def opened(path: Path, **options: Any) -> SqliteStore:
    store = SqliteStore(path, **options)
    await store.open()
    return store


async def refusal(path: Path, **options: Any) -> str:
    """Why the store cannot be opened; it must leave nothing open, which -W error sees."""
    with pytest.raises(StoreUnusable) as refused:
        await opened(path, **options)
    return str(refused.value)


@pytest.mark.parametrize(
    "url, path",
    [
        ("sqlite:gateway.db", "/state/gateway.db"),
        ("sqlite:deep/er.db", "/state/deep/er.db"),
        ("sqlite:///var/lib/gateway.db", "/var/lib/gateway.db"),
    ],
)
def test_url_names_a_path(url: str, path: str) -> None:
    assert path_of(url, "/state") == Path(path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "gateway.db",
        "sqlite://gateway.db",
        "sqlite:///",
        "sqlite:///x/",
        "sqlite:",
        "sqlite:x/",
        "postgresql://h/db",
    ],
)
def test_url_of_anything_else_is_refused_with_the_remedy(url: str) -> None:
    with pytest.raises(StoreUnusable, match=r"sqlite:gateway\.db"):
        path_of(url, "/state")


async def test_directory_and_files_are_private(tmp_path: Path, records: Records) -> None:
    path = tmp_path / "a" / "b" / "gateway.db"
    store = await opened(path)
    await store.commit([records.message()])
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    names = ["gateway.db", "gateway.db-wal", "gateway.db-shm", "gateway.db.lock", "gateway.db.mark"]
    assert modes == dict.fromkeys(names, 0o600)
    await store.close()
    left = {file.name for file in path.parent.iterdir()}
    assert left == {"gateway.db", "gateway.db.lock", "gateway.db.mark"}


async def test_a_file_that_all_may_read_is_closed_to_others_but_not_to_the_group(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.touch()
    path.chmod(0o644)
    await (await opened(path)).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_odd_characters_in_the_path_are_no_trouble(tmp_path: Path, records: Records) -> None:
    path = tmp_path / "a ?mode=memory&x#y%41ü.db"
    store = await opened(path)
    await store.commit([records.message()])
    await store.close()
    store = await opened(path)
    assert await store.message("m1") is not None
    await store.close()


async def test_text_is_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.write_text("not a database, but long enough to be taken for one\n" * 100)
    reason = await refusal(path)
    assert str(path) in reason and "not a database" in reason and "backup" in reason
    assert path.read_text().startswith("not a database")


async def test_a_damaged_database_is_refused(tmp_path: Path, records: Records) -> None:
    path = tmp_path / "gateway.db"
    store = await opened(path)
    await store.commit([records.message(f"m{n}", text="x" * 3000) for n in range(100)])
    await store.close()
    with path.open("r+b") as file:
        file.seek(60 * 4096)
        file.write(b"\xa5" * 4096 * 20)
    reason = await refusal(path)
    assert str(path) in reason and "recover" in reason


async def test_a_cut_off_database_is_refused(tmp_path: Path, records: Records) -> None:
    path = tmp_path / "gateway.db"
    store = await opened(path)
    await store.commit([records.message(f"m{n}", text="x" * 3000) for n in range(100)])
    await store.close()
    os.truncate(path, 30 * 4096)
    assert str(path) in await refusal(path)


async def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    before = path.read_bytes()
    reason = await refusal(path)
    assert "bookmarks" in reason and "store.url" in reason
    assert path.read_bytes() == before


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    await (await opened(path)).close()
    newer = sqlite3.connect(path)
    newer.execute("INSERT INTO migrations VALUES ('0999_future', 0)")
    newer.commit()
    newer.close()
    reason = await refusal(path)
    assert str(path) in reason and "newer version" in reason and "0999_future" in reason


async def test_a_path_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in await refusal(tmp_path / "file" / "gateway.db")
    (tmp_path / "gateway.db").mkdir()
    assert str(tmp_path / "gateway.db") in await refusal(tmp_path / "gateway.db")


async def test_two_daemons_never_share_a_store(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    first = await opened(path)
    reason = await refusal(path)
    assert str(path) in reason and f"process {os.getpid()}" in reason
    await first.close()
    await (await opened(path)).close()


async def test_reading_only_goes_beside_a_daemon(tmp_path: Path, records: Records) -> None:
    path = tmp_path / "gateway.db"
    daemon = await opened(path)
    await daemon.commit([records.message("m1")])
    reader = await opened(path, read_only=True)
    assert await reader.messages(MessageQuery()) == [records.message("m1")]
    with pytest.raises(StoreError, match="reading only"):
        await reader.commit([records.message("m2")])
    await daemon.commit([records.message("m2")])
    assert len(await reader.messages(MessageQuery())) == 2
    await reader.close()
    await daemon.commit([records.message("m3")])
    await daemon.close()
    alone = await opened(path, read_only=True)
    assert len(await alone.messages(MessageQuery())) == 3
    await alone.close()


async def test_reading_only_needs_a_store_that_is_there_and_ours(tmp_path: Path) -> None:
    assert "does not exist" in await refusal(tmp_path / "gateway.db", read_only=True)
    assert os.listdir(tmp_path) == []
    (tmp_path / "gateway.db").touch()
    assert "older version" in await refusal(tmp_path / "gateway.db", read_only=True)


async def test_a_failing_read_is_a_store_error(tmp_path: Path) -> None:
    store = await opened(tmp_path / "gateway.db")
    other = sqlite3.connect(store.path)
    other.execute("DROP TABLE parts")
    other.close()
    with pytest.raises(StoreError, match="parts"):
        await store.parts()
    await store.close()


CHILD = """
import asyncio, sys
from pathlib import Path
from gateway.store.sqlite import SqliteStore
from gateway.values.event import Event
from gateway.values.message import Message
from gateway.values.work import Effect

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    async def commits(worker):
        for n in range(1_000_000):
            id = f"{worker}-{n:06}"
            await store.commit([
                Message(id=id, direction="mt", service="s", sender="1", recipient="2",
                        created_at=1.0, updated_at=1.0),
                Effect(key=id, kind="submit", ref=id, created_at=1.0),
                Event(ref=id, type="message.accepted", service="s", at=1.0),
            ])
            print(id, flush=True)
    await asyncio.gather(*[commits(worker) for worker in range(20)])

asyncio.run(main())
"""


async def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    acknowledged = [await child.stdout.readline() for _ in range(1500)]
    child.send_signal(signal.SIGKILL)
    acknowledged += (await child.stdout.read()).splitlines(keepends=True)
    assert await child.wait() == -signal.SIGKILL
    ids = {line.decode().strip() for line in acknowledged if line.endswith(b"\n")}
    assert len(ids) >= 1500

    store = await opened(path)
    messages = {message.id for message in await store.messages(MessageQuery(limit=1_000_000))}
    effects = {effect.key for effect in await store.effects(limit=1_000_000)}
    events = (await store.counts())["events"]
    await store.close()
    assert ids <= messages
    # and a group is whole or not there at all
    assert messages == effects and events == len(messages)


async def test_damage_that_a_read_finds_is_told_and_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "gateway.db"
    event = Event(ref="r", type="t", service="s", at=0.0, data={"text": "x" * 500})
    store = SqliteStore(path)
    await store.open()
    await store.commit([event] * 500)
    await store.close()
    await store.open()
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xa5" * (path.stat().st_size - 2 * 4096))
    await store.commit([Timer(kind="step", ref="m", due=0.0)])
    assert store.damage == ""
    for _ in range(2):
        with pytest.raises(StoreError, match="malformed"):
            await store.events("r")
    await store.close()
    assert str(path) in store.damage
    assert [record.getMessage() for record in caplog.records] == ["store.damaged"]
