"""The thread that writes to SQLite: everything that is queued goes into one transaction.

A transaction's cost is its fsync and that loop and thread take turns at Python's lock, some 20 us each time;
so there is one transaction at a time, while it is under way further groups queue up and share the next, and
when it was a shared one, the next waits GATHER_SECONDS for more of them.  The loop makes the statements, the
thread executes them.

The write-ahead log is moved into the database file (a checkpoint) by this thread between transactions, when
nothing has come for a while or the log has grown by some megabytes, never inside a COMMIT that callers wait
for.  Past 64 MiB it is cut back to nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.store.base import Told, Write
from gateway.store.rows import ADVANCE, MESSAGES, Advance, Change, Key, Row, Statement, Table, change
from gateway.values.errors import StoreError, Throttled, Unstorable

_log = logging.getLogger(__name__)

TRANSACTION_ROWS = 2_000  # more would make the first of them wait noticeably longer
IDLE_SECONDS = 1.0
WAY_SECONDS = 0.005
GATHER_SECONDS = 0.001
SHARED_GROUPS = 16  # so many in a transaction tell that more callers will come than one could count
WAL_STEP = 8 << 20
WAL_LIMIT = 64 << 20

# What is wrong with one group; other errors of SQLite (disk full, locked, damaged) concern every group
_GROUPS_OWN = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    TypeError,
    ValueError,
)


@dataclass(slots=True, eq=False)
class Group:
    """What one write() asked for, and what became of it."""

    changes: list[Change]
    done: Told
    error: Exception | None = None


@dataclass(slots=True)
class _TableChanges:
    """What groups come to for one table: of several writes to one key only the last has an effect."""

    keyed: dict[Key, Row | None] = field(default_factory=dict)
    appended: list[Row] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Batch:
    """What goes into one transaction; no `statements`: one of the groups is in the way of making them."""

    groups: list[Group]
    statements: list[Statement] | None


class Writer:
    """`write` and `close` are called in the event loop that `start` was called in."""

    def __init__(self, connection: sqlite3.Connection, path: Path, *, limit: int) -> None:
        """`connection` is in autocommit mode and the writer's alone; `limit` is how many writes may wait."""
        self._connection, self._path, self._limit = connection, path, limit
        self._wal = Path(f"{path}-wal")
        self._wal_mark = WAL_STEP
        self._unchecked = False  # something was written since the last checkpoint
        self._waiting: deque[Group] = deque()
        self._flush: asyncio.Handle | None = None  # of what waits
        self._under_way = 0  # groups in the transaction that the thread has been given
        self._pause_seconds = 0.0  # before the next
        self._batches: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._batch: list[Group] = []
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._ended: asyncio.Future[None] | None = None
        self._refusal = "the store is not open"
        self._closing = False
        self._settled = 0  # how many times _settle was called
        self._way: asyncio.TimerHandle | None = None
        self.queued = 0
        self.trouble = ""  # why the last transaction failed; "" = it did not

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._refusal = ""
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    async def close(self) -> None:
        """Write what is queued and close the connection."""
        if self._ended is None:
            self._connection.close()
        else:
            self._refusal = self._refusal or "the store is closed"
            self._closing = True
            if not self._under_way:
                self._next()
            await asyncio.shield(self._ended)
            self._thread.join()

    def write(self, writes: Sequence[Write], done: Told) -> None:
        """See store.base.Store."""
        if self._refusal:
            done(StoreError(self._refusal))
            return
        if not writes:
            done(None)
            return
        # a group larger than the whole queue would never find room: it may pass when it is alone
        if self.queued and self.queued + len(writes) > self._limit:
            raise Throttled(f"{self.queued} writes wait for the store")
        try:
            group = Group([change(write) for write in writes], done)
        except (LookupError, TypeError, ValueError) as error:  # say, a dict with what JSON has no form for
            done(Unstorable(f"a record cannot be stored: {error}"))
            return
        self.queued += len(writes)
        self._waiting.append(group)
        if self._flush is None and not self._under_way:
            # 0: with all that this turn of the loop brings
            self._flush = self._loop.call_later(self._pause_seconds, self._next)
        if self._way is None:
            self._way = self._loop.call_later(WAY_SECONDS, self._give_way, self._settled)

    def _next(self) -> None:
        """Give the thread its next transaction, or its end."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        groups, rows = list[Group](), 0
        while self._waiting and rows < TRANSACTION_ROWS:
            groups.append(self._waiting.popleft())
            rows += len(groups[-1].changes)
        if groups:
            self._under_way = len(groups)
            try:
                statements = _statements(groups)
            except _GROUPS_OWN:
                statements = None
            self._batches.put(_Batch(groups, statements))
        elif self._closing:
            self._batches.put(None)

    def _give_way(self, settled: int) -> None:
        """Let the thread have Python's lock when it got nothing done for a while.

        A loop that is always busy gives the lock up for microseconds at a time and takes it back before a
        waiting thread has woken; each time the thread's own claim to it starts anew.  Measured at worst: no
        commit for as long as it lasts; so about one in 15 ms.
        """
        self._way = None
        if self.queued:
            if settled == self._settled:
                time.sleep(0.0001)
            self._way = self._loop.call_later(WAY_SECONDS, self._give_way, self._settled)

    def _settle(self, groups: list[Group], trouble: str) -> None:
        self._settled += 1
        self._pause_seconds = GATHER_SECONDS if self._under_way >= SHARED_GROUPS else 0.0
        self._under_way = 0
        if self._closing or len(self._waiting) >= TRANSACTION_ROWS:
            self._next()
        elif self._waiting:
            self._flush = self._loop.call_later(self._pause_seconds, self._next)
        if bool(trouble) != bool(self.trouble):
            if trouble:
                _log.error("store.failing", extra={"path": str(self._path), "reason": trouble})
            else:
                _log.warning("store.recovered", extra={"path": str(self._path)})
        self.trouble = trouble
        for group in groups:
            self.queued -= len(group.changes)
            try:
                group.done(group.error)
            except Exception:  # the others are of other messages
                _log.exception("store.caller_failed")

    def _end(self, reason: str) -> None:
        """In the loop: the thread has ended, as it was asked to or by an error."""
        self._refusal = reason or self._refusal
        left = self._batch
        while not self._batches.empty():
            if batch := self._batches.get_nowait():
                left += batch.groups
        left += self._waiting
        self._waiting.clear()
        for group in left:
            group.error = StoreError(self._refusal)
        self._settle(left, reason)
        if self._flush is not None:
            self._flush.cancel()
        if self._way is not None:
            self._way.cancel()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    # From here on: in the thread

    def _run(self) -> None:
        reason = ""
        try:
            while self._turn():
                pass
        except BaseException as error:
            _log.exception("store.writer_died", extra={"path": str(self._path)})
            reason = f"the store's writer has ended: {error!r}; restart the gateway"
        finally:
            self._connection.close()
        self._tell(self._end, reason)

    def _turn(self) -> bool:
        """One transaction and what follows it; False when it was the last."""
        try:
            batch = self._batches.get(timeout=IDLE_SECONDS if self._unchecked else None)
        except queue.Empty:
            self._checkpoint()
            return True
        if batch is None:
            return False
        self._batch = batch.groups
        trouble = self._write(batch)
        self._batch = []
        self._tell(self._settle, batch.groups, trouble)
        self._unchecked = True
        if self._wal_size() > self._wal_mark:
            self._checkpoint()
        return True

    def _tell(self, function: Any, *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is closed: nobody waits any more
            _log.warning("store.loop_closed", extra={"path": str(self._path)})

    def _write(self, batch: _Batch) -> str:
        """Write the groups in one transaction and note in each what became of it; gives what was wrong."""
        try:
            try:
                if batch.statements is None:
                    self._each_by_itself(batch.groups)
                else:
                    self._transaction(batch.statements)
            except _GROUPS_OWN:
                self._each_by_itself(batch.groups)
        except sqlite3.Error as error:
            trouble = f"cannot write {self._path}: {error}"
            for group in batch.groups:
                group.error = StoreError(trouble)
            return trouble
        return ""

    def _transaction(self, statements: list[Statement]) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            for sql, values in statements:
                execute(sql, values)
            execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _each_by_itself(self, groups: list[Group]) -> None:
        """One of the groups cannot be written: find it and write the others, still in one transaction."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            for group in groups:
                execute("SAVEPOINT one")
                try:
                    for sql, values in _statements([group]):
                        execute(sql, values)
                except _GROUPS_OWN as error:
                    execute("ROLLBACK TO one")
                    group.error = Unstorable(f"a record cannot be stored: {error}")
                execute("RELEASE one")
            execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # SQLite has done it by itself after some errors
            self._connection.execute("ROLLBACK")

    def _wal_size(self) -> int:
        try:
            return os.stat(self._wal).st_size
        except OSError:
            return 0

    def _checkpoint(self) -> None:
        """Move the log into the database; waits for nobody but a reader of the last 100 ms when truncating.

        A log that was moved completely is written again from its start, without growing, so the next growth
        says that its length has been used up.
        """
        self._unchecked = False
        try:
            mode = "TRUNCATE" if self._wal_size() > WAL_LIMIT else "PASSIVE"
            self._connection.execute("PRAGMA busy_timeout = 100")
            try:
                busy, frames, moved = self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            finally:
                self._connection.execute("PRAGMA busy_timeout = 5000")
        except sqlite3.Error as error:
            _log.warning("store.checkpoint", extra={"path": str(self._path), "reason": str(error)})
            busy = True
        size = self._wal_size()
        self._wal_mark = size + WAL_STEP if busy or moved < frames else max(size, WAL_STEP)


def _statements(groups: list[Group]) -> list[Statement]:
    """What the groups come to, in their order."""
    tables: dict[Table[Any], _TableChanges] = {}
    whole, advanced = dict[Key, Row | None](), dict[Key, Row]()  # messages by how they are to be written
    for group in groups:
        for table, key, row in group.changes:
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
    statements: list[Statement] = []
    for table, todo in tables.items():
        rows = todo.appended or [row for row in todo.keyed.values() if row is not None]
        gone = [key for key, row in todo.keyed.items() if row is None]
        statements += table.upserts(rows)
        statements += table.deletes(gone)
    if advanced:
        statements += ADVANCE.updates(list(advanced.values()))
    return statements
