"""What is wrong with how a step of a chain, or an app, waits, repeats and counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.config.model import App, Chain, Step
from gateway.values.fault import Fault

_MOST_RETRIES = 10
# how far each channel can bring a step
_UNTIL: Mapping[str, tuple[str, ...]] = {
    "sms": ("accepted", "delivered"),
    "voice": ("accepted", "answered", "confirmed"),
    "app": ("accepted", "delivered", "read"),
}
_KEYS = tuple("0123456789*#")
_PLAIN = Step(channel="voice")
_WHAT: Mapping[str, str] = {"sms": "an SMS", "voice": "a call", "app": "what an app shows"}


def step_faults(path: str, chain: Chain, step: Step) -> Iterator[Fault]:
    possible = _UNTIL[step.channel]
    if step.until not in possible:
        words = " or ".join(f'"{word}"' for word in possible)
        yield Fault(f"{path}.until", f"{_WHAT[step.channel]} is never {step.until}; write {words}")
    yield from _repeated(path, step)
    if step.confirm not in _KEYS:
        yield Fault(f"{path}.confirm", f'"{step.confirm}" is no key; write one of {" ".join(_KEYS)}')
    if step.until != "confirmed":
        for key in ("confirm", "ask"):
            if getattr(step, key) != getattr(_PLAIN, key):
                yield Fault(f"{path}.{key}", 'says nothing without until = "confirmed"')
    if step.away == "next":
        return
    if step.channel != "app":
        yield Fault(f"{path}.away", f"is about apps; {_WHAT[step.channel]} goes to no installation")
    elif not step.within and step is not chain.steps[-1]:
        yield Fault(f"{path}.within", 'must say how long, since away = "wait"')


def _repeated(path: str, step: Step) -> Iterator[Fault]:
    if not 0 <= step.retries <= _MOST_RETRIES:
        yield Fault(f"{path}.retries", f"is {step.retries}; it must be 0 to {_MOST_RETRIES}")
    if step.retries and not step.retry_on:
        yield Fault(f"{path}.retry_on", "is empty, so that nothing is ever tried again")
    if step.channel == "voice" and "rejected" in step.retry_on:
        yield Fault(f"{path}.retry_on", "who has declined a call is not rung again; leave rejected out")


def app_faults(path: str, app: App) -> Iterator[Fault]:
    for key in ("token_valid", "keep"):
        if getattr(app, key) <= 0:
            yield Fault(f"{path}.{key}", "must be longer than 0")
