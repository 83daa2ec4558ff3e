"""Moments at which something is owed: kept in the store, waited for in memory by one loop timer."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from gateway.store.base import Delete, Store, Unit
from gateway.values.clock import Clock
from gateway.values.work import Timer

Fire = Callable[[Timer], None]
_LONGEST_WAIT = 60.0  # look at the wall clock at least so often: it may step


class Timers:
    """`fire` is called in the loop, once for each timer that has come due; it deletes the row in its Unit."""

    def __init__(self, clock: Clock, fire: Fire) -> None:
        self._clock = clock
        self._fire = fire
        self._pending: dict[tuple[str, str], Timer] = {}
        self._heap: list[tuple[float, str, str]] = []
        self._handle: asyncio.TimerHandle | None = None
        self._running = False

    async def start(self, store: Store) -> None:
        """Take up what the store still holds; what came due meanwhile fires at once."""
        self._running = True
        for timer in await store.timers():
            self._remember(timer)

    def stop(self) -> None:
        self._running = False
        if self._handle:
            self._handle.cancel()
            self._handle = None

    def set(self, unit: Unit, timer: Timer) -> None:
        """One timer per kind and ref: a new one replaces the old."""
        unit.writes.append(timer)
        unit.acts.append(lambda: self._remember(timer))

    def clear(self, unit: Unit, kind: str, ref: str) -> None:
        if self._pending.pop((kind, ref), None) is not None:
            unit.writes.append(Delete(Timer, (kind, ref)))

    def __len__(self) -> int:
        return len(self._pending)

    def _remember(self, timer: Timer) -> None:
        key = (timer.kind, timer.ref)
        self._pending[key] = timer
        heapq.heappush(self._heap, (timer.due, *key))
        self._arm()

    def _arm(self) -> None:
        if self._handle:
            self._handle.cancel()
            self._handle = None
        if self._heap and self._running:
            wait = min(max(self._heap[0][0] - self._clock.now(), 0.0), _LONGEST_WAIT)
            self._handle = asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        self._handle = None
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            due, kind, ref = heapq.heappop(self._heap)
            timer = self._pending.get((kind, ref))
            if timer is not None and timer.due == due:  # else cleared or replaced since
                self._fire(timer)
        self._arm()
