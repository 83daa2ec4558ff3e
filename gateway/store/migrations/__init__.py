"""The schema's history.  A migration that has been in a release never changes; a new one is added after it.

The table `migrations` holds the names of those applied.  Each is applied in a transaction of its own.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Sequence
from typing import Any

from gateway.store.migrations import m0001_first

APPLICATION_ID = 0x54524B4C  # "TRKL" in the header tells our files from other programs' databases

Migration = Callable[[Any], None]

MIGRATIONS: tuple[tuple[str, Migration], ...] = (("0001_first", m0001_first.apply),)


class Foreign(Exception):
    """The database belongs to another program."""


class Newer(Exception):
    """The database has seen a migration that this program does not know."""


def pending(
    connection: sqlite3.Connection, migrations: Sequence[tuple[str, Migration]] = MIGRATIONS
) -> list[tuple[str, Migration]]:
    """The migrations that are still to be applied.  Raises Foreign or Newer."""
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if application_id != APPLICATION_ID and (application_id != 0 or tables):
        raise Foreign(
            f"it belongs to another program (tables: {', '.join(sorted(tables)[:5])}); set another store.url"
        )
    applied: set[str] = set()
    if "migrations" in tables:
        applied = {name for (name,) in connection.execute("SELECT name FROM migrations")}
    unknown = applied - {name for name, _ in migrations}
    if unknown:
        raise Newer(
            f"it was written by a newer version of trunkline (schema {max(unknown)}); "
            "install that version again, or restore a backup from before it"
        )
    return [(name, migration) for name, migration in migrations if name not in applied]


def migrate(
    connection: sqlite3.Connection, now: float, migrations: Sequence[tuple[str, Migration]] = MIGRATIONS
) -> None:
    """Bring the schema up to date; `connection` is in autocommit mode.  Raises Foreign or Newer."""
    for name, migration in pending(connection, migrations):
        # sqlite-utils' own transactions (`with conn`) would commit ours half-way: migrations keep to its
        # DDL methods and `execute`, which use none
        database = _database(connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at REAL NOT NULL)"
            )
            migration(database)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (name, now))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _database(connection: sqlite3.Connection) -> Any:
    """The connection as sqlite-utils sees it.

    Loaded only where there is something to migrate, and without numpy, which it would load to know its types
    as those of columns: 30 MiB together.
    """
    without = "numpy" not in sys.modules
    if without:
        sys.modules["numpy"] = None  # type: ignore[assignment]
    try:
        import sqlite_utils
    finally:
        if without:
            del sys.modules["numpy"]
    return sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)
