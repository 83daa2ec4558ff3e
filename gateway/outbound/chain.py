"""The one judge of what happens next to a message: its chain of one or more steps.

Pure: it gets the message, what happened and the time, and gives back the message as it is now, with the
step to start or to abandon.  A chain ends when a step reaches its `until`, or when no step is left.

Rules that the table cannot show:
  * a step that is not applicable is skipped; one whose carrier is down is skipped only if a later step can be
    tried at once, or if it says so itself (`away = "wait"`), otherwise it waits for its carrier: store and
    forward;
  * a step that ran out of time or is in doubt has failed only for want of news: a success that comes late
    counts, and stops the step in progress;
  * any other first final state wins: what contradicts it later changes nothing;
  * a repetition of a step is a step of its own, tried after a pause if the one before it failed for now;
  * when the time of the whole is over, the step in progress has run out of time, and none begins any more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from gateway.channels.base import Carrier
from gateway.values.errors import GatewayError
from gateway.values.message import Message, StepPlan, StepRecord, StepState
from gateway.values.outcome import Outcome, Result, Status


class Cause(StrEnum):
    START = "start"
    SKIP = "skip"
    ACCEPTED = "accepted"  # progress short of `until`
    REACHED = "reached"  # `until` and more
    FAILED = "failed"
    ABANDONED = "abandoned"  # another step has succeeded


S, C = StepState, Cause
TRANSITIONS: Mapping[tuple[StepState, Cause], StepState] = {
    (S.PENDING, C.START): S.TRYING,
    (S.PENDING, C.SKIP): S.SKIPPED,
    (S.PENDING, C.ABANDONED): S.SKIPPED,
    (S.TRYING, C.ACCEPTED): S.ACCEPTED,
    (S.TRYING, C.REACHED): S.SUCCEEDED,
    (S.TRYING, C.FAILED): S.FAILED,
    (S.TRYING, C.ABANDONED): S.SKIPPED,
    (S.ACCEPTED, C.ACCEPTED): S.ACCEPTED,
    (S.ACCEPTED, C.REACHED): S.SUCCEEDED,
    (S.ACCEPTED, C.FAILED): S.FAILED,
    (S.ACCEPTED, C.ABANDONED): S.ACCEPTED,  # it is with the carrier: nothing can call it back
    (S.FAILED, C.ACCEPTED): S.FAILED,  # taken after `within` had run out; a receipt may still turn it
    (S.FAILED, C.REACHED): S.SUCCEEDED,  # late success
    (S.FAILED, C.FAILED): S.FAILED,
    (S.SUCCEEDED, C.ACCEPTED): S.SUCCEEDED,
    (S.SUCCEEDED, C.REACHED): S.SUCCEEDED,  # accepted, then delivered
    (S.SUCCEEDED, C.FAILED): S.SUCCEEDED,  # `until = accepted` asked for no more
    (S.SKIPPED, C.ACCEPTED): S.SKIPPED,
    (S.SKIPPED, C.REACHED): S.SKIPPED,
    (S.SKIPPED, C.FAILED): S.SKIPPED,
}


class IllegalTransition(GatewayError):
    """A step was told something that cannot happen in its state: a defect of ours."""


def after(state: StepState, cause: Cause) -> StepState:
    try:
        return TRANSITIONS[state, cause]
    except KeyError:
        raise IllegalTransition(f"a step that is {state} cannot be {cause}") from None


class Fitness(Struct, frozen=True, gc=False):
    """What the channel says of a step before it is tried; the two tests are reported apart."""

    carrier: Carrier
    not_applicable: str = ""  # why; "" = applicable


class Decision(Struct, frozen=True, gc=False):
    """What the judge says.  `start`, `abandon` and `rest` are step indexes, -1 = none."""

    message: Message
    start: int = -1
    abandon: int = -1
    rest: int = -1  # a repetition that begins, by `rested`, when the timer runs out
    timer_due: float = 0.0  # when the time of the step that starts, or the rest, is over; 0 = no such time
    timer_done: bool = False  # the timer of the message is of no use any more


_RANK = {
    Result.ACCEPTED: 1,
    Result.DELIVERED: 2,
    Result.READ: 3,
    Result.ANSWERED: 3,
    Result.CONFIRMED: 4,
}
_FINAL = {
    Result.DELIVERED: Status.DELIVERED,
    Result.READ: Status.READ,
    Result.ANSWERED: Status.ANSWERED,
    Result.CONFIRMED: Status.ANSWERED,
}

TestStep = Callable[[StepPlan], Fitness]


def begin(message: Message, test: TestStep, now: float) -> Decision:
    """Choose the first step of a new message."""
    return _advance(message, 0, test, now)


def happened(message: Message, index: int, outcome: Outcome, test: TestStep, now: float) -> Decision:
    """Apply what a channel reports of step `index`."""
    if not 0 <= index < len(message.plan):
        return Decision(message)
    plan, record = message.plan[index], message.steps[index]
    rank = _RANK.get(outcome.result, 0)
    if rank == 0:
        cause = Cause.FAILED
    elif rank >= _RANK.get(plan.until, 1):
        cause = Cause.REACHED
    else:
        cause = Cause.ACCEPTED
    state = after(record.state, cause)
    if _is_no_news(record, cause, outcome):
        return Decision(message)
    changed = _with_step(
        message,
        index,
        replace(
            record,
            state=state,
            result=str(outcome.result),
            reason=outcome.reason,
            code=outcome.code,
            carrier=outcome.carrier or record.carrier,
            accepted_at=record.accepted_at or (now if outcome.result is Result.ACCEPTED else 0.0),
            ended_at=_ended(record, state, now),
        ),
        now,
    )
    match state:
        case StepState.SUCCEEDED:
            return _succeeded(message, changed, index, outcome)
        case StepState.FAILED if record.state is StepState.FAILED:
            settled = message.status is Status.IN_DOUBT  # now it is known what became of it
            return Decision(_exhausted(changed, now) if settled else changed)
        case StepState.FAILED if index == message.step and not _has_succeeded(message):
            return _advance(changed, index + 1, test, now)
        case StepState.ACCEPTED if not message.status.final:
            return Decision(replace(changed, status=Status.SENT, carrier=outcome.carrier or changed.carrier))
        case _:
            return Decision(changed)


def rested(message: Message, index: int, test: TestStep, now: float) -> Decision:
    """The pause before the repetition `index` is over."""
    if message.step != index - 1 or message.steps[index - 1].state is not StepState.FAILED:
        return Decision(message, timer_done=True)
    return _advance(message, index, test, now, rested=True)


def timed_out(message: Message, index: int, test: TestStep, now: float) -> Decision:
    """`within` of step `index`, or the time of the whole chain, has run out."""
    if index != message.step:
        return Decision(message)  # the chain has moved on, and the timer is that of a later step
    if message.steps[index].state not in (StepState.TRYING, StepState.ACCEPTED):
        return Decision(message, timer_done=True)
    plan = message.plan[index]
    reason = f"not {plan.until} within {plan.within_seconds:g} s"
    if now >= _end(message, now):
        reason = f"not {plan.until} when the chain's {plan.chain_seconds:g} s were over"
    outcome = Outcome(Result.TIMEOUT, reason)
    # a step that no carrier has taken yet must not go out any more once the chain has moved on
    unsent = message.steps[index].state is StepState.TRYING
    decision = happened(message, index, outcome, test, now)
    return replace(decision, abandon=index) if unsent else decision


def _ended(record: StepRecord, state: StepState, now: float) -> float:
    """When a step was decided: news of the same kind later does not change it."""
    if state not in (StepState.SUCCEEDED, StepState.FAILED):
        return 0.0
    return record.ended_at if state is record.state else now


def _is_no_news(record: StepRecord, cause: Cause, outcome: Outcome) -> bool:
    """Whether what is reported of a step is of no consequence after what is known of it already."""
    match record.state:
        case StepState.SKIPPED:
            return True
        case StepState.SUCCEEDED:
            if record.result == Result.DELIVERED and outcome.result is Result.READ:
                return False
            return record.result != Result.ACCEPTED or outcome.result is Result.ACCEPTED
        case StepState.FAILED:
            undecided = record.result in (Result.TIMEOUT, Result.IN_DOUBT)
            return not undecided or cause is Cause.ACCEPTED or outcome.result == record.result
        case _:
            return False


def _has_succeeded(message: Message) -> bool:
    return any(step.state is StepState.SUCCEEDED for step in message.steps)


def _succeeded(before: Message, changed: Message, index: int, outcome: Outcome) -> Decision:
    """Step `index` reached its `until`, or, having reached it, is told more."""
    first = before.steps[index].state is not StepState.SUCCEEDED
    if outcome.result in _FINAL:
        status = _FINAL[outcome.result]
    elif outcome.result is Result.ACCEPTED:
        status = Status.SENT
    elif outcome.result is Result.EXPIRED:
        status = Status.EXPIRED
    elif outcome.result is Result.IN_DOUBT:
        status = Status.IN_DOUBT
    else:
        status = Status.FAILED
    # a person has it: nothing can be worse, and better only that it was seen
    seen = before.status is Status.DELIVERED and status is Status.READ
    if before.status not in _FINAL.values() or seen:
        changed = replace(
            changed,
            status=status,
            reason=outcome.reason,
            code=outcome.code,
            carrier=outcome.carrier or changed.carrier,
        )
    current, abandon = before.step, -1
    if first and index != current and before.steps[current].state in (StepState.TRYING, StepState.ACCEPTED):
        abandon = current
        record = changed.steps[current]
        state = after(record.state, Cause.ABANDONED)
        changed = _with_step(
            changed,
            current,
            replace(record, state=state, reason="an earlier step succeeded late"),
            changed.updated_at,
        )
    return Decision(changed, abandon=abandon, timer_done=first)


def _advance(message: Message, index: int, test: TestStep, now: float, *, rested: bool = False) -> Decision:
    """Start the first step from `index` on that can be tried, or end the chain.

    Steps after one that waits for its carrier stay pending: they are tested again when it has failed.
    """
    end = _end(message, now)
    unfit: list[tuple[int, Result, str]] = []
    waiting = -1  # the first applicable step whose carrier is down
    chosen, carrier = -1, Carrier("")
    for i in range(index, len(message.plan)):
        plan = message.plan[i]
        pause = 0.0 if rested and i == index else plan.pause_seconds
        if now + pause >= end:
            unfit.append((i, Result.TIMEOUT, f"the chain's {plan.chain_seconds:g} s are over before it"))
            continue
        if plan.again and (reason := _not_again(message, i, index)):
            unfit.append((i, Result.NOT_APPLICABLE, reason))
            continue
        if pause:
            return _rest(message, i, now + pause)
        fitness = test(plan)
        if fitness.not_applicable:
            unfit.append((i, Result.NOT_APPLICABLE, fitness.not_applicable))
        elif fitness.carrier.up or (plan.away == "wait" and fitness.carrier.name):
            chosen, carrier = i, fitness.carrier
            break
        else:
            unfit.append((i, Result.NOT_AVAILABLE, fitness.carrier.reason))
            if fitness.carrier.name and waiting < 0:
                waiting, carrier = i, fitness.carrier
    if chosen < 0:
        chosen = waiting
    for i, result, reason in unfit:
        if i < chosen or chosen < 0:
            message = _skip(message, i, result, reason, now)
    if chosen >= 0:
        return _start(message, chosen, carrier, now)
    return Decision(_exhausted(message, now), timer_done=True)


def _not_again(message: Message, index: int, first: int) -> str:
    """Why a repetition is not called for; "" = it is."""
    before = message.steps[index - 1]
    if index != first or before.state is not StepState.FAILED:
        return "the step that it repeats was not tried"
    if before.result not in message.plan[index].retry_on:
        return f"the step that it repeats came out as {before.result}, which is for good"
    return ""


def _rest(message: Message, index: int, due: float) -> Decision:
    return Decision(message, rest=index, timer_due=due)


def _end(message: Message, now: float) -> float:
    """When the time of the whole chain is over."""
    seconds = message.plan[0].chain_seconds
    if not seconds:
        return math.inf
    return min((record.started_at for record in message.steps if record.started_at), default=now) + seconds


def _start(message: Message, index: int, carrier: Carrier, now: float) -> Decision:
    record = message.steps[index]
    record = replace(
        record,
        state=after(record.state, Cause.START),
        carrier=carrier.name,
        reason=carrier.reason,
        started_at=now,
    )
    message = replace(
        message,
        steps=_replaced(message.steps, index, record),
        step=index,
        waits=carrier.queue or carrier.name,
        updated_at=now,
    )
    plan = message.plan[index]
    due = now + plan.within_seconds if plan.within_seconds else 0.0
    if plan.chain_seconds:
        due = min(due or math.inf, _end(message, now))
    return Decision(message, start=index, timer_due=due, timer_done=not due)


def _skip(message: Message, index: int, result: Result, reason: str, now: float) -> Message:
    record = message.steps[index]
    record = replace(
        record, state=after(record.state, Cause.SKIP), result=str(result), reason=reason, ended_at=now
    )
    return _with_step(message, index, record, now)


def _exhausted(message: Message, now: float) -> Message:
    """No step is left: the last one that was tried gives the status, or the last that was skipped."""
    tried = [s for s in message.steps if s.state is StepState.FAILED]
    last = tried[-1] if tried else message.steps[-1] if message.steps else StepRecord()
    if last.result in (Result.TIMEOUT, Result.EXPIRED):
        status = Status.EXPIRED
    elif last.result == Result.IN_DOUBT:
        status = Status.IN_DOUBT
    else:
        status = Status.FAILED
    return replace(
        message,
        status=status,
        reason=last.reason,
        code=last.code or last.result,
        carrier=last.carrier,
        updated_at=now,
    )


def _with_step(message: Message, index: int, record: StepRecord, now: float) -> Message:
    """`record` is that of a step which is not being tried."""
    waits = "" if index == message.step else message.waits
    return replace(message, steps=_replaced(message.steps, index, record), waits=waits, updated_at=now)


def _replaced(steps: tuple[StepRecord, ...], index: int, record: StepRecord) -> tuple[StepRecord, ...]:
    return (*steps[:index], record, *steps[index + 1 :]) if len(steps) > 1 else (record,)
