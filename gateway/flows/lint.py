"""What may be wrong with a flow's graph, found before it runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from gateway.flows.nodes.base import Node
from gateway.rules.variables import GROUPS
from gateway.values.fault import Fault, nearest
from gateway.values.variables import names

_EDGE_END = re.compile(r"end(?::(\d{1,3}))?")
# What CEL can read: elsewhere a hyphen is a minus
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAKEN = ("end", "in", "true", "false", "null")


def end_code(edge: str) -> int | None:
    """The result code of an edge "end" or "end:CODE"; None for an edge to a node."""
    match = _EDGE_END.fullmatch(edge)
    return int(match[1] or 0) if match else None


def faults(path: str, start: str, nodes: Mapping[str, Node], unread: Collection[str] = ()) -> list[Fault]:
    """`path` is that of the flow, `start` "" if it is not known.  While some nodes, whose names are `unread`,
    could not be read, nothing is said about what needs all of them: unreachable nodes, unknown variables."""
    names = {*nodes, *unread}
    found = [*_named(path, nodes), *_wired(path, nodes)]
    if start and start not in names:
        found.append(Fault(f"{path}.start", f'"{start}" is no node{nearest(start, names)}'))
    astray = list(_edges(path, nodes, names))
    found += astray
    if not unread:
        # one misnamed edge would have everything behind it unreachable
        found += _unreachable(path, start, nodes) if not astray else ()
        found += _variables(path, nodes)
    return [*found, *_endless(path, nodes)]


def _named(path: str, nodes: Mapping[str, Node]) -> Iterator[Fault]:
    for name, node in nodes.items():
        if not _NAME.fullmatch(name):
            yield Fault(f"{path}.nodes.{name}", "a node's name is letters, digits and underscores")
        elif name in GROUPS or name in _TAKEN:
            yield Fault(f"{path}.nodes.{name}", f'"{name}" has a meaning of its own; choose another name')
        for field, variable in node.assigns():
            if not _NAME.fullmatch(variable):
                what = f'"{variable}" is no name for a variable: letters, digits and underscores'
                yield Fault(f"{path}.nodes.{name}.{field}", what)
            elif variable in GROUPS or variable in _TAKEN or variable in nodes:
                what = f'"{variable}" is taken by a node or by the gateway; choose another name'
                yield Fault(f"{path}.nodes.{name}.{field}", what)


def _wired(path: str, nodes: Mapping[str, Node]) -> Iterator[Fault]:
    for name, node in nodes.items():
        for event in node.events:
            if event not in node.on and event not in node.optional:
                yield Fault(f"{path}.nodes.{name}.on.{event}", "missing; say where to go on this event")
        for event in node.on:
            if event not in node.events:
                known = f"{nearest(event, node.events)} (it has: {', '.join(node.events) or 'none'})"
                yield Fault(f"{path}.nodes.{name}.on.{event}", f"a {node.type} node has no such event{known}")


def _edges(path: str, nodes: Mapping[str, Node], names: Collection[str]) -> Iterator[Fault]:
    for name, node in nodes.items():
        for event, edge in node.edges().items():
            if edge not in names and end_code(edge) is None:
                what = f'on "{event}" it goes to "{edge}", which is no node{nearest(edge, names)}'
                yield Fault(f"{path}.nodes.{name}", f'{what} ("end" and "end:CODE" end the session)')


def _unreachable(path: str, start: str, nodes: Mapping[str, Node]) -> Iterator[Fault]:
    seen, open_ends = set[str](), [start]
    while open_ends:
        name = open_ends.pop()
        if name in nodes and name not in seen:
            seen.add(name)
            open_ends += nodes[name].edges().values()
    if start in nodes:
        yield from (Fault(f"{path}.nodes.{name}", "no node leads here") for name in nodes if name not in seen)


def _variables(path: str, nodes: Mapping[str, Node]) -> Iterator[Fault]:
    assigned = {variable for node in nodes.values() for _, variable in node.assigns()}
    known = {*GROUPS, *assigned, *nodes}
    for name, node in nodes.items():
        for field, text in node.texts():
            for variable in names(text):
                group, _, rest = variable.partition(".")
                where = f"{path}.nodes.{name}.{field}"
                if group not in known:
                    yield Fault(where, f"nothing sets $({variable}){nearest(group, known)}")
                elif group in nodes and rest.partition(".")[0] not in nodes[group].outputs:
                    outputs = ", ".join(nodes[group].outputs) or "none"
                    yield Fault(where, f"$({variable}): the outputs of {group} are: {outputs}")


def _endless(path: str, nodes: Mapping[str, Node]) -> Iterator[Fault]:
    """A circle in which nothing from outside has to happen: once entered, it would never be left."""
    busy = {name: node.edges().values() for name, node in nodes.items() if not node.waits}
    graph = {name: [edge for edge in edges if edge in busy] for name, edges in busy.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1][::-1]
        what = f"{' -> '.join(circle)} goes round without waiting for anything"
        yield Fault(f"{path}.nodes.{circle[0]}", what)
