"""What became of notifications, recorded many at once, and again when the store has refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from gateway.store.base import Store, Write
from gateway.values.errors import StoreError, Throttled, Unstorable
from gateway.values.work import Notification

log = logging.getLogger(__name__)

_GATHER_SECONDS = 0.005
_TOGETHER = 500


class Outcome(NamedTuple):
    writes: Sequence[Write]
    gone: Sequence[Notification]  # need no longer be in memory


class Outcomes:
    """`recorded` is told what need no longer be in memory; until then it stays: nothing is repeated."""

    def __init__(self, store: Store, recorded: Callable[[Sequence[Notification]], None]) -> None:
        self._store = store
        self._recorded = recorded
        self._gathered: list[Outcome] = []
        self._flush: asyncio.TimerHandle | None = None
        self._writing: set[asyncio.Future[None]] = set()
        self._refused: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        self._gathered.append(outcome)
        if len(self._gathered) >= _TOGETHER:
            self._write_gathered()
        elif self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(_GATHER_SECONDS, self._write_gathered)

    async def again(self) -> None:
        """Write what there is, and what the store has refused so far."""
        if self._gathered:
            self._write_gathered()
        await self._settled()
        refused, self._refused = self._refused, []
        for begin in range(0, len(refused), _TOGETHER):
            self._write(refused[begin : begin + _TOGETHER])
        await self._settled()

    async def close(self) -> None:
        """Write all there is, if the store takes it."""
        await self.again()

    def _write_gathered(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        outcomes, self._gathered = self._gathered, []
        self._write(outcomes)

    def _write(self, outcomes: list[Outcome]) -> None:
        try:
            written = self._store.commit([write for outcome in outcomes for write in outcome.writes])
        except Throttled as error:
            self._refuse(outcomes, error)
        else:
            self._writing.add(written)
            written.add_done_callback(partial(self._written, outcomes))

    def _written(self, outcomes: list[Outcome], written: asyncio.Future[None]) -> None:
        self._writing.discard(written)
        if error := written.exception():
            self._refuse(outcomes, error)
        else:
            for outcome in outcomes:
                self._recorded(outcome.gone)

    def _refuse(self, outcomes: list[Outcome], error: BaseException) -> None:
        if isinstance(error, Unstorable) and len(outcomes) > 1:
            for outcome in outcomes:  # the others have nothing to do with it
                self._write([outcome])
            return
        log.warning("notify.unrecorded", extra={"count": len(outcomes), "reason": str(error)})
        self._refused += outcomes

    async def _settled(self) -> None:
        """Wait for what is being written now; what the store refuses is in `_refused` then."""
        for _ in range(2):  # the second for what was refused as a whole and written one by one
            for written in list(self._writing):
                try:
                    await asyncio.shield(written)
                except StoreError:
                    pass
            await asyncio.sleep(0)  # the callbacks of those that were done at once
