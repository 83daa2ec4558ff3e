"""Moments at which something is owed: kept in the store, waited for in memory by one loop timer.

Most end a span of time: how long a step or a node waits.  Those are measured on the monotonic clock from when
they were set or, after a start, taken up: a wall clock that is set forth ends none early, and one that is set
back prolongs none.  Appointments are moments of the wall clock, wherever it is set to.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable, Collection

from gateway.store.base import Delete, Store, Unit
from gateway.values.clock import Clock
from gateway.values.work import Timer

log = logging.getLogger(__name__)

Fire = Callable[[Timer], None]
_LONGEST_WAIT = 60.0  # look at the wall clock at least so often: it may be set
_STALE = 1_000  # heap entries of timers that are gone, beside as many as there are timers


Key = tuple[str, str]  # kind, ref
Entry = tuple[float, int, Key]  # when by the heap's clock, number


class Timers:
    """`fire` is called in the loop, once for each timer that has come due; it clears it in its Unit.

    `appointments` are the kinds that are bound to the wall clock.
    """

    def __init__(self, clock: Clock, fire: Fire, appointments: Collection[str] = ()) -> None:
        self._clock = clock
        self._fire = fire
        self._pending: dict[Key, Timer] = {}
        self._turns: dict[Key, int] = {}  # the heap entry that counts; none once it has fired
        self._kinds = frozenset(appointments)
        self._spans: list[Entry] = []  # by the monotonic clock
        self._appointments: list[Entry] = []  # by the wall clock
        self._numbers = itertools.count()
        self._handle: asyncio.TimerHandle | None = None
        self._running = False

    async def start(self, store: Store) -> None:
        """Take up what the store still holds; what came due meanwhile fires at once."""
        stored = await store.timers()
        self._running = True
        for timer in stored:
            # what was set since then is newer than what was read
            if (timer.kind, timer.ref) not in self._pending:
                self._remember(timer)
        self._arm()

    def stop(self) -> None:
        self._running = False
        if self._handle:
            self._handle.cancel()
            self._handle = None

    def set(self, unit: Unit, timer: Timer) -> None:
        """One timer per kind and ref: a new one replaces the old, at once, so that the old fires no more."""
        before = self._pending.get((timer.kind, timer.ref))
        self._remember(timer)
        unit.writes.append(timer)
        unit.undo.append(lambda: self._take_back(timer, before))

    def clear(self, unit: Unit, kind: str, ref: str) -> None:
        before = self._pending.pop((kind, ref), None)
        if before is not None:
            self._turns.pop((kind, ref), None)
            unit.writes.append(Delete(Timer, (kind, ref)))
            unit.undo.append(lambda: self._take_back(None, before))

    def pending(self, kind: str, ref: str) -> Timer | None:
        """The one that is set; one that has fired is, until it is cleared or replaced."""
        return self._pending.get((kind, ref))

    def __len__(self) -> int:
        return len(self._pending)

    def _take_back(self, timer: Timer | None, before: Timer | None) -> None:
        """Have `before` again where `timer` is now, unless another has come since."""
        either = timer or before
        if either is None or self._pending.get(key := (either.kind, either.ref)) is not timer:
            return
        if before is None:
            del self._pending[key]
            self._turns.pop(key, None)
        else:
            self._remember(before)

    def _remember(self, timer: Timer) -> None:
        key = (timer.kind, timer.ref)
        heap, at = self._appointments, timer.due
        if timer.kind not in self._kinds:
            heap, at = self._spans, self._clock.monotonic() + timer.due - self._clock.now()
        self._pending[key] = timer
        self._turns[key] = turn = next(self._numbers)
        heapq.heappush(heap, (at, turn, key))
        if len(heap) > 2 * len(self._turns) + _STALE:  # long ones that were cleared early
            heap[:] = [entry for entry in heap if self._turns.get(entry[2]) == entry[1]]
            heapq.heapify(heap)
        if heap[0][1] == turn or self._handle is None:
            self._arm()

    def _arm(self) -> None:
        if self._handle:
            self._handle.cancel()
            self._handle = None
        if not self._running:
            return
        waits = []
        if self._spans:
            waits.append(self._spans[0][0] - self._clock.monotonic())
        if self._appointments:
            waits.append(min(self._appointments[0][0] - self._clock.now(), _LONGEST_WAIT))
        if waits:
            self._handle = asyncio.get_running_loop().call_later(max(min(waits), 0.0), self._due)

    def _due(self) -> None:
        self._handle = None
        self._fire_until(self._spans, self._clock.monotonic())
        self._fire_until(self._appointments, self._clock.now())
        self._arm()

    def _fire_until(self, heap: list[Entry], now: float) -> None:
        while heap and heap[0][0] <= now:
            _, turn, key = heapq.heappop(heap)
            if self._turns.get(key) != turn:
                continue  # cleared or replaced since
            del self._turns[key]
            timer = self._pending[key]
            try:
                self._fire(timer)
            except Exception:  # one that cannot be served must not stop the others
                log.exception("timer.failed", extra={"kind": timer.kind, "ref": timer.ref})
