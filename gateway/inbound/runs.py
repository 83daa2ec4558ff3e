"""The open runs of flows: each input advances one, and what it decides joins the unit that brought it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gateway.config.model import Service
from gateway.content.journal import Journal
from gateway.directory.consent import Consents
from gateway.directory.customer import Customers
from gateway.flows import definition, effects, engine
from gateway.flows.call_effects import (
    Answer,
    Collect,
    Detect,
    HangUp,
    Patch,
    Play,
    Record,
    Transfer,
)
from gateway.flows.definition import Flow
from gateway.flows.inputs import EffectDone, EventIn, Input, MessageIn, Start, Stop, TimeUp
from gateway.flows.simulation import LIMIT_DEPTH, called
from gateway.inbound.actions import Subject
from gateway.inbound.acts import Acts, Perform
from gateway.inbound.custom import Following
from gateway.inbound.on_calls import KIND as ON_CALL
from gateway.inbound.on_calls import OnCalls
from gateway.inbound.open_runs import OpenRuns
from gateway.inbound.paused import KIND as HELD
from gateway.inbound.paused import Paused
from gateway.inbound.records import Records
from gateway.inbound.session_keys import SessionKeys
from gateway.inbound.versions import Versions
from gateway.observe.about import concerning
from gateway.outbound.accept import Accepting, Owing
from gateway.rules import variables
from gateway.store.base import Delete, Store, Unit
from gateway.values.clock import Clock
from gateway.values.errors import BadInput
from gateway.values.event import Event, Trigger
from gateway.values.ids import NewId
from gateway.values.variables import render
from gateway.values.work import Effect, Run

log = logging.getLogger(__name__)

_CALL_LOST = "the gateway was restarted while the call was up"
_BRIEF_SECONDS = 60.0  # a session that was over so soon counts among the causes of what its end brings about
_LIMIT_CASCADE = 50  # inputs that one input may bring about (sends that fail at once, and the like)


class Runs:
    """`record` commits what has happened outside any caller's unit; `fetch` carries out an http effect,
    `others` those that other parts know how to carry out, by type; `speak(text, service, address)` is a text
    as it is said on the phone."""

    def __init__(
        self,
        *,
        services: Mapping[str, Service],
        clock: Clock,
        new_id: NewId,
        accepting: Accepting,
        owing: Owing,
        consents: Consents,
        customers: Customers,
        record: Callable[[Unit], None],
        fetch: Callable[[Effect], None],
        randomness: Callable[[int], bytes],
        journal: Journal,
        others: Mapping[type[Struct], Perform] | None = None,
        speak: Callable[[str, str, str], str] = lambda text, service, address: text,
    ) -> None:
        self._clock = clock
        self._new_id = new_id
        self._record = record
        self._records = Records(services, journal)
        self._acts = Acts(
            services=services,
            accepting=accepting,
            owing=owing,
            consents=consents,
            customers=customers,
            clock=clock,
            fetch=fetch,
            randomness=randomness,
            others=others or {},
        )
        self.firing: Following | None = None
        self.on_calls = OnCalls(clock, speak)
        self._services = services
        self._versions = Versions(clock)
        self._open = OpenRuns(clock, self._time_up)
        self._keys = SessionKeys(self._open.__contains__)
        self._paused = Paused(clock, new_id)
        self._inputs: deque[tuple[str, Input]] = deque()
        self._feeding = False

    async def configure(self, store: Store, services: Mapping[str, Service]) -> None:
        """Take up the flows of new settings; open runs stay on their versions.  Raises BadFlow or StoreError;
        then nothing has changed."""
        await self._versions.take(store, services)
        self.pause(name for name, service in services.items() if service.status != "live")

    def pause(self, services: Iterable[str]) -> None:
        """Until `resume` nothing moves the sessions of these services but what ends them."""
        self._paused.pause(services)

    def resume(self, service: str) -> None:
        """The service is live: its sessions go on with what came for them meanwhile, time-outs last."""
        for run, key, input in list(self._paused.resume(service)):
            if input is None:
                found = self._open.get(run)
                if found is not None and 0 < found.due <= self._clock.now():
                    self._time_up(run, found.due)
                continue
            unit = Unit()
            unit.writes.append(Delete(Effect, (key,)))
            self._feed(unit, run, input)
            self._record(unit)

    async def load(self, store: Store) -> None:
        """Take up the flows, and the runs that were open when the gateway stopped."""
        await self._versions.take(store, self._services)
        self.pause(name for name, service in self._services.items() if service.status != "live")
        for run in await store.open_runs():
            if await self._versions.keep(store, run):
                self._open.put(run)
        now = self._clock.now()
        for run in await store.keyed_runs(now - definition.LIMIT_KEY_SECONDS):
            if await self._versions.keep(store, run):
                until = run.created_at + self._versions.of(run).key_within_seconds
                self._keys.load((run.service, run.flow, run.key), run.id, until)
        self._open.start()

    async def recover(self, store: Store) -> None:
        """After a start: no call has outlived the stop; who waits for an act on one is told."""
        after = ""
        while page := await store.effects(after=after, limit=500):
            after = page[-1].key
            for effect in page:
                if effect.kind == ON_CALL:
                    self.done(effect.ref, effect.key, "hangup", {"reason": _CALL_LOST})
                elif effect.kind == HELD and (run := self._open.get(effect.ref)) is not None:
                    self._paused.load(run.service, effect)

    def close(self) -> None:
        """No time-out is told any more."""
        self._open.stop()

    def __len__(self) -> int:
        return len(self._open)

    def lineage(self, run: str) -> list[str]:
        """An open run, the one that began it, and so on; nothing for one that has ended."""
        found = []
        while (it := self._open.get(run)) is not None:
            found.append(run)
            run = it.parent
        return found

    def start(self, unit: Unit, flow: str, subject: Subject) -> str:
        """The run's id, also of one that has ended already; "" where its session key is taken.  Raises
        BadInput."""
        found = self._versions.pick(subject.service, flow, subject.customer)
        id = self._new_id()
        # of a session whose end began this one, its result and reason stay readable
        own = {**subject.variables.get("session", {}), "id": id, "flow": flow, "transid": subject.transid}
        if subject.hops:
            own["hops"] = subject.hops
        began = Start(
            run_id=id,
            service=subject.service,
            customer=subject.customer,
            number=subject.number,
            variables={**subject.variables, "session": own},
        )
        if found.key:
            key = render(found.key, subject.variables, missing="")
            if taken := self._keys.holder((subject.service, flow, key), self._clock.now()):
                self._tell(unit, subject, "session.duplicate", flow=flow, key=key, run=taken)
                return ""
            began = replace(began, key=key)
        advance = self._begin(unit, found, began)
        self._tell(unit, subject, "session.started", run=advance.run.id, flow=flow, version=found.version)
        self._drain(unit)
        return advance.run.id

    def _tell(self, unit: Unit, subject: Subject, type: str, /, **data: object) -> None:
        """In the transaction log of what began, or would have begun, a session."""
        at = self._clock.now()
        unit.writes.append(Event(ref=subject.ref, type=type, service=subject.service, at=at, data=data))

    def _begin(self, unit: Unit, flow: Flow, began: Start) -> engine.Advance:
        """Raises ValueError for a node that the flow has not."""
        now = self._clock.now()
        advance = engine.start(flow, began, now)
        advance = replace(advance, run=self._records.begun(advance.run))
        if began.key:
            until = now + flow.key_within_seconds
            self._keys.take(unit, (began.service, flow.name, began.key), began.run_id, until, now)
        extra = {**_about(advance.run), "service": began.service, "flow": flow.name}
        log.info("session.started", extra=extra)
        self._apply(unit, None, advance)
        return advance

    def open_run(self, customer: str, number: str, app_of: str = "") -> str:
        """The youngest open run between them that has a node which receives; "" if there is none.  With
        `app_of`, a service, the number is an app of its, and a run of it that waits for app.received is one,
        wherever it began."""
        for run in self._open.of(customer):
            if app_of and run.service != app_of:
                continue
            if app_of and Trigger.APP_RECEIVED in run.waiting.split():
                return run.id
            if run.number == number and any(
                node.listens_to("message") for node in self._flow(run).nodes.values()
            ):
                return run.id
        return ""

    def service(self, run: str) -> str:
        """Whose run it is."""
        found = self._open.get(run)
        assert found is not None, "open_run has just named it"
        return found.service

    def event(self, unit: Unit, service: str, customer: str, type: str, data: Mapping[str, Any]) -> None:
        """Something has happened that concerns the customer: runs of the service that wait for it go on."""
        if not customer:
            return
        for run in list(self._open.of(customer)):
            if run.service == service and type in run.waiting.split():
                self._inputs.append((run.id, EventIn(type, dict(data))))
        self._drain(unit)

    def message(self, unit: Unit, run: str, subject: Subject) -> None:
        """The customer has written to the run."""
        seen, found = subject.variables, self._open.get(run)
        if found is not None and subject.type in found.waiting.split():
            self._feed(unit, run, EventIn(subject.type, dict(seen["app"])))
            return
        heard = {"nlp": dict(seen["nlp"])} if "nlp" in seen else {}
        said = {**seen["app"], "group": "app"} if "app" in seen else seen["sms"]
        self._feed(unit, run, MessageIn({**said, **heard}))

    def stop(self, unit: Unit, run: str, reason: str) -> None:
        waiting = found.waiting if (found := self._open.get(run)) is not None else ""
        if waiting.startswith("effect:"):  # nobody waits for it any more
            unit.writes.append(Delete(Effect, (waiting.removeprefix("effect:"),)))
        self._feed(unit, run, Stop(reason))

    def effect_done(self, unit: Unit, run: str, key: str, event: str, data: Mapping[str, object]) -> None:
        self._feed(unit, run, EffectDone(key, event, dict(data)))

    def done(self, run: str, key: str, event: str, data: dict[str, Any], noted: Sequence[Event] = ()) -> None:
        """An effect that the store holds, an http request or an act on a call, has been carried out; `noted`
        goes into the transaction log with that."""
        unit = Unit()
        unit.writes.extend(noted)
        unit.writes.append(Delete(Effect, (key,)))
        self.effect_done(unit, run, key, event, data)
        self._record(unit)

    def _time_up(self, run: str, due: float) -> None:
        """The time of a waiting node has run out; the wall clock may have been set back meanwhile."""
        unit = Unit()
        self._inputs.append((run, TimeUp()))
        self._drain(unit, max(due, self._clock.now()))
        self._record(unit)

    def _feed(self, unit: Unit, run: str, input: Input) -> None:
        self._inputs.append((run, input))
        self._drain(unit)

    def _drain(self, unit: Unit, now: float = 0.0) -> None:
        """Advance runs until no input is left: one after the other, so that two sessions of a customer never
        go on at once.  What an advance brings about at once queues up behind it."""
        if self._feeding:
            return
        self._feeding = True
        try:
            for _ in range(_LIMIT_CASCADE):
                if not self._inputs:
                    return
                id, input = self._inputs.popleft()
                self._advance(unit, id, input, now)
            for id in {id for id, _ in self._inputs}:
                reason = f"more than {_LIMIT_CASCADE} steps followed at once"
                self._advance(unit, id, Stop(reason), now)
        finally:
            self._inputs.clear()
            self._feeding = False

    def _advance(self, unit: Unit, id: str, input: Input, now: float) -> None:
        run = self._open.get(id)
        if run is not None and (self.on_calls.busy(id) or not self._paused.takes(unit, run, input)):
            at = max(now, self._clock.now())
            self._apply(unit, run, engine.advance(run, self._flow(run), input, at))

    def _apply(self, unit: Unit, before: Run | None, advance: engine.Advance) -> None:
        run = advance.run
        if run is before:
            return
        self._records.write(unit, advance)
        self._open.put(run)
        unit.undo.append(lambda: self._open.put(before or replace(run, state="ended")))
        about = _about(run)
        first = len(unit.acts)
        with concerning(**about):
            for effect in advance.effects:
                done = self._carry_out(unit, run, effect)
                if done is not None:
                    self._inputs.append((run.id, done))
            if run.state == "ended":
                self._ended(unit, run, advance.events[-1])
        unit.acts[first:] = [partial(_act, act, about) for act in unit.acts[first:]]

    async def tidy(self, store: Store) -> None:
        """What is kept of sessions goes when its time is over."""
        await self._records.tidy(store, self._clock.now())

    def _carry_out(self, unit: Unit, run: Run, effect: effects.Effect) -> EffectDone | None:
        match effect:
            case effects.StartFlow():
                return self._call(unit, run, effect)
            case Answer() | Play() | Collect() | Record() | Detect() | Patch() | Transfer() | HangUp():
                return self.on_calls.act(unit, run, effect)
            case _:
                return self._acts.carry_out(unit, run, effect)

    def _call(self, unit: Unit, run: Run, effect: effects.StartFlow) -> EffectDone | None:
        """Begin another flow for a run, which hears of its end."""
        try:
            if run.depth >= LIMIT_DEPTH:
                raise BadInput(f"flows have begun flows {LIMIT_DEPTH} deep")
            found = self._versions.pick(run.service, effect.flow, run.customer)
            began = called(run, effect, self._new_id())
            self._begin(unit, found, began)
        except (BadInput, ValueError) as error:
            return EffectDone(effect.key, "error", {"run": "", "code": 102, "reason": str(error)})
        return None

    def _ended(self, unit: Unit, run: Run, event: Event) -> None:
        log.info(
            "session.ended",
            extra={**_about(run), "service": run.service, "flow": run.flow, "result": run.result},
        )
        self.on_calls.over(unit, run.id)
        for child in list(self._open.of(run.customer)):
            if child.parent == run.id:
                self._inputs.append((child.id, Stop("the session that began it has ended")))
        if run.parent:
            data = {name: value for name, value in run.data.items() if "." not in name}
            told = {"run": run.id, "code": run.result, "reason": run.reason, "data": data}
            done = EffectDone(run.parent_key, "done" if run.result == 0 else "error", told)
            self._inputs.append((run.parent, done))
        if self.firing is not None:
            transid = str(run.data.get("session.transid", ""))
            seen = variables.session(
                id=run.id, flow=run.flow, transid=transid, result=run.result, reason=run.reason
            )
            self.firing.fire(
                unit,
                event,
                seen,
                customer=run.customer,
                number=run.number,
                body=seen["session"],
                hops=run.data.get("session.hops", 0) if event.at - run.created_at < _BRIEF_SECONDS else 0,
            )

    def _flow(self, run: Run) -> Flow:
        return self._versions.of(run)


def _about(run: Run) -> dict[str, str]:
    """What each line of the log has that is written for a session."""
    return {"session": run.id, "transid": str(run.data.get("session.transid", ""))}


def _act(act: Callable[[], None], about: Mapping[str, str]) -> None:
    with concerning(**about):
        try:
            act()
        except Exception:  # the others are of other sessions
            log.exception("session.act_failed")
