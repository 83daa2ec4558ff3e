"""Rules as they are evaluated: by service, in order, their conditions compiled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gateway.config.model import Action, Rule, Service
from gateway.rules import known
from gateway.rules.conditions import BadCondition, Condition, compiled
from gateway.values.clock import iso
from gateway.values.event import CUSTOM, Trigger
from gateway.values.fault import Fault, nearest

_TRIGGERS = tuple(Trigger)
_ALWAYS = Rule(on="", do=[]).when


class Decided(Struct, frozen=True):
    """One action that a rule asks for."""

    service: str
    rule: str
    action: Action


class Considered(Struct, frozen=True):
    """A rule that was looked at, and what came of it in words: for `gateway why`."""

    service: str
    rule: str
    fired: bool
    reason: str


class Evaluation(Struct, frozen=True):
    """The actions in the order in which they are to be done, and every rule on this event with its reason."""

    decided: tuple[Decided, ...] = ()
    considered: tuple[Considered, ...] = ()


class _Entry(Struct, frozen=True):
    name: str
    rule: Rule
    condition: Condition | None  # None: it does not compile, which `faults` says


class Ruleset:
    """The rules of all live services.  Immutable after `build`."""

    def __init__(self, rules: Mapping[str, tuple[_Entry, ...]], faults: tuple[Fault, ...]) -> None:
        self._rules = rules
        self._concerned = {(name, entry.rule.on) for name, entries in rules.items() for entry in entries}
        self._notifying = {
            (name, entry.rule.on)
            for name, entries in rules.items()
            for entry in entries
            if any(action.notify for action in entry.rule.do)
        }
        self.faults = faults

    @classmethod
    def build(cls, services: Mapping[str, Service]) -> Ruleset:
        """`services` by file name.  What is wrong with a rule is in `faults`; such a rule never fires."""
        faults: list[Fault] = []
        rules = {
            name: _entries(name, service, faults)
            for name, service in services.items()
            if service.status == "live"
        }
        return cls(rules, tuple(faults))

    def concerns(self, service: str, event: str) -> bool:
        """Whether a rule of the service looks at such events at all."""
        return (service, event) in self._concerned

    def notifies(self, service: str, event: str) -> bool:
        """Whether such an event may come to be told to a URL of a rule."""
        return (service, event) in self._notifying

    def evaluate(self, service: str, event: str, variables: Mapping[str, Any], now: float) -> Evaluation:
        """`event` is a Trigger or custom.NAME, `variables` nested as rules.variables has them, `now` Unix
        seconds.

        Rules go by priority, lower first, then by name; one that fires with `stop` is the last.
        """
        decided: list[Decided] = []
        considered: list[Considered] = []
        stopped_by = ""
        for entry in self._rules.get(service, ()):
            if entry.rule.on != event:
                continue
            fired, reason = (False, f"rule {stopped_by} stopped the evaluation")
            if not stopped_by:
                fired, reason = _verdict(entry, variables, now)
            considered.append(Considered(service, entry.name, fired, reason))
            if fired:
                decided += (Decided(service, entry.name, action) for action in entry.rule.do)
                stopped_by = entry.name if entry.rule.stop else ""
        return Evaluation(tuple(decided), tuple(considered))


def _entries(service: str, settings: Service, faults: list[Fault]) -> tuple[_Entry, ...]:
    entries = []
    rules, custom = settings.rules, [f"{CUSTOM}{name}" for name in settings.events]
    for name, rule in sorted(rules.items(), key=lambda item: (item[1].priority, item[0])):
        path = f"services.{service}.rules.{name}"
        if rule.on.startswith(CUSTOM) and rule.on not in custom:
            wanted = rule.on.removeprefix(CUSTOM)
            near = nearest(wanted, settings.events) or f"; declare it: [events.{wanted}]"
            faults.append(Fault(f"{path}.on", f'the service has no event "{wanted}"{near}'))
        elif rule.on not in _TRIGGERS and rule.on not in custom:
            what = f'"{rule.on}" is no event{nearest(rule.on, _TRIGGERS)} (custom.NAME is one too)'
            faults.append(Fault(f"{path}.on", what))
        if rule.valid_to and rule.valid_to <= rule.valid_from:
            faults.append(Fault(f"{path}.valid_to", "is not after valid_from, so that the rule never holds"))
        condition = None
        try:
            condition = compiled(rule.when)
            if rule.on in _TRIGGERS or rule.on in custom:
                faults += known.of_rule(path, rule, condition, settings)
        except BadCondition as error:
            faults.append(Fault(f"{path}.when", error.reason))
        entries.append(_Entry(name, rule, condition))
    return tuple(entries)


def _verdict(entry: _Entry, variables: Mapping[str, Any], now: float) -> tuple[bool, str]:
    rule = entry.rule
    if not rule.active:
        return False, "not active"
    if now < rule.valid_from:
        return False, f"not valid before {iso(rule.valid_from)}"
    if rule.valid_to and now >= rule.valid_to:
        return False, f"not valid any more since {iso(rule.valid_to)}"
    if entry.condition is None:
        return False, "its condition does not compile"
    verdict = entry.condition.evaluate(variables)
    if verdict.error:
        return False, f"its condition could not be evaluated: {verdict.error}"
    if entry.rule.when == _ALWAYS:
        return verdict.holds, "it has no condition"
    return verdict.holds, "its condition holds" if verdict.holds else "its condition does not hold"
