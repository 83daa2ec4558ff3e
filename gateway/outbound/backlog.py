"""What waits in the store for a carrier that has no room, and comes to its channel in order of age."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence

from gateway.channels.base import Channel
from gateway.outbound.memory import Memory, tries
from gateway.store.base import Store
from gateway.values.errors import StoreError
from gateway.values.message import Message, Segment
from gateway.values.work import Effect

log = logging.getLogger(__name__)

EFFECT_KIND = {"sms": "submit", "voice": "call"}  # by channel
_RETRY_SECONDS = 1.0  # after the store could not be read
_PAGE = 500  # effects that are read together
_AT_ONCE = 50  # of them, whose messages are read and given to the channel together: a turn of the loop


class Backlog:
    """`spawn` runs a coroutine as a task of the pipeline, which ends with it."""

    def __init__(
        self,
        *,
        store: Store,
        memory: Memory,
        channels: Mapping[str, Channel],
        spawn: Callable[[Coroutine[object, object, None]], None],
    ) -> None:
        self._store = store
        self._memory = memory
        self._channels = channels
        self._spawn = spawn
        self._refills: dict[str, _Refill] = {}  # by carrier: more waits in the store than in memory

    def send(self, id: str, index: int, carrier: str) -> None:
        """Give a step that is durable to its channel, or leave it to the store."""
        message = self._memory.live(id)
        if message is None or not tries(message, index):
            return  # it has been abandoned, or has run out of time, before it was durable
        # where older ones wait in the store it waits behind them
        channel = self._channels[message.plan[index].channel]
        if carrier in self._refills or not channel.send(message, index, carrier):
            self.leave(id, index, carrier)

    def leave(self, id: str, index: int, carrier: str) -> None:
        """Leave an act to the store, which has its effect, until there is room at its carrier."""
        if self._memory.leave(id):
            self._refills.setdefault(carrier, _Refill()).left(f"{id}/{index}")

    def refill(self, carrier: str, *, force: bool = False) -> None:
        """Room has appeared at a carrier: bring what waits for it in the store.

        `force` looks even where nothing is known to wait.
        """
        state = self._refills.get(carrier)
        if state is None:
            if not force:
                return
            state = self._refills[carrier] = _Refill()
        if not state.running:
            state.running = True
            self._spawn(self._refill(carrier, state))

    async def take_up(self) -> None:
        """After a start: whatever carrier something waits for.  Raises StoreError."""
        for carrier in await self._store.carriers_owed():
            self.refill(carrier, force=True)

    async def _refill(self, carrier: str, state: _Refill) -> None:
        try:
            while True:
                state.go_back()
                page = await self._store.effects(
                    state="ready", carrier=carrier, after=state.after, limit=_PAGE
                )
                if not page and not state.back:
                    del self._refills[carrier]
                    return
                for begin in range(0, len(page), _AT_ONCE):
                    some = page[begin : begin + _AT_ONCE]
                    messages = await self._memory.load_all([effect.ref for effect in some])
                    for effect in some:
                        if not await self._carry_out(effect, messages.get(effect.ref)):
                            return  # full again; the carrier will say when there is room
                        state.after = effect.key
        except StoreError as error:
            log.error("refill.failed", extra={"carrier": carrier, "reason": str(error)})
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self.refill, carrier)
        finally:
            state.running = False

    async def _carry_out(self, effect: Effect, read: Message | None) -> bool:
        """Do one act that waited in the store, as did its message.  False: its carrier has no room."""
        id, _, step = effect.key.rpartition("/")
        if effect.kind not in EFFECT_KIND.values() or self._memory.live(id):
            return True
        index = int(step)
        done: set[int] = set()
        if "done" in effect.data:  # some parts may have been taken after it was given back
            segments = await self._store.segments(id)
            done = {*effect.data["done"], *taken(segments, index)}
        message = self._memory.known(id) or read
        if message is None or not tries(message, index) or self._memory.live(id):
            return True
        if message.steps[index].carrier != effect.carrier:  # it has been moved since the page was read
            return True
        self._memory.remember(message)
        if self._channels[message.plan[index].channel].send(message, index, effect.carrier, done):
            return True
        self.leave(id, index, effect.carrier)
        return False


class _Refill:
    """A carrier for which more waits in the store than in memory: how far it has been brought in."""

    __slots__ = ("after", "back", "running")

    def __init__(self) -> None:
        self.after = ""  # the key of the last effect that was brought in
        self.back = ""  # the smallest key that was left to the store since
        self.running = False

    def left(self, key: str) -> None:
        self.back = min(self.back or key, key)

    def go_back(self) -> None:
        """Read again from what was left behind."""
        if self.back:
            self.after = min(self.after, self.back[:-1])  # which sorts just before it
            self.back = ""


def taken(segments: Sequence[Segment], index: int) -> list[int]:
    """The parts of a step that its carrier is known to have."""
    return [s.part for s in segments if s.step == index and s.state != "in-doubt"]
