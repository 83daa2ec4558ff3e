"""gateway rule: which rules an event would fire, and why the others not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.output import clean, print_json
from gateway.cli.settings import config_option, json_option, settings
from gateway.config.model import Action, Gateway, Service
from gateway.inbound.listening import Listening
from gateway.observe.system import SystemClock
from gateway.rules import variables
from gateway.rules.decide import ByRules, Decision, Default, Nothing, decide
from gateway.rules.keywords import Keywords
from gateway.rules.ruleset import Considered, Decided, Ruleset
from gateway.values.address import canonical
from gateway.values.call import Call
from gateway.values.errors import BadInput
from gateway.values.event import CUSTOM, Trigger
from gateway.values.fault import nearest
from gateway.values.parameters import filled

# event -> the group of its variables, and which end of it is the customer
_GROUPS = {
    Trigger.SMS_RECEIVED: ("sms", "from"),
    Trigger.SMS_STATUS: ("status", "to"),
    Trigger.CALL_MISSED: ("call", "from"),
    Trigger.CALL_ANSWERED: ("call", "from"),
    Trigger.CALL_ENDED: ("call", "from"),
    Trigger.LINK_CLICKED: ("click", "to"),
    Trigger.APP_RECEIVED: ("app", "from"),
    Trigger.SESSION_ENDED: ("session", "customer"),
}
# what an event need not say
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "call": variables.call(
        Call(id="", direction="in", service="", trunk="", caller="", called="", started_at=0.0)
    )["call"],
    "status": variables.status(value="", transid="", sender="", recipient="")["status"],
    "click": variables.click(link="", device="other", count=1, ref="")["click"],
    "session": variables.session(id="", flow="", transid="", result=0)["session"],
}


@click.group(
    epilog="""\b
Example:
  gateway rule test event.json
"""
)
def rule() -> None:
    """Rules and what makes them fire."""


@rule.command(
    epilog="""\b
Example:
  $ cat event.json
  {"type": "call.missed", "service": "callback", "from": "+447700900123", "to": "+442079460000"}
  $ gateway rule test event.json
  The rule callback of callback acts: its condition holds.
    It sends a message to $(call.from).
