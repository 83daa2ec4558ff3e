"""What comes for the sessions of suspended services: kept, and told to them once the service is live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from gateway.flows.inputs import EffectDone, EventIn, Input, MessageIn, Stop, TimeUp
from gateway.store.base import Unit
from gateway.values.clock import Clock
from gateway.values.ids import NewId
from gateway.values.work import Effect, Run

KIND = "held"  # of the effect that keeps an input

_Kept = MessageIn | EventIn | EffectDone


class Paused:
    def __init__(self, clock: Clock, new_id: NewId) -> None:
        self._clock = clock
        self._new_id = new_id
        self._services: set[str] = set()
        self._inputs: dict[str, dict[str, list[tuple[str, Input]]]] = {}  # by service, by run
        self._late: dict[str, dict[str, float]] = {}  # service -> runs whose time ran out, and when

    def pause(self, services: Iterable[str]) -> None:
        self._services |= set(services)

    def load(self, service: str, effect: Effect) -> None:
        """An input that the store holds."""
        kept: Input = msgspec.convert(effect.data, _Kept)
        self._keep(service, effect.ref, effect.key, kept)

    def takes(self, unit: Unit, run: Run, input: Input) -> bool:
        """Keep the input if the run is paused; False: it is not.  What stops a run stops it at once."""
        if run.service not in self._services or isinstance(input, Stop):
            return False
        if isinstance(input, TimeUp):
            self._late.setdefault(run.service, {})[run.id] = run.due  # the store has it in the run
            return True
        key = f"{run.id}/held-{self._new_id()}"  # by age
        self._keep(run.service, run.id, key, input)
        data: dict[str, Any] = msgspec.to_builtins(input)
        now = self._clock.now()
        unit.writes.append(Effect(key=key, kind=KIND, ref=run.id, data=data, created_at=now))
        unit.undo.append(lambda: self._forget(run.service, run.id, key))
        return True

    def resume(self, service: str) -> Iterator[tuple[str, str, Input | None]]:
        """(run, key, input) of all that was kept, in its order, then (run, "", None) for each whose time ran
        out."""
        self._services.discard(service)
        for run, inputs in self._inputs.pop(service, {}).items():
            for key, input in inputs:
                yield run, key, input
        for run in self._late.pop(service, {}):
            yield run, "", None

    def _keep(self, service: str, run: str, key: str, input: Input) -> None:
        self._inputs.setdefault(service, {}).setdefault(run, []).append((key, input))

    def _forget(self, service: str, run: str, key: str) -> None:
        kept = self._inputs.get(service, {}).get(run, [])
        kept[:] = [one for one in kept if one[0] != key]
