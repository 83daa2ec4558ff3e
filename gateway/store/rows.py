"""Records as rows of SQLite and back, and the statements that write them.

A field of type str, int, float, bool or bytes is a column of that type, any other a TEXT column of JSON.
Everything that can be known of a type is worked out once, so that a row costs about a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import Struct

from gateway.store.base import PROGRESS, TABLES
from gateway.values.call import Call
from gateway.values.message import Message

R = TypeVar("R", bound=Struct)
Row = tuple[Any, ...]
Key = tuple[str | int, ...]
Statement = tuple[str, Sequence[Any]]

_to_json = msgspec.json.Encoder().encode

# Python's sqlite3 gives up the interpreter's lock for each statement and must win it back after: 5 ms each
# time when the event loop is busy.  A statement therefore takes many rows (measured: 400 rows a second with
# executemany beside a busy thread, 12,000 to 30,000 so).  The sizes are few enough for all statements to
# stay prepared (sqlite._connect), and enough for most transactions to have one for each table.
_ROWS = (64, 32, *range(16, 0, -1))


# Fields that keep their first value: an update that does not name them leaves their indexes alone.  SQLite
# takes an entry out and puts it in again for each column that is named, changed or not, and for a customer's
# number that is a page of its own each time (measured on 1,000,000 messages: a fifth of the writer's time)
_KEPT: dict[type[Struct], tuple[str, ...]] = {
    Message: ("direction", "sender", "recipient", "correlationid", "created_at"),
    Call: ("direction", "caller", "called", "started_at"),
}


class Table(Generic[R]):
    """How one type of record is stored."""

    def __init__(self, record: type[R]) -> None:
        self.record = record
        self.name, self.key = TABLES[cast(Any, record)]
        fields = msgspec.structs.fields(record)
        self.columns = tuple(field.name for field in fields)
        self._json = [index for index, field in enumerate(fields) if not _plain(field.type)]
        self._decode: dict[str, Callable[[Any], Any]] = {
            fields[index].name: msgspec.json.Decoder(fields[index].type).decode for index in self._json
        }
        self._decode.update({field.name: bool for field in fields if field.type is bool})
        self._key_of: Callable[[Row], Any] | None = None
        kept = {*self.key, *_KEPT.get(record, ())}
        self._changing = tuple(column for column in self.columns if column not in kept)
        if self.key:
            self._key_of = itemgetter(*(self.columns.index(column) for column in self.key))

    def row(self, record: R) -> Row:
        row = msgspec.structs.astuple(record)
        if not self._json:
            return row
        values = list(row)
        for index in self._json:
            values[index] = _to_json(values[index]).decode()
        return tuple(values)

    def key_of(self, row: Row) -> Key | None:
        """None for an append-only table."""
        if self._key_of is None:
            return None
        key = self._key_of(row)
        return key if len(self.key) > 1 else (key,)

    def load(self, columns: Sequence[str], row: Row) -> R:
        """Columns that no field has are passed over; a field that no column has gets its default."""
        values = dict(zip(columns, row, strict=True))
        for name, decode in self._decode.items():
            if name in values:
                values[name] = decode(values[name])
        return msgspec.convert(values, self.record)

    def upserts(self, rows: Sequence[Row]) -> list[Statement]:
        """Statements that write all rows in their order; the keys among them must be different."""
        return [
            (
                _upsert(self.name, self.columns, self.key, self._changing, len(part)),
                list(chain.from_iterable(part)),
            )
            for part in _parts(rows)
        ]

    def deletes(self, keys: Sequence[Key]) -> list[Statement]:
        return [
            (_delete(self.name, self.key, len(part)), list(chain.from_iterable(part)))
            for part in _parts(keys)
        ]


def _plain(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, str | int | float | bytes | Enum)


def _parts(rows: Sequence[Row]) -> list[Sequence[Row]]:
    parts, begin = [], 0
    for size in _ROWS:
        while len(rows) - begin >= size:
            parts.append(rows[begin : begin + size])
            begin += size
    return parts


def _marks(columns: int, rows: int) -> str:
    return ", ".join(["(" + ", ".join(["?"] * columns) + ")"] * rows)


@cache
def _upsert(
    table: str, columns: tuple[str, ...], key: tuple[str, ...], changing: tuple[str, ...], rows: int
) -> str:
    names = ", ".join(columns)
    sql = f"INSERT INTO {table} ({names}) VALUES {_marks(len(columns), rows)}"
    if not key:
        return sql
    others = ", ".join(f"{column} = excluded.{column}" for column in changing)
    return f"{sql} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {others}"


@cache
def _delete(table: str, key: tuple[str, ...], rows: int) -> str:
    if len(key) == 1:
        return f"DELETE FROM {table} WHERE {key[0]} IN ({', '.join(['?'] * rows)})"
    # (a, b) IN (VALUES ...) walks the whole table in a DELETE; SQLite looks each of these up by the key
    one = "(" + " AND ".join(f"{column} = ?" for column in key) + ")"
    return f"DELETE FROM {table} WHERE {' OR '.join([one] * rows)}"


TABLE_OF: dict[type[Struct], Table[Any]] = {record: Table(record) for record in TABLES}


class Advance:
    """How the progress of messages is stored: as updates of columns in rows that are there.

    Half the time of writing the rows anew, and their texts and plans need not be made into JSON again.
    """

    def __init__(self) -> None:
        whole = TABLE_OF[Message]
        self._places = tuple(whole.columns.index(column) for column in PROGRESS)
        self._steps = 1 + PROGRESS.index("steps")

    def row(self, columns: Sequence[Any]) -> Row:
        """The key, then the columns of PROGRESS, `steps` still as records."""
        row = list(columns)
        row[self._steps] = _to_json(row[self._steps]).decode()
        return tuple(row)

    def merged(self, whole: Row, row: Row) -> Row:
        """A row that is still to be written, with progress that came after it."""
        values = list(whole)
        for place, value in zip(self._places, row[1:], strict=True):
            values[place] = value
        return tuple(values)

    def updates(self, rows: Sequence[Row]) -> list[Statement]:
        """Statements that write all rows; their keys must be different."""
        return [(_update(len(part)), list(chain.from_iterable(part))) for part in _parts(rows)]


@cache
def _update(rows: int) -> str:
    news = ", ".join(f"new_{column}" for column in PROGRESS)
    changes = ", ".join(f"{column} = new_{column}" for column in PROGRESS)
    return (
        f"WITH news (message, {news}) AS (VALUES {_marks(len(PROGRESS) + 1, rows)}) "
        f"UPDATE messages SET {changes} FROM news WHERE messages.id = news.message"
    )


MESSAGES, ADVANCE = TABLE_OF[Message], Advance()

# Without row: a delete; without key: to be appended
Change = tuple[Table[Any] | Advance, Key | None, Row | None]


class _TableChanges:
    """What groups come to for one table: of several writes to one key only the last has an effect."""

    __slots__ = ("appended", "keyed")

    def __init__(self) -> None:
        self.keyed: dict[Key, Row | None] = {}
        self.appended: list[Row] = []


def statements(groups: Iterable[Sequence[Change]]) -> list[Statement]:
    """What the groups come to, in their order."""
    tables: dict[Table[Any], _TableChanges] = {}
    whole, advanced = dict[Key, Row | None](), dict[Key, Row]()  # messages by how they are to be written
    for group in groups:
        for table, key, row in group:
            if isinstance(table, Advance):
                if key is None or row is None:
                    raise TypeError("progress without a message")
                if (pending := whole.get(key)) is not None:
                    whole[key] = table.merged(pending, row)
                else:
                    advanced[key] = row
                continue
            todo = tables.get(table)
            if todo is None:
                todo = tables[table] = _TableChanges()
                if table is MESSAGES:
                    todo.keyed = whole
            if key is not None:
                todo.keyed[key] = row
                if table is MESSAGES:
                    advanced.pop(key, None)
            elif row is not None:
                todo.appended.append(row)
    found: list[Statement] = []
    for table, todo in tables.items():
        rows = todo.appended or [row for row in todo.keyed.values() if row is not None]
        gone = [key for key, row in todo.keyed.items() if row is None]
        found += table.upserts(rows)
        found += table.deletes(gone)
    if advanced:
        found += ADVANCE.updates(list(advanced.values()))
    return found
