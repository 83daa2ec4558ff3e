"""The queue of what is to be written: everything that waits goes into one transaction.

A transaction's cost is its fsync and the way to the engine and back (store.engine), so there is one at a
time; while it is under way further groups queue up and share the next.  With an engine that shares Python's
lock, after a shared one the next waits GATHER_SECONDS for more of them.  The loop only makes octets of the
records (store.wire): their rows and statements are the engine's work.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from gateway.store.base import Told, Write
from gateway.store.engine import Hand, Verdict
from gateway.store.wire import encode
from gateway.values.errors import StoreError, Throttled, Unstorable

_log = logging.getLogger(__name__)

TRANSACTION_WRITES = 2_000  # more would make the first of them wait noticeably longer
WAY_SECONDS = 0.005
GATHER_SECONDS = 0.001
SHARED_GROUPS = 16  # so many in a transaction tell that more callers will come than one could count


class Group(NamedTuple):
    """What one write() asked for, and who is told what became of it."""

    octets: bytes
    writes: int
    done: Told


class Writer:
    """`write` and `close` are called in the event loop that `start` was called in."""

    def __init__(self, hand: Hand, path: Path, *, limit: int, shares_lock: bool) -> None:
        """`limit` is how many writes may wait; `shares_lock`: the hand works under Python's lock of this
        process."""
        self.hand, self._path, self._limit, self._shares_lock = hand, path, limit, shares_lock
        self._waiting: deque[Group] = deque()
        self._flush: asyncio.Handle | None = None  # of what waits
        self._batch: list[Group] = []  # in the transaction that is under way
        self._pause_seconds = 0.0  # before the next
        self._ended: asyncio.Future[None] | None = None
        self._refusal = "the store is not open"
        self._closing = False
        self._settled = 0  # how many times _settle was called
        self._way: asyncio.TimerHandle | None = None
        self.queued = 0
        self.trouble = ""  # why the last transaction failed; "" = it did not
        self.on_damage: Callable[[str], None] = lambda reason: None  # the file is broken, it says how

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
            octets = encode(writes)
        except (LookupError, TypeError, ValueError, OverflowError) as error:  # no octets can say that
            done(Unstorable(f"a record cannot be stored: {error}"))
            return
        self.queued += len(writes)
        self._waiting.append(Group(octets, len(writes), done))
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
        groups, writes = list[Group](), 0
        while self._waiting and writes < TRANSACTION_WRITES:
            groups.append(self._waiting.popleft())
            writes += groups[-1].writes
        if groups:
            self._batch = groups
            self.hand.give([group.octets for group in groups])
        elif self._closing:
            self.hand.end()

    def _replied(self, verdict: Verdict) -> None:
        if verdict.damaged:
            self.on_damage(verdict.trouble)
        if verdict.trouble:
            # what waits behind it may be later news of the same message: were it written, its caller would
            # have the older one written after it
            self._batch += self._waiting
            self._waiting.clear()
            self._settle([StoreError(verdict.trouble) for _ in self._batch], verdict.trouble)
        else:
            self._settle([_unstorable(error) for error in verdict.errors])

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

    def _settle(self, errors: Sequence[StoreError | None], trouble: str = "") -> None:
        """`errors`: of each group of the transaction; none at all: each was written."""
        self._settled += 1
        groups, self._batch = self._batch, []
        shared = self._shares_lock and len(groups) >= SHARED_GROUPS
        self._pause_seconds = GATHER_SECONDS if shared else 0.0
        if self._closing or len(self._waiting) >= TRANSACTION_WRITES:
            self._next()
        elif self._waiting:
            self._flush = self._loop.call_later(self._pause_seconds, self._next)
        if bool(trouble) != bool(self.trouble):
            if trouble:
                _log.error("store.failing", extra={"path": str(self._path), "reason": trouble})
            else:
                _log.warning("store.recovered", extra={"path": str(self._path)})
        self.trouble = trouble
        for group, error in zip(groups, errors or repeat(None), strict=False):
            self.queued -= group.writes
            try:
                group.done(error)
            except Exception:  # the others are of other messages
                _log.exception("store.caller_failed")

    def _end(self, reason: str) -> None:
        """The engine has ended, as it was asked to or by an error."""
        self._refusal = reason or self._refusal
        self._batch += self._waiting
        self._waiting.clear()
        self._settle([StoreError(self._refusal) for _ in self._batch], reason)
        if self._flush is not None:
            self._flush.cancel()
        if self._way is not None:
            self._way.cancel()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)


def _unstorable(error: str) -> Unstorable | None:
    return Unstorable(f"a record cannot be stored: {error}") if error else None
