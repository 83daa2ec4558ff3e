"""gateway send: one message through the running gateway."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from gateway.cli.api import Api, address, key_of
from gateway.cli.output import clean, print_json
from gateway.cli.settings import config_option, json_option, run, service_of, settings
from gateway.config.model import Gateway
from gateway.observe.why import sentence
from gateway.values.event import Event

_POLL_SECONDS = 0.3
_GOOD = ("delivered", "answered")


@click.command(
    epilog="""\b
Examples:
  gateway send --to +447700900123 --text "Hello"
  gateway send --to +447700900123 --chain alert --var what="the server room is at 41 C" --wait
"""
)
@click.option("--to", required=True, metavar="N", help="The customer's number.")
@click.option(
    "--from", "sender", default="", metavar="S", help="One of the service's numbers; default: its first."
)
@click.option("--text", default="", metavar="T", help="What to say.")
@click.option("--template", default="", metavar="X", help="Say a template of the service.")
@click.option("--chain", default="", metavar="C", help="Go through a fallback chain of the service.")
@click.option("--var", "variables", multiple=True, metavar="K=V", help="A value for $(K); may be repeated.")
@click.option(
    "--service", default="", metavar="NAME", help="On whose behalf; needed where several may be meant."
)
@click.option(
    "--key", default="", envvar="GATEWAY_KEY", metavar="KEY", help="Default: the key in the service's file."
)
@click.option(
    "--wait", is_flag=True, help="Follow it until its status is final; exit with 1 unless it arrived."
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, 86_400),
    default=120,
    show_default=True,
    metavar="SECONDS",
    help="How long --wait follows.",
)
@json_option
@config_option
def send(
    to: str,
    sender: str,
    text: str,
    template: str,
    chain: str,
    variables: tuple[str, ...],
    service: str,
    key: str,
    wait: bool,
    timeout: float,
    as_json: bool,
    config: str,
) -> None:
    """Send a message through the running gateway: exactly one of --text, --template and --chain.

    Goes the way of every message, POST /v2/messages, at the address in the configuration.
    """
    said = [name for name, value in (("text", text), ("template", template), ("chain", chain)) if value]
    if len(said) != 1:
        raise click.UsageError("say exactly one of --text, --template and --chain")
    gateway = settings(config)
    body: dict[str, object] = {"to": to, "text": text, "template": template, "chain": chain, "from": sender}
    body = {name: value for name, value in body.items() if value}
    if variables:
        body["variables"] = dict(map(_variable, variables))
    if not key or service:
        service = _service(gateway, service, template, chain)

    async def work() -> dict[str, Any]:
        async with Api(address(gateway), key or key_of(gateway, service, config)) as api:
            accepted = await api.post("/v2/messages", body)
            if not as_json:
                click.echo(f"{accepted['id']} {accepted['status']}")
            if not wait:
                return accepted
            return await follow(api, accepted["id"], timeout=timeout, quiet=as_json)

    message = run(work)
    if as_json:
        print_json(message)
    if not wait:
        return
    if not message["final"]:
        raise click.ClickException(
            f"still {message['status']} after {timeout:g} s; gateway why {message['id']}"
        )
    if message["status"] not in _GOOD:
        raise click.exceptions.Exit(1)


async def follow(
    api: Api, id: str, *, timeout: float, quiet: bool = False, poll_seconds: float = _POLL_SECONDS
) -> dict[str, Any]:
    """Print what happens to a message until its status is final or `timeout` seconds are over.  Gives it."""
    clock = asyncio.get_running_loop()
    until = clock.time() + timeout
    told = 0
    while True:
        message = await api.fetch(f"/v2/messages/{id}")
        events = message["events"]
        if not quiet:
            for event in events[told:]:
                click.echo(f"{event['at'][11:-1]}  {clean(_sentence(event))}")
        told = len(events)
        if message["final"] or clock.time() >= until:
            return message
        await asyncio.sleep(poll_seconds)


def _sentence(event: dict[str, Any]) -> str:
    return sentence(Event(ref="", type=event["type"], service="", at=0.0, data=event["data"]))


def _variable(written: str) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--var {written}: write it as NAME=VALUE")
    return name, value


def _service(gateway: Gateway, name: str, template: str, chain: str) -> str:
    """`name`, or the only service that has a key and the template or chain that is asked for."""
    if name:
        if not service_of(gateway, name).key:
            raise click.ClickException(f"the service {name} has no key; gateway service key {name} makes one")
        return name
    fit = [
        candidate
        for candidate, service in gateway.services.items()
        if service.key
        and (not template or template in service.templates)
        and (not chain or chain in service.chains)
    ]
    if len(fit) == 1:
        return fit[0]
    if fit:
        raise click.UsageError(f"several services may be meant: add --service {' or --service '.join(fit)}")
    what = f"template {template}" if template else f"chain {chain}" if chain else ""
    having = f" and the {what}" if what else ""
    raise click.ClickException(f"no service has a key{having}; gateway service key NAME makes a key")
