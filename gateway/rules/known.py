"""What the condition of a rule, or of a chain's step, may name: one that names anything else never holds."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from gateway.config.model import Service
from gateway.rules import variables
from gateway.rules.conditions import Condition
from gateway.values.call import Call
from gateway.values.event import CUSTOM, Trigger
from gateway.values.fault import Fault, nearest

# A group that is open has None: its names are the service's own, and come with the customer or the text
Names = Mapping[str, Collection[str] | None]

_QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")
_CALL = variables.call(
    Call(id="", direction="in", service="", trunk="", caller="", called="", started_at=0.0)
)
_ALWAYS: Names = {"customer": None, "service": ("name",)}
_EVENTS: Mapping[str, Names] = {
    Trigger.SMS_RECEIVED: {**variables.sms(sender="", recipient="", text=""), "nlp": None},
    Trigger.SMS_STATUS: variables.status(value="", transid="", sender="", recipient=""),
    Trigger.CALL_MISSED: _CALL,
    Trigger.CALL_ANSWERED: _CALL,
    Trigger.CALL_ENDED: _CALL,
    Trigger.LINK_CLICKED: variables.click(link="", device="", count=0, ref=""),
    Trigger.APP_RECEIVED: variables.app(customer="", app="", text=""),
    Trigger.SESSION_ENDED: variables.session(id="", flow="", result=0),
}


def of_rule(path: str, condition: Condition, event: str, service: Service) -> Iterator[Fault]:
    """`event` is one that there is."""
    if event.startswith(CUSTOM):
        yield from unknown(path, condition, {**_ALWAYS, "custom": None}, event)
        yield from _undeclared(path, condition, service, event)
    else:
        yield from unknown(path, condition, {**_ALWAYS, **_EVENTS[event]}, event)


def unknown(path: str, condition: Condition, names: Names, of: str) -> Iterator[Fault]:
    """Each name that is not among `names`; `of` says what has those."""
    for group in sorted(condition.names):
        if group not in names:
            near = nearest(group, names) or f" (there are: {', '.join(sorted(names))})"
            yield Fault(path, f'{of} has nothing called "{group}"{near}')
        elif (known := names[group]) is not None:
            for name in _fields(condition, group):
                if name not in known:
                    near = nearest(name, known) or f" (there are: {', '.join(known)})"
                    yield Fault(path, f'{of} has no "{group}.{name}"{near}')


def _undeclared(path: str, condition: Condition, service: Service, event: str) -> Iterator[Fault]:
    """Whoever raises an event may give more than it declares: then the condition had better ask by has()."""
    declared = service.events[event.removeprefix(CUSTOM)].parameters
    for name in _fields(condition, "custom"):
        if name not in declared and not re.search(rf"\bhas\(\s*custom\.{name}\b", condition.expression):
            near = nearest(name, declared) or "; where it is not given the condition does not hold"
            yield Fault(path, f'{event} declares no parameter "{name}"{near}', warning=True)


def _fields(condition: Condition, group: str) -> list[str]:
    """The names that follow the group's in the expression, each once."""
    bare = _QUOTED.sub('""', condition.expression)
    return list(dict.fromkeys(re.findall(rf"(?<![\w.]){group}\.([A-Za-z_]\w*)(?!\w*\s*\()", bare)))
