"""Fills a store with finished messages, as a gateway that has run for long leaves it.

The rows of one real message (it, its segments, its receipts, its events) are copied by SQL with other ids,
numbers and carrier's ids: nothing here knows the schema.  The ids are UUIDv7 of earlier moments, in order, so
that new messages come behind them as they do in a store that has grown by itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

_CHUNK = 100_000
_EPOCH_MS = 1_700_000_000_000  # of the first id
_STEP_MS = 20  # between two ids: 50 messages a second
_LARGEST = (1_763_000_000_000 - _EPOCH_MS) // _STEP_MS  # after that ids would be of the time of measuring
_OWNERS = ("id", "message", "ref")  # columns that tie a row to its message

# Of message i.  The variant tells the ids of its other rows apart from its own
_ID = (
    "printf('%08x-%04x-7000-8{variant}00-%012x', "
    f"({_EPOCH_MS} + i * {_STEP_MS}) >> 16, ({_EPOCH_MS} + i * {_STEP_MS}) & 65535, i)"
)
_GENERATED = {
    "recipient": "printf('+4670%07d', (i * 2654435761) % 10000000)",
    "smsc_id": "printf('%016d', i)",
}


def fill(store: Path, template: str, begin: int, end: int) -> None:
    """Add copies begin..end-1 of message `template`, which must be finished."""
    if end > _LARGEST:
        raise ValueError(f"no more than {_LARGEST:,} messages")
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -1000000")
        # with the indexes in place: one that is made of sorted rows afterwards has full pages, and each row
        # that comes later splits one
        statements = list(_copies(connection, template))
        for first in range(begin, end, _CHUNK):
            last = min(first + _CHUNK, end) - 1
            connection.execute("BEGIN")
            for statement, values in statements:
                connection.execute(statement, {**values, "first": first, "last": last})
            connection.execute("COMMIT")


def finished(store: Path) -> str:
    """The id of a message that has been delivered."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        [id] = connection.execute("SELECT id FROM messages WHERE status = 'delivered'").fetchone()
    return str(id)


def _copies(connection: sqlite3.Connection, template: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A statement for each row of the template message, and its constants."""
    tables = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    for (table,) in tables:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        owner = next((column for column in reversed(_OWNERS) if column in columns), None)
        if owner is None:
            continue
        found = connection.execute(f"SELECT * FROM {table} WHERE {owner} = ?", (template,)).fetchall()
        for place, row in enumerate(found, 1):
            yield _copy(table, dict(zip(columns, row, strict=True)), template, place)


def _copy(table: str, row: dict[str, Any], template: str, place: int) -> tuple[str, dict[str, Any]]:
    own = _ID.format(variant=0)
    values: dict[str, Any] = {"template": template}
    written: dict[str, str] = {}
    for column, value in row.items():
        if column == "seq":  # given by the database
            continue
        if value == template:
            written[column] = own
        elif column == "id":
            written[column] = _ID.format(variant=place)
        elif column in _GENERATED and value:
            written[column] = _GENERATED[column]
        else:
            values[f"v_{column}"] = value
            mentions = isinstance(value, str) and template in value
            written[column] = f"replace(:v_{column}, :template, {own})" if mentions else f":v_{column}"
    statement = (
        "WITH RECURSIVE numbers (i) AS (SELECT :first UNION ALL SELECT i + 1 FROM numbers WHERE i < :last) "
        f"INSERT INTO {table} ({', '.join(written)}) SELECT {', '.join(written.values())} FROM numbers"
    )
    return statement, values
