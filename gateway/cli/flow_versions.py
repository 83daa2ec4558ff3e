"""gateway flow versions|diff|live|rollback|split|export: what there was, what new sessions get."""

from __future__ import annotations

import difflib
import getpass
import json
import time
from collections.abc import Callable
from typing import Any

import click

from gateway.cli.lint import surroundings
from gateway.cli.output import clean, listing, moment, print_json
from gateway.cli.settings import config_option, json_option, look, service_of, settings, store_path
from gateway.config.model import Gateway
from gateway.flows import definition, rollout, trial
from gateway.flows.rollout import standing
from gateway.store import upkeep
from gateway.store.base import Store
from gateway.values.clock import iso
from gateway.values.errors import BadInput, StoreUnusable
from gateway.values.fault import serious
from gateway.values.work import FlowState, FlowVersion

_RELOAD = "New sessions get it when the gateway looks: systemctl reload gateway (SIGHUP), or its start."

Known = tuple[list[FlowVersion], FlowState]


@click.command(
    epilog="""\b
Example:
  gateway flow versions pizza/order
"""
)
@click.argument("name")
@json_option
@config_option
def versions(name: str, as_json: bool, config: str) -> None:
    """List the versions of a flow, and which of them is live, split or the draft."""
    known, state = _known(config, name)
    if as_json:
        print_json(
            [
                {
                    "number": v.number,
                    "version": v.version,
                    "standing": standing(state, v.number),
                    "at": iso(v.created_at),
                    "author": v.author,
                    "note": v.note,
                }
                for v in known
            ]
        )
        return
    listing(
        ("number", "version", "standing", "since", "author", "note"),
        [
            (
                str(v.number),
                v.version,
                standing(state, v.number),
                moment(v.created_at),
                v.author,
                v.note,
            )
            for v in known
        ],
    )


@click.command(
    epilog="""\b
Examples:
  gateway flow diff order 3        what differs between version 3 and the live one
  gateway flow diff order 3 5
"""
)
@click.argument("name")
@click.argument("old", type=int)
@click.argument("new", type=int, required=False)
@config_option
def diff(name: str, old: int, new: int | None, config: str) -> None:
    """Show what differs between two versions of a flow; NEW is the live one if it is not given."""
    known, state = _known(config, name)
    before, after = _version(known, old), _version(known, new or state.live)
    lines = difflib.unified_diff(
        _lines(before), _lines(after), f"version {before.number}", f"version {after.number}", lineterm=""
    )
    click.echo(clean_lines(lines) or "the same content")


@click.command(
    epilog="""\b
Example:
  gateway flow export order 3 > order-3.json
"""
)
@click.argument("name")
@click.argument("number", type=int, required=False)
@config_option
def export(name: str, number: int | None, config: str) -> None:
    """Print the definition of a version as JSON; the live one if no NUMBER is given."""
    known, state = _known(config, name)
    print_json(_version(known, number or state.live).definition)


@click.command(
    epilog="""\b
Examples:
  gateway flow live order          makes the draft live
  gateway flow live order 4
"""
)
@click.argument("name")
@click.argument("number", type=int, required=False)
@config_option
def live(name: str, number: int | None, config: str) -> None:
    """Make a version of a flow live: its draft, or the one of that NUMBER.

    Refused where the lint finds a fault or a test fails.  Sessions that are open stay on their version.
    """
    known, state = _known(config, name)
    if number is None and not state.draft:
        raise click.ClickException("it has no draft; say which version (gateway flow versions lists them)")
    wanted = _version(known, number or state.draft)
    if faults := _faults(settings(config), wanted):
        raise click.ClickException("\n".join(["it cannot be made live:", *faults]))
    _write(config, lambda now: [rollout.made_live(state, wanted.number, now)])
    click.echo(f"Version {wanted.number} is live.  {_RELOAD}")


