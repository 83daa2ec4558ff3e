"""Asking carriers what became of messages whose receipts do not come (`query_sm` of a bind).

    accepted -> a timer -> query_sm -> a final state: as if its receipt had come
                                       anything else: the timer again, after twice as long

Only messages that somebody waits to hear of are asked about, until their validity ends.  The timers are
durable.  A bind's questions are few at a time, and few in a second after a restart that finds many due;
while it can take none they wait in their order.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from gateway.channels.base import Standing
from gateway.config.model import Bind, Service
from gateway.outbound.pipeline import OutboundPipeline
from gateway.outbound.receipts import Receipts
from gateway.store.base import Unit
from gateway.store.timers import Timers
from gateway.values.clock import Clock
from gateway.values.errors import StoreError, Throttled
from gateway.values.ids import NewId
from gateway.values.message import Message, Receipt, Segment
from gateway.values.outcome import Result
from gateway.values.work import Timer

log = logging.getLogger(__name__)

TIMER = "query"
AT_A_TIME = 4  # questions to one bind without an answer
LONGEST_WAIT_SECONDS = 6 * 3600.0
GIVE_UP_SECONDS = 3 * 86_400.0  # after the message was accepted from its sender, where it has no validity
_APART_SECONDS = 0.08  # between an answer and the next question: 50 in a second at most
_PAUSE_SECONDS = 1.0  # while a carrier cannot be asked, or the store refuses

# Asks bind, with message_id as it wrote it, and the sender.  None: it cannot be asked now
Ask = Callable[[str, str, str], Awaitable[Standing | None]]


class Queries:
    """`asked(bind, result)` is told of each question: a message state, "refused" or "unanswered"."""

    def __init__(
        self,
        *,
        binds: Mapping[str, Bind],
        services: Mapping[str, Service],
        clock: Clock,
        new_id: NewId,
        timers: Timers,
        pipeline: OutboundPipeline,
        receipts: Receipts,
        ask: Ask,
        asked: Callable[[str, str], None],
    ) -> None:
        self._binds = binds
        self._services = services
        self._clock = clock
        self._new_id = new_id
        self._timers = timers
        self._pipeline = pipeline
        self._receipts = receipts
        self._ask = ask
        self._asked = asked
        self._lines: dict[str, deque[Timer]] = {}  # those due, by bind
        self._tasks: dict[str, set[asyncio.Task[None]]] = {}

    def answered(self, message: Message, segment: Segment, message_id: str) -> None:
        """The carrier of a bind with `query_sm` has accepted a segment."""
        if not self._wanted(message, segment.step):
            return
        bind = self._binds.get(segment.bind)
        if bind is not None and bind.query_sm:
            due = min(self._clock.now() + bind.query_sm, _until(message, segment.step))
            data = {"bind": segment.bind, "id": message_id, "wait": float(bind.query_sm)}
            unit = Unit()
            self._timers.set(unit, Timer(kind=TIMER, ref=_ref(segment), due=due, data=data))
            self._pipeline.record(unit)

    def settled(self, unit: Unit, segment: Segment) -> None:
        """Its final receipt has come."""
        bind = self._binds.get(segment.bind)
        if bind is not None and bind.query_sm:
            self._timers.clear(unit, TIMER, _ref(segment))

    def timer(self, timer: Timer) -> None:
        """It is time to ask."""
        bind = timer.data["bind"]
        self._lines.setdefault(bind, deque()).append(timer)
        tasks = self._tasks.setdefault(bind, set())
        if len(tasks) < AT_A_TIME:
            task = asyncio.get_running_loop().create_task(self._work(bind))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def stop(self) -> None:
        """What is not answered is asked again after the next start."""
        tasks = [task for tasks in self._tasks.values() for task in tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, bind: str) -> None:
        line = self._lines[bind]
        while line:
            timer = line.popleft()
            try:
                done = await self._one(bind, timer)
            except (StoreError, Throttled) as error:
                log.warning("query_sm.postponed", extra={"bind": bind, "reason": str(error)})
                done = False
            except Exception:  # the others are about other messages
                log.exception("query_sm.failed", extra={"bind": bind, "ref": timer.ref})
                done = True
            if not done:
                line.appendleft(timer)
            await asyncio.sleep(_APART_SECONDS if done else _PAUSE_SECONDS)

    async def _one(self, bind: str, timer: Timer) -> bool:
        """Ask about one segment.  False: it could not be asked now."""
        id, step, part = timer.ref.split("/")
        message = await self._pipeline.load(id)
        settings = self._binds.get(bind)
        if self._timers.pending(TIMER, timer.ref) is not timer:
            return True  # its receipt has come
        if message is None or settings is None or not settings.query_sm:
            self._end(timer)
            return True
        index = int(step)
        standing = await self._ask(bind, timer.data["id"], message.plan[index].sender)
        if standing is None:
            return False
        self._asked(bind, standing.state or ("unanswered" if standing.again else "refused"))
        if self._timers.pending(TIMER, timer.ref) is not timer:
            return True
        if standing.final:
            await self._apply(bind, (id, index, int(part)), standing)
        elif standing.again and (due := self._again(timer, _until(message, index))):
            unit = Unit()
            self._timers.set(unit, due)
            self._pipeline.record(unit)
        else:
            self._end(timer)
        return True

    async def _apply(self, bind: str, part: tuple[str, int, int], standing: Standing) -> None:
        receipt = Receipt(
            id=self._new_id(),
            bind=bind,
            smsc_id="",
            state=standing.state,
            final=True,
            code=standing.code,
            received_at=self._clock.now(),
        )
        details = {"by": "query_sm"}
        if standing.done_date:
            details["done_date"] = standing.done_date
        unit = Unit()
        try:
            await self._receipts.told(unit, part, receipt, details)
        except BaseException:
            unit.take_back()
            raise
        self._pipeline.record(unit)

    def _again(self, timer: Timer, until: float) -> Timer | None:
        """When to ask next.  None: never; the last time is when the validity has ended."""
        now = self._clock.now()
        if now >= until:
            return None
        wait = min(2 * timer.data["wait"], LONGEST_WAIT_SECONDS)
        return Timer(kind=TIMER, ref=timer.ref, due=min(now + wait, until), data={**timer.data, "wait": wait})

    def _end(self, timer: Timer) -> None:
        unit = Unit()
        self._timers.clear(unit, TIMER, timer.ref)
        self._pipeline.record(unit)

    def _wanted(self, message: Message, step: int) -> bool:
        """Whether somebody waits to hear what becomes of it."""
        if message.plan[step].until is Result.DELIVERED or message.notify_url:
            return True
        if message.receipt_wanted or any(message.part_receipts):
            return True
        service = self._services.get(message.service)
        return service is not None and bool(service.notify.status)


def _ref(segment: Segment) -> str:
    return f"{segment.message}/{segment.step}/{segment.part}"


def _until(message: Message, step: int) -> float:
    """When its carrier tries no longer."""
    within = message.plan[step].within_seconds
    if within and message.plan[step].until is not Result.ACCEPTED:
        return message.steps[step].started_at + within
    return message.created_at + GIVE_UP_SECONDS
