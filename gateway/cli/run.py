"""gateway run: the daemon in the foreground, as systemd wants it."""

from __future__ import annotations

import os
from pathlib import Path

import click
import uvloop

from gateway.cli.check import CONFIG
from gateway.cli.lint import lint
from gateway.config.load import load
from gateway.daemon import Daemon
from gateway.observe.log import configure
from gateway.observe.system import collect_rarely
from gateway.values.errors import GatewayError


@click.command(
    epilog="""\b
Examples:
  gateway run
  gateway run -c /etc/trunkline/gateway.toml
"""
)
@click.option("-c", "--config", default=CONFIG, show_default=True, metavar="FILE", help="The main file.")
@click.pass_context
def run(context: click.Context, config: str) -> None:
    """Run the gateway until SIGTERM or SIGINT.  SIGHUP applies a changed configuration.

    Stopping drains: nothing new is taken, what was begun is finished, binds are unbound, calls get their BYE.
    Exits 78 when the configuration has findings, 1 when a port is taken or the store cannot be opened.
    """
    loaded = load(config, environ=os.environ, lint=lint)
    if loaded.gateway is None:
        for fault in loaded.faults:
            click.echo(str(fault), err=True)
        count = sum(not fault.warning for fault in loaded.faults)
        click.echo(f"{count} finding{'s' if count != 1 else ''}: not started", err=True)
        context.exit(os.EX_CONFIG)  # the unit does not restart on it
    configure(loaded.gateway.log)
    collect_rarely()
    try:
        daemon = Daemon(
            loaded.gateway,
            state_directory=Path(loaded.gateway.state_directory),
            reload=lambda: load(config, environ=os.environ, lint=lint),
        )
        uvloop.run(daemon.run())
    except GatewayError as error:
        click.echo(f"gateway: {error}", err=True)
        context.exit(1)
