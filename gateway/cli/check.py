"""gateway check: load and lint, print every finding, exit 1 if there is one."""

from __future__ import annotations

import json
import os

import click
from msgspec.structs import asdict

from gateway.cli.lint import lint
from gateway.config.load import load

CONFIG = "conf/gateway.toml"


@click.command(
    epilog="""\b
Example:
  $ gateway check
  conf/services/pizza.toml:12: keywords.ORDER.aliasses: unknown key; did you mean "aliases"?
  1 finding
"""
)
@click.option("-c", "--config", default=CONFIG, show_default=True, metavar="FILE", help="The main file.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def check(context: click.Context, config: str, as_json: bool) -> None:
    """Load the configuration and print everything that is wrong with it.

    Exits with 1 if there is a finding that is no mere warning: the gateway would not run.

    Reads FILE and services/*.toml beside it; opens no port and changes nothing.  Secrets are resolved, so run
    it with the environment that `gateway run` will have.
    """
    loaded = load(config, environ=os.environ, lint=lint)
    if as_json:
        findings = [asdict(fault) for fault in loaded.faults]
        report = {"config": config, "services": loaded.services, "findings": findings}
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        for fault in loaded.faults:
            click.echo(str(fault))
        warnings = sum(fault.warning for fault in loaded.faults)
        faults = len(loaded.faults) - warnings
        counted = [_counted(faults, "finding")] if faults else []
        counted += [_counted(warnings, "warning")] if warnings else []
        if counted:
            click.echo(" and ".join(counted))
        else:
            click.echo(f"{config} and {_counted(len(loaded.services), 'service')}: no findings")
    context.exit(0 if loaded.gateway is not None else 1)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
