"""The outbound spine: accept -> chain -> effect -> channel -> outcome -> chain, each decision one commit."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence

from msgspec.structs import replace

from gateway.channels.base import Channel
from gateway.outbound import chain
from gateway.outbound.accept import Planner, SendRequest
from gateway.outbound.segments import SegmentBook
from gateway.store.base import Delete, Store, Unit, Write
from gateway.store.timers import Timers
from gateway.values.clock import Clock
from gateway.values.errors import StoreError, Throttled, Unstorable
from gateway.values.event import Event, Trigger
from gateway.values.ids import NewId
from gateway.values.message import Message, Segment, StepPlan, StepState
from gateway.values.outcome import Outcome, Result, Status
from gateway.values.work import Effect, Timer

log = logging.getLogger(__name__)

_EFFECT_KIND = {"sms": "submit", "voice": "call"}
HELD = "held"  # the timer of a message whose time has not come
_RETRY_SECONDS = 1.0  # after the store refused to record an outcome
_PAGE = 500
_RECENT = 20_000

# What follows from an event about a message (rules, runs, notifications) joins the same unit
Consequences = Callable[[Unit, Event, Message], None]


class OutboundPipeline:
    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        new_id: NewId,
        planner: Planner,
        channels: Mapping[str, Channel],
        timers: Timers,
        book: SegmentBook,
        consequences: Consequences,
        queue_limit: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self.planner = planner
        self._channels = channels
        self._timers = timers
        self._book = book
        self._consequences = consequences
        self._queue_limit = queue_limit
        self._live: dict[str, Message] = {}  # with a step that is being tried
        self._recent: OrderedDict[str, Message] = OrderedDict()  # newer here than a reader of the store sees
        self._unrecorded: deque[Unit] = deque()  # outcomes that the store has refused so far
        self._asked_again = 0  # of those, how many it is being asked for at this moment
        self._begun: set[str] = set()  # messages of which a carrier may have something
        self._refills: dict[str, _Refill] = {}  # by carrier: more waits in the store than in memory
        self._retrying: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # -- accepting ---------------------------------------------------------------------------------

    async def submit(self, requests: Sequence[SendRequest]) -> list[Message]:
        """Accept requests in one commit.  Raises BadInput, Throttled or StoreError: nothing was accepted."""
        if len(self._live) >= self._queue_limit:
            raise Throttled(f"{len(self._live)} messages are waiting for carriers", wait_seconds=2.0)
        unit = Unit()
        try:
            messages = [self.accept(unit, request) for request in requests]
        except Exception:
            unit.take_back()
            raise
        await unit.commit(self._store)
        return messages

    def accept(self, unit: Unit, request: SendRequest) -> Message:
        now = self._clock.now()
        message = self.planner.plan(request, self._new_id(), now)
        unit.writes.append(
            _event(
                message,
                "message.accepted",
                now,
                {"chain": message.chain, "steps": [step.channel for step in message.plan]},
            )
        )
        if request.not_before > now:
            self.hold(unit, message, request.not_before)
            return message
        decision = chain.begin(message, lambda step: self._test(message, step), now)
        self._apply(unit, message, decision)
        return decision.message

    # -- what outbound.control does to messages that wait ------------------------------------------

    def hold(self, unit: Unit, message: Message, until: float) -> None:
        """Keep a message that has no step yet until its time has come."""
        self._keep(unit, message)
        self._timers.set(unit, Timer(kind=HELD, ref=message.id, due=until))

    def begun(self, id: str) -> bool:
        """Whether a carrier may have something of a message that is being tried."""
        return id in self._begun

    def recall(self, unit: Unit, message: Message) -> None:
        """Take the step being tried out of its channel's queue, at once; it is back if the unit fails."""
        if _open(message):
            index, carrier = message.step, message.steps[message.step].carrier
            self._channels[message.plan[index].channel].abandon(message.id, index)
            unit.undo.append(lambda: self.refill(carrier, force=True))  # undone in reverse
            unit.undo.append(lambda: self._leave(message.id, index, carrier))

    def again(self, unit: Unit, message: Message) -> None:
        """Keep a changed message; one that was being tried goes back to its channel's queue."""
        self._keep(unit, message)
        if _open(message):
            index, carrier = message.step, message.steps[message.step].carrier
            unit.acts.append(lambda: self._send(message.id, index, carrier))

    def decide(self, unit: Unit, before: Message, decision: chain.Decision) -> None:
        """Carry out a decision about a message."""
        self._apply(unit, before, decision)

    # -- what channels and timers report -----------------------------------------------------------

    def report(self, id: str, index: int, outcome: Outcome | None, segments: Sequence[Segment] = ()) -> None:
        """A channel's news of a step, with the segments it has learned about."""
        message = self._known(id)
        if message is None and outcome is not None:
            self._spawn(self._report_stored(id, index, outcome, segments))
            return
        unit = Unit()
        unit.writes.extend(segments)
        if message is not None and outcome is not None:
            self.apply(unit, message, index, outcome)
        self.record(unit)

    def apply(self, unit: Unit, message: Message, index: int, outcome: Outcome) -> None:
        """Let the chain judge an outcome; what follows joins `unit`."""
        now = self._clock.now()
        decision = chain.happened(message, index, outcome, lambda step: self._test(message, step), now)
        self._apply(unit, message, decision)

    async def load(self, id: str) -> Message | None:
        """The message as it is now."""
        stored = self._known(id) or await self._store.message(id)
        return self._known(id) or stored  # it may have changed during the read

    def timer(self, timer: Timer) -> None:
        """`within` of a step has run out, or the time of a message that was held has come."""
        if timer.kind == HELD:
            self._spawn(self._release(timer))
            return
        message = self._known(timer.ref)
        if message is None:
            self._spawn(self._timer_stored(timer))
            return
        self._time_out(message, int(timer.data["step"]))

    def hand_over(self, keys: Sequence[str], carrier: str) -> asyncio.Future[None]:
        """Mark effects as begun, durably: from now on a crash leaves them in doubt.

        One that has been abandoned meanwhile has no row any more, and gets none.
        """
        now = self._clock.now()
        effects: list[Effect] = []
        for key in keys:
            id, _, step = key.rpartition("/")
            message, index = self._live.get(id), int(step)
            if message is not None and _tries(message, index):
                kind = _EFFECT_KIND[message.plan[index].channel]
                self._begun.add(id)
                effects.append(
                    Effect(key=key, kind=kind, ref=id, state="begun", carrier=carrier, created_at=now)
                )
        return self._store.commit(effects)

    def give_back(self, key: str, carrier: str, done: list[int]) -> None:
        """An act that a channel had taken on was not carried out, but for its parts `done`.

        It is ready again, and waits in the store until `refill` brings it.
        """
        id, _, step = key.rpartition("/")
        message, index = self._live.get(id), int(step)
        if message is not None and _tries(message, index):
            unit = Unit()
            unit.writes.append(self._ready_again(message, index, carrier, done))
            unit.acts.append(lambda: self._leave(id, index, carrier))
            self.record(unit)

    def rest(self, key: str, carrier: str, done: list[int]) -> None:
        """A carrier has nothing of an act that was begun but its parts `done`; it is to be begun again.

        Until then a crash leaves no doubt.
        """
        id, _, step = key.rpartition("/")
        message, index = self._live.get(id), int(step)
        if message is not None and _tries(message, index):
            unit = Unit()
            unit.writes.append(self._ready_again(message, index, carrier, done))
            self.record(unit)

    def record(self, unit: Unit) -> None:
        """Commit what has already happened.  A store that refuses is asked again until it takes it."""
        if self._unrecorded:
            self._unrecorded.append(unit)
            return
        self._try_record(unit)

    @property
    def waiting(self) -> int:
        """Messages in memory that are not finished."""
        return len(self._live)

    @property
    def unrecorded(self) -> int:
        return len(self._unrecorded) + self._asked_again

    # -- start and stop ----------------------------------------------------------------------------

    async def recover(self, in_doubt: Callable[[Effect], bool]) -> None:
        """After a start: settle what was begun, carry out what was not.

        `in_doubt(effect)` says whether a begun act may be repeated (`on_in_doubt = "resend"`).
        """
        after = ""
        while page := await self._store.effects(state="begun", after=after, limit=_PAGE):
            after = page[-1].key
            await asyncio.gather(*[self._settle(effect, repeat=in_doubt(effect)) for effect in page])
        for carrier in await self._carriers_waiting():
            self.refill(carrier, force=True)

    def refill(self, carrier: str, *, force: bool = False) -> None:
        """Room has appeared at a carrier: bring what waits for it in the store."""
        state = self._refills.get(carrier)
        if state is None:
            if not force:
                return
            state = self._refills[carrier] = _Refill()
        if not state.running:
            state.running = True
            self._spawn(self._refill(carrier, state))

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._retrying is not None:
            self._retrying.cancel()
        while self._unrecorded:
            try:
                await self._store.commit(self._fresh(self._unrecorded[0]))
            except (StoreError, Throttled):
                log.error("outcomes.unrecorded", extra={"units": len(self._unrecorded)})
                return
            self._unrecorded.popleft()

    # -- inside ------------------------------------------------------------------------------------

    def _test(self, message: Message, step: StepPlan) -> chain.Fitness:
        channel = self._channels[step.channel]
        return chain.Fitness(channel.available(message, step), channel.applicable(message, step))

    def _apply(self, unit: Unit, before: Message, decision: chain.Decision) -> None:
        """Turn a decision into writes, and into acts that follow them."""
        message, now = decision.message, self._clock.now()
        if message is before and not decision.timer_done:
            return
        if message is not before:
            self._keep(unit, message)
        for i, (old, new) in enumerate(zip(before.steps, message.steps, strict=True)):
            if old.state is StepState.TRYING and new.state is not StepState.TRYING:
                unit.writes.append(Delete(Effect, (f"{message.id}/{i}",)))
        for what, index in decision.notes:
            record = message.steps[index]
            data = {"step": index, "channel": message.plan[index].channel, "carrier": record.carrier}
            if what == "step.started":
                data |= {"reason": record.reason} if record.reason else {}  # its carrier is down: it waits
            else:
                data |= {"result": record.result, "reason": record.reason, "code": record.code}
            unit.writes.append(_event(message, what, now, data))
        if decision.timer_done:
            self._timers.clear(unit, "step", message.id)
        if decision.start >= 0:
            self._start(unit, message, decision)
        if decision.abandon >= 0:
            unit.writes.append(Delete(Effect, (f"{message.id}/{decision.abandon}",)))
            channel = self._channels[message.plan[decision.abandon].channel]
            unit.acts.append(lambda: channel.abandon(message.id, decision.abandon))
        if message.status is not before.status:
            data = {
                "status": str(message.status),
                "reason": message.reason,
                "code": message.code,
                "carrier": message.carrier,
                "channel": message.plan[message.step].channel if message.step >= 0 else "",
                "step": message.step,
            }
            event = _event(message, Trigger.SMS_STATUS, now, data)
            unit.writes.append(event)
            self._consequences(unit, event, message)

    def _start(self, unit: Unit, message: Message, decision: chain.Decision) -> None:
        index = decision.start
        carrier, channel = message.steps[index].carrier, message.plan[index].channel
        key = f"{message.id}/{index}"
        unit.writes.append(
            Effect(
                key=key,
                kind=_EFFECT_KIND[channel],
                ref=message.id,
                carrier=carrier,
                created_at=self._clock.now(),
            )
        )
        if decision.timer_due:
            self._timers.set(
                unit, Timer(kind="step", ref=message.id, due=decision.timer_due, data={"step": index})
            )
        unit.acts.append(lambda: self._send(message.id, index, carrier))

    def _ready_again(self, message: Message, index: int, carrier: str, done: list[int]) -> Effect:
        return Effect(
            key=f"{message.id}/{index}",
            kind=_EFFECT_KIND[message.plan[index].channel],
            ref=message.id,
            carrier=carrier,
            data={"done": done},
            created_at=self._clock.now(),
        )

    def _keep(self, unit: Unit, message: Message) -> None:
        before = self._known(message.id)
        unit.writes.append(message)
        self._remember(message)
        unit.undo.append(lambda: self._remember(before) if before else self._forget(message.id))

    def _known(self, id: str) -> Message | None:
        return self._live.get(id) or self._recent.get(id)

    def _remember(self, message: Message) -> None:
        self._forget(message.id)
        if _open(message):
            self._live[message.id] = message
            return
        self._begun.discard(message.id)
        self._recent[message.id] = message
        self._trim()

    def _trim(self) -> None:
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)

    def _forget(self, id: str) -> None:
        self._live.pop(id, None)
        self._recent.pop(id, None)

    def _leave(self, id: str, index: int, carrier: str) -> None:
        """Leave an act to the store, which has its effect, until there is room at its carrier."""
        message = self._live.pop(id, None)
        if message is None:
            return
        self._recent[id] = message
        self._trim()
        self._refills.setdefault(carrier, _Refill()).left(f"{id}/{index}")

    def _send(self, id: str, index: int, carrier: str) -> None:
        message = self._live.get(id)
        if message is None or not _tries(message, index):
            return  # it has been abandoned, or has run out of time, before it was durable
        # where older ones wait in the store it waits behind them
        channel = self._channels[message.plan[index].channel]
        if carrier in self._refills or not channel.send(message, index, carrier):
            self._leave(id, index, carrier)

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
                for effect in page:
                    if not await self._carry_out(effect):
                        return  # full again; the carrier will say when there is room
                    state.after = effect.key
        except StoreError as error:
            log.error("refill.failed", extra={"carrier": carrier, "reason": str(error)})
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self.refill, carrier)
        finally:
            state.running = False

    async def _carry_out(self, effect: Effect) -> bool:
        """Do one act that waited in the store.  False: its carrier has no room."""
        id, _, step = effect.key.rpartition("/")
        if effect.kind not in _EFFECT_KIND.values() or id in self._live:
            return True
        index = int(step)
        done: set[int] = set()
        if "done" in effect.data:  # some parts may have been taken after it was given back
            segments = await self._store.segments(id)
            done = {*effect.data["done"], *_taken(segments, index)}
        message = await self.load(id)
        if message is None or not _tries(message, index) or id in self._live:
            return True
        if message.steps[index].carrier != effect.carrier:  # it has been moved since the page was read
            return True
        self._remember(message)
        if self._channels[message.plan[index].channel].send(message, index, effect.carrier, done):
            return True
        self._leave(id, index, effect.carrier)
        return False

    async def _carriers_waiting(self) -> set[str]:
        carriers: set[str] = set()
        after = ""
        while page := await self._store.effects(state="ready", after=after, limit=_PAGE):
            after = page[-1].key
            carriers |= {effect.carrier for effect in page if effect.kind in _EFFECT_KIND.values()}
        return carriers

    async def _settle(self, effect: Effect, *, repeat: bool) -> None:
        id, _, step = effect.key.rpartition("/")
        if effect.kind not in _EFFECT_KIND.values():
            return
        index = int(step)
        segments = await self._store.segments(id)
        message = await self.load(id)
        unit = Unit()
        if message is None or not _tries(message, index):
            unit.writes.append(Delete(Effect, (effect.key,)))
        elif repeat:
            now = self._clock.now()
            unit.writes.append(replace(effect, state="ready", data={"done": _taken(segments, index)}))
            unit.writes.append(
                _event(message, "step.resent", now, {"step": index, "carrier": effect.carrier})
            )
        else:
            reason = "the gateway stopped between sending and the carrier's answer"
            if effect.kind == "submit":
                self._doubt(unit, message, index, effect.carrier, _taken(segments, index))
            self.apply(unit, message, index, Outcome(Result.IN_DOUBT, reason, carrier=effect.carrier))
        await unit.commit(self._store)

    def _doubt(self, unit: Unit, message: Message, index: int, bind: str, taken: Collection[int]) -> None:
        """Note a submit whose answers were lost, so that receipts may still settle it."""
        step, now = message.plan[index], self._clock.now()
        total = self._channels[step.channel].parts(message, index, bind)
        for part in set(range(1, total + 1)).difference(taken):
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

    async def _report_stored(
        self, id: str, index: int, outcome: Outcome, segments: Sequence[Segment]
    ) -> None:
        try:
            message = await self.load(id)
        except StoreError as error:
            log.error("outcome.unread", extra={"transid": id, "reason": str(error)})
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self.report, id, index, outcome, segments)
            return
        unit = Unit()
        unit.writes.extend(segments)
        if message is not None:
            self.apply(unit, message, index, outcome)
        self.record(unit)

    async def _timer_stored(self, timer: Timer) -> None:
        try:
            message = await self.load(timer.ref)
        except StoreError as error:
            log.error("timer.unread", extra={"transid": timer.ref, "reason": str(error)})
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self.timer, timer)
            return
        if message is not None:
            self._time_out(message, int(timer.data["step"]))
            return
        unit = Unit()  # deleted by retention
        self._timers.clear(unit, timer.kind, timer.ref)
        self.record(unit)

    async def _release(self, timer: Timer) -> None:
        """A message's time has come."""
        try:
            message = await self.load(timer.ref)
        except StoreError as error:
            log.error("timer.unread", extra={"transid": timer.ref, "reason": str(error)})
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self.timer, timer)
            return
        unit = Unit()
        self._timers.clear(unit, timer.kind, timer.ref)
        if message is not None and message.step < 0 and message.status is Status.QUEUED:
            decision = chain.begin(message, lambda step: self._test(message, step), self._clock.now())
            self._apply(unit, message, decision)
        self.record(unit)

    def _time_out(self, message: Message, index: int) -> None:
        unit = Unit()
        now = self._clock.now()
        self._apply(
            unit, message, chain.timed_out(message, index, lambda step: self._test(message, step), now)
        )
        self.record(unit)

    def _try_record(self, unit: Unit, again: int = 0) -> None:
        """`again` is 1 for a unit that was refused before."""
        try:
            future = self._store.commit(unit.writes)
        except Throttled:
            self._refused(unit)
            return
        self._asked_again += again
        future.add_done_callback(lambda done: self._recorded(unit, done, again))

    def _recorded(self, unit: Unit, done: asyncio.Future[None], again: int) -> None:
        self._asked_again -= again
        if done.cancelled():
            return
        error = done.exception()
        if error is None:
            for act in unit.acts:
                act()
            return
        if isinstance(error, Unstorable):  # asking again would hold up everything behind it for ever
            ids = [write.id for write in unit.writes if isinstance(write, Message)]
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
                self._try_record(unit, again=1)

    def _fresh(self, unit: Unit) -> list[Write]:
        """The unit's writes with messages as they are now: later units may have been written before it."""
        return [
            (self._known(write.id) or write) if isinstance(write, Message) else write for write in unit.writes
        ]

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            log.error("outbound.task_failed", exc_info=task.exception())


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


def _open(message: Message) -> bool:
    """Whether a step of it is being tried."""
    return message.step >= 0 and _tries(message, message.step)


def _tries(message: Message, index: int) -> bool:
    return message.step == index and message.steps[index].state is StepState.TRYING


def _taken(segments: Sequence[Segment], index: int) -> list[int]:
    """The parts of a step that its carrier is known to have."""
    return [s.part for s in segments if s.step == index and s.state != "in-doubt"]


def _event(message: Message, type: str, now: float, data: dict[str, object]) -> Event:
    return Event(ref=message.id, type=str(type), service=message.service, at=now, data=data)
