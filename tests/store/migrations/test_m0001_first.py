from __future__ import annotations

import sqlite3

import pytest

from gateway.store.migrations import MIGRATIONS, Foreign, Newer, migrate, pending
from gateway.store.rows import TABLE_OF


@pytest.fixture
def connection() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


@pytest.fixture(autouse=True)
def close(connection: sqlite3.Connection) -> object:
    yield
    connection.close()


def test_each_record_has_its_table_with_a_column_for_each_field(connection: sqlite3.Connection) -> None:
    migrate(connection, 0.0)
    for table in TABLE_OF.values():
        rows = connection.execute(f"PRAGMA table_info({table.name})").fetchall()
        columns = {name: (kind, not_null) for _, name, kind, not_null, *_ in rows if name != "seq"}
        assert set(columns) == set(table.columns), table.name
        assert all(not_null for _, not_null in columns.values()), table.name
        key = sorted((position, name) for _, name, *_, position in rows if position and name != "seq")
        assert tuple(name for _, name in key) == table.key, table.name


def test_tables_are_strict(connection: sqlite3.Connection) -> None:
    migrate(connection, 0.0)
    strict = {name: strict for _, name, kind, _, _, strict in connection.execute("PRAGMA table_list")}
    assert all(strict[table.name] for table in TABLE_OF.values())


def test_migrations_are_applied_once_in_order_and_noted(connection: sqlite3.Connection) -> None:
    migrate(connection, 7.5)
    assert connection.execute("SELECT * FROM migrations").fetchall() == [(MIGRATIONS[0][0], 7.5)]
    more = (*MIGRATIONS, ("0002_more", lambda db: db.execute("CREATE TABLE more (id)")))
    assert [name for name, _ in pending(connection, more)] == ["0002_more"]
    migrate(connection, 8.5, more)
    migrate(connection, 9.5, more)
    names = connection.execute("SELECT name, applied_at FROM migrations ORDER BY name").fetchall()
    assert names == [("0001_first", 7.5), ("0002_more", 8.5)]


def test_a_migration_that_fails_leaves_nothing_of_itself(connection: sqlite3.Connection) -> None:
    def fails(database: object) -> None:
        database.execute("CREATE TABLE half (id)")  # type: ignore[attr-defined]
        raise OSError("disk full")

    migrate(connection, 0.0)
    with pytest.raises(OSError):
        migrate(connection, 0.0, (*MIGRATIONS, ("0002_fails", fails)))
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert "half" not in tables and not connection.in_transaction
    assert [name for (name,) in connection.execute("SELECT name FROM migrations")] == ["0001_first"]


def test_the_first_migration_is_one_transaction(connection: sqlite3.Connection) -> None:
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    migrate(connection, 0.0)
    assert [sql for sql in seen if sql.startswith(("BEGIN", "COMMIT"))] == ["BEGIN IMMEDIATE", "COMMIT"]


def test_other_and_newer_databases_are_told_apart(connection: sqlite3.Connection) -> None:
    migrate(connection, 0.0)
    connection.execute("INSERT INTO migrations VALUES ('0999_future', 0)")
    with pytest.raises(Newer):
        pending(connection)
    connection.execute("PRAGMA application_id = 1")
    with pytest.raises(Foreign):
        pending(connection)
