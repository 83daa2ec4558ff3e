"""Flows as they are written in a service file, and as they run.

A flow is read completely or not at all: `read` names every fault at once (its graph's too, see lint).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.config.model import Seconds
from gateway.flows import lint
from gateway.flows.nodes import TYPES
from gateway.flows.nodes.base import Node
from gateway.values.duration import seconds
from gateway.values.errors import BadInput
from gateway.values.fault import Fault, nearest


class BadFlow(BadInput):
    """A definition that cannot run, with everything that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)), code="bad_flow")
        self.faults = tuple(faults)


class Flow(Struct, frozen=True, kw_only=True):
    """A flow that has passed the lint.  The same definition always has the same version."""

    name: str
    version: str
    start: str
    nodes: dict[str, Node]


def read(name: str, definition: Mapping[str, Any]) -> Flow:
    """`definition` is the table [flows.NAME] of a service file or of a FlowVersion.  Raises BadFlow."""
    start, nodes, faults = _parts(name, definition)
    if not faults:
        faults = lint.faults(f"flows.{name}", start, nodes)
    if faults:
        raise BadFlow(faults)
    return Flow(name=name, version=version(definition), start=start, nodes=nodes)


def faults(name: str, definition: Mapping[str, Any]) -> list[Fault]:
    """Everything that is wrong with a definition, paths from "flows.NAME" on; empty for one that can run."""
    start, nodes, found = _parts(name, definition)
    tables = definition.get("nodes")
    unread = tables.keys() - nodes.keys() if isinstance(tables, Mapping) else ()
    return found + lint.faults(f"flows.{name}", start, nodes, unread)


def version(definition: Mapping[str, Any]) -> str:
    """The first 12 hex digits of the SHA-256 of its canonical JSON (keys sorted, no blanks)."""
    return hashlib.sha256(msgspec.json.encode(definition, order="sorted")).hexdigest()[:12]


def _parts(name: str, definition: Mapping[str, Any]) -> tuple[str, dict[str, Node], list[Fault]]:
    path = f"flows.{name}"
    found = [
        Fault(f"{path}.{key}", f"unknown key{nearest(key, ('start', 'nodes'))}")
        for key in definition
        if key not in ("start", "nodes")
    ]
    start, tables = definition.get("start", ""), definition.get("nodes", {})
    if not isinstance(start, str) or not start:
        found.append(Fault(f"{path}.start", "must name the first node"))
        start = ""
    if not isinstance(tables, Mapping) or not tables:
        found.append(Fault(f"{path}.nodes", "must hold at least one node"))
        tables = {}
    nodes = {}
    for node_name, table in tables.items():
        node = _node(f"{path}.nodes.{node_name}", table, found)
        if node is not None:
            nodes[node_name] = node
    return start, nodes, found


def _node(path: str, table: Any, found: list[Fault]) -> Node | None:
    if not isinstance(table, Mapping):
        found.append(Fault(path, "must be a table with a type"))
        return None
    node_type = TYPES.get(table["type"]) if isinstance(table.get("type"), str) else None
    if node_type is None:
        what = (
            f'unknown type "{table["type"]}"{nearest(str(table["type"]), TYPES)}' if "type" in table else ""
        )
        found.append(Fault(f"{path}.type", what or f"missing; one of {', '.join(TYPES)}"))
        return None
    before = len(found)
    fields = {field.encode_name: field for field in msgspec.structs.fields(node_type)}
    values = {}
    for key, value in table.items():
        if key == "type":
            continue
        if key not in fields:
            found.append(Fault(f"{path}.{key}", f"unknown key{nearest(key, fields)}"))
            continue
        try:
            values[fields[key].name] = msgspec.convert(value, fields[key].type, dec_hook=_duration)
        except msgspec.ValidationError as error:
            found.append(_type_fault(f"{path}.{key}", error))
    for key, field in fields.items():
        if field.required and key not in table:
            found.append(Fault(f"{path}.{key}", f"missing; a {node_type.type} node needs it"))
    if len(found) > before:
        return None
    node = node_type(**values)
    found += (Fault(f"{path}.{key}", what) for key, what in node.mistakes())
    return node


def _duration(expected: type, value: Any) -> Any:
    if expected is not Seconds or isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError('must be a duration such as "10m"')
    return Seconds(seconds(value))


_WHERE = re.compile(r" - at `\$(.*)`$")


def _type_fault(path: str, error: msgspec.ValidationError) -> Fault:
    where = _WHERE.search(str(error))
    what = _WHERE.sub("", str(error))
    return Fault(path + (where[1] if where else ""), what[:1].lower() + what[1:])
