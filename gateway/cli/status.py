"""gateway status: how the running gateway is."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.api import Api, address
from gateway.cli.output import listing, print_json
from gateway.cli.settings import config_option, json_option, run, settings


@click.command(
    epilog="""\b
Example:
  $ gateway status
  ready at http://127.0.0.1:8080

  kind   name   state  reason              queued  unanswered
  bind   north  up                         3       12
  bind   south  down   connection refused  0       0
  trunk  east   up                         0       1
"""
)
@json_option
@config_option
def status(as_json: bool, config: str) -> None:
    """Show whether the gateway takes messages, and each carrier: up or down and why, what waits for it.

    Exits with 1 if it does not take messages.  A carrier that is down is shown, but is no failure of the
    gateway: the store keeps what is for it.
    """
    gateway = settings(config)
    url = address(gateway)

    async def work() -> tuple[int, dict[str, Any], dict[str, Any]]:
        async with Api(url) as api:
            code, ready = await api.get("/readyz")
            return code, ready, (await api.get("/healthz"))[1]

    code, ready, health = run(work)
    if as_json:
        print_json({"url": url, "ready": code == 200, **ready, "health": health})
    else:
        click.echo(f"{ready.get('status', code)} at {url}")
        reasons = dict.fromkeys([*ready.get("reasons", ()), *health.get("reasons", ())])
        for reason in reasons:
            click.echo(reason, err=True)
        listing(
            ("kind", "name", "state", "reason", "queued", "unanswered"),
            [_row("bind", line) for line in ready.get("binds", ())]
            + [row for line in ready.get("trunks", ()) for row in (_row("trunk", line), *_hosts(line))],
        )
    if code != 200:
        raise click.exceptions.Exit(1)


def _row(kind: str, line: dict[str, Any]) -> tuple[str, ...]:
    state = "up" if line["up"] else "down"
    return kind, line["name"], state, line["reason"], str(line["queued"]), str(line["outstanding"])


def _hosts(line: dict[str, Any]) -> list[tuple[str, ...]]:
    """A trunk's hosts, where there is more to be told of them than of the trunk."""
    hosts = line.get("hosts", ())
    if len(hosts) < 2 and not any(host["rtt_ms"] is not None for host in hosts):
        return []
    return [
        (
            "host",
            host["address"],
            "up" if host["up"] else "down",
            host["reason"] or ("" if host["rtt_ms"] is None else f"answers in {host['rtt_ms']:g} ms"),
            "",
            "",
        )
        for host in hosts
    ]
