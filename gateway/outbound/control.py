"""Second thoughts about a message that no carrier has been handed yet: take it back, or change it.

A message waits while it is held for its time, or while its step is in a queue.  Once the step's effect is
"begun" the carrier may have it, and nothing calls it back.
"""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from gateway.outbound import chain
from gateway.outbound.accept import CANCELLED, Change
from gateway.outbound.pipeline import HELD, OutboundPipeline
from gateway.store.base import Store, Unit
from gateway.store.timers import Timers
from gateway.values.clock import Clock
from gateway.values.event import Event
from gateway.values.message import Message, StepRecord, StepState
from gateway.values.outcome import Status
from gateway.values.work import Timer

_UNFINISHED = (StepState.PENDING, StepState.TRYING)


class Control:
    def __init__(self, *, store: Store, clock: Clock, timers: Timers, pipeline: OutboundPipeline) -> None:
        self._store = store
        self._clock = clock
        self._timers = timers
        self._pipeline = pipeline

    async def cancel(self, id: str, reason: str) -> bool:
        """Take a message back: it has failed, with code "cancelled".  False: it is too late.

        Raises StoreError or Throttled; then nothing has changed.
        """
        message = await self._pipeline.load(id)
        # from here to the commit nothing waits: no bind can take the message meanwhile
        if message is None or not self._waits(message):
            return False
        now = self._clock.now()
        unit = Unit()
        self._pipeline.recall(unit, message)
        steps = tuple(
            replace(step, state=chain.after(step.state, chain.Cause.ABANDONED), reason=reason, ended_at=now)
            if step.state in _UNFINISHED
            else step
            for step in message.steps
        )
        changed = replace(
            message,
            steps=steps,
            waits="",
            status=Status.FAILED,
            reason=reason,
            code=CANCELLED,
            updated_at=now,
        )
        self._timers.clear(unit, HELD, id)
        self._pipeline.decide(unit, message, chain.Decision(changed, timer_done=True))
        await unit.commit(self._store)
        return True

    async def replace(self, id: str, change: Change) -> bool:
        """Change a message of one step.  False: it is too late.  Raises StoreError or Throttled."""
        message = await self._pipeline.load(id)
        if message is None or len(message.plan) != 1 or not self._waits(message):
            return False
        now = self._clock.now()
        step, within = message.plan[0], change.validity_seconds
        if change.text is not UNSET:
            step = replace(step, text=change.text, code=None)
        if change.form is not UNSET:
            step = replace(step, form=change.form)
        if within is not UNSET:
            step = replace(step, within_seconds=within)
        changed = replace(message, text=step.text, plan=(step,), updated_at=now)
        if change.receipt_wanted is not UNSET and message.part_receipts:
            wanted = bytes((change.receipt_wanted,)) * len(message.part_receipts)
            changed = replace(changed, part_receipts=wanted)
        elif change.receipt_wanted is not UNSET:
            changed = replace(changed, receipt_wanted=change.receipt_wanted)
        unit = Unit()
        self._pipeline.recall(unit, message)
        held = message.step < 0
        if change.not_before is not UNSET:
            if not held:
                self._timers.clear(unit, "step", id)
                changed = replace(changed, steps=(StepRecord(),), step=-1, waits="")
            self._pipeline.hold(unit, changed, change.not_before)
        else:
            self._pipeline.again(unit, changed)
            if within is not UNSET and not held:
                due = Timer(kind="step", ref=id, due=now + within, data={"step": message.step})
                self._timers.set(unit, due)
        unit.writes.append(
            Event(ref=id, type="message.replaced", service=message.service, at=now, data={"held": held})
        )
        await unit.commit(self._store)
        return True

    def _waits(self, message: Message) -> bool:
        if message.direction != "mt" or message.status is not Status.QUEUED:
            return False
        if message.step < 0:
            return True
        trying = message.steps[message.step].state is StepState.TRYING
        return trying and not self._pipeline.begun(message.id)
