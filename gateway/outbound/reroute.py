"""What waits for a bind that is down goes to another bind of the same step that is up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from gateway.channels.base import Channel
from gateway.outbound.backlog import taken
from gateway.outbound.memory import being_tried
from gateway.outbound.pipeline import OutboundPipeline
from gateway.store.base import Store, Unit
from gateway.values.clock import Clock
from gateway.values.errors import StoreError
from gateway.values.event import Event
from gateway.values.message import Message

log = logging.getLogger(__name__)

REROUTE_SECONDS = 5.0  # after a bind went or came: at a start, or when a link flaps, each soon finds its own
_PAGE = 200
_PAUSE_SECONDS = 0.05  # after a page with nothing to move: a million of them must not slow other traffic
_STORE_QUEUE = 2_000  # writes that may wait for the writer before more is moved


class Reroute:
    """`down()` names the binds that are down.  Only what no carrier can have anything of is moved."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        pipeline: OutboundPipeline,
        channel: Channel,
        down: Callable[[], Iterable[str]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._pipeline = pipeline
        self._channel = channel
        self._down = down
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._stopped = False

    def soon(self, seconds: float = REROUTE_SECONDS) -> None:
        """A bind has come or gone: look, after a while, whether something is to be moved."""
        if self._stopped:
            return
        if self._task is not None:
            self._again = True
            return
        self._task = asyncio.create_task(self._run(seconds))

    async def stop(self) -> None:
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None  # one that had not begun cannot say so itself

    async def _run(self, seconds: float) -> None:
        try:
            while True:
                self._again = False
                await asyncio.sleep(seconds)
                for carrier in list(self._down()):
                    if moved := await self.move_from(carrier):
                        log.info("messages.rerouted", extra={"bind": carrier, "messages": moved})
                if not self._again:
                    return
        except StoreError as error:
            log.error("reroute.failed", extra={"reason": str(error)})
        finally:
            self._task = None

    async def move_from(self, carrier: str) -> int:
        """Move what waits for `carrier`; how many messages.  Raises StoreError when the store cannot read."""
        moved, after = 0, ""
        while page := await self._store.waiting(carrier, after=after, limit=_PAGE):
            after, before = page[-1].id, moved
            for stored in page:
                if await self._has_some(stored, carrier):
                    continue
                # from here on nothing waits: what was read is still so when it is changed
                if carrier not in self._down():
                    return moved
                moved += self._move(self._pipeline.known(stored.id) or stored, carrier)
            if self._store.queued > _STORE_QUEUE:
                self._again = True  # the rest moves next time
                return moved
            if moved == before and len(page) == _PAGE:
                await asyncio.sleep(_PAUSE_SECONDS)
        return moved

    async def _has_some(self, message: Message, carrier: str) -> bool:
        """Whether the carrier has parts of the message."""
        if message.step < 0 or self._channel.parts(message, message.step, carrier) < 2:
            return False
        return bool(taken(await self._store.segments(message.id), message.step))

    def _move(self, message: Message, gone: str) -> bool:
        index = message.step
        if message.waits != gone or not being_tried(message) or message.plan[index].channel != "sms":
            return False
        if self._pipeline.begun(message.id):
            return False
        carrier = self._channel.available(message, message.plan[index])
        if not carrier.up or carrier.name == gone:
            return False
        unit, now = Unit(), self._clock.now()
        self._pipeline.recall(unit, message)
        steps = list(message.steps)
        steps[index] = replace(steps[index], carrier=carrier.name, reason="")
        self._pipeline.again(unit, replace(message, steps=tuple(steps), waits=carrier.name, updated_at=now))
        data = {"step": index, "from": gone, "carrier": carrier.name}
        unit.writes.append(
            Event(ref=message.id, type="step.moved", service=message.service, at=now, data=data)
        )
        self._pipeline.record(unit)
        return True