@click.command(
    epilog="""\b
Examples:
  gateway flow rollback order      back to the version before the live one
  gateway flow rollback order 3
"""
)
@click.argument("name")
@click.argument("number", type=int, required=False)
@config_option
def rollback(name: str, number: int | None, config: str) -> None:
    """Go back to an older version: a copy of it becomes the next number, and live.

    The service file does not change: its next change is the next version again.
    """
    known, state = _known(config, name)
    earlier = [v.number for v in known if v.number < state.live]
    if number is None and not earlier:
        raise click.ClickException("there is no version before the live one")
    old = _version(known, number or max(earlier))
    heads = {v.number: v.version for v in known}
    fork = rollout.following(heads)
    _write(config, lambda now: list(rollout.rolled_back(state, old, heads, getpass.getuser(), now)))
    click.echo(f"Version {fork}, a copy of {old.number}, is live.  {_RELOAD}")


@click.command(
    epilog="""\b
Example:
  gateway flow split order 5 10    ten of a hundred customers get version 5
"""
)
@click.argument("name")
@click.argument("number", type=int)
@click.argument("percent", type=int)
@config_option
def split(name: str, number: int, percent: int, config: str) -> None:
    """Let some of a hundred customers get another version than the live one, always the same customers."""
    known, state = _known(config, name)
    wanted = _version(known, number)
    if faults := _faults(settings(config), wanted):
        raise click.ClickException("\n".join(["it cannot be made live:", *faults]))
    _write(config, lambda now: [rollout.split(state, wanted.number, percent, now)])
    click.echo(f"Version {number} is live for {percent} %, version {state.live} for the rest.  {_RELOAD}")


def clean_lines(lines: Any) -> str:
    return "\n".join(clean(line) for line in lines)


def place_of(gateway: Gateway, name: str) -> tuple[str, str]:
    """(service, flow) of "SERVICE/FLOW", or of "FLOW" where one service only has it."""
    service, slash, flow = name.rpartition("/")
    if slash:
        service_of(gateway, service)
    found = [s for s, settings in gateway.services.items() if flow in settings.flows and service in ("", s)]
    if not found:
        known = ", ".join(f"{s}/{f}" for s, each in gateway.services.items() for f in each.flows) or "none"
        raise click.ClickException(f"there is no flow {name} (there are: {known})")
    if len(found) > 1:
        raise click.ClickException(
            f"several services have a flow {flow}: say {' or '.join(f'{s}/{flow}' for s in found)}"
        )
    return found[0], flow


def _known(config: str, name: str) -> Known:
    service, flow = place_of(settings(config), name)

    async def ask(store: Store) -> tuple[list[FlowVersion], list[FlowState]]:
        return await store.flow_versions(service, flow), await store.flow_states()

    known, states = look(config, ask)
    state = next((s for s in states if (s.service, s.flow) == (service, flow)), None)
    if state is None:
        raise click.ClickException(f"{service}/{flow} has no version yet: the gateway has not taken it up")
    return known, state


def _version(known: list[FlowVersion], number: int) -> FlowVersion:
    for version in known:
        if version.number == number:
            return version
    numbers = ", ".join(str(version.number) for version in known) or "none"
    raise click.ClickException(f"there is no version {number} (there are: {numbers})")


def _faults(gateway: Gateway, version: FlowVersion) -> list[str]:
    """What keeps it from being live: lint and tests.  Of what the file has now, the tests there count."""
    service = gateway.services[version.service]
    table = definition.bundled(service.flows[version.flow], service.integrations)
    if definition.version(table) != version.version:
        table = version.definition
    faults = serious(definition.faults(version.flow, table, surroundings(service)))
    if faults:
        return [str(fault) for fault in faults]
    flows = {}
    for name, other in service.flows.items():
        whole = definition.bundled(other, service.integrations)
        if not serious(definition.faults(name, whole)):
            flows[name] = definition.read(name, whole)
    trials, wrong = trial.read(f"flows.{version.flow}.tests", table.get("tests", []))
    verdicts = trial.tried(definition.read(version.flow, table), flows, trials, version.service)
    failures = [f'"{v.name}" fails: {failure}' for v in verdicts for failure in v.failures]
    return [*map(str, wrong), *failures]


def _write(config: str, records: Callable[[float], list[Any]]) -> None:
    try:
        upkeep.write(store_path(config), records(time.time()))
    except (BadInput, StoreUnusable) as error:
        raise click.ClickException(str(error)) from None


def _lines(version: FlowVersion) -> list[str]:
    content = definition.content(version.definition)
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False).splitlines()


COMMANDS = (versions, diff, export, live, rollback, split)
