"""What sessions do on their calls: in the store while it is being done, since no call outlives a stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec.structs import replace

from gateway.flows.call_effects import CallEffect, Collect, Play, Record
from gateway.flows.inputs import EffectDone
from gateway.store.base import Unit
from gateway.values.clock import Clock
from gateway.values.dialogue import Utterance
from gateway.values.work import Effect, Run

KIND = "call"  # of effect


class Calling(Protocol):
    """Calls that are up for runs (inbound.live)."""

    def carry_out(self, run: str, effect: CallEffect) -> None:
        """Do it; `done` follows, perhaps before this returns."""
        ...

    def has(self, run: str) -> bool:
        """Whether the run, or the one that began it, has a call that is not over."""
        ...

    def over(self, run: str) -> None:
        """The run has ended: its call, if there is one, goes with it."""
        ...


class OnCalls:
    """`calls` are set once there is telephony; `speak(text, service, address)` is a text as it is said on the
    phone."""

    def __init__(self, clock: Clock, speak: Callable[[str, str, str], str]) -> None:
        self.calls: Calling | None = None
        self._clock = clock
        self._speak = speak
        self._busy: set[str] = set()  # runs that have acted on a call

    def act(self, unit: Unit, run: Run, effect: CallEffect) -> EffectDone | None:
        """The outcome comes later, unless there is no telephony."""
        calls = self.calls
        if calls is None:
            return EffectDone(effect.key, "error", {"reason": "the gateway has no telephony"})
        self._busy.add(run.id)
        data = msgspec.to_builtins(effect)
        unit.writes.append(
            Effect(key=effect.key, kind=KIND, ref=run.id, data=data, created_at=self._clock.now())
        )
        # what is stored of it does not say the code that is spoken
        said = _spoken(effect, lambda text: self._speak(text, run.service, run.customer))
        unit.acts.append(lambda: calls.carry_out(run.id, said))
        return None

    def busy(self, run: str) -> bool:
        """Whether somebody would hear nothing, and wait, if the run were paused."""
        return run in self._busy or (self.calls is not None and self.calls.has(run))

    def over(self, unit: Unit, run: str) -> None:
        """The run has ended."""
        self._busy.discard(run)
        if (calls := self.calls) is not None:
            unit.acts.append(lambda: calls.over(run))


def _spoken(effect: CallEffect, speak: Callable[[str], str]) -> CallEffect:
    def words(prompt: tuple[Utterance, ...]) -> tuple[Utterance, ...]:
        return tuple(replace(one, text=speak(one.text)) for one in prompt)

    match effect:
        case Collect():
            return replace(effect, prompt=words(effect.prompt), invalid=words(effect.invalid))
        case Play() | Record():
            return replace(effect, prompt=words(effect.prompt))
        case _:
            return effect
