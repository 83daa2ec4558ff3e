"""A flow as a picture in text: a tree for the terminal, a Mermaid flowchart for documents."""

from __future__ import annotations

from gateway.flows.definition import Flow
from gateway.flows.lint import end_code


def tree(flow: Flow) -> list[str]:
    """Each node once, below the first edge that leads to it; further edges to it say "see above".

    order (version 0123456789ab)
    `- ask: send-sms
       |- success: answer: receive
       |  |- message: end
       |  `- timeout: see ask
       `- error: end:102
    """
    lines = [f"{flow.name} (version {flow.version})"]
    # (indent, label of the edge or "", where it leads, whether it is the last of its node)
    todo = [("", "", flow.start, True)]
    seen: set[str] = set()
    while todo:
        indent, label, name, last = todo.pop()
        branch = indent + ("`- " if last else "|- ") + (f"{label}: " if label else "")
        node = flow.nodes.get(name)
        if node is None:
            lines.append(branch + name)
            continue
        if name in seen:
            lines.append(f"{branch}see {name}")
            continue
        seen.add(name)
        lines.append(f"{branch}{name}: {node.type}")
        edges = list(node.edges().items())
        deeper = indent + ("   " if last else "|  ")
        todo += [(deeper, event, to, n == len(edges) - 1) for n, (event, to) in enumerate(edges)][::-1]
    return lines


def mermaid(flow: Flow) -> list[str]:
    """Nodes are n1, n2, ... so that a node may be called what Mermaid has a use for."""
    ids = {name: f"n{number}" for number, name in enumerate(flow.nodes, 1)}
    lines = ["flowchart TD", f"  start(( )) --> {ids[flow.start]}"]
    lines += [f'  {ids[name]}["{name}<br/>{node.type}"]' for name, node in flow.nodes.items()]
    for name, node in flow.nodes.items():
        for event, to in node.edges().items():
            target = ids.get(to) or f"end{end_code(to)}(({to}))"
            lines.append(f'  {ids[name]} -- "{event}" --> {target}')
    return lines
