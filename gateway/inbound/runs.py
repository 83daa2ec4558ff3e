"""The open runs of flows: each input advances one, and what it decides joins the unit that brought it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec.structs import replace

from gateway.config.model import Service
from gateway.flows import definition, effects, engine
from gateway.flows.definition import Flow
from gateway.flows.inputs import EffectDone, Input, MessageIn, Stop, TimeUp
from gateway.inbound.actions import Subject
from gateway.outbound.accept import Accepting, SendRequest
from gateway.rules import variables
from gateway.store.base import Delete, Store, Unit
from gateway.store.timers import Timers
from gateway.values.clock import Clock
from gateway.values.errors import BadInput
from gateway.values.event import Event, Trigger
from gateway.values.ids import NewId
from gateway.values.outcome import Result
from gateway.values.work import Effect, FlowVersion, Run, Timer

log = logging.getLogger(__name__)

TIMER = "run"
_LIMIT_CASCADE = 50  # inputs that one input may bring about (sends that fail at once, and the like)

Version = tuple[str, str, str]  # service, flow, version


class Firing(Protocol):
    def fire(
        self,
        unit: Unit,
        event: Event,
        seen: variables.Variables,
        *,
        customer: str,
        number: str,
        body: Mapping[str, object],
    ) -> None: ...


class Runs:
    """`record` commits what has happened outside any caller's unit; `fetch` carries out an http effect."""

    def __init__(
        self,
        *,
        services: Mapping[str, Service],
        clock: Clock,
        new_id: NewId,
        accepting: Accepting,
        timers: Timers,
        record: Callable[[Unit], None],
        fetch: Callable[[Effect], None],
    ) -> None:
        self._clock = clock
        self._new_id = new_id
        self._accepting = accepting
        self._timers = timers
        self._record = record
        self._fetch = fetch
        self.firing: Firing | None = None
        self._current: dict[tuple[str, str], Flow] = {}
        self._definitions: dict[Version, dict[str, Any]] = {}
        self._flows: dict[Version, Flow] = {}
        self._stored: set[Version] = set()
        self._open: dict[str, Run] = {}
        self._with: dict[tuple[str, str], list[str]] = {}  # (customer, number) -> run ids, oldest first
        self._inputs: deque[tuple[str, Input]] = deque()
        self._feeding = False
        self.configure(services)

    def configure(self, services: Mapping[str, Service]) -> None:
        """Take the current version of every flow; open runs stay on theirs."""
        current: dict[tuple[str, str], Flow] = {}
        for service, settings in services.items():
            for name, written in settings.flows.items():
                flow = definition.read(name, written)
                current[service, name] = flow
                version = (service, name, flow.version)
                self._flows[version] = flow
                self._definitions[version] = written
        self._current = current

    async def load(self, store: Store) -> None:
        """Take up the runs that were open when the gateway stopped."""
        for run in await store.open_runs():
            version = (run.service, run.flow, run.version)
            if version not in self._flows:
                stored = await store.flow_version(*version)
                if stored is None:
                    log.error("run.version_missing", extra={"run": run.id, "flow": run.flow})
                    continue
                try:
                    self._flows[version] = definition.read(run.flow, stored.definition)
                except definition.BadFlow as error:  # what an older gateway ran, this one does not know
                    log.error("run.version_bad", extra={"run": run.id, "reason": str(error)})
                    continue
            self._stored.add(version)
            self._keep(run)

    def __len__(self) -> int:
        return len(self._open)

    def start(self, unit: Unit, flow: str, subject: Subject) -> None:
        found = self._current.get((subject.service, flow))
        if found is None:
            raise BadInput(
                f"service {subject.service!r} has no flow {flow!r}", field="flow", code="unknown_flow"
            )
        now = self._clock.now()
        version = (subject.service, flow, found.version)
        if version not in self._stored:
            unit.acts.append(lambda: self._stored.add(version))
            unit.writes.append(
                FlowVersion(
                    service=subject.service,
                    flow=flow,
                    version=found.version,
                    definition=self._definitions[version],
                    created_at=now,
                )
            )
        advance = engine.start(
            found,
            run_id=self._new_id(),
            service=subject.service,
            customer=subject.customer,
            number=subject.number,
            variables=dict(subject.variables),
            now=now,
        )
        unit.writes.append(
            Event(
                ref=subject.ref,
                type="session.started",
                service=subject.service,
                at=now,
                data={"run": advance.run.id, "flow": flow, "version": found.version},
            )
        )
        self._apply(unit, None, advance)
        self._drain(unit)

    def open_run(self, customer: str, number: str) -> str:
        """The youngest open run between them that has a node which receives; "" if there is none."""
        for id in reversed(self._with.get((customer, number), ())):
            flow = self._flow(self._open[id])
            if any(node.type == "receive" for node in flow.nodes.values()):
                return id
        return ""

    def service(self, run: str) -> str:
        """Whose run it is."""
        return self._open[run].service

    def message(self, unit: Unit, run: str, subject: Subject) -> None:
        """The customer has written to the run."""
        self._feed(unit, run, MessageIn(dict(subject.variables["sms"])))

    def stop(self, unit: Unit, run: str, reason: str) -> None:
        self._feed(unit, run, Stop(reason))

    def effect_done(self, unit: Unit, run: str, key: str, event: str, data: Mapping[str, object]) -> None:
        self._feed(unit, run, EffectDone(key, event, dict(data)))

    def fetched(self, run: str, key: str, event: str, data: dict[str, Any]) -> None:
        """An http effect has been carried out."""
        unit = Unit()
        unit.writes.append(Delete(Effect, (key,)))
        self.effect_done(unit, run, key, event, data)
        self._record(unit)

    def timer(self, timer: Timer) -> None:
        """The time of a waiting node has run out."""
        unit = Unit()
        self._timers.clear(unit, TIMER, timer.ref)
        self._feed(unit, timer.ref, TimeUp())
        self._record(unit)

    def _feed(self, unit: Unit, run: str, input: Input) -> None:
        self._inputs.append((run, input))
        self._drain(unit)

    def _drain(self, unit: Unit) -> None:
        """Advance runs until no input is left.  What an advance brings about at once queues up behind it."""
        if self._feeding:
            return
        self._feeding = True
        try:
            for _ in range(_LIMIT_CASCADE):
                if not self._inputs:
                    return
                id, input = self._inputs.popleft()
                self._advance(unit, id, input)
            for id in {id for id, _ in self._inputs}:
                self._advance(unit, id, Stop(f"more than {_LIMIT_CASCADE} steps followed at once"))
        finally:
            self._inputs.clear()
            self._feeding = False

    def _advance(self, unit: Unit, id: str, input: Input) -> None:
        run = self._open.get(id)
        if run is not None:
            self._apply(unit, run, engine.advance(run, self._flow(run), input, self._clock.now()))

    def _apply(self, unit: Unit, before: Run | None, advance: engine.Advance) -> None:
        run = advance.run
        if run is before:
            return
        unit.writes.append(run)
        unit.writes.extend(advance.events)
        self._keep(run)
        unit.undo.append(lambda: self._keep(before or replace(run, state="ended")))
        if run.due:
            if before is None or run.due != before.due:
                self._timers.set(unit, Timer(kind=TIMER, ref=run.id, due=run.due))
        else:
            self._timers.clear(unit, TIMER, run.id)
        for effect in advance.effects:
            self._carry_out(unit, run, effect)
        for event in advance.events:
            if event.type == Trigger.SESSION_ENDED and self.firing is not None:
                seen = variables.session(id=run.id, flow=run.flow, result=run.result, reason=run.reason)
                self.firing.fire(
                    unit, event, seen, customer=run.customer, number=run.number, body=seen["session"]
                )

    def _carry_out(self, unit: Unit, run: Run, effect: effects.Effect) -> None:
        match effect:
            case effects.HttpRequest():
                stored = Effect(
                    key=effect.key,
                    kind="http",
                    ref=run.id,
                    data={
                        "method": effect.method,
                        "url": effect.url,
                        "headers": effect.headers,
                        "body": effect.body,
                        "timeout": effect.timeout_seconds,
                    },
                    created_at=self._clock.now(),
                )
                unit.writes.append(stored)
                unit.acts.append(lambda: self._fetch(stored))
            case effects.SendSms():
                self._send(
                    unit,
                    SendRequest(
                        service=run.service,
                        to=effect.recipient,
                        sender=effect.sender,
                        text=effect.text,
                        until=effect.until,
                        run=run.id,
                        run_key=effect.key,
                    ),
                )
            case effects.PlaceCall():
                self._send(
                    unit,
                    SendRequest(
                        service=run.service,
                        to=effect.recipient,
                        sender=effect.sender,
                        channel="voice",
                        text=effect.text,
                        wav=effect.wav,
                        language=effect.language,
                        until=Result.ANSWERED,
                        run=run.id,
                        run_key=effect.key,
                    ),
                )

    def _send(self, unit: Unit, request: SendRequest) -> None:
        try:
            self._accepting.accept(unit, request)
        except BadInput as error:
            data = {"transid": "", "status": "failed", "reason": str(error), "code": error.code}
            self._inputs.append((request.run, EffectDone(request.run_key, "error", data)))

    def _flow(self, run: Run) -> Flow:
        return self._flows[run.service, run.flow, run.version]

    def _keep(self, run: Run) -> None:
        between = (run.customer, run.number)
        if run.state == "ended":
            self._open.pop(run.id, None)
            ids = self._with.get(between, [])
            if run.id in ids:
                ids.remove(run.id)
            if not ids:
                self._with.pop(between, None)
            return
        if run.id not in self._open:
            self._with.setdefault(between, []).append(run.id)
        self._open[run.id] = run
