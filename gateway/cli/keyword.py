"""gateway keyword: what a text to one of our numbers would come to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import click

from gateway.cli.messages import Address
from gateway.cli.output import clean, print_json
from gateway.cli.rule import about, deed
from gateway.cli.settings import config_option, json_option, settings
from gateway.config.model import Service
from gateway.inbound.listening import Listening
from gateway.observe.system import SystemClock
from gateway.rules.decide import ByKeyword, ByRules, Decision, Default, Nothing, Reserved, Resume, decide
from gateway.rules.explain import belongs, explain
from gateway.rules.keywords import Keywords
from gateway.rules.ruleset import Considered, Ruleset
from gateway.values.event import Trigger

_SESSION = "session"
_ANYBODY = "+447700900000"  # a number of the range that is kept free for examples


class _Place(Address):
    """A number, or an app of a service."""

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> str:
        return value if "/" in value else super().convert(value, param, context)


@click.group(
    epilog="""\b
Example:
  gateway keyword test 12345 "order two"
"""
)
def keyword() -> None:
    """Keywords and what they lead to."""


@keyword.command(
    epilog="""\b
Example:
  $ gateway keyword test 12345 "order two"
  12345 belongs to pizza.
  The text reads as "order two".
  The whole text is no keyword.
  Its first word is the keyword ORDER (followed by "two"): service pizza starts the flow order.
"""
)
@click.argument("number", type=_Place())
@click.argument("text")
@click.option(
    "--from",
    "sender",
    type=Address(),
    default=_ANYBODY,
    show_default=True,
    metavar="N",
    help="Who texts; rules may ask for it.",
)
@click.option("--session", is_flag=True, help="As if a session with the sender waited for an answer.")
@json_option
@config_option
def test(number: str, text: str, sender: str, session: bool, as_json: bool, config: str) -> None:
    """Say which keyword, rule or default would take TEXT to NUMBER, and why.

    An app is named SERVICE/APP.

    Every keyword that would have taken it too is named, with the reason why it lost.  Works on the
    configuration alone: the sender has said no STOP, and no session is open without --session.  Exits with 1
    if nothing would answer.
    """
    services = settings(config).services
    keywords = Keywords.build(services)
    clock = SystemClock()
    listening = Listening(clock)
    listening.configure(services, listening.readers(services))
    heard = listening.hear(keywords.services(number), sender, text, clock.now())
    decision = decide(
        sender=sender,
        recipient=number.rpartition("/")[2],
        text=text,
        word=keywords.reserved(number, text),
        match=keywords.match(number, text),
        services=keywords.services(number),
        ruleset=Ruleset.build(services),
        now=clock.now(),
        open_run=_SESSION if session else "",
        heard={name: said.variables for name, said in heard.items()},
        trigger=Trigger.APP_RECEIVED if "/" in number else Trigger.SMS_RECEIVED,
    )
    explained = explain(keywords, number, text)
    if isinstance(decision, Reserved) and decision.match.keyword is None:
        explained = explained[:3]  # what other words would come to does not matter for a reserved one
    if isinstance(decision, Resume):
        explained = belongs(keywords, number, text)
    took, service, considered = _taken(decision)
    parked = [] if isinstance(decision, Reserved) else _parked(services, service)
    if as_json:
        rules = [
            {"service": c.service, "rule": c.rule, "fired": c.fired, "why": c.reason} for c in considered
        ]
        print_json({"took": took, "service": service, "explained": explained, "rules": rules})
    else:
        for line in [*explained, *map(about, considered), *_outcome(decision), *parked]:
            click.echo(clean(line))
    if isinstance(decision, Nothing):
        click.get_current_context().exit(1)


def _taken(decision: Decision) -> tuple[str, str, tuple[Considered, ...]]:
    """What takes it, the service, and the rules that were looked at."""
    match decision:
        case Reserved(word, services):
            return word.kind, ", ".join(services), ()
        case ByKeyword(match):
            return f"keyword {match.name}", match.service, ()
        case ByRules(decided, considered):
            names = dict.fromkeys(d.rule for d in decided)
            return f"rules {', '.join(names)}", decided[0].service, considered
        case Default(match, considered):
            return match.how, match.service, considered
        case Nothing(_, considered):
            return "nothing", "", considered
        case Resume():
            return "session", "", ()
        case _:
            assert_never(decision)


def _parked(services: Mapping[str, Service], service: str) -> list[str]:
    if service not in services or services[service].status == "live":
        return []
    return [f"Service {service} is suspended: the text waits until it is live again."]


def _outcome(decision: Decision) -> list[str]:
    match decision:
        case ByRules(decided):
            return [f"Service {d.service} {deed(d.action)}, by its rule {d.rule}." for d in decided]
        case Reserved(word, services, match) if services:
            reply = "its own reply" if match.keyword is not None else "the built-in reply"
            verbs = {"stop": "opts the sender out of", "start": "opts the sender in to"}
            verb = verbs.get(word.kind, "answers for")
            return [f"It {verb} {', '.join(services)} and gets {reply}."]
        case Resume():
            return ["The open session takes it: it is no reserved word, and no keyword of it is global."]
        case Nothing(reason):
            return [f"Nothing takes it: {reason}."]
        case _:
            return []
