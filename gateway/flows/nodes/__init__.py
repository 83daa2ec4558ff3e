"""The node types.  A new one is a file here, a line in this table and a file of cases in its tests."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.flows.nodes.base import Node
from gateway.flows.nodes.branch import BranchNode
from gateway.flows.nodes.call import CallNode
from gateway.flows.nodes.delay import DelayNode
from gateway.flows.nodes.end import EndNode
from gateway.flows.nodes.http import HttpNode
from gateway.flows.nodes.receive import ReceiveNode
from gateway.flows.nodes.send_sms import SendSmsNode
from gateway.flows.nodes.set import SetNode

TYPES: Mapping[str, type[Node]] = {
    node.type: node
    for node in (
        SendSmsNode,
        ReceiveNode,
        BranchNode,
        SetNode,
        DelayNode,
        HttpNode,
        CallNode,
        EndNode,
    )
}
