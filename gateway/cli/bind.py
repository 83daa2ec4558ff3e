"""gateway bind NAME up|down|drain: an operator takes a carrier out of use, and into use again."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Literal

import click

from gateway.cli.api import Api, Unanswered, address
from gateway.cli.output import clean
from gateway.cli.settings import config_option, run, settings, store_path
from gateway.config.model import Gateway
from gateway.daemon.held import hold
from gateway.daemon.smpp import DRAIN_SECONDS, GRACE_SECONDS
from gateway.store import lock

_PATIENCE_SECONDS = 30.0  # for the bind to come up, or beyond the grace
_PAUSE_SECONDS = 0.2


@click.command(
    epilog="""\b
Examples:
  gateway bind north drain     before work at the carrier's
  gateway bind north up        after it
"""
)
@click.argument("name")
@click.argument("wanted", type=click.Choice(["up", "down", "drain"]))
@config_option
def bind(name: str, wanted: Literal["up", "down", "drain"], config: str) -> None:
    """Take bind NAME out of use, or into use again, in the running gateway; it stays so over a restart.

    Both `down` and `drain` hand nothing more to the carrier and unbind once what it was handed has been
    answered: `down` waits 5 seconds for that, `drain` a minute.  What waits goes by other binds that may
    carry it, else it waits for `up`.  Exits with 1 if the bind has not come to that.
    """
    gateway = settings(config)
    if name not in gateway.smpp.binds:
        known = ", ".join(gateway.smpp.binds) or "none"
        raise click.ClickException(f"no bind is named {name!r} (there are: {known})")
    directory = Path(os.environ.get("STATE_DIRECTORY") or gateway.state_directory)
    try:
        hold(directory, name, None if wanted == "up" else wanted)
    except OSError as error:
        raise click.ClickException(
            f"{error.filename}: {error.strerror}; the running gateway's state directory is `state_directory` "
            "in the main file, or STATE_DIRECTORY in the environment"
        ) from None
    process = lock.holder(store_path(config))
    if process is None:
        state = "up" if wanted == "up" else "down"
        click.echo(f"{name} is to be {state} when the gateway starts; none runs on this state directory now")
        return
    try:
        os.kill(process, signal.SIGUSR1)
    except OSError as error:
        raise click.ClickException(f"the gateway, process {process}: {error.strerror}") from None
    is_up, reason = _awaited(gateway, name, wanted)
    if is_up != (wanted == "up"):
        raise click.ClickException(clean(f"{name} is still {'up' if is_up else 'down'}: {reason}"))
    click.echo(clean(f"{name} is {'up' if is_up else f'down: {reason}'}"))


def _awaited(gateway: Gateway, name: str, wanted: str) -> tuple[bool, str]:
    """(up, why not), once that is as wanted or the patience over."""
    grace = {"up": 0.0, "down": GRACE_SECONDS, "drain": DRAIN_SECONDS}[wanted]
    until = time.monotonic() + grace + _PATIENCE_SECONDS
    while True:
        is_up, reason = _state(gateway, name)
        if is_up == (wanted == "up") or time.monotonic() > until:
            return is_up, reason
        time.sleep(_PAUSE_SECONDS)


def _state(gateway: Gateway, name: str) -> tuple[bool, str]:
    async def asked() -> tuple[bool, str]:
        async with Api(address(gateway)) as api:
            _, ready = await api.get("/readyz")
        for one in ready.get("binds", ()):
            if one["name"] == name:
                return one["up"], one["reason"]
        raise Unanswered(f"the running gateway has no bind {name!r}; systemctl reload gateway (SIGHUP)")

    return run(asked)
