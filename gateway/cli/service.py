"""gateway service: keys of the Messaging API."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from gateway.cli.output import print_json
from gateway.cli.settings import config_option, json_option, service_of, settings

_OCTETS = 32


@click.group(
    epilog="""\b
Example:
  gateway service key alerts
"""
)
def service() -> None:
    """Services and their keys."""


@service.command(
    epilog="""\b
Example:
  $ gateway service key alerts
  A new key for the service alerts, shown only here:
    key = "3q2-7wXJ..."
  Put this line into conf/services/alerts.toml in place of its key, then reload: ...
"""
)
@click.argument("name")
@json_option
@config_option
def key(name: str, as_json: bool, config: str) -> None:
    """Make a key for the HTTP API of service NAME, and say where it goes.

    A service has one key, in its file; this command changes nothing.  The old one holds until the reload.
    """
    has_one = bool(service_of(settings(config), name).key)
    made = secrets.token_urlsafe(_OCTETS)
    file = Path(config).parent / "services" / f"{name}.toml"
    if as_json:
        print_json({"service": name, "key": made, "file": str(file), "replaces": has_one})
        return
    where = "in place of its key" if has_one else "at its top"
    click.echo(f"A new key for the service {name}, shown only here:")
    click.echo(f'  key = "{made}"')
    click.echo(f"Put this line into {file} {where}, then reload: systemctl reload gateway")
    click.echo(
        f'Under systemd better: key = "$credential:{name}-key", with the key in a file that the unit names'
    )
    click.echo(f"  LoadCredential={name}-key:/etc/trunkline/{name}-key")
    click.echo(f"Clients send it in the header: key: {made}")
