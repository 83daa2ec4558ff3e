"""Recording what has already happened: a store that refuses is asked again, in order, until it takes it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from gateway.outbound.memory import Memory
from gateway.store.base import Delete, Progress, Store, Unit, Write
from gateway.store.timers import Timers
from gateway.values.errors import StoreError, Throttled, Unstorable
from gateway.values.message import Message
from gateway.values.work import Timer

log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0  # after the store refused to record an outcome


class Recorder:
    def __init__(self, store: Store, memory: Memory, timers: Timers) -> None:
        self._store = store
        self._memory = memory
        self._timers = timers
        self._unrecorded: deque[Unit] = deque()  # outcomes that the store has refused so far
        self._asked_again = 0  # of those, how many it is being asked for at this moment
        self._retrying: asyncio.TimerHandle | None = None

    @property
    def unrecorded(self) -> int:
        """Units that the store has refused and has not taken since."""
        return len(self._unrecorded) + self._asked_again

    def record(self, unit: Unit) -> None:
        """Commit a unit, then act; behind those that were refused before it."""
        if self._unrecorded:
            self._unrecorded.append(unit)
            return
        self._try(unit)

    async def stop(self) -> None:
        """Ask for the last time."""
        if self._retrying is not None:
            self._retrying.cancel()
        while self._unrecorded:
            try:
                await self._store.commit(self._fresh(self._unrecorded[0]))
            except (StoreError, Throttled):
                log.error("outcomes.unrecorded", extra={"units": len(self._unrecorded)})
                return
            self._unrecorded.popleft()

    def _try(self, unit: Unit, again: int = 0) -> None:
        """`again` is 1 for a unit that was refused before."""
        self._asked_again += again
        try:
            self._store.write(unit.writes, lambda error: self._recorded(unit, error, again))
        except Throttled:
            self._asked_again -= again
            self._refused(unit)

    def _recorded(self, unit: Unit, error: Exception | None, again: int) -> None:
        self._asked_again -= again
        if error is None:
            unit.act()
            return
        if isinstance(error, Unstorable):  # asking again would hold up everything behind it for ever
            ids = [write.id for write in map(_whole, unit.writes) if isinstance(write, Message)]
            log.critical("outcome.dropped", extra={"reason": str(error), "transids": ids})
            return
        log.error("outcome.unrecorded", extra={"reason": str(error)})
        self._refused(unit)

    def _refused(self, unit: Unit) -> None:
        self._unrecorded.append(unit)
        if self._retrying is None:
            self._retrying = asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._retry)

    def _retry(self) -> None:
        self._retrying = None
        units, self._unrecorded = self._unrecorded, deque()
        for unit in units:
            unit.writes = self._fresh(unit)
            if self._unrecorded:  # one before it was refused at once: keep the order
                self._unrecorded.append(unit)
            else:
                self._try(unit, again=1)

    def _fresh(self, unit: Unit) -> list[Write]:
        """The unit's writes with messages and timers as they are now: later units may have been written
        before it."""
        return [self._fresh_write(write) for write in unit.writes]

    def _fresh_write(self, write: Write) -> Write:
        match write:
            case Message():
                return self._memory.known(write.id) or write
            case Progress():
                return Progress(self._memory.known(write.message.id) or write.message)
            case Timer(kind=kind, ref=ref):
                return self._timers.pending(kind, ref) or Delete(Timer, (kind, ref))
            case Delete(key=(kind, ref)) if write.record is Timer:
                return self._timers.pending(kind, ref) or write
            case _:
                return write


def _whole(write: Write) -> Write:
    return write.message if isinstance(write, Progress) else write
