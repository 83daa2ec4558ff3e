"""What a service's [nlp] means: its zone, stages, intents and tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import get_args
from zoneinfo import ZoneInfo

from gateway.config import model
from gateway.config.model import Nlp, NlpTest
from gateway.values.fault import Fault, nearest

_STAGES: tuple[str, ...] = get_args(model.Stage)
_NAMED = ("date", "time", "datetime", "number", "amount", "currency", "phone", "email")


def nlp_faults(path: str, nlp: Nlp) -> Iterator[Fault]:
    """`path` is that of the table."""
    try:
        ZoneInfo(nlp.zone)
    except (ValueError, OSError, KeyError):  # which of them depends on what is wrong with the name
        yield Fault(f"{path}.zone", f'"{nlp.zone}" is no time zone; write "Europe/London"')
    for index, stage in enumerate(nlp.stages):
        if stage in nlp.stages[:index]:
            yield Fault(f"{path}.stages[{index}]", f"{stage} is in the list twice")
    if nlp.intents and "intent" not in nlp.stages:
        yield Fault(f"{path}.intents", 'nothing looks for them: "intent" is not among the stages')
    if not 0 < nlp.threshold <= 1:
        yield Fault(f"{path}.threshold", f"is {nlp.threshold:g}; it must be more than 0 and at most 1")
    if nlp.budget <= 0:
        yield Fault(f"{path}.budget", "must be longer than 0")
    for name, budget in nlp.budgets.items():
        if name not in _STAGES:
            yield Fault(f"{path}.budgets.{name}", f'"{name}" is no stage{nearest(name, _STAGES)}')
        elif budget <= 0:
            yield Fault(f"{path}.budgets.{name}", "must be longer than 0")
    yield from _intents(path, nlp)
    if nlp.profanity.reply and nlp.profanity.action != "reject":
        yield Fault(f"{path}.profanity.reply", 'is for action = "reject", which answers nothing else')
    for index, test in enumerate(nlp.tests):
        yield from _test(f"{path}.tests[{index}]", test, nlp)


def _intents(path: str, nlp: Nlp) -> Iterator[Fault]:
    holders: dict[str, str] = {}
    for name, intent in nlp.intents.items():
        if not intent.examples:
            yield Fault(f"{path}.intents.{name}.examples", "needs at least one")
        for index, example in enumerate(intent.examples):
            where = f"{path}.intents.{name}.examples[{index}]"
            said = " ".join(example.lower().split())
            if not said:
                yield Fault(where, "is empty")
            elif holders.setdefault(said, name) != name:
                yield Fault(where, f'"{example}" is an example of {holders[said]} too')


def _test(path: str, test: NlpTest, nlp: Nlp) -> Iterator[Fault]:
    if test.intent and test.intent not in nlp.intents:
        yield Fault(f"{path}.intent", f'"{test.intent}" is no intent{nearest(test.intent, nlp.intents)}')
    for name in test.entities:
        if name not in _NAMED:
            near = nearest(name, _NAMED) or f" (there are: {', '.join(_NAMED)})"
            yield Fault(f"{path}.entities.{name}", f'"{name}" is nothing that a text names{near}')
    try:
        if test.now:
            datetime.fromisoformat(test.now)
    except ValueError:
        yield Fault(f"{path}.now", f'"{test.now}" is no time; write "2026-11-30T18:00"')
