from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store import engine as module
from gateway.store.engine import Engine, Order, connect, set_up


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "gateway.db"
    path.touch()
    engine = Engine(connect(path, "rw"), path)
    set_up(engine.connection)
    engine.connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT")
    yield engine
    engine.connection.close()


def rows(engine: Engine) -> list[int]:
    return [id for (id,) in engine.connection.execute("SELECT id FROM t ORDER BY id")]


ADD = "INSERT INTO t VALUES (?, ?)"


def test_an_order_is_written_as_a_whole(engine: Engine) -> None:
    assert not engine.unchecked
    verdict = engine.execute(Order([(ADD, [1, "a"]), (ADD, [2, "b"])]))
    assert (verdict.trouble, verdict.own, rows(engine)) == ("", False, [1, 2])
    assert engine.unchecked


def test_a_fault_of_a_group_is_told_from_trouble_and_nothing_is_written(engine: Engine) -> None:
    verdict = engine.execute(Order([(ADD, [1, "a"]), (ADD, [1, "again"])]))
    assert verdict.own and rows(engine) == [] and not engine.connection.in_transaction


def test_apart_only_the_group_at_fault_is_left_out(engine: Engine) -> None:
    verdict = engine.execute(
        Order(apart=[[(ADD, [1, "a"])], [(ADD, [2, "b"]), (ADD, [1, "c"])], [(ADD, [3, "d"])]])
    )
    assert [bool(error) for error in verdict.errors] == [False, True, False]
    assert rows(engine) == [1, 3]


def test_trouble_of_the_file_names_it(engine: Engine, tmp_path: Path) -> None:
    engine.connection.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    verdict = engine.execute(Order([(ADD, [1, "a"])]))
    other.close()
    assert "gateway.db" in verdict.trouble and "locked" in verdict.trouble
    assert engine.execute(Order([(ADD, [1, "a"])])).trouble == ""


def test_a_checkpoint_comes_when_the_log_has_grown(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.after() == "" and engine.wal_mark == module.WAL_STEP
    engine.wal_mark = 1
    engine.execute(Order([(ADD, [1, "x" * 10_000])]))
    assert engine.after() == "" and not engine.unchecked
    assert engine.wal_mark == module.WAL_STEP


def test_a_file_that_cannot_have_a_log_is_refused() -> None:
    memory = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="write-ahead"):
        set_up(memory)
    memory.close()
