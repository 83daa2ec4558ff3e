"""Flows as they are written in a service file, and as they run.

A flow is read completely or not at all: `read` names every fault at once (its graph's too, see lint).

    start, nodes      the graph
    variables         session variables with the values that they begin with, or { default, secret, longest }
    key, key_within   a session key: while a session with the same one is open, or began so short a time ago,
                      no second one begins
    integrations      the service's integrations that it uses, as they were when it became a version
    note, author, draft, tests     about the definition; they do not make it another version
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.config.model import Integration, Seconds
from gateway.flows import calls, lint
from gateway.flows.lint import Surroundings
from gateway.flows.nodes import TYPES
from gateway.flows.nodes.base import Node, Scalar
from gateway.flows.nodes.integration import IntegrationNode
from gateway.values.duration import seconds
from gateway.values.errors import BadInput
from gateway.values.fault import Fault, nearest, serious

CONTENT = ("start", "nodes", "variables", "key", "key_within", "integrations")
ABOUT = ("note", "author", "draft", "tests")
KEY_WITHIN_SECONDS = 86400.0  # a session key is remembered so long where the flow does not say
LIMIT_KEY_SECONDS = 30 * 86400.0


class BadFlow(BadInput):
    """A definition that cannot run, with everything that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)), code="bad_flow")
        self.faults = tuple(faults)


class Variable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session variable that the flow declares."""

    default: Scalar = ""
    secret: bool = False  # masked wherever a session is shown
    longest: int = 0  # characters that it may have, for the lint of texts; 0: not known


class Flow(Struct, frozen=True, kw_only=True):
    """A flow that has passed the lint.  The same definition always has the same version."""

    name: str
    version: str
    start: str
    nodes: dict[str, Node]
    variables: dict[str, Variable] = {}
    key: str = ""
    key_within_seconds: float = KEY_WITHIN_SECONDS

    @property
    def secrets(self) -> tuple[str, ...]:
        """The variables that nobody may see."""
        return tuple(name for name, variable in self.variables.items() if variable.secret)


def read(name: str, definition: Mapping[str, Any]) -> Flow:
    """`definition` is the table [flows.NAME] of a service file, `bundled`.  Raises BadFlow."""
    flow, _, found = _parts(name, definition)
    found = found or serious(lint.faults(f"flows.{name}", flow))
    if found:
        raise BadFlow(found)
    return replace(flow, nodes=calls.with_kept(flow.nodes))


def stored(name: str, definition: Mapping[str, Any]) -> Flow:
    """A FlowVersion, which has passed the lint of its day: what a later one finds stops none of its sessions.

    Raises BadFlow for what cannot be read any more.
    """
    flow, _, found = _parts(name, definition)
    if found:
        raise BadFlow(found)
    return replace(flow, nodes=calls.with_kept(flow.nodes))


def faults(name: str, definition: Mapping[str, Any], around: Surroundings | None = None) -> list[Fault]:
    """Everything that is wrong with a definition, paths from "flows.NAME" on; empty for one that can run.

    With `around` also what it needs of its service and does not find there.
    """
    flow, unread, found = _parts(name, definition)
    return found + lint.faults(f"flows.{name}", flow, unread, around)


def bundled(definition: Mapping[str, Any], integrations: Mapping[str, Integration]) -> dict[str, Any]:
    """The definition with what it uses of the service's integrations: a version stays as it is."""
    nodes = definition.get("nodes")
    tables = nodes.values() if isinstance(nodes, Mapping) else ()
    types = [str(table.get("type", "")) for table in tables if isinstance(table, Mapping)]
    used = {name for name in integrations if any(kind.startswith(f"{name}.") for kind in types)}
    if not used:
        return dict(definition)
    built = {name: msgspec.to_builtins(integrations[name], enc_hook=float) for name in sorted(used)}
    return {**definition, "integrations": built}


def content(definition: Mapping[str, Any]) -> dict[str, Any]:
    """What a version is made of: without what is only said about it."""
    return {key: value for key, value in definition.items() if key not in ABOUT}


def version(definition: Mapping[str, Any]) -> str:
    """The first 12 hex digits of the SHA-256 of its content as canonical JSON (keys sorted, no blanks)."""
    return hashlib.sha256(msgspec.json.encode(content(definition), order="sorted")).hexdigest()[:12]


def _unknown(key: str, known: Sequence[str]) -> str:
    return "unknown key" + (nearest(key, known) or f"; the keys here are {', '.join(known)}")