"""
)
@click.argument("event", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@json_option
@config_option
def test(event: Path, as_json: bool, config: str) -> None:
    """Say which rules the event in the file EVENT ("-": standard input) fires, and why the others do not.

    The file is JSON, as notify URLs get it: type, service, and the event's fields (those of a custom event in
    "parameters"); "customer" may hold what is known of the customer, such as {"opted_out": true}.  Without
    service every live one is asked.  Nothing is done.  Exits with 1 if no rule fires.
    """
    gateway = settings(config)
    try:
        with click.open_file(str(event)) as file:
            given = json.load(file)
        if not isinstance(given, dict):
            raise BadInput("the event must be a JSON object")
        considered, decided, notes = _evaluate(gateway, given)
    except (ValueError, BadInput) as error:
        raise click.ClickException(f"{event}: {error}") from None
    if as_json:
        print_json(
            {
                "rules": [
                    {"service": c.service, "rule": c.rule, "fired": c.fired, "why": c.reason}
                    for c in considered
                ],
                "actions": [
                    {"service": d.service, "rule": d.rule, "action": deed(d.action)} for d in decided
                ],
                "notes": notes,
            }
        )
    else:
        for line in _told(considered, decided, notes):
            click.echo(clean(line))
    if not decided:
        click.get_current_context().exit(1)


def about(considered: Considered) -> str:
    """One rule, and what came of it."""
    acts = "acts" if considered.fired else "does not act"
    return f"The rule {considered.rule} of {considered.service} {acts}: {considered.reason}."


def deed(action: Action) -> str:
    """sends a message to ..., what a rule does."""
    if action.send is not None:
        return f"sends a message to {action.send.to}"
    if action.reply:
        return f'replies "{action.reply}"'
    if action.flow:
        return f"starts the flow {action.flow}"
    if action.chain is not None:
        return f"starts the chain {action.chain.name}"
    if action.call is not None:
        return f"calls {action.call.to}"
    if action.notify:
        return f"notifies {action.notify}"
    if action.event is not None:
        return f"raises the event {action.event.name}"
    if action.profile:
        return f"sets {', '.join(action.profile)} in the customer's profile"
    return f"opts the sender {action.opt}{f' of {action.channel}' if action.channel else ''}"


def _told(considered: list[Considered], decided: list[Decided], notes: list[str]) -> list[str]:
    lines = list(notes)
    for one in considered:
        lines.append(about(one))
        acts = [d.action for d in decided if one.fired and (d.service, d.rule) == (one.service, one.rule)]
        lines += [f"  It {deed(action)}." for action in acts]
    return lines if considered else [*lines, "No rule looks at such events."]


def _evaluate(
    gateway: Gateway, event: Mapping[str, Any]
) -> tuple[list[Considered], list[Decided], list[str]]:
    services = gateway.services
    type, wanted = str(event.get("type", "")), str(event.get("service", ""))
    if wanted and wanted not in services:
        raise BadInput(f"{wanted!r} is no service{nearest(wanted, services)}", field="service")
    if type == Trigger.SMS_RECEIVED:
        return _text(gateway, event, wanted)
    ruleset, now = Ruleset.build(services), SystemClock().now()
    considered, decided, notes = list[Considered](), list[Decided](), list[str]()
    for name in [wanted] if wanted else sorted(services):
        if type.startswith(CUSTOM) and type.removeprefix(CUSTOM) not in services[name].events and not wanted:
            continue
        group, customer = _fields(type, event, services[name])
        person = dict(event.get("customer", {}) if isinstance(event.get("customer"), dict) else {})
        seen = group | variables.subject(
            service=name, customer=customer, opted_out=bool(person.pop("opted_out", False)), known=person
        )
        found = ruleset.evaluate(name, type, seen, now)
        considered += found.considered
        decided += found.decided
        if services[name].status != "live" and services[name].rules:
            notes.append(f"Service {name} is suspended: none of its rules is asked.")
    return considered, decided, notes


def _text(
    gateway: Gateway, event: Mapping[str, Any], wanted: str
) -> tuple[list[Considered], list[Decided], list[str]]:
    services = gateway.services
    fields = {**event, **(event.get("sms") or {})}
    sender, recipient = _address(fields, "from"), _address(fields, "to")
    text = str(fields.get("text", ""))
    keywords = Keywords.build(services)
    word, match = keywords.reserved(recipient, text), keywords.match(recipient, text)
    person = dict(event.get("customer", {}) if isinstance(event.get("customer"), dict) else {})
    opted_out = keywords.services(recipient) if person.pop("opted_out", False) else ()
    clock = SystemClock()
    listening = Listening(clock)
    listening.configure(services, listening.readers(services))
    heard = listening.hear(keywords.services(recipient), sender, text, clock.now())
    decision: Decision = decide(
        sender=sender,
        recipient=recipient,
        text=text,
        word=word,
        match=match,
        services=(wanted,) if wanted else keywords.services(recipient),
        ruleset=Ruleset.build(services),
        now=clock.now(),
        opted_out=opted_out,
        known=lambda service: person,
        heard={name: said.variables for name, said in heard.items()},
    )
    match_note = f'The keyword {match.name} of {match.service} takes "{text}" before any rule.'
    match decision:
        case ByRules():
            return list(decision.considered), list(decision.decided), []
        case Default() | Nothing():
            return list(decision.considered), [], []
        case _:
            reserved = f'"{text}" is a reserved word, which no rule is asked about.'
            return [], [], [reserved if word else match_note]


def _fields(type: str, event: Mapping[str, Any], service: Service) -> tuple[dict[str, Any], str]:
    """The variables of an event, and whom it is about."""
    if type.startswith(CUSTOM):
        name = type.removeprefix(CUSTOM)
        if name not in service.events:
            raise BadInput(f"the service has no event {name!r}{nearest(name, service.events)}", field="type")
        given = event.get("parameters") or event.get("custom") or {}
        values = filled(service.events[name].parameters, given, of=f"event {name}", field="parameters")
        about = str(values.get(service.events[name].customer) or event.get("from", ""))
        return variables.custom(values), about
    if type not in _GROUPS:
        known = [str(trigger) for trigger in Trigger]
        raise BadInput(f"{type!r} is no event{nearest(type, known)} (custom.NAME is one too)", field="type")
    group, end = _GROUPS[Trigger(type)]
    inner = event.get(group) if isinstance(event.get(group), dict) else {}
    values = {**_DEFAULTS.get(group, {}), **event, **(inner or {})}
    if group == "status" and "value" not in (inner or {}) and "status" in event:
        values["value"] = event["status"]
    person = event.get("customer")
    address = person.get("address") if isinstance(person, dict) else ""
    return {group: values}, str(address or values.get(end, "") or "")


def _address(fields: Mapping[str, Any], name: str) -> str:
    if not fields.get(name):
        raise BadInput("is missing", field=name)
    return canonical(str(fields[name]))
