"""After a crash: an act that was begun may have happened.  It is repeated, or its step is in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping

from gateway.channels.base import Channel
from gateway.outbound.backlog import taken
from gateway.outbound.begun import BegunBook
from gateway.outbound.memory import Memory, tries
from gateway.outbound.segments import SegmentBook
from gateway.store.base import Delete, Store, Unit
from gateway.values.clock import Clock
from gateway.values.event import Event
from gateway.values.message import Message, Segment
from gateway.values.outcome import Outcome, Result
from gateway.values.work import Begun

# Lets the chain judge the outcome of a step; what follows joins the unit
Apply = Callable[[Unit, Message, int, Outcome], None]


class Recovery:
    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        memory: Memory,
        channels: Mapping[str, Channel],
        begun: BegunBook,
        book: SegmentBook,
        apply: Apply,
    ) -> None:
        self._store = store
        self._clock = clock
        self._memory = memory
        self._channels = channels
        self._begun = begun
        self._book = book
        self._apply = apply

    async def settle(self, may_repeat: Callable[[str, str], bool]) -> None:
        """Settle everything that was begun.  Raises StoreError or Throttled.

        `may_repeat(channel, carrier)`: whether a begun act may be repeated (`on_in_doubt = "resend"`).
        """
        marked = self._store.marked()
        for row in await self._store.begun():
            if self._begun.under_way(row):
                continue
            if marked is not None and row.id > marked:  # its carrier was never written to: all of it waits
                await self._store.commit([Delete(Begun, (row.id,))])
                continue
            await asyncio.gather(*[self._settle(key, row.carrier, may_repeat) for key in row.keys])
            await self._store.commit([Delete(Begun, (row.id,))])

    async def _settle(self, key: str, carrier: str, may_repeat: Callable[[str, str], bool]) -> None:
        id, _, step = key.rpartition("/")
        index = int(step)
        segments = await self._store.segments(id)
        message = await self._memory.load(id)
        unit = Unit()
        # None: deleted by retention; or it had its outcome, or was given back and has gone another way
        if message is None or not tries(message, index) or message.waits != carrier:
            return
        if may_repeat(channel := message.plan[index].channel, carrier):
            now = self._clock.now()
            data = {"step": index, "carrier": carrier}
            unit.writes.append(
                Event(ref=message.id, type="step.resent", service=message.service, at=now, data=data)
            )
        else:
            reason = "the gateway stopped between sending and the carrier's answer"
            if channel == "sms":
                self._doubt(unit, message, index, carrier, taken(segments, index))
            self._apply(unit, message, index, Outcome(Result.IN_DOUBT, reason, carrier=carrier))
        await unit.commit(self._store)

    def _doubt(self, unit: Unit, message: Message, index: int, bind: str, known: Collection[int]) -> None:
        """Note a submit whose answers were lost, so that receipts may still settle it."""
        step, now = message.plan[index], self._clock.now()
        total = self._channels[step.channel].parts(message, index, bind)
        for part in set(range(1, total + 1)).difference(known):
            segment = Segment(
                message=message.id,
                step=index,
                part=part,
                total=total,
                bind=bind,
                state="in-doubt",
                updated_at=now,
            )
            unit.writes.append(segment)
            self._book.in_doubt(segment, message.recipient, step.sender)
