from __future__ import annotations

import sqlite3

import pytest

from gateway.store.migrations import migrate
from gateway.store.queries import parse, queries

TEXTS = (
    "id ref message bind smsc_id service direction status address correlationid before state after carrier "
    "flow version first receiver recipient caller called trunk cause sip_call_id token book list name"
)
PARAMETERS: dict[str, str | float] = dict.fromkeys(TEXTS.split(), "x") | {
    "limit": 10,
    "due_before": 1.0,
    "at": 1.0,
    "since": 1.0,
    "until": 2.0,
    "now": 1.0,
    "keyed_before": 1.0,
    "receipts_before": 1.0,
    "ids": '["x"]',
}

# These give or count all there is
WHOLE = {"customers", "devices", "otps", "raised", "parts", "begun", "timers"} | {
    "messages_per_status",
    "notification_receivers",
}

# The two sides of a search by address, at most `limit` rows each, are sorted to be merged; the others are
# reports on one service, which somebody asks for
SORTED = {"messages_by_address", "link_counts", "offences"}

# What a query holds in its hand: the row that a recursive one found last, a parameter's list
GIVEN = {"SCAN next", "SCAN json_each VIRTUAL TABLE INDEX 1:"}


@pytest.fixture
def connection() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, 0.0)
    return connection


@pytest.mark.parametrize("name", sorted(queries()))
def test_a_query_walks_an_index_and_sorts_nothing(name: str, connection: sqlite3.Connection) -> None:
    sql = queries()[name]
    steps = [step[-1] for step in connection.execute("EXPLAIN QUERY PLAN " + sql, PARAMETERS)]
    connection.close()
    assert steps
    if name not in WHOLE:
        scans = [s for s in steps if s.startswith("SCAN") and "subquery" not in s and s not in GIVEN]
        assert all("USING INDEX" in step for step in scans), steps
        assert name in SORTED or not any("TEMP B-TREE" in step for step in steps), steps


def test_queries_are_read_by_name() -> None:
    text = "-- a head\n-- name: one\n-- What for.\nSELECT 1;\n\n-- name: two\n-- What for.\nSELECT 2;\n"
    assert parse(text, "f.sql") == {"one": "-- What for.\nSELECT 1;", "two": "-- What for.\nSELECT 2;"}


@pytest.mark.parametrize(
    "text, reason",
    [
        ("-- name: one\nSELECT 1;\n", "what it is for"),
        ("-- name: one\n-- A.\nSELECT 1;\n-- name: one\n-- A.\nSELECT 2;\n", "two queries"),
    ],
)
def test_a_query_without_description_or_with_a_used_name_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(text, "f.sql")
