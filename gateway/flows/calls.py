"""Which nodes need a call that is up, and who leaves one up for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from gateway.flows.nodes.base import Node
from gateway.flows.nodes.call import CallNode, kept
from gateway.flows.nodes.call_flow import CallFlowNode
from gateway.flows.nodes.on_call import OnCallNode
from gateway.values.fault import Fault

_UP = ("answered", "machine")  # the events of a `call` node behind which its call is up


def with_kept(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """The nodes, with each `call` node that something follows on its call as one that leaves it up."""
    return {
        name: kept(node) if isinstance(node, CallNode) and _stays_up(node, nodes) else node
        for name, node in nodes.items()
    }


def silent(path: str, nodes: Mapping[str, Node], unread: Collection[str]) -> Iterator[Fault]:
    """Calls on which nothing would be said.  `unread` nodes may be anything."""
    for name, node in nodes.items():
        if isinstance(node, CallNode) and not (node.text or node.wav or unread or _stays_up(node, nodes)):
            what = "says nothing: set text (to speak) or wav (to play), or let a node follow that does"
            yield Fault(f"{path}.nodes.{name}.text", what)


def uncalled(start: str, nodes: Mapping[str, Node]) -> str:
    """The first node that acts on a call when none was made before it, "" if there is none: such a flow can
    only begin on a call."""
    seen, ahead = set[str](), [start]
    while ahead:
        name = ahead.pop(0)
        node = nodes.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        if isinstance(node, OnCallNode):
            return name
        called = isinstance(node, CallNode)
        ahead += [edge for event, edge in node.edges().items() if not (called and event in _UP)]
    return ""


def _stays_up(node: CallNode, nodes: Mapping[str, Node]) -> bool:
    edges = node.edges()
    seen, ahead = set[str](), [edges[event] for event in _UP if event in edges]
    while ahead:
        name = ahead.pop()
        follows = nodes.get(name)
        if follows is None or name in seen or isinstance(follows, CallNode):
            continue
        seen.add(name)
        # what another flow does on the call is not known here: one on which nothing was said is for it
        says_nothing = not (node.text or node.wav)
        if isinstance(follows, OnCallNode) or (says_nothing and isinstance(follows, CallFlowNode)):
            return True
        ahead += follows.edges().values()
    return node.detect
