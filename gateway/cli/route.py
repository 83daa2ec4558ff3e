"""gateway route: by which carriers a message to a number would go."""

from __future__ import annotations

from datetime import datetime

import click

from gateway.cli.messages import Address
from gateway.cli.output import clean, print_json
from gateway.cli.settings import config_option, json_option, service_of, settings
from gateway.observe.system import SystemClock
from gateway.outbound.accept import Planner
from gateway.outbound.routes import Considered, Routes
from gateway.values.address import Kind, kind
from gateway.values.errors import BadInput


@click.group(
    epilog="""\b
Example:
  gateway route explain +447700900123 --service alerts
"""
)
def route() -> None:
    """Routes of services."""


@route.command(
    epilog="""\b
Example:
  $ gateway route explain +447700900123 --service alerts
  alerts, from 12345 to +447700900123:
    1. uk by north: prefix +44, cost 0.03, weight 3
    2. rest by south: cost 0.05, weight 1
    not night by east: it is for 20:00-08:00 (Europe/London)
"""
)
@click.argument("number", type=Address())
@click.option("--service", default="", metavar="NAME", help="Only this service's; default: each one's.")
@click.option(
    "--from", "sender", default="", metavar="ASSET", help="The sender; default: the first that fits."
)
@click.option("--at", default="", metavar="TIME", help='As if it were "2026-12-24T18:00:00Z"; default: now.')
@click.option("--id", default="", help="A message: of equal routes, which goes first for it.")
@json_option
@config_option
def explain(number: str, service: str, sender: str, at: str, id: str, as_json: bool, config: str) -> None:
    """Say by which binds an SMS to NUMBER goes, in which order, and why by no other.

    Of the routes that fit, the longest prefix goes first, then the lowest cost; equals take turns by weight.
    When the first is down the next is taken.  Works on the configuration: `gateway status` tells who is up.
    """
    if kind(number) is not Kind.NUMBER:
        raise click.BadParameter(f"{number!r} is no phone number with its country code", param_hint="NUMBER")
    gateway = settings(config)
    if service:
        service_of(gateway, service)
    routes, planner = Routes(gateway.smpp.binds, gateway.services), Planner(gateway.services)
    now = _moment(at)
    found = []
    for name in [service] if service else list(gateway.services):
        try:
            source = planner.sender(name, sender, "sms")
        except BadInput as error:
            if service:
                raise click.ClickException(str(error)) from None
            continue
        found.append((name, source, routes.explain(name, source, number, id, now)))
    if as_json:
        print_json([_json(*one) for one in found])
        return
    for name, source, considered in found:
        click.echo(clean(f"{name}, from {source} to {number}:"))
        for line in _lines(considered):
            click.echo(clean(f"  {line}"))
    if not found:
        raise click.ClickException("no service sends SMS" if not sender else f"no service holds {sender}")


def _lines(considered: list[Considered]) -> list[str]:
    lines, place = list[str](), 0
    for one in considered:
        by = f"{one.name} by {one.bind}" if one.name != one.bind else one.name
        if one.reason:
            lines.append(f"not {by}: {one.reason}")
            continue
        place += 1
        table = f": {_why(one)}" if _why(one) else ""
        lines.append(f"{place}. {by}{table}")
    return lines if place else [*lines, "no route: it would not be sent"]


def _why(one: Considered) -> str:
    said = [f"prefix {one.prefix}"] if one.prefix else []
    said += [f"cost {one.cost:g}"] if one.cost else []
    said += [f"weight {one.weight:g}"] if one.weight != 1 else []
    return ", ".join(said)


def _json(service: str, sender: str, considered: list[Considered]) -> dict[str, object]:
    routes = [
        {
            "route": one.name,
            "bind": one.bind,
            "prefix": one.prefix,
            "cost": one.cost,
            "weight": one.weight,
            "fits": not one.reason,
            "why": one.reason,
        }
        for one in considered
    ]
    return {"service": service, "from": sender, "routes": routes}


def _moment(at: str) -> float:
    if not at:
        return SystemClock().now()
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise click.BadParameter(f'{at!r} is no moment; write "2026-12-24T18:00:00Z"') from None
    return moment.timestamp() if moment.tzinfo else moment.astimezone().timestamp()
