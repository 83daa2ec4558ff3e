"""The queue of what is to be written: everything that waits goes into one transaction.

A transaction's cost is its fsync and the way to the engine and back (store.engine), so there is one at a
time; while it is under way further groups queue up and share the next.  With an engine that shares Python's
lock, after a shared one the next waits GATHER_SECONDS for more of them.  The loop makes the statements, the
engine executes them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.store.base import Told, Write
from gateway.store.engine import GROUPS_OWN, Hand, Order, Statement, Verdict
from gateway.store.rows import ADVANCE, MESSAGES, Advance, Change, Key, Row, Table, change
from gateway.values.errors import StoreError, Throttled, Unstorable

_log = logging.getLogger(__name__)

TRANSACTION_ROWS = 2_000  # more would make the first of them wait noticeably longer
WAY_SECONDS = 0.005
GATHER_SECONDS = 0.001
SHARED_GROUPS = 16  # so many in a transaction tell that more callers will come than one could count


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


class Writer:
    """`write` and `close` are called in the event loop that `start` was called in."""

    def __init__(self, hand: Hand, path: Path, *, limit: int, shares_lock: bool) -> None:
        """`limit` is how many writes may wait; `shares_lock`: the hand works under Python's lock of this
        process."""
        self.hand, self._path, self._limit, self._shares_lock = hand, path, limit, shares_lock
        self._waiting: deque[Group] = deque()
        self._flush: asyncio.Handle | None = None  # of what waits
        self._batch: list[Group] = []  # in the transaction that is under way
        self._apart: list[Group] | None = None  # of these, those that are being written each by itself
        self._pause_seconds = 0.0  # before the next
        self._ended: asyncio.Future[None] | None = None
        self._refusal = "the store is not open"
        self._closing = False
        self._settled = 0  # how many times _settle was called
        self._way: asyncio.TimerHandle | None = None
        self.queued = 0
        self.trouble = ""  # why the last transaction failed; "" = it did not

    async def start(self) -> None:
        """Raises sqlite3.Error or OSError."""
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        await self.hand.start(self._replied, self._noted, self._end)
        self._refusal = ""

    @property
    def alive(self) -> bool:
        return self.hand.alive

    async def close(self) -> None:
        """Write what is queued and close the connection."""
        if self._ended is None:
            self.hand.end()
            return
        self._refusal = self._refusal or "the store is closed"
        self._closing = True
        if not self._batch:
            self._next()
        await asyncio.shield(self._ended)
        await self._loop.run_in_executor(None, self.hand.join)

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
        if self._flush is None and not self._batch:
            # 0: with all that this turn of the loop brings
            self._flush = self._loop.call_later(self._pause_seconds, self._next)
        if self._way is None and self._shares_lock:
            self._way = self._loop.call_later(WAY_SECONDS, self._give_way, self._settled)

    def _next(self) -> None:
        """Give the engine its next transaction, or its end."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        groups, rows = list[Group](), 0
        while self._waiting and rows < TRANSACTION_ROWS:
            groups.append(self._waiting.popleft())
            rows += len(groups[-1].changes)
        if groups:
            self._batch = groups
            try:
                self.hand.give(Order(_statements(groups)))
            except GROUPS_OWN:
                self._each_by_itself()
        elif self._closing:
            self.hand.end()

    def _each_by_itself(self) -> None:
        """One of the groups cannot be written: the others are."""
        orders: list[list[Statement]] = []
        self._apart = []
        for group in self._batch:
            try:
                statements = _statements([group])
                self.hand.check(statements)
            except GROUPS_OWN as error:
                group.error = Unstorable(f"a record cannot be stored: {error}")
            else:
                self._apart.append(group)
                orders.append(statements)
        self.hand.give(Order(apart=orders))

    def _replied(self, verdict: Verdict) -> None:
        if verdict.own and self._apart is None:
            self._each_by_itself()
            return
        apart, self._apart = self._apart or [], None
        if verdict.trouble:
            for group in self._batch:
                group.error = group.error or StoreError(verdict.trouble)
        for group, error in zip(apart, verdict.errors, strict=False):
            if error:
                group.error = Unstorable(f"a record cannot be stored: {error}")
        self._settle(verdict.trouble)

    def _noted(self, wrong: str) -> None:
        _log.warning("store.checkpoint", extra={"path": str(self._path), "reason": wrong})

    def _give_way(self, settled: int) -> None:
        """Let the engine's thread have Python's lock when it got nothing done for a while.

        A loop that is always busy gives the lock up for microseconds at a time and takes it back before a
        waiting thread has woken; each time the thread's own claim to it starts anew.  Measured at worst: no
        commit for as long as it lasts; so about one in 15 ms.
        """
        self._way = None
        if self.queued:
            if settled == self._settled:
                time.sleep(0.0001)
            self._way = self._loop.call_later(WAY_SECONDS, self._give_way, self._settled)

    def _settle(self, trouble: str) -> None:
        self._settled += 1
        groups, self._batch = self._batch, []
        shared = self._shares_lock and len(groups) >= SHARED_GROUPS
        self._pause_seconds = GATHER_SECONDS if shared else 0.0
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
        """The engine has ended, as it was asked to or by an error."""
        self._refusal = reason or self._refusal
        self._batch += self._waiting
        self._waiting.clear()
        for group in self._batch:
            group.error = StoreError(self._refusal)
        self._settle(reason)
        if self._flush is not None:
            self._flush.cancel()
        if self._way is not None:
            self._way.cancel()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)


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
