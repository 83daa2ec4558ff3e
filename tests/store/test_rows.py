from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from gateway.store.base import PROGRESS, TABLES
from gateway.store.migrations import migrate
from gateway.store.rows import ADVANCE, TABLE_OF, Change, statements
from gateway.values.event import Event
from gateway.values.message import Message
from gateway.values.work import Effect, Timer

Records = Any


def test_json_fields_become_text(records: Records) -> None:
    table = TABLE_OF[Message]
    row = dict(zip(table.columns, table.row(records.message()), strict=True))
    assert (row["plan"], row["steps"], row["incomplete"]) == ("[]", "[]", False)


def test_unknown_columns_are_passed_over_and_missing_ones_get_their_default() -> None:
    columns = ["seq", "key", "kind", "ref", "created_at"]
    row = (7, "m1/0", "submit", "m1", 1.0)
    assert TABLE_OF[Effect].load(columns, row) == Effect(key="m1/0", kind="submit", ref="m1", created_at=1.0)


def progress(message: Message) -> tuple[Any, ...]:
    return (message.id, *(getattr(message, column) for column in PROGRESS))


def whole(message: Message) -> Change:
    row = TABLE_OF[Message].row(message)
    return TABLE_OF[Message], TABLE_OF[Message].key_of(row), row


def advanced(message: Message) -> Change:
    row = ADVANCE.row(progress(message))
    return ADVANCE, row[:1], row


def test_of_what_groups_say_of_one_message_the_last_counts(records: Records) -> None:
    first, sent = records.message(text="a"), records.message(text="a", carrier="north", reason="taken")
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, 0.0)
    for groups in ([[whole(first)], [advanced(sent)]], [[advanced(first)], [whole(sent)]]):
        found = statements(groups)
        assert len(found) == 1, "one write of the row, whatever was said of it"
        for sql, values in found:
            connection.execute(sql, values)
        assert connection.execute("SELECT carrier, reason, text FROM messages").fetchall() == [
            ("north", "taken", "a")
        ]
        connection.execute("DELETE FROM messages")
    connection.close()


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 63, 64, 65, 200])
def test_upserts_write_every_row_in_order(rows: int, records: Records) -> None:
    table = TABLE_OF[Event]
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, 0.0)
    for sql, values in table.upserts([table.row(records.event(at=float(n))) for n in range(rows)]):
        connection.execute(sql, values)
    found = connection.execute("SELECT at FROM events ORDER BY seq").fetchall()
    connection.close()
    assert found == [(float(n),) for n in range(rows)]


def test_an_update_leaves_the_indexes_of_what_never_changes_alone(records: Records) -> None:
    [(sql, values)] = TABLE_OF[Message].upserts([TABLE_OF[Message].row(records.message())])
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, 0.0)
    _, _, update = sql.partition("DO UPDATE SET ")
    changed = {part.partition(" = ")[0] for part in update.split(", ")}
    index_columns = {
        name: {row[2] for row in connection.execute(f"PRAGMA index_info({name})")} - {"id"}
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'messages'"
        ).fetchall()
    }
    connection.execute(sql, values)
    connection.close()
    assert {"status", "steps", "text", "service"} < changed
    for name in ("messages_recipient", "messages_sender", "messages_correlationid"):
        assert not index_columns[name] & changed


@pytest.mark.parametrize("rows", [1, 8, 70])
@pytest.mark.parametrize("record", [Effect, Timer])
def test_deletes_use_the_key_and_not_a_scan(record: type, rows: int) -> None:
    table = TABLE_OF[record]
    keys = [tuple(f"{column}{n}" for column in table.key) for n in range(rows)]
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, 0.0)
    for sql, values in table.deletes(keys):
        plan = [step[-1] for step in connection.execute("EXPLAIN QUERY PLAN " + sql, values)]
        assert not any(step.startswith(f"SCAN {table.name}") for step in plan), plan
    connection.close()


def test_every_record_has_a_table() -> None:
    assert set(TABLE_OF) == set(TABLES)


def test_progress_is_found_by_the_key_of_each_message(records: Records) -> None:
    rows = [ADVANCE.row(progress(records.message(f"m{n}"))) for n in range(3)]
    [(sql, values)] = ADVANCE.updates(rows)
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, 0.0)
    steps = [step[-1] for step in connection.execute("EXPLAIN QUERY PLAN " + sql, values)]
    connection.close()
    assert any(s.startswith("SEARCH messages USING") and "(id=?)" in s for s in steps), steps
    assert not any(step.startswith("SCAN messages") for step in steps), steps
