"""gateway flow nodes: what nodes there are, what they are told, and how they are left."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import click
import msgspec

from gateway.cli.output import listing, print_json
from gateway.cli.settings import json_option
from gateway.flows.nodes import TYPES
from gateway.flows.nodes.base import Node
from gateway.values.fault import nearest

_PLACES = ("on", "enter", "leave")  # of every node


@click.command(
    epilog="""\b
Examples:
  gateway flow nodes
  gateway flow nodes receive
"""
)
@click.argument("type", required=False)
@json_option
def nodes(type: str | None, as_json: bool) -> None:
    """List the types of nodes, or show one: its table, its events, its outputs, its kind of effect.

    Pure: it reads and decides.  Idempotent: done twice it is as if done once.  External: somebody outside
    sees it.
    """
    if type is None:
        if as_json:
            print_json([_shown(node) for node in TYPES.values()])
            return
        listing(("type", "effect", "does"), [(name, str(TYPES[name].kind), _does(name)) for name in TYPES])
        return
    if type not in TYPES:
        hint = nearest(type, TYPES) or f" (there are: {', '.join(TYPES)})"
        raise click.ClickException(f"there is no type of node {type!r}{hint}")
    node = TYPES[type]
    if as_json:
        print_json(_shown(node))
        return
    click.echo(_doc(node))
    click.echo("")
    click.echo(f"settings  {', '.join(_settings(node)) or 'none'}; on, enter, leave")
    click.echo(f"left by   {', '.join(node.events) or 'what its table says, or nothing'}")
    click.echo(f"outputs   {', '.join(node.outputs) or 'none'}")
    click.echo(f"effect    {node.kind}{', and waits' if node.waits else ''}")


def _settings(node: type[Node]) -> list[str]:
    fields = msgspec.structs.fields(node)
    return [f.encode_name for f in fields if f.encode_name not in (*_PLACES, *node.hidden)]


def _shown(node: type[Node]) -> dict[str, Any]:
    return {
        "type": node.type,
        "effect": str(node.kind),
        "waits": node.waits,
        "settings": _settings(node),
        "events": list(node.events),
        "outputs": list(node.outputs),
        "about": _doc(node),
    }


def _does(name: str) -> str:
    return _doc(TYPES[name]).partition("\n\n")[0].replace("\n", " ").removeprefix(f"{name}: ")


def _doc(node: type[Node]) -> str:
    return inspect.cleandoc(sys.modules[node.__module__].__doc__ or node.__doc__ or "")


COMMANDS = (nodes,)
