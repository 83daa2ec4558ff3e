"""Deleting what is finished and old, beside a gateway that may be running.

SQLite lets one connection write at a time, and what a gateway has to commit waits for the other.  So what
is to go is found by reading, which holds nobody up, and deleted in transactions of some milliseconds with
pauses between them.  Each looks again whether anything has touched its rows since they were found.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from gateway.store import lock
from gateway.store.engine import WAL_STEP
from gateway.store.migrations import Foreign, Newer, pending
from gateway.store.queries import queries
from gateway.values.dial import DIALLED
from gateway.values.errors import StoreUnusable
from gateway.values.ids import first_id
from gateway.values.outcome import Status

LEAST_SECONDS = 86_400.0  # beside a running gateway: what is younger it may have in memory

_PAGE = 2_000  # rows read at a time
_HELD_SECONDS = 0.01  # what a transaction may take, about
_FEWEST, _FIRST, _MOST = 4, 32, 1_000  # records in a transaction
_MOST_ROWS = 2_000  # of what belongs to them
_PAUSE_SECONDS = 0.02  # between two, at least, while a gateway runs
_PAUSES = 3.0  # and so many times what the one before has taken
_WAIT_SECONDS = 60.0  # for the gateway's own transactions to leave a gap

# in this order: a call or a receipt goes with its message, which is looked at while it is still there
TABLES = ("receipts", "calls", "messages", "runs", "notifications")
_LOGGED = {"calls", "messages", "runs"}  # with events under their id
_OPEN = (Status.QUEUED, Status.SENT, Status.IN_DOUBT)  # a message may still tell its session something
_RECEIPT_SECONDS = 7 * 86_400.0  # after a message was sent no receipt for it comes any more

Progress = Callable[[str, int, int], None]  # of which table, rows looked at and removed so far


class Purged(Struct, frozen=True, kw_only=True):
    """What went, or would go."""

    before: float  # what was touched last before then, Unix seconds
    removed: dict[str, int]  # rows by table
    kept: dict[str, int]  # rows by table that are as old, and open, referred to, or of another service


def purge(
    path: Path,
    *,
    older_than: float,
    now: float,
    service: str = "",
    keyed_seconds: float = 0.0,
    dry_run: bool = False,
    progress: Progress = lambda table, seen, removed: None,
) -> Purged:
    """Delete what was finished and touched last more than `older_than` seconds before `now`.

    `service`: only what is of it; "" = of all.  `keyed_seconds`: so long a session's key may keep a second
    one away.  `dry_run`: count only.  Raises StoreUnusable.
    """
    if not path.exists():
        raise StoreUnusable(f"{path} does not exist")
    if older_than < LEAST_SECONDS and not dry_run and lock.holder(path) is not None:
        raise StoreUnusable(
            f"a gateway runs on {path}: what is younger than a day it may still work on; "
            "purge what is older than 1d, or stop it first"
        )
    try:
        with closing(_connect(path, "ro" if dry_run else "rw")) as connection:
            if pending(connection):
                raise StoreUnusable(
                    f"{path} is of an older version of trunkline; start the gateway once on it"
                )
            before = now - older_than
            bounds = {
                "before": before,
                "first": first_id(before),
                "now": now,
                "service": service,
                "keyed_before": min(before, now - keyed_seconds),
                "receipts_before": now - _RECEIPT_SECONDS,
            }
            return _Purge(connection, path, bounds, dry_run, progress).purge()
    except (Foreign, Newer, sqlite3.Error) as error:
        raise StoreUnusable(f"{path} cannot be purged: {error}") from error


class _Purge:
    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        bounds: dict[str, Any],
        dry_run: bool,
        progress: Progress,
    ) -> None:
        self._connection, self._path, self._bounds = connection, path, bounds
        self._dry_run, self._progress = dry_run, progress
        self._held: set[str] = set()  # messages, calls and sessions that something open refers to
        self._open_runs: set[str] = set()
        self._open_lists: set[str] = set()
        self._most = _FIRST
        self._paced = True  # a gateway runs
        self._mark = WAL_STEP  # octets of the log at which it is to be moved into the file
        self._removed: Counter[str] = Counter()

    def purge(self) -> Purged:
        self._hold()
        seen = {table: self._walk(table) for table in TABLES}
        return Purged(
            before=self._bounds["before"],
            removed={table: self._removed[table] for table in (*TABLES, "segments", "events")},
            kept={table: seen[table] - self._removed[table] for table in TABLES},
        )

    # -- what stays ------------------------------------------------------------------------------------

    def _hold(self) -> None:
        """Find what refers to something old.  What becomes open from now on refers to nothing that is
        finished now, or touches it."""
        for _, id, parent, transid in self._pages("purge_open_runs", ("at", "after"), (-1.0, "")):
            self._open_runs.add(id)
            self._keep(parent, transid)
        for status in _OPEN:
            since = self._bounds["receipts_before"] if status is Status.SENT else 0.0
            for _, run in self._pages("purge_open_messages", ("after",), (0,), status=status, since=since):
                self._keep(run)
        for *_, ref in self._pages("purge_owed", ("receiver", "at", "after"), ("", -1.0, "")):
            self._keep(ref)
        for (message,) in self._rows("audit_calls"):
            self._keep(message)
        for begun in self._rows("begun"):
            self._keep(*(key.rpartition("/")[0] for key in json.loads(begun[2])))
        for (id,) in self._rows("purge_open_lists"):
            self._open_lists.add(id)
            for _, run in self._pages("purge_open_entries", ("after",), (0,), list=id):
                self._keep(run)

    def _keep(self, *ids: str) -> None:
        self._held.update(id for id in ids if id and id < self._bounds["first"])

    def _finished(self, table: str, ids: Collection[str]) -> list[str]:
        """Those that go."""
        rows = self._rows(f"purge_finished_{table}", ids=json.dumps(list(ids)), **self._bounds)
        rows = [(id, other) for id, other in rows if id not in self._held]
        match table:
            case "messages":
                return [id for id, run in rows if not self._goes_on(run)]
            case "runs":
                return [id for id, parent in rows if parent not in self._open_runs]
        messages = {message for _, message in rows if message}
        going = {"", *(self._finished("messages", messages) if messages else ())}
        return [id for id, message in rows if message in going]

    def _goes_on(self, run: str) -> bool:
        """The session, or the call list, that a message was sent for."""
        if run.startswith(DIALLED):
            return run.removeprefix(DIALLED).partition(":")[0] in self._open_lists
        return run in self._open_runs

    # -- what goes -------------------------------------------------------------------------------------

    def _walk(self, table: str) -> int:
        """How many rows are as old."""
        self._most, seen, after = _FIRST, 0, ""
        while True:
            self._paced = lock.holder(self._path) is not None
            found = self._rows(f"purge_{table}", after=after, limit=_PAGE, first=self._bounds["first"])
            page = [id for (id,) in found]
            going = self._finished(table, page)
            while going:
                some = self._some(table, going)
                going = going[len(some) :]
                if self._dry_run:
                    self._count(table, some)
                else:
                    self._remove(table, some)
                self._progress(table, seen, self._removed[table])
            seen += len(page)
            self._progress(table, seen, self._removed[table])
            if len(page) < _PAGE:
                return seen
            after = page[-1]

    def _some(self, table: str, ids: Sequence[str]) -> Sequence[str]:
        """So many of them, the first, as one transaction is for."""
        some = ids[: self._most]
        while table in _LOGGED and len(some) > 1:
            [(rows,)] = self._rows("purge_count_events", ids=json.dumps(some))
            if rows <= _MOST_ROWS:
                break
            some = some[: len(some) // 2]
        return some

    def _count(self, table: str, ids: Sequence[str]) -> None:
        self._removed[table] += len(ids)
        for what in self._along(table):
            [(rows,)] = self._rows(f"purge_count_{what}", ids=json.dumps(ids))
            self._removed[what] += rows

    def _remove(self, table: str, ids: Sequence[str]) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        try:
            gone = [
                id
                for (id,) in self._rows(
                    f"purge_delete_{table}", ids=json.dumps(ids), before=self._bounds["before"]
                )
            ]
            removed = Counter({table: len(gone)})
            for what in self._along(table):
                removed[what] = execute(queries()[f"purge_delete_{what}"], {"ids": json.dumps(gone)}).rowcount
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise
        held = time.monotonic() - began
        self._removed += removed
        if held > _HELD_SECONDS:
            self._most = max(_FEWEST, int(len(ids) * _HELD_SECONDS / held))
        elif held < _HELD_SECONDS / 2 and len(ids) == self._most:
            self._most = min(_MOST, 2 * self._most)
        self._checkpoint()
        if self._paced:
            time.sleep(max(_PAUSE_SECONDS, _PAUSES * held))

    def _along(self, table: str) -> tuple[str, ...]:
        if table == "messages":
            return ("segments", "events")
        return ("events",) if table in _LOGGED else ()

    def _checkpoint(self) -> None:
        """An idle gateway does not look at the log; nobody waits for this one."""
        log = Path(f"{self._path}-wal")
        octets = log.stat().st_size if log.exists() else 0
        if octets > self._mark:
            busy, frames, moved = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            # one that was moved completely is written again from its start
            self._mark = octets + WAL_STEP if busy or moved < frames else octets

    # -- reading ---------------------------------------------------------------------------------------

    def _rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(queries()[query], parameters).fetchall()

    def _pages(
        self, query: str, place: tuple[str, ...], begin: tuple[Any, ...], **parameters: Any
    ) -> Iterator[tuple[Any, ...]]:
        """Every row of a query, page by page; its first columns say, as `place`, where the next begins."""
        at = begin
        while True:
            page = self._rows(query, limit=_PAGE, **dict(zip(place, at, strict=True)), **parameters)
            yield from page
            if len(page) < _PAGE:
                return
            at = page[-1][: len(place)]


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(path))}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS, isolation_level=None)
    if mode == "rw":
        # What is lost by a power cut is deleted the next time; and no commit is to write the log away
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection
