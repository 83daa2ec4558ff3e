"""After a crash: an act that was begun may have happened.  It is repeated, or its step is in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping

from msgspec.structs import replace

from gateway.channels.base import Channel
from gateway.outbound.backlog import EFFECT_KIND, taken
from gateway.outbound.memory import Memory, tries
from gateway.outbound.segments import SegmentBook
from gateway.store.base import Delete, Store, Unit
from gateway.values.clock import Clock
from gateway.values.event import Event
from gateway.values.message import Message, Segment
from gateway.values.outcome import Outcome, Result
from gateway.values.work import Effect

_PAGE = 500

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
        book: SegmentBook,
        apply: Apply,
    ) -> None:
        self._store = store
        self._clock = clock
        self._memory = memory
        self._channels = channels
        self._book = book
        self._apply = apply

    async def settle(self, in_doubt: Callable[[Effect], bool]) -> None:
        """Settle everything that was begun.  Raises StoreError or Throttled.

        `in_doubt(effect)` says whether a begun act may be repeated (`on_in_doubt = "resend"`).
        """
        after = ""
        while page := await self._store.effects(state="begun", after=after, limit=_PAGE):
            after = page[-1].key
            await asyncio.gather(*[self._settle(effect, repeat=in_doubt(effect)) for effect in page])

    async def _settle(self, effect: Effect, *, repeat: bool) -> None:
        id, _, step = effect.key.rpartition("/")
        if effect.kind not in EFFECT_KIND.values():
            return
        index = int(step)
        segments = await self._store.segments(id)
        message = await self._memory.load(id)
        unit = Unit()
        if message is None or not tries(message, index):
            unit.writes.append(Delete(Effect, (effect.key,)))
        elif repeat:
            unit.writes.append(replace(effect, state="ready", data={"done": taken(segments, index)}))
            data = {"step": index, "carrier": effect.carrier}
            now = self._clock.now()
            unit.writes.append(
                Event(ref=message.id, type="step.resent", service=message.service, at=now, data=data)
            )
        else:
            reason = "the gateway stopped between sending and the carrier's answer"
            if effect.kind == "submit":
                self._doubt(unit, message, index, effect.carrier, taken(segments, index))
            self._apply(unit, message, index, Outcome(Result.IN_DOUBT, reason, carrier=effect.carrier))
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
