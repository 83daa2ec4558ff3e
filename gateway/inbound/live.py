"""Calls that are up for sessions: what a flow decides to do on its call is done here, and it is told of the
outcome.

A call lives in memory only.  What is being done on it is in the store meanwhile (inbound.runs), so that
after a restart the sessions that wait for it are told, once, that their calls are gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, Self, assert_never

from msgspec import Struct
from msgspec.structs import replace

from gateway.config.model import Number
from gateway.flows.call_effects import (
    Answer,
    CallEffect,
    Collect,
    Detect,
    HangUp,
    Patch,
    Play,
    Record,
    Transfer,
)
from gateway.inbound.actions import Subject
from gateway.protocol.sip.call import Call as SipCall
from gateway.protocol.sip.call import CallEvent, IncomingCall, SipEvent
from gateway.rules import variables
from gateway.store.base import Unit
from gateway.values.address import masked
from gateway.values.call import Call
from gateway.values.clock import Clock
from gateway.values.dialogue import Ask, HungUp, Taped, Taping, Utterance
from gateway.values.errors import BadInput, GatewayError
from gateway.values.event import Event

log = logging.getLogger(__name__)

_HEARD = ("answerer", "answerer_cause", "answerer_seconds")
_NO_CALL = "there is no call in this session"


class Leg(Protocol):
    """A call that is up, or can be answered (channels.voice.leg)."""

    transid: str
    # who has answered (human, machine, unsure), what told, after how many seconds; where that was looked for
    heard: tuple[str, str, float] | None
    refusal: int  # the status for a caller who is not answered
    gone: asyncio.Future[str]

    @property
    def over(self) -> bool: ...
    async def answer(self) -> None: ...
    async def play(self, prompt: Sequence[Utterance], *, barge_in: bool, early: bool = False) -> str: ...
    async def wait_with(self, sound: Utterance) -> None: ...
    def stop_waiting(self) -> None: ...
    async def collect(
        self, prompt: Sequence[Utterance], invalid: Sequence[Utterance], ask: Ask
    ) -> tuple[str, str, int]: ...
    async def record(self, prompt: Sequence[Utterance], taping: Taping) -> Taped: ...
    async def detect(self) -> tuple[str, str, float]: ...
    async def patch(self, other: Self) -> float: ...
    async def transfer(self, to: str) -> tuple[str, int]: ...
    def hang_up(self) -> None: ...
    async def finish(self) -> None: ...


class Ringing(Leg, Protocol):
    """An inbound call (channels.voice.inbound)."""

    def ring(self) -> None: ...
    def event(self, event: SipEvent) -> None: ...


class Arrival(Struct, frozen=True):
    """A call to one of our numbers, whose policy is "answer"."""

    event: IncomingCall
    number: Number
    record: Call


class Sessions(Protocol):
    """The open runs (inbound.runs)."""

    def start(self, unit: Unit, flow: str, subject: Subject) -> str: ...
    def lineage(self, run: str) -> list[str]: ...
    def service(self, run: str) -> str: ...
    def done(
        self, run: str, key: str, event: str, data: dict[str, Any], noted: Sequence[Event] = ()
    ) -> None: ...


class LiveCalls:
    """`receive` makes the leg of an inbound call, `room` tells whether its
    trunk may have one more, `refusal` whether a customer has opted out; `record` commits a unit."""

    def __init__(
        self,
        *,
        clock: Clock,
        sessions: Sessions,
        receive: Callable[[Arrival], Ringing],
        room: Callable[[str], bool],
        refusal: Callable[[str, str], str],
        record: Callable[[Unit], None],
    ) -> None:
        self._clock = clock
        self._sessions = sessions
        self._receive = receive
        self._room = room
        self._refusal = refusal
        self._record = record
        self._legs: dict[str, Leg] = {}  # by run
        self._seconds: dict[str, Leg] = {}  # by run: whom its call is to be patched with
        self._inbound: dict[SipCall, Ringing] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by run: what is being done
        self._last: dict[str, str] = {}  # by run: the key of that
        self.busy: Counter[str] = Counter()  # inbound calls by trunk

    def __len__(self) -> int:
        """Calls that are up."""
        return sum(not leg.over for leg in self._legs.values())

    # -- calls that come and go ----------------------------------------------------------------------

    def incoming(self, arrival: Arrival) -> None:
        """A caller rings: the flow of the number begins, and decides whether to answer."""
        event = arrival.event
        call = replace(arrival.record, rung_at=self._clock.now())
        log.info(
            "call.received",
            extra={
                "transid": call.id,
                "trunk": call.trunk,
                "caller": masked(call.caller) if call.caller else "",
                "called": call.called,
            },
        )
        room = self._room(event.trunk)
        leg = self._receive(Arrival(event, arrival.number, call))
        leg.ring()
        self._inbound[event.call] = leg
        self.busy[event.trunk] += 1
        leg.gone.add_done_callback(lambda _: self._gone(event))
        unit = Unit()
        unit.writes.append(call)
        if room:
            self._begin_session(unit, arrival.number.flow, call, leg)
        else:
            log.warning("call.no_room", extra={"transid": call.id, "trunk": event.trunk})
            unit.acts.append(leg.hang_up)
        self._record(unit)

    def _begin_session(self, unit: Unit, flow: str, call: Call, leg: Leg) -> None:
        opted_out = bool(self._refusal(call.service, call.caller))
        seen = variables.call(call) | variables.subject(
            service=call.service, customer=call.caller, opted_out=opted_out
        )
        subject = Subject(
            ref=call.id,
            type="call",
            service=call.service,
            customer=call.caller,
            number=call.called,
            variables=seen,
        )
        try:
            run = self._sessions.start(unit, flow, subject)
        except BadInput as error:  # the check of the configuration has let it through
            log.error("call.no_flow", extra={"transid": call.id, "reason": str(error)})
            unit.acts.append(leg.hang_up)
        else:
            if run:
                self._legs[run] = leg
            else:  # the session key is that of another session
                unit.acts.append(leg.hang_up)

    def event(self, event: SipEvent) -> bool:
        """What SIP says.  False: it is about no inbound call that a flow has."""
        leg = self._inbound.get(event.call) if isinstance(event, CallEvent) else None
        if leg is None:
            return False
        leg.event(event)
        return True

    def adopt(self, run: str, leg: Leg, keep: str) -> None:
        """The session is calling somebody: for its own call, or for a "patch" with who is on that."""
        if keep == "dial":  # its session begins with the answer
            self._legs[run] = leg
            leg.gone.add_done_callback(lambda _: self._forget(run, leg))
        elif not self._sessions.lineage(run):
            leg.hang_up()
        elif keep == "patch":
            if (first := self._leg(run)) is None:
                leg.hang_up()
                return
            self._seconds[run] = leg
            # nobody's phone is to ring for one who has hung up
            first.gone.add_done_callback(lambda _: leg.hang_up())
            leg.gone.add_done_callback(lambda _: first.stop_waiting())
        else:
            if (before := self._legs.get(run)) is not None:
                before.hang_up()
            self._legs[run] = leg

    def hand_over(self, owner: str, run: str, longest_seconds: float) -> None:
        """What was called for the owner has answered: it is the session's call, for so long at the most."""
        leg = self._legs.pop(owner, None)
        if leg is None:
            return  # it is over again
        self._legs[run] = leg
        limit = asyncio.get_running_loop().call_later(longest_seconds, leg.hang_up)
        leg.gone.add_done_callback(lambda _: limit.cancel())

    def release(self, owner: str) -> None:
        """No session wants the call that was placed for the owner."""
        leg = self._legs.pop(owner, None)
        if leg is not None:
            leg.hang_up()

    def _forget(self, owner: str, leg: Leg) -> None:
        if self._legs.get(owner) is leg:
            del self._legs[owner]

    def _leg(self, run: str) -> Leg | None:
        """The call of a session, or of the one that has called its flow."""
        lineage = self._sessions.lineage(run)
        return next((self._legs[id] for id in lineage if id in self._legs), None)

    def stop(self) -> None:
        """Hang up what is up."""
        for leg in [*self._legs.values(), *self._seconds.values()]:
            leg.hang_up()

    # -- what sessions decide ------------------------------------------------------------------------

    def carry_out(self, run: str, effect: CallEffect) -> None:
        """Do what the session has decided, which is durable; once, however often it is asked for."""
        if self._last.get(run) == effect.key:
            return
        leg = self._leg(run)
        if leg is None:
            self._sessions.done(run, effect.key, "hangup", {"transid": "", "reason": _NO_CALL})
            return
        self._last[run] = effect.key
        self._begin(run, self._perform(run, leg, effect))

    def has(self, run: str) -> bool:
        """Whether the session has a call that is not over."""
        leg = self._leg(run)
        return leg is not None and not leg.over

    def over(self, run: str) -> None:
        """The session has ended, and its call with it."""
        leg, second = self._legs.pop(run, None), self._seconds.pop(run, None)
        if second is not None:
            second.hang_up()
        self._last.pop(run, None)
        task = self._tasks.pop(run, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        if leg is not None and not leg.over:
            self._begin(run, leg.finish())

    def _begin(self, run: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks[run] = asyncio.create_task(work)
        task.add_done_callback(lambda done: self._tasks.pop(run) if self._tasks.get(run) is done else None)

    async def _perform(self, run: str, leg: Leg, effect: CallEffect) -> None:
        try:
            event, data = await self._act(run, leg, effect)
        except HungUp as error:
            event, data = "hangup", {"reason": str(error)}
        except GatewayError as error:
            event, data = "error", {"reason": str(error)}
        except Exception as error:  # a defect of ours; the session must not wait for ever because of it
            log.exception("call.act_failed", extra={"session": run, "key": effect.key})
            event, data = "error", {"reason": f"it failed here: {type(error).__name__}"}
        try:
            heard = dict(zip(_HEARD, leg.heard, strict=True)) if leg.heard else {}
            data = {"transid": leg.transid, "reason": "", **heard, **data}
            noted = self._recorded(run, leg, data) if data.get("file") else ()
            self._sessions.done(run, effect.key, event, data, noted)
        except Exception:
            log.exception("call.session_failed", extra={"session": run, "key": effect.key})
            leg.hang_up()  # nobody would ever do it

    async def _act(self, run: str, leg: Leg, effect: CallEffect) -> tuple[str, dict[str, Any]]:
        match effect:
            case Answer():
                await leg.answer()
                return "answered", {}
            case Play():
                digit = await leg.play(effect.prompt, barge_in=effect.barge_in, early=effect.early)
                if effect.meanwhile is not None:
                    await leg.wait_with(effect.meanwhile)
                return "done", {"digit": digit}
            case Collect():
                outcome, digits, tries = await leg.collect(effect.prompt, effect.invalid, effect.ask)
                return outcome, {"digits": digits, "tries": tries}
            case Record():
                made = await leg.record(effect.prompt, effect.taping)
                event = "stored" if made.file else "error"
                if made.cause == "hangup":  # what was said is kept all the same
                    event = "hangup"
                return event, {"file": made.file, "seconds": made.seconds, "cause": made.cause}
            case Detect():
                answerer, cause, seconds = await leg.detect()
                return answerer, {"answerer": answerer, "cause": cause, "seconds": seconds}
            case Patch():
                second = self._seconds.pop(run, None)
                if second is None:
                    return "error", {"reason": "there is nobody to connect the call to"}
                return "ended", {"seconds": await leg.patch(second), "transid": second.transid}
            case Transfer():
                outcome, status = await leg.transfer(effect.to)
                return outcome, {"code": str(status or "")}
            case HangUp():
                leg.refusal = effect.status or leg.refusal
                await leg.finish()
                return "done", {}
            case _:
                assert_never(effect)

    def _recorded(self, run: str, leg: Leg, data: Mapping[str, Any]) -> tuple[Event, ...]:
        """For the transaction log of the call."""
        about = {"run": run} | {name: data[name] for name in ("file", "seconds", "cause")}
        service, now = self._sessions.service(run), self._clock.now()
        return (Event(ref=leg.transid, type="call.recorded", service=service, at=now, data=about),)

    def _gone(self, event: IncomingCall) -> None:
        self._inbound.pop(event.call, None)
        self.busy[event.trunk] -= 1
