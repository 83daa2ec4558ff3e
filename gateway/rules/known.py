"""What the conditions of rules and of chains' steps, and the texts of rules, may name: a condition that names
anything else never holds, and what a text belongs to is not done."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from gateway.config.model import Action, Rule, Service
from gateway.rules import variables
from gateway.rules.conditions import Condition
from gateway.values.call import Call
from gateway.values.event import CUSTOM, Trigger
from gateway.values.fault import Fault, nearest
from gateway.values.variables import names as variables_of

# A group that is open has None: its names are the service's own, and come with the customer or the text
Names = Mapping[str, Collection[str] | None]

_QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")
_CALL = variables.call(
    Call(id="", direction="in", service="", trunk="", caller="", called="", started_at=0.0)
)
SMS = tuple(variables.sms(sender="", recipient="", text="")["sms"])
_ALWAYS: Names = {"customer": None, "service": ("name",)}
_EVENTS: Mapping[str, Names] = {
    Trigger.SMS_RECEIVED: {"sms": SMS, "nlp": None},
    Trigger.SMS_STATUS: variables.status(value="", transid="", sender="", recipient=""),
    Trigger.CALL_MISSED: _CALL,
    Trigger.CALL_ANSWERED: _CALL,
    Trigger.CALL_ENDED: _CALL,
    Trigger.LINK_CLICKED: variables.click(link="", device="", count=0, ref=""),
    Trigger.APP_RECEIVED: {"app": SMS, "nlp": None},
    Trigger.SESSION_ENDED: variables.session(id="", flow="", transid="", result=0),
}


def of_rule(path: str, rule: Rule, condition: Condition, service: Service) -> Iterator[Fault]:
    """What its condition and the texts of its actions name; `rule.on` is an event that there is."""
    custom = rule.on.startswith(CUSTOM)
    names = {**_ALWAYS, **({"custom": None} if custom else _EVENTS[rule.on])}
    yield from unknown(f"{path}.when", condition, names, rule.on)
    texts = [
        (f"{path}.do[{n}].{where}", text) for n, act in enumerate(rule.do) for where, text in _texts(act)
    ]
    for where, text in texts:
        for name in variables_of(text):
            group, _, rest = name.partition(".")
            yield from _unknown(where, group, rest.split(".")[:1], {**names, "link": None}, rule.on)
    if custom:
        declared = service.events[rule.on.removeprefix(CUSTOM)].parameters
        wanted = {f"{path}.when": _unasked(condition)}
        for where, text in texts:
            found = [name.split(".") for name in variables_of(text)]
            wanted[where] = [name[1] for name in found if len(name) > 1 and name[0] == "custom"]
        for where, parameters in wanted.items():
            for name in parameters:
                if name not in declared:
                    near = nearest(name, declared) or "; nothing is done where it is not given"
                    yield Fault(where, f'{rule.on} declares no parameter "{name}"{near}', warning=True)


def unknown(path: str, condition: Condition, names: Names, of: str) -> Iterator[Fault]:
    """Each name that is not among `names`; `of` says what has those."""
    for group in sorted(condition.names):
        yield from _unknown(path, group, fields(condition, group), names, of)


def _unknown(path: str, group: str, named: Iterable[str], names: Names, of: str) -> Iterator[Fault]:
    if group not in names:
        near = nearest(group, names) or f" (there are: {', '.join(sorted(names))})"
        yield Fault(path, f'{of} has nothing called "{group}"{near}')
    elif (known := names[group]) is not None:
        for name in named:
            if name not in known:
                near = nearest(name, known) or f" (there are: {', '.join(known)})"
                yield Fault(path, f'{of} has no "{group}.{name}"{near}')


def _unasked(condition: Condition) -> list[str]:
    """Whoever raises an event may give more than it declares: what has() asks after is none of these."""
    asked = set(re.findall(r"\bhas\(\s*custom\.(\w+)", condition.expression))
    return [name for name in fields(condition, "custom") if name not in asked]


def _texts(action: Action) -> Iterator[tuple[str, str]]:
    """The places of its texts, below the action."""
    yield "reply", action.reply
    for what, message in (("send", action.send), ("call", action.call)):
        if message is not None:
            yield f"{what}.to", message.to
            yield f"{what}.from", message.sender
            yield f"{what}.text", message.text
    if action.chain is not None:
        yield "chain.to", action.chain.to
        yield from ((f"chain.variables.{name}", text) for name, text in action.chain.variables.items())
    if action.event is not None:
        yield from ((f"event.parameters.{name}", text) for name, text in action.event.parameters.items())
    yield from ((f"profile.{name}", text) for name, text in action.profile.items())


def fields(condition: Condition, group: str) -> list[str]:
    """The names that follow the group's in the expression, each once."""
    bare = _QUOTED.sub('""', condition.expression)
    return list(dict.fromkeys(re.findall(rf"(?<![\w.]){group}\.([A-Za-z_]\w*)(?!\w*\s*\()", bare)))
