"""What waits in the store for a carrier that has no room, and comes to its channel in order of age."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence

from gateway.channels.base import Channel
from gateway.outbound.memory import Memory, being_tried, tries
from gateway.store.base import Store
from gateway.values.errors import StoreError
from gateway.values.message import Message, Segment

log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0  # after the store could not be read
_PAGE = 500  # messages that are read together
_AT_ONCE = 50  # of them, given to the channel in one turn of the loop


class Backlog:
    """`spawn` runs a coroutine as a task of the pipeline, which ends with it.

    Carriers of which `absent` holds (customers whose app is not connected: there may be many) ask for what
    waits by themselves, and nothing is remembered of them.
    """

    def __init__(
        self,
        *,
        store: Store,
        memory: Memory,
        channels: Mapping[str, Channel],
        spawn: Callable[[Coroutine[object, object, None]], None],
        absent: Callable[[str], bool] = lambda carrier: False,
    ) -> None:
        self._store = store
        self._memory = memory
        self._channels = channels
        self._spawn = spawn
        self._absent = absent
        self._refills: dict[str, _Refill] = {}  # by carrier: more waits in the store than in memory

    def send(self, id: str, index: int, carrier: str) -> None:
        """Give a step that is durable to its channel, or leave it to the store."""
        message = self._memory.live(id)
        if message is None or not tries(message, index):
            return  # it has been abandoned, or has run out of time, before it was durable
        # where older ones wait in the store it waits behind them
        channel = self._channels[message.plan[index].channel]
        if carrier in self._refills or not channel.send(message, index, carrier):
            self.leave(id, carrier)

    def leave(self, id: str, carrier: str) -> None:
        """Leave a message to the store until there is room at its carrier."""
        if self._memory.leave(id) and (carrier in self._refills or not self._absent(carrier)):
            self._refills.setdefault(carrier, _Refill()).left(id)

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
            if not self._absent(carrier):
                self.refill(carrier, force=True)

    async def _refill(self, carrier: str, state: _Refill) -> None:
        try:
            while True:
                state.go_back()
                page = await self._store.waiting(carrier, after=state.after, limit=_PAGE)
                if not page and not state.back:
                    del self._refills[carrier]
                    return
                for number, message in enumerate(page):
                    if number % _AT_ONCE == 0:
                        await asyncio.sleep(0)
                    if not await self._carry_out(message, carrier):
                        if self._absent(carrier):
                            del self._refills[carrier]
                        return  # full again; the carrier will say when there is room
                    state.after = message.id
        except StoreError as error:
            log.error("refill.failed", extra={"carrier": carrier, "reason": str(error)})
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self.refill, carrier)
        finally:
            state.running = False

    async def _carry_out(self, stored: Message, carrier: str) -> bool:
        """Do one act that waited in the store.  False: its carrier has no room."""
        id, done = stored.id, list[int]()
        # recent changes are in memory, for far longer than a page of the store is worked through
        message = self._memory.known(id) or stored
        index = message.step
        if self._memory.live(id) or not being_tried(message):
            return True
        channel = self._channels[message.plan[index].channel]
        if channel.parts(message, index, carrier) > 1:
            done = taken(await self._store.segments(id), index)
            message = self._memory.known(id) or message
        # it may have moved, or been sent, since the page was read
        if message.waits != carrier or not tries(message, index) or self._memory.live(id):
            return True
        self._memory.remember(message)
        if channel.send(message, index, carrier, done):
            return True
        self.leave(id, carrier)
        return False


class _Refill:
    """A carrier for which more waits in the store than in memory: how far it has been brought in."""

    __slots__ = ("after", "back", "running")

    def __init__(self) -> None:
        self.after = ""  # the id of the last message that was brought in
        self.back = ""  # the smallest id that was left to the store since
        self.running = False

    def left(self, id: str) -> None:
        self.back = min(self.back or id, id)

    def go_back(self) -> None:
        """Read again from what was left behind."""
        if self.back:
            self.after = min(self.after, self.back[:-1])  # which sorts just before it
            self.back = ""


def taken(segments: Sequence[Segment], index: int) -> list[int]:
    """The parts of a step that its carrier is known to have."""
    return [s.part for s in segments if s.step == index and s.state != "in-doubt"]
