from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.store import engine as module
from gateway.store.base import Write
from gateway.store.engine import Engine, connect, set_up
from gateway.store.migrations import migrate
from gateway.store.wire import encode

Records = Any


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "gateway.db"
    path.touch()
    engine = Engine(connect(path, "rw"), path)
    set_up(engine.connection)
    migrate(engine.connection, 0.0)
    yield engine
    engine.connection.close()


def stored(engine: Engine) -> list[str]:
    return [id for (id,) in engine.connection.execute("SELECT id FROM messages ORDER BY id")]


def group(*writes: Write) -> bytes:
    return encode(writes)


def test_groups_are_written_together(engine: Engine, records: Records) -> None:
    assert not engine.unchecked
    verdict = engine.execute([group(records.message("m1"), records.event()), group(records.message("m2"))])
    assert (verdict.trouble, verdict.errors, stored(engine)) == ("", [], ["m1", "m2"])
    assert engine.unchecked


@pytest.mark.parametrize(
    "fields", [{"created_at": "yesterday"}, {"created_at": float("nan")}, {"text": None}]
)
def test_only_the_group_at_fault_is_left_out(
    engine: Engine, records: Records, fields: dict[str, Any]
) -> None:
    verdict = engine.execute(
        [
            group(records.message("m1")),
            group(records.message("m2"), records.message("m3", **fields)),
            group(records.message("m4")),
        ]
    )
    assert [bool(error) for error in verdict.errors] == [False, True, False]
    assert stored(engine) == ["m1", "m4"] and not engine.connection.in_transaction


def test_trouble_of_the_file_names_it(engine: Engine, tmp_path: Path, records: Records) -> None:
    engine.connection.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    verdict = engine.execute([group(records.message())])
    other.close()
    assert "gateway.db" in verdict.trouble and "locked" in verdict.trouble
    assert engine.execute([group(records.message())]).trouble == ""


def test_trouble_while_groups_are_written_apart_is_trouble(
    engine: Engine, tmp_path: Path, records: Records
) -> None:
    engine.connection.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    verdict = engine.execute([group(records.message("m1")), group(records.message("m2", text=None))])
    other.close()
    assert "locked" in verdict.trouble and verdict.errors == []


def test_a_checkpoint_comes_when_the_log_has_grown(
    engine: Engine, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.checkpoint()
    assert engine.after() == "" and engine.wal_mark == module.WAL_STEP
    engine.wal_mark = 1
    engine.execute([group(records.message(text="x" * 10_000))])
    assert engine.after() == "" and not engine.unchecked
    assert engine.wal_mark == module.WAL_STEP


def test_a_file_that_cannot_have_a_log_is_refused() -> None:
    memory = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="write-ahead"):
        set_up(memory)
    memory.close()
