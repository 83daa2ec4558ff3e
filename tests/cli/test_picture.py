from gateway.cli.picture import mermaid, tree
from gateway.flows.definition import read

FLOW = read(
    "order",
    {
        "start": "ask",
        "nodes": {
            "ask": {"type": "send-sms", "text": "Size?", "on": {"success": "answer", "error": "end:102"}},
            "answer": {"type": "receive", "timeout": "10m", "on": {"message": "size", "timeout": "end"}},
            "size": {
                "type": "branch",
                "cases": [{"when": 'sms.text == "S"', "go": "note"}],
                "else": "ask",
            },
            "note": {"type": "set", "values": {"chosen": "S"}, "on": {"done": "end"}},
        },
    },
)


def test_a_tree_names_each_node_once() -> None:
    assert tree(FLOW) == [
        f"order (version {FLOW.version})",
        "`- ask: send-sms",
        "   |- success: answer: receive",
        "   |  |- message: size: branch",
        "   |  |  |- case 1: note: set",
        "   |  |  |  `- done: end",
        "   |  |  `- else: see ask",
        "   |  `- timeout: end",
        "   `- error: end:102",
    ]


def test_a_flowchart_has_every_node_and_edge() -> None:
    assert mermaid(FLOW) == [
        "flowchart TD",
        "  start(( )) --> n1",
        '  n1["ask<br/>send-sms"]',
        '  n2["answer<br/>receive"]',
        '  n3["size<br/>branch"]',
        '  n4["note<br/>set"]',
        '  n1 -- "success" --> n2',
        '  n1 -- "error" --> end102((end:102))',
        '  n2 -- "message" --> n3',
        '  n2 -- "timeout" --> end0((end))',
        '  n3 -- "case 1" --> n4',
        '  n3 -- "else" --> n1',
        '  n4 -- "done" --> end0((end))',
    ]
