"""Counting what was accepted against what became of it, beside a gateway that may be running.

Every message of the outbound direction is in exactly one status, so that

    accepted = delivered + answered + failed + expired + in-doubt + sent + queued

holds by itself; what can be wrong is a message in an open status that nothing will ever move.  A queued one
needs a carrier that it waits for (it will be sent) or a timer (its time will come or run out); a sent one a
segment at its carrier (whose receipt may come, or was not asked for), a call that is going on, or one of the
above.  Each message is judged within one statement, which sees one state of the store: no transaction is
held, and the gateway's checkpoints are not held up.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from gateway.store.migrations import Foreign, Newer, pending
from gateway.store.queries import queries
from gateway.values.errors import StoreUnusable
from gateway.values.outcome import Status

_PAGE = 20_000  # rows read between two reports of progress
_NAMED = 1_000  # of what is wrong, so many are named; the others are only counted

OUTBOUND = (
    Status.DELIVERED,
    Status.READ,
    Status.ANSWERED,
    Status.FAILED,
    Status.EXPIRED,
    Status.IN_DOUBT,
    Status.SENT,
    Status.QUEUED,
)
INBOUND = (Status.HANDLED, Status.RECEIVED, Status.PARKED)

Progress = Callable[[str, int], None]  # what is read, rows of it so far


class Stuck(Struct, frozen=True):
    """A message in an open status that nothing will move."""

    id: str
    service: str
    status: str
    updated_at: float
    lacks: str


class Audit(Struct, frozen=True, kw_only=True):
    """What the store says became of everything that was accepted."""

    services: dict[str, dict[str, int]]  # by service: messages by status
    stuck: list[Stuck]  # the first of them
    stuck_count: int
    waiting: dict[str, int]  # what will move messages on, by kind
    left_over: dict[str, int]  # rows that belong to nothing; they do no harm, but there should be none

    @property
    def total(self) -> dict[str, int]:
        """Messages by status, of all services."""
        total: Counter[str] = Counter()
        for counts in self.services.values():
            total.update(counts)
        return dict(total)


def accepted(counts: dict[str, int]) -> int:
    """Messages to customers."""
    return sum(counts.get(status, 0) for status in OUTBOUND)


def audit(path: Path, progress: Progress = lambda what, rows: None) -> Audit:
    """Read the whole store at `path`, or a copy of it.  Raises StoreUnusable."""
    if not path.exists():
        raise StoreUnusable(f"{path} does not exist")
    try:
        with closing(_connect(path)) as connection:
            if pending(connection):
                raise StoreUnusable(
                    f"{path} is of an older version of trunkline; start the gateway once on it"
                )
            return _Auditor(connection, progress).audit()
    except (Foreign, Newer, sqlite3.Error) as error:
        raise StoreUnusable(f"{path} cannot be read: {error}") from error


class _Auditor:
    def __init__(self, connection: sqlite3.Connection, progress: Progress) -> None:
        self._connection = connection
        self._progress = progress
        self._stuck: list[Stuck] = []
        self._stuck_count = 0

    def audit(self) -> Audit:
        services = self._count()
        calling = {message for (message,) in self._connection.execute(queries()["audit_calls"]) if message}
        self._judge(Status.QUEUED, calling)
        self._judge(Status.SENT, calling)
        waiting, left_over = {}, {}
        for table in ("effects", "timers", "segments"):
            waiting[table], left_over[table] = self._rows(table)
        del waiting["segments"]  # they stay
        for name in ("notifications", "dead", "unmatched", "runs"):
            [waiting[name]] = self._connection.execute(queries()[f"audit_{name}_count"]).fetchone()
        return Audit(
            services=services,
            stuck=self._stuck,
            stuck_count=self._stuck_count,
            waiting=waiting,
            left_over=left_over,
        )

    def _count(self) -> dict[str, dict[str, int]]:
        counts: dict[str, Counter[str]] = {}
        for service, direction, status in self._walk("messages", "audit_messages", after=0):
            known = status in (OUTBOUND if direction == "mt" else INBOUND)
            name = status if known else f"{direction} {status}"
            counts.setdefault(service, Counter())[name] += 1
            if not known:
                self._is_stuck("", service, name, 0.0, "a status that its direction knows")
        return {service: dict(counts[service]) for service in sorted(counts)}

    def _judge(self, status: Status, calling: set[str]) -> None:
        for id, service, updated_at, waits, timer, segment in self._walk(
            str(status), "audit_open", after=0, status=status
        ):
            if waits or timer or id in calling or (segment and status is Status.SENT):
                continue
            lacks = (
                "a carrier that it waits for, or a timer"
                if status is Status.QUEUED
                else "a segment, a call, a timer"
            )
            self._is_stuck(id, service, str(status), updated_at, lacks)

    def _is_stuck(self, id: str, service: str, status: str, updated_at: float, lacks: str) -> None:
        self._stuck_count += 1
        if len(self._stuck) < _NAMED:
            self._stuck.append(Stuck(id, service, status, updated_at, lacks))

    def _rows(self, table: str) -> tuple[int, int]:
        """Rows of a table, and how many of them belong to nothing."""
        rows = orphans = 0
        for (orphan,) in self._walk(table, f"audit_{table}", after=""):
            rows, orphans = rows + 1, orphans + orphan
        return rows, orphans

    def _walk(
        self, what: str, query: str, *, after: int | str, **parameters: str
    ) -> Iterator[tuple[Any, ...]]:
        """Every row of a query, page by page; its first column is what the next page begins after."""
        sql, seen = queries()[query], 0
        while True:
            page = self._connection.execute(sql, {"after": after, "limit": _PAGE, **parameters}).fetchall()
            for row in page:
                yield row[1:]
            seen += len(page)
            self._progress(what, seen)
            if len(page) < _PAGE:
                return
            after = page[-1][0]


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5.0, isolation_level=None)
