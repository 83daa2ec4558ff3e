"""What an inbound message comes to.  The order is the product's:

    reserved words (STOP, START, HELP) -> a `global` keyword -> an open session -> keyword -> rules -> default

Defaults (the number's, then the service's) come after the rules: they are for what nothing else took.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

from msgspec import Struct

from gateway.rules import variables
from gateway.rules.keywords import Match
from gateway.rules.reserved import Word
from gateway.rules.ruleset import Considered, Decided, Ruleset
from gateway.values.event import Trigger


class Reserved(Struct, frozen=True):
    """STOP, START or HELP.  It concerns every service of the number; `match` is the keyword of that very
    text, if one is configured: its reply is used instead of the built-in one."""

    word: Word
    services: tuple[str, ...]
    match: Match


class Resume(Struct, frozen=True):
    """The message is for a session that is open between this customer and this number."""

    run: str


class ByKeyword(Struct, frozen=True):
    match: Match


class ByRules(Struct, frozen=True):
    decided: tuple[Decided, ...]
    considered: tuple[Considered, ...]


class Default(Struct, frozen=True):
    """Nothing else took it; `match.how` says whose default it is."""

    match: Match
    considered: tuple[Considered, ...] = ()


class Nothing(Struct, frozen=True):
    """No service answers, and why."""

    reason: str
    considered: tuple[Considered, ...] = ()


Decision = Reserved | Resume | ByKeyword | ByRules | Default | Nothing


def decide(
    *,
    sender: str,
    recipient: str,
    text: str,
    word: Word | None,
    match: Match,
    services: tuple[str, ...],
    ruleset: Ruleset,
    now: float,
    open_run: str = "",
    opted_out: Container[str] = (),
    known: Callable[[str], Mapping[str, Any]] = lambda service: {},
    heard: Mapping[str, Mapping[str, Any]] = {},
    trigger: Trigger = Trigger.SMS_RECEIVED,
    came: variables.Came = variables.SOMEHOW,
) -> Decision:
    """Addresses are canonical; `word`, `match` and `services` are what Keywords says of text and number.
    `open_run` is the session that is open between sender and recipient, "" if there is none; `opted_out`
    those of the services that the sender has said STOP to; `known(service)` what it keeps of the sender;
    `heard` by service what its [nlp] says of the text; `now` Unix seconds; `trigger` app.received for a text
    in an app, which is then the recipient; `came` how an SMS came.

    Rules on that event are evaluated for each service of the number, by name, once no keyword matched.
    """
    if word:
        own = match if match.how == "exact" or (match.how == "alias" and not match.rest) else Match()
        return Reserved(word, services, own)
    always = match.by_word and match.keyword is not None and match.keyword.always
    if open_run and not always:
        return Resume(open_run)
    if match.by_word:
        return ByKeyword(match)
    decided: list[Decided] = []
    considered: list[Considered] = []
    for service in services:
        seen = variables.received(
            trigger, sender=sender, recipient=recipient, text=text, match=match, came=came
        )
        seen |= variables.subject(
            service=service, customer=sender, opted_out=service in opted_out, known=known(service)
        )
        if service in heard:
            seen["nlp"] = heard[service]
        evaluation = ruleset.evaluate(service, trigger, seen, now)
        decided += evaluation.decided
        considered += evaluation.considered
    if decided:
        return ByRules(tuple(decided), tuple(considered))
    if match.keyword is not None:
        return Default(match, tuple(considered))
    return Nothing(_why(recipient, services), tuple(considered))


def _why(number: str, services: tuple[str, ...]) -> str:
    if not services:
        return f"{number} is no asset of any service"
    return f"no keyword, rule or default of {', '.join(services)} took it"
