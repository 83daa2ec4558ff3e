"""The flows that sessions run on: those of the service files, and the versions that the store holds."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from gateway.config.model import Service
from gateway.flows import definition, rollout
from gateway.flows.definition import Flow
from gateway.flows.rollout import Written
from gateway.observe.about import concerning
from gateway.store.base import Store, Unit
from gateway.values.clock import Clock
from gateway.values.errors import BadInput
from gateway.values.work import FlowState, Run

log = logging.getLogger(__name__)

Place = tuple[str, str]  # service, flow
Version = tuple[str, str, str]  # service, flow, content hash


class Versions:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._flows: dict[Version, Flow] = {}
        self._numbers: dict[Place, dict[int, str]] = {}
        self._states: dict[Place, FlowState] = {}
        self._testers: dict[str, frozenset[str]] = {}

    async def take(self, store: Store, services: Mapping[str, Service]) -> None:
        """Take up the flows of the service files, and what operators have chosen since those were changed.

        Raises BadFlow, or StoreError; then nothing has changed.
        """
        written, flows = _read(services)
        states = {(state.service, state.flow): state for state in await store.flow_states()}
        numbers: dict[Place, dict[int, str]] = {}
        for service, flow, number, version in await store.flow_heads():
            numbers.setdefault((service, flow), {})[number] = version
        unit, now = Unit(), self._clock.now()
        for place, each in written.items():
            before = states.get(place)
            state, fresh = rollout.taken(each, before, numbers.get(place, {}), now)
            if fresh is not None:
                unit.writes.append(fresh)
                numbers.setdefault(place, {})[fresh.number] = fresh.version
            if state != before:
                unit.writes.append(state)
            states[place] = state
        places = [(name, flow) for name, service in services.items() for flow in service.flows]
        used = {place: states[place] for place in places if place in states}
        for (service, flow), state in used.items():
            for number in {state.live, state.other, state.draft} - {0}:
                wanted = (service, flow, numbers[service, flow].get(number, ""))
                if wanted not in flows and wanted not in self._flows:
                    await self._fetch(store, wanted, flows)
        await unit.commit(store)
        self._flows |= flows
        self._numbers = numbers
        self._states = used
        self._testers = {name: frozenset(service.test_numbers) for name, service in services.items()}

    async def keep(self, store: Store, run: Run) -> bool:
        """Have the version at hand that a run is on.  False: it is not there, or does not read any more."""
        version = (run.service, run.flow, run.version)
        if version in self._flows:
            return True
        with concerning(session=run.id, transid=str(run.data.get("session.transid", ""))):
            return await self._fetch(store, version, self._flows)

    def of(self, run: Run) -> Flow:
        return self._flows[run.service, run.flow, run.version]

    def pick(self, service: str, flow: str, customer: str) -> Flow:
        """The version that a new session of the customer gets.  Raises BadInput."""
        place = (service, flow)
        state = self._states.get(place)
        if state is None:
            raise BadInput(f"service {service!r} has no flow {flow!r}", field="flow", code="unknown_flow")
        tester = customer in self._testers.get(service, ())
        number = rollout.chosen(state, customer, tester=tester)
        found = self._flows.get((service, flow, self._numbers[place].get(number, "")))
        if found is None:
            reason = f"version {number} of flow {flow!r} cannot be read any more"
            raise BadInput(reason, field="flow", code="bad_flow")
        return found

    async def _fetch(self, store: Store, version: Version, into: dict[Version, Flow]) -> bool:
        service, flow, content = version
        stored = await store.flow_version(*version)
        if stored is None:
            log.error("flow.version_missing", extra={"service": service, "flow": flow, "version": content})
            return False
        try:
            into[version] = definition.stored(flow, stored.definition)
        except definition.BadFlow as error:  # what an older gateway ran, this one does not know
            log.error("flow.version_bad", extra={"service": service, "flow": flow, "reason": str(error)})
            return False
        return True


def _read(services: Mapping[str, Service]) -> tuple[dict[Place, Written], dict[Version, Flow]]:
    """What the files say.  A draft may be incomplete: what it has no way for ends a session; of one that
    cannot be read, or has no beginning, there is nothing to take up.  Raises BadFlow."""
    written: dict[Place, Written] = {}
    flows: dict[Version, Flow] = {}
    for service, settings in services.items():
        for name, table in settings.flows.items():
            whole = definition.bundled(table, settings.integrations)
            draft = table.get("draft") is True
            try:
                flow = definition.stored(name, whole) if draft else definition.read(name, whole)
            except definition.BadFlow:
                if draft:
                    continue
                raise
            if flow.start not in flow.nodes:
                continue
            written[service, name] = Written(
                service=service, flow=name, version=flow.version, table=dict(whole)
            )
            flows[service, name, flow.version] = flow
    return written, flows