def _parts(name: str, definition: Mapping[str, Any]) -> tuple[Flow, tuple[str, ...], list[Fault]]:
    """As much of the flow as can be read, the names of nodes that cannot, and why."""
    path = f"flows.{name}"
    keys = (*CONTENT, *ABOUT)
    found = [Fault(f"{path}.{key}", _unknown(key, keys)) for key in definition if key not in keys]
    start, tables = definition.get("start", ""), definition.get("nodes", {})
    if not isinstance(start, str) or not start:
        found.append(Fault(f"{path}.start", "must name the first node"))
        start = ""
    if not isinstance(tables, Mapping) or not tables:
        found.append(Fault(f"{path}.nodes", "must hold at least one node"))
        tables = {}
    variables = dict(_variables(f"{path}.variables", definition.get("variables", {}), found))
    integrations = dict(_integrations(path, definition.get("integrations", {}), found))
    nodes = {}
    for node_name, table in tables.items():
        node = _node(f"{path}.nodes.{node_name}", table, integrations, found)
        if node is not None:
            nodes[node_name] = node
    for key, kind in (("key", str), ("note", str), ("author", str), ("draft", bool), ("tests", list)):
        if not isinstance(definition.get(key, kind()), kind):
            found.append(Fault(f"{path}.{key}", f"must be {_KINDS[kind]}"))
    within = KEY_WITHIN_SECONDS
    if "key_within" in definition:
        try:
            within = float(_duration(Seconds, definition["key_within"]))
        except ValueError as error:
            found.append(Fault(f"{path}.key_within", str(error)))
    if within > LIMIT_KEY_SECONDS:
        found.append(Fault(f"{path}.key_within", "must not be longer than 30 days"))
    flow = Flow(
        name=name,
        version="" if found else version(definition),
        start=start,
        nodes=nodes,
        variables=variables,
        key=str(definition.get("key", "")),
        key_within_seconds=within,
    )
    return flow, tuple(name for name in tables if name not in nodes), found


_KINDS: Mapping[type, str] = {str: "text in quotes", bool: "true or false", list: "a list"}


def _variables(path: str, tables: Any, found: list[Fault]) -> Iterator[tuple[str, Variable]]:
    if not isinstance(tables, Mapping):
        found.append(Fault(path, "must be a table of variables and the values that they begin with"))
        return
    for name, table in tables.items():
        written = table if isinstance(table, Mapping) else {"default": table}
        try:
            yield name, msgspec.convert(written, Variable)
        except msgspec.ValidationError as error:
            found.append(_type_fault(f"{path}.{name}", error))
            yield name, Variable()


def _integrations(path: str, tables: Any, found: list[Fault]) -> Iterator[tuple[str, Integration]]:
    for name, table in tables.items() if isinstance(tables, Mapping) else ():
        try:
            yield name, msgspec.convert(table, Integration, dec_hook=_duration)
        except msgspec.ValidationError as error:
            found.append(_type_fault(f"{path}.integrations.{name}", error))


def _node(path: str, table: Any, integrations: Mapping[str, Integration], found: list[Fault]) -> Node | None:
    if not isinstance(table, Mapping):
        found.append(Fault(path, "must be a table with a type"))
        return None
    written = table.get("type", "")
    method = None
    node_type = TYPES.get(written) if isinstance(written, str) else None
    if node_type is None and isinstance(written, str):
        integration, _, method_name = written.partition(".")
        known = integrations.get(integration)
        method = known.methods.get(method_name) if known is not None else None
        node_type = IntegrationNode if method is not None else None
    if node_type is None:
        types = [*TYPES, *(f"{name}.{m}" for name, i in integrations.items() for m in i.methods)]
        what = f'unknown type "{written}"{nearest(str(written), types)}' if "type" in table else ""
        found.append(Fault(f"{path}.type", what or f"missing; one of {', '.join(types)}"))
        return None
    before = len(found)
    fields = {field.encode_name: field for field in msgspec.structs.fields(node_type)}
    values = {}
    for key, value in table.items():
        if key == "type":
            continue
        if key not in fields or key in node_type.hidden:
            shown = [name for name in fields if name not in node_type.hidden]
            found.append(Fault(f"{path}.{key}", _unknown(key, ["type", *shown])))
            continue
        try:
            values[fields[key].name] = msgspec.convert(value, fields[key].type, dec_hook=_duration)
        except msgspec.ValidationError as error:
            found.append(_type_fault(f"{path}.{key}", error))
    for key, field in fields.items():
        if field.required and key not in table and key not in node_type.hidden:
            found.append(Fault(f"{path}.{key}", f"missing; a {node_type.type} node needs it"))
    if len(found) > before:
        return None
    if method is not None:
        values["integration"], values["method"] = integrations[integration], method
    node = node_type(**values)
    found += (Fault(f"{path}.{key}", what) for key, what in node.mistakes())
    for when, aside in (("enter", node.entry), ("leave", node.exit)):
        for n, line in enumerate(aside.log):
            if what := line.mistakes():
                found.append(Fault(f"{path}.{when}.log[{n}]", what))
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
