"""The outbound spine: accept -> chain -> effect -> channel -> outcome -> chain, each decision one commit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence

from gateway.channels.base import Carrier, Channel
from gateway.directory.policy import Policy
from gateway.outbound import chain
from gateway.outbound.accept import Planner, SendRequest
from gateway.outbound.backlog import Backlog
from gateway.outbound.begun import BegunBook
from gateway.outbound.drain import Drain
from gateway.outbound.memory import Memory, being_tried, tries
from gateway.outbound.recorder import Recorder
from gateway.outbound.recovery import Recovery
from gateway.outbound.segments import SegmentBook
from gateway.store.base import Store, Unit
from gateway.store.timers import Timers
from gateway.values.clock import Clock
from gateway.values.errors import BadInput, StoreError, Throttled
from gateway.values.event import Event
from gateway.values.ids import NewId
from gateway.values.message import Message, Segment, StepPlan
from gateway.values.outcome import Outcome, Status
from gateway.values.story import no_longer_told
from gateway.values.work import Timer

log = logging.getLogger(__name__)

HELD = "held"  # the timer of a message whose time has not come
_RETRY_SECONDS = 1.0  # after the store could not be read

# What follows from a message that has come to its status at that time (rules, runs, notifications) joins in
Consequences = Callable[[Unit, Message, float], None]
# Why the condition of a step has it left out, "" = it has not
Skip = Callable[[Message, StepPlan], str]
# What became of each request, or why nothing of them was accepted
Submitted = Callable[[list[Message | BadInput] | BaseException], None]


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
        skip: Skip,
        put_links: Callable[[Unit, Message], Message] = lambda unit, message: message,
        policy: Policy | None = None,
        absent: Callable[[str], bool] = lambda queue: False,
    ) -> None:
        """`put_links` gives a message that is accepted the smart links that its texts name; `absent(queue)`:
        nobody is there to take what waits in it, and whoever comes asks for it by `refill`."""
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self.planner = planner
        self._channels = channels
        self._timers = timers
        self._consequences = consequences
        self._queue_limit = queue_limit
        self._skip = skip
        self._put_links = put_links
        self._policy = policy or Policy({})
        self._tasks: set[asyncio.Task[None]] = set()
        self._memory = Memory(store)
        self._drain = Drain()
        self._recorder = Recorder(store, self._memory, timers)
        self._backlog = Backlog(
            store=store, memory=self._memory, channels=channels, spawn=self._spawn, absent=absent
        )
        self._begun = BegunBook(new_id)
        self._recovery = Recovery(
            store=store,
            clock=clock,
            memory=self._memory,
            channels=channels,
            begun=self._begun,
            book=book,
            apply=self.apply,
        )

    # -- accepting ---------------------------------------------------------------------------------

    def submit_soon(self, requests: Sequence[SendRequest], done: Submitted) -> None:
        """Accept what is good of `requests` in one commit, and tell `done` once it is durable.

        It is told what became of each, in their order, or the StoreError: then nothing was accepted; that may
        be before this returns.  Raises Throttled: nothing was accepted, and it is told nothing.
        """
        self.check_room()
        unit, results = Unit(), list[Message | BadInput]()
        try:
            for request in requests:
                try:
                    results.append(self.accept(unit, request))
                except BadInput as error:  # nothing of it is in the unit
                    results.append(error)
        except BaseException:
            unit.take_back()
            raise
        unit.commit_soon(self._store, lambda error: done(error or results))

    def check_room(self) -> None:
        if self.waiting >= self._queue_limit:
            room = max(1, self._queue_limit // 10)  # for less it is not worth coming again
            wait = self._drain.wait_seconds(self._memory.gone, room, self._clock.monotonic())
            raise Throttled(f"{self.waiting} messages are waiting for carriers", wait_seconds=wait)

    def check(self, request: SendRequest) -> None:
        self.planner.plan(request, "", self._clock.now())

    def accept(self, unit: Unit, request: SendRequest) -> Message:
        now = self._clock.now()
        message = self.planner.plan(request, request.id or self._new_id(), now)
        message = self._put_links(unit, message)
        if request.not_before > now:
            self.hold(unit, message, request.not_before)
            return message
        if self._policy.governs(message.service) and not self._is_answer(message, now):
            return self._accept_unasked(unit, message, now)
        decision = chain.begin(message, lambda step: self._test(message, step), now)
        self._apply(unit, message, decision, fresh=True)
        return decision.message

    def _accept_unasked(self, unit: Unit, message: Message, now: float) -> Message:
        """Only if the customer has opted in and not had enough, and once no quiet hours are."""
        who = message.service, message.recipient
        if refusal := self._policy.unasked(*who) or self._policy.cap(*who, now):
            unfit = chain.Fitness(Carrier(""), refusal)
            decision = chain.begin(message, lambda step: unfit, now)
            self._apply(unit, message, decision, fresh=True)
            return decision.message
        if self._hold_quiet(unit, message, now):
            self._policy.count(unit, message.service, message.recipient, now)
            return message
        decision = chain.begin(message, lambda step: self._test(message, step), now)
        if not decision.message.status.final:
            self._policy.count(unit, message.service, message.recipient, now)
        self._apply(unit, message, decision, fresh=True)
        return decision.message

    def _hold_quiet(self, unit: Unit, message: Message, now: float) -> bool:
        """Hold a message until quiet hours end; False: there are none now."""
        opens = self._policy.opens(message.service, message.recipient, now)
        if not opens:
            return False
        self.hold(unit, message, opens)
        data = {"reason": self._policy.quiet(message.service, message.recipient, now)}
        held = Event(ref=message.id, type="message.held", service=message.service, at=now, data=data)
        unit.writes.append(held)
        return True

    def _is_answer(self, message: Message, now: float) -> bool:
        return message.consent_exempt or self._policy.awake(message.service, message.recipient, now)

    # -- what outbound.control does to messages that wait ------------------------------------------

    def hold(self, unit: Unit, message: Message, until: float) -> None:
        """Keep a message that has no step yet until its time has come."""
        self._memory.keep(unit, message)
        self._timers.set(unit, Timer(kind=HELD, ref=message.id, due=until))

    def begun(self, id: str) -> bool:
        """Whether a carrier may have something of a message that is being tried."""
        return self._memory.begun(id)

    def recall(self, unit: Unit, message: Message) -> None:
        """Take the step being tried out of its channel's queue, at once; it is back if the unit fails."""
        if being_tried(message):
            index, carrier = message.step, message.waits
            self._channels[message.plan[index].channel].abandon(message.id, index)
            unit.undo.append(lambda: self.refill(carrier, force=True))  # undone in reverse
            unit.undo.append(lambda: self._backlog.leave(message.id, carrier))

    def again(self, unit: Unit, message: Message) -> None:
        """Keep a changed message; one that was being tried goes back to its channel's queue."""
        self._memory.keep(unit, message)
        if being_tried(message):
            index, carrier = message.step, message.waits
            unit.acts.append(lambda: self._backlog.send(message.id, index, carrier))

    def decide(self, unit: Unit, before: Message, decision: chain.Decision) -> None:
        """Carry out a decision about a message."""
        self._apply(unit, before, decision)

    # -- what channels and timers report -----------------------------------------------------------

    def report(self, id: str, index: int, outcome: Outcome | None, segments: Sequence[Segment] = ()) -> None:
        """A channel's news of a step, with the segments it has learned about."""
        message = self._memory.known(id)
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
        """The message as it is now.  Raises StoreError."""
        return await self._memory.load(id)

    def known(self, id: str) -> Message | None:
        """The message as it is now, if it is in memory: what was loaded may have changed since."""
        return self._memory.known(id)

    def timer(self, timer: Timer) -> None:
        """`within` of a step has run out, or the pause before one, or the time of a message that was held has
        come."""
        if timer.kind == HELD:
            self._spawn(self._release(timer))
            return
        message = self._memory.known(timer.ref)
        if message is None:
            self._spawn(self._timer_stored(timer))
            return
        self._wake(message, timer)

    async def hand_over(self, keys: Sequence[str], carrier: str) -> None:
        """Mark steps ("MESSAGE/STEP") as begun, durably: from now on a crash leaves them in doubt.

        Raises StoreError or Throttled; then they are not.
        """
        unit, begun = Unit(), list[str]()
        for key in keys:
            id, _, step = key.rpartition("/")
            message, index = self._memory.live(id), int(step)
            if message is not None and tries(message, index):  # not abandoned meanwhile
                self._memory.begin(id)
                begun.append(key)
        id = self._begun.begin(unit, begun, carrier, self._clock.now())
        await unit.commit(self._store)
        self._store.mark(id)

    def give_back(self, key: str, carrier: str) -> None:
        """A step that a channel had taken on was not carried out, but for the parts it has reported.

        It is ready again, and waits in the store until `refill` brings it.
        """
        id, _, step = key.rpartition("/")
        message, index = self._memory.live(id), int(step)
        if message is not None and tries(message, index):
            unit = Unit()
            self._begun.withdraw(unit, key)
            unit.acts.append(lambda: self._backlog.leave(id, carrier))
            self.record(unit)

    def rest(self, key: str) -> None:
        """A carrier has nothing of a step that was begun but the parts reported; it is to be begun again.

        Until then a crash leaves no doubt.
        """
        id, _, step = key.rpartition("/")
        message, index = self._memory.live(id), int(step)
        if message is not None and tries(message, index):
            unit = Unit()
            self._begun.withdraw(unit, key)
            self.record(unit)

    def record(self, unit: Unit) -> None:
        """Commit what has already happened.  A store that refuses is asked again until it takes it."""
        self._recorder.record(unit)

    @property
    def waiting(self) -> int:
        """Messages in memory that are not finished."""
        return self._memory.waiting

    @property
    def unrecorded(self) -> int:
        return self._recorder.unrecorded

    # -- start and stop ----------------------------------------------------------------------------

    async def recover(self, may_repeat: Callable[[str, str], bool]) -> None:
        """After a start: settle what was begun, carry out what was not.

        `may_repeat(channel, carrier)`: whether a begun act may be repeated (`on_in_doubt = "resend"`).
        """
        await self._recovery.settle(may_repeat)
        await self._backlog.take_up()

    def refill(self, carrier: str, *, force: bool = False) -> None:
        """Room has appeared at a carrier: bring what waits for it in the store."""
        self._backlog.refill(carrier, force=force)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._recorder.stop()
        unit = Unit()
        self._begun.clear(unit)
        if unit.writes:
            self.record(unit)

    # -- inside ------------------------------------------------------------------------------------

    def _test(self, message: Message, step: StepPlan) -> chain.Fitness:
        channel = self._channels[step.channel]
        not_applicable = channel.applicable(message, step)
        if not not_applicable and self._policy.governs(message.service):
            now = self._clock.now()
            if not self._is_answer(message, now):
                not_applicable = self._policy.quiet(message.service, message.recipient, now)
        if step.skip_when and not not_applicable:
            not_applicable = self._skip(message, step)
        return chain.Fitness(channel.available(message, step), not_applicable)

    def _apply(self, unit: Unit, before: Message, decision: chain.Decision, *, fresh: bool = False) -> None:
        """Turn a decision into writes, and into acts that follow them.  `fresh`: the store does not have the
        message."""
        message, now = decision.message, self._clock.now()
        if message is before and not decision.timer_done and decision.rest < 0:
            return
        if message is not before:
            # news of an earlier step does not bring back one that is left to the store
            live = decision.start >= 0 or self._memory.live(message.id) is not None
            self._memory.keep(unit, message, live=live, progress=not fresh)
        if before.waits and not (message.waits and message.step == before.step):
            self._begun.end(unit, f"{message.id}/{before.step}")
        if decision.timer_done:
            self._timers.clear(unit, "step", message.id)
        if decision.rest >= 0:
            data = {"step": decision.rest, "rest": True}
            rest = Timer(kind="step", ref=message.id, due=decision.timer_due, data=data)
            self._timers.set(unit, rest)
        if decision.start >= 0:
            self._start(unit, message, decision)
        if decision.abandon >= 0:
            channel = self._channels[message.plan[decision.abandon].channel]
            unit.acts.append(lambda: channel.abandon(message.id, decision.abandon))
        if message.status is not before.status:
            if before.status.final:
                unit.writes.extend(no_longer_told(before, message))
            self._consequences(unit, message, now)

    def _start(self, unit: Unit, message: Message, decision: chain.Decision) -> None:
        index, carrier = decision.start, message.waits
        if decision.timer_due:
            self._timers.set(
                unit, Timer(kind="step", ref=message.id, due=decision.timer_due, data={"step": index})
            )
        unit.acts.append(lambda: self._backlog.send(message.id, index, carrier))

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
            self._wake(message, timer)
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
            now = self._clock.now()
            governed = self._policy.governs(message.service) and not self._is_answer(message, now)
            if not (governed and self._hold_quiet(unit, message, now)):
                decision = chain.begin(message, lambda step: self._test(message, step), now)
                self._apply(unit, message, decision)
        self.record(unit)

    def _wake(self, message: Message, timer: Timer) -> None:
        judge = chain.rested if timer.data.get("rest") else chain.timed_out
        unit, now, index = Unit(), self._clock.now(), int(timer.data["step"])
        self._apply(unit, message, judge(message, index, lambda step: self._test(message, step), now))
        self.record(unit)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            log.error("outbound.task_failed", exc_info=task.exception())
