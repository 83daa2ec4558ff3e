"""What may be wrong with a flow's graph, found before it runs."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Protocol

from msgspec import Struct

from gateway.flows import calls
from gateway.flows.nodes.base import Aside, Node, Scalar
from gateway.flows.nodes.send_sms import SendSmsNode
from gateway.protocol.sms.segments import count
from gateway.rules.conditions import BadCondition, compiled
from gateway.rules.known import SMS
from gateway.rules.known import fields as fields_of
from gateway.rules.variables import GROUPS
from gateway.values.address import Kind, canonical, kind
from gateway.values.errors import BadAddress
from gateway.values.fault import Fault, nearest
from gateway.values.variables import names, render

_EDGE_END = re.compile(r"end(?::(\d{1,3}))?")
# What CEL can read: elsewhere a hyphen is a minus
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAKEN = ("end", "in", "true", "false", "null")
_USUAL_LENGTH = 20  # characters of a variable of which nothing is known
_TEXT_LENGTH = 160  # of one that a customer has written


class Surroundings(Struct, frozen=True, kw_only=True):
    """What a service has that its flows may refer to."""

    flows: Mapping[str, Collection[str]] = {}  # the names of their nodes
    chains: Collection[str] = ()
    auths: Collection[str] = ()
    links: Collection[str] = ()
    secrets: Collection[str] = ()
    events: Collection[str] = ()  # custom ones
    logbooks: Mapping[str, Collection[str]] = {}  # their columns
    sms_sender: str = ""  # the sender of texts that name none


class Declared(Protocol):
    @property
    def default(self) -> Scalar: ...
    @property
    def longest(self) -> int: ...


class Graph(Protocol):
    """definition.Flow, or as much of it as could be read."""

    @property
    def start(self) -> str: ...
    @property
    def nodes(self) -> Mapping[str, Node]: ...
    @property
    def variables(self) -> Mapping[str, Declared]: ...
    @property
    def key(self) -> str: ...


def end_code(edge: str) -> int | None:
    """The result code of an edge "end" or "end:CODE"; None for an edge to a node."""
    match = _EDGE_END.fullmatch(edge)
    return int(match[1] or 0) if match else None


def faults(
    path: str, flow: Graph, unread: Collection[str] = (), around: Surroundings | None = None
) -> list[Fault]:
    """`path` is that of the flow, its `start` "" if it is not known.  While some nodes, whose names are
    `unread`, could not be read, nothing is said about what needs all of them: unreachable nodes, unknown
    variables."""
    lint = _Lint(path, flow, unread, around)
    return [fault for look in lint.looks() for fault in look()]


class _Lint:
    def __init__(self, path: str, flow: Graph, unread: Collection[str], around: Surroundings | None) -> None:
        self._path, self._flow, self._nodes, self._around = path, flow, flow.nodes, around
        self._names = {*flow.nodes, *unread}
        self._unread = unread
        self._astray = list(self._edges())

    def looks(self) -> Iterator[Callable[[], Iterator[Fault]]]:
        yield self._named
        yield self._wired
        yield self._begins
        yield lambda: iter(self._astray)
        if not self._unread:
            # one misnamed edge would have everything behind it unreachable
            if not self._astray and self._flow.start in self._nodes:
                yield self._unreachable
                yield self._unset
            yield self._unknown
        yield lambda: calls.silent(self._path, self._nodes, self._unread)
        yield self._endless
        yield self._one_way
        yield self._too_long
        yield self._outlived
        if self._around is not None:
            yield self._foreign

    def _at(self, node: str, field: str = "") -> str:
        return f"{self._path}.nodes.{node}{'.' if field else ''}{field}"

    def _named(self) -> Iterator[Fault]:
        for name, node in self._nodes.items():
            if not _NAME.fullmatch(name):
                yield Fault(self._at(name), "a node's name is letters, digits and underscores")
            elif name in GROUPS or name in _TAKEN:
                yield Fault(self._at(name), f'"{name}" has a meaning of its own; choose another name')
            for field, variable in _assigned(node):
                yield from self._variable_named(self._at(name, field), variable)
        for variable in self._flow.variables:
            yield from self._variable_named(f"{self._path}.variables.{variable}", variable)

    def _variable_named(self, path: str, variable: str) -> Iterator[Fault]:
        if not _NAME.fullmatch(variable):
            what = f'"{variable}" is no name for a variable: letters, digits and underscores'
            yield Fault(path, what)
        elif variable in GROUPS or variable in _TAKEN or variable in self._nodes:
            what = f'"{variable}" is taken by a node or by the gateway; choose another name'
            yield Fault(path, what)

    def _wired(self) -> Iterator[Fault]:
        for name, node in self._nodes.items():
            events = node.outcomes()
            for event in events:
                if event not in node.on and event not in node.optional:
                    yield Fault(self._at(name, f"on.{event}"), "missing; say where to go on this event")
            for event in node.on:
                if event not in events:
                    known = f"{nearest(event, events)} (it has: {', '.join(events) or 'none'})"
                    what = f"a {node.type} node has no such event{known}"
                    yield Fault(self._at(name, f"on.{event}"), what)

    def _begins(self) -> Iterator[Fault]:
        start = self._flow.start
        if start and start not in self._names:
            yield Fault(f"{self._path}.start", f'"{start}" is no node{nearest(start, self._names)}')

    def _edges(self) -> Iterator[Fault]:
        for name, node in self._nodes.items():
            for event, edge in node.edges().items():
                if edge not in self._names and end_code(edge) is None:
                    what = f'on "{event}" it goes to "{edge}", which is no node{nearest(edge, self._names)}'
                    yield Fault(self._at(name), f'{what} ("end" and "end:CODE" end the session)')

    def _unreachable(self) -> Iterator[Fault]:
        entries = [self._flow.start, *(name for name, node in self._nodes.items() if node.type == "start")]
        seen, open_ends = set[str](), entries
        while open_ends:
            name = open_ends.pop()
            if name in self._nodes and name not in seen:
                seen.add(name)
                open_ends += self._nodes[name].edges().values()
        yield from (Fault(self._at(name), "no node leads here") for name in self._nodes if name not in seen)

    def _unknown(self) -> Iterator[Fault]:
        """Variables that nothing sets, wherever the session may have come from."""
        assigned = {v for node in self._nodes.values() for _, v in _assigned(node)}
        there = {*GROUPS, *assigned, *self._nodes, *self._flow.variables}
        for where, _, variable in self._read():
            group, _, rest = variable.partition(".")
            if group not in there:
                yield Fault(where, f"nothing sets $({variable}){nearest(group, there)}")
            elif group in self._nodes and rest and rest.partition(".")[0] not in self._nodes[group].fields():
                outputs = ", ".join(self._nodes[group].fields()) or "none"
                yield Fault(where, f"$({variable}): the outputs of {group} are: {outputs}")
            elif group == "sms" and rest:
                yield from _no_part_of_a_text(where, rest.partition(".")[0])
        for name, node in self._nodes.items():
            for field, expression in node.conditions():
                for part in _parts_named_in(expression, "sms"):
                    yield from _no_part_of_a_text(self._at(name, field), part)
                for other in self._nodes.keys() & {*_named_in(expression)}:
                    yield from self._no_output(self._at(name, field), other, expression)

    def _no_output(self, where: str, name: str, expression: str) -> Iterator[Fault]:
        outputs = self._nodes[name].fields()
        for part in _parts_named_in(expression, name):
            if part not in outputs:
                near = nearest(part, outputs) or f" (it has: {', '.join(outputs) or 'none'})"
                yield Fault(where, f'node {name} has no output "{part}"{near}')

    def _unset(self) -> Iterator[Fault]:
        """Variables that have no value on one of the ways that lead to where they are read."""
        for where, name, variable in self._read():
            group, _, rest = variable.partition(".")
            field = rest.partition(".")[0]
            if group in GROUPS or group in self._flow.variables or not name:
                continue
            field_of = where.removeprefix(self._at(name) + ".")
            if not field_of.startswith(("enter.", "leave.")) and group in self._nodes[name].earlier(field_of):
                continue
            if group in self._nodes and (not rest or field not in self._nodes[group].fields()):
                continue
            if group not in self._nodes and not any(
                group == v for node in self._nodes.values() for _, v in _assigned(node)
            ):
                continue  # said already
            if way := self._way_without(name, where, group, field):
                what = f"$({variable}) has no value on the way {way}; set it before, or declare it"
                yield Fault(where, f"{what} in `variables`")

    def _way_without(self, target: str, where: str, group: str, field: str) -> str:
        """A way to a node on which nothing gives a value to a variable, or to an output of a node: the nodes
        and events on it; "" if there is none."""
        before: dict[str, tuple[str, str]] = {self._flow.start: ("", "")}
        todo = deque([self._flow.start])
        while todo:
            name = todo.popleft()
            node = self._nodes[name]
            if group in node.entry.set and not (name == target and f"{name}.enter." in where):
                continue
            if name == target and not (f"{name}.leave." in where and self._always(name, group, field)):
                way = [target]
                while before[name][0]:
                    name, event = before[name]
                    way.append(f"{name} ({event})")
                return " -> ".join(reversed(way))
            for event, edge in node.edges().items():
                if edge in self._nodes and edge not in before and not self._gives(name, event, group, field):
                    before[edge] = (name, event)
                    todo.append(edge)
        return ""

    def _gives(self, name: str, event: str, group: str, field: str) -> bool:
        node = self._nodes[name]
        if group in self._nodes:
            return name == group and field in node.given(event)
        return group in node.assigned(event) or group in node.exit.set

    def _always(self, name: str, group: str, field: str) -> bool:
        """Whether the node's own act gives the value by whichever event it is left."""
        node = self._nodes[name]
        if group in node.exit.set:
            return True
        return bool(node.edges()) and all(self._gives(name, event, group, field) for event in node.edges())

    def _read(self) -> Iterator[tuple[str, str, str]]:
        """(where, node, variable) of all that is read."""
        for name, node in self._nodes.items():
            for field, text in node.texts():
                yield from ((self._at(name, field), name, variable) for variable in names(text))
            for field, expression in node.conditions():
                for variable in _named_in(expression):
                    yield self._at(name, field), name, variable
            for field, text in _beside("enter", node.entry):
                yield from ((self._at(name, field), name, variable) for variable in names(text))
            for field, text in _beside("leave", node.exit):
                yield from ((self._at(name, field), name, variable) for variable in names(text))
        for variable in names(self._flow.key):
            yield f"{self._path}.key", "", variable

    def _endless(self) -> Iterator[Fault]:
        """A circle in which nothing from outside has to happen: once entered, it would never be left."""
        busy = {name: node.edges().values() for name, node in self._nodes.items() if not node.pauses()}
        graph = {name: [edge for edge in edges if edge in busy] for name, edges in busy.items()}
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1][::-1]
            what = f"{' -> '.join(circle)} goes round without waiting for anything"
            yield Fault(self._at(circle[0]), what)

    def _one_way(self) -> Iterator[Fault]:
        """A text to which nobody can answer, before a node that waits for an answer."""
        for name, node in self._nodes.items():
            if not isinstance(node, SendSmsNode):
                continue
            sender = node.sender or (self._around.sms_sender if self._around else "")
            if not sender or "$(" in sender or not _is_name(sender):
                continue
            way = self._way_to(name, lambda other: other.listens_to("message"), stop=SendSmsNode)
            if way:
                what = f"{sender} is a name, which nobody can answer to, and {way} waits for an answer"
                yield Fault(self._at(name, "from"), f"{what}; send from a number")

    def _way_to(self, name: str, wanted: Callable[[Node], bool], stop: type[Node] | None = None) -> str:
        """The first wanted node behind that one, without passing a node of type `stop`."""
        seen = {name}
        todo = deque(self._nodes[name].edges().values())
        while todo:
            other = todo.popleft()
            if other in seen or other not in self._nodes:
                continue
            seen.add(other)
            if wanted(self._nodes[other]):
                return other
            if stop is None or not isinstance(self._nodes[other], stop):
                todo += self._nodes[other].edges().values()
        return ""

    def _too_long(self) -> Iterator[Fault]:
        for name, node in self._nodes.items():
            if not isinstance(node, SendSmsNode) or not node.segments:
                continue
            longest = {variable: "0" * self._longest(variable) for variable in names(node.text)}
            segments = count(render(node.text, longest))[1]
            if segments > node.segments:
                what = f"may take {segments} segments with its variables at their longest"
                if not longest:
                    what = f"takes {segments} segments"
                # how much a customer writes is a guess
                guessed = any(map(self._written, longest))
                what = f"{what}; segments says {node.segments} at most"
                yield Fault(self._at(name, "text"), what, warning=guessed)

    def _longest(self, variable: str) -> int:
        declared = self._flow.variables.get(variable)
        usual = _TEXT_LENGTH if self._written(variable) else _USUAL_LENGTH
        if declared is None:
            return usual
        return declared.longest or max(usual, len(str(declared.default)))

    def _written(self, variable: str) -> bool:
        """Whether a customer has written it, who may write as much as fits into a text."""
        group, _, part = variable.partition(".")
        if group in ("sms", "app"):
            return part in ("text", "rest")
        listening = {name: node for name, node in self._nodes.items() if node.listens_to("message")}
        if part:
            return part == "text" and group in listening
        return any(group == saved for node in listening.values() for _, saved in node.assigns())

    def _outlived(self) -> Iterator[Fault]:
        """What is good for a while, and is waited for longer."""
        for name, node in self._nodes.items():
            good = node.lifetime_seconds()
            if not good:
                continue
            way = self._way_to(name, lambda other, good=good: other.wait_seconds() > good)  # type: ignore[misc]
            if way:
                wait = self._nodes[way].wait_seconds()
                what = f"what it gives is good for {good:g} s, and {way} waits up to {wait:g} s for an answer"
                yield Fault(self._at(name), f"{what}; let it be good for longer, or wait less")

    def _foreign(self) -> Iterator[Fault]:
        """What it needs of its service."""
        around = self._around
        assert around is not None
        known: Mapping[str, Collection[str]] = {
            "flow": around.flows,
            "chain": around.chains,
            "auth": around.auths,
            "link": around.links,
            "secret": around.secrets,
            "event": around.events,
            "logbook": around.logbooks,
        }
        for name, node in self._nodes.items():
            refers = [*node.refers()]
            refers += ((f"{where}book", "logbook", line.book) for where, line in node.lines() if line.book)
            for field, what, wanted in refers:
                kind_of, _, inner = wanted.partition("/")
                if kind_of not in known[what]:
                    near = nearest(kind_of, known[what]) or (
                        f" (there are: {', '.join(known[what]) or 'none'})"
                    )
                    yield Fault(self._at(name, field), f'"{kind_of}" is no {what} of the service{near}')
                elif what == "flow" and inner and inner not in around.flows[kind_of]:
                    near = nearest(inner, around.flows[kind_of])
                    yield Fault(self._at(name, field), f'flow {kind_of} has no node "{inner}"{near}')
            yield from self._columns(name, node, around.logbooks)

    def _columns(self, name: str, node: Node, logbooks: Mapping[str, Collection[str]]) -> Iterator[Fault]:
        for where, line in node.lines():
            if line.book in logbooks:
                for column in line.row:
                    if column not in logbooks[line.book]:
                        what = f'Logbook {line.book} has no column "{column}"'
                        near = nearest(column, logbooks[line.book])
                        yield Fault(self._at(name, f"{where}row.{column}"), f"{what}{near}")


def _assigned(node: Node) -> Iterator[tuple[str, str]]:
    yield from node.assigns()
    yield from ((f"enter.set.{name}", name) for name in node.entry.set)
    yield from ((f"leave.set.{name}", name) for name in node.exit.set)


def _beside(when: str, aside: Aside) -> Iterator[tuple[str, str]]:
    """Texts whose variables must have values; a log leaves out those that have none."""
    yield from ((f"{when}.set.{name}", text) for name, text in aside.set.items() if isinstance(text, str))


def _named_in(expression: str) -> list[str]:
    try:
        return compiled(expression).names
    except BadCondition:
        return []  # said already


def _parts_named_in(expression: str, group: str) -> list[str]:
    try:
        return fields_of(compiled(expression), group)
    except BadCondition:
        return []  # said already


def _no_part_of_a_text(where: str, part: str) -> Iterator[Fault]:
    if part not in SMS:
        near = nearest(part, SMS) or f" (it has: {', '.join(SMS)})"
        yield Fault(where, f'a text has no "sms.{part}"{near}')


def _is_name(sender: str) -> bool:
    try:
        return kind(canonical(sender)) is Kind.SENDER_ID
    except BadAddress:
        return False
