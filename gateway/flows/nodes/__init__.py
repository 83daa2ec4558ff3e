"""The node types.  A new one is a file here, a line in this table and a file of cases in its tests.

Another package brings node types of its own by an entry point in the group `gateway.nodes`: a subclass of
nodes.base.Node whose name is its `type`.  Methods of integrations are node types too (nodes/integration.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points

from gateway.flows.nodes.answer import AnswerNode
from gateway.flows.nodes.base import Node
from gateway.flows.nodes.branch import BranchNode
from gateway.flows.nodes.call import CallNode
from gateway.flows.nodes.call_flow import CallFlowNode
from gateway.flows.nodes.chain import ChainNode
from gateway.flows.nodes.collect import CollectNode
from gateway.flows.nodes.consent import ConsentNode
from gateway.flows.nodes.decrypt import DecryptNode
from gateway.flows.nodes.delay import DelayNode
from gateway.flows.nodes.detect import DetectNode
from gateway.flows.nodes.encrypt import EncryptNode
from gateway.flows.nodes.end import EndNode
from gateway.flows.nodes.evaluate import EvaluateNode
from gateway.flows.nodes.event import EventNode
from gateway.flows.nodes.hangup import HangUpNode
from gateway.flows.nodes.hash import HashNode
from gateway.flows.nodes.http import HttpNode
from gateway.flows.nodes.log import LogNode
from gateway.flows.nodes.menu import MenuNode
from gateway.flows.nodes.nlp import NlpNode
from gateway.flows.nodes.notify import NotifyNode
from gateway.flows.nodes.otp_generate import OtpGenerateNode
from gateway.flows.nodes.otp_validate import OtpValidateNode
from gateway.flows.nodes.parse import ParseNode
from gateway.flows.nodes.patch import PatchNode
from gateway.flows.nodes.play import PlayNode
from gateway.flows.nodes.profanity import ProfanityNode
from gateway.flows.nodes.profile import ProfileNode
from gateway.flows.nodes.receive import ReceiveNode
from gateway.flows.nodes.record import RecordNode
from gateway.flows.nodes.say import SayNode
from gateway.flows.nodes.send_app import SendAppNode
from gateway.flows.nodes.send_sms import SendSmsNode
from gateway.flows.nodes.sentiment import SentimentNode
from gateway.flows.nodes.set import SetNode
from gateway.flows.nodes.smart_link import SmartLinkNode
from gateway.flows.nodes.start import StartNode
from gateway.flows.nodes.transfer import TransferNode
from gateway.flows.nodes.transform import TransformNode

OWN: Mapping[str, type[Node]] = {
    node.type: node
    for node in (
        StartNode,
        SendSmsNode,
        SendAppNode,
        ReceiveNode,
        BranchNode,
        EvaluateNode,
        SetNode,
        DelayNode,
        HttpNode,
        ParseNode,
        TransformNode,
        CallFlowNode,
        ChainNode,
        CallNode,
        AnswerNode,
        PlayNode,
        SayNode,
        CollectNode,
        MenuNode,
        RecordNode,
        DetectNode,
        PatchNode,
        TransferNode,
        HangUpNode,
        ProfileNode,
        ConsentNode,
        OtpGenerateNode,
        OtpValidateNode,
        SmartLinkNode,
        NlpNode,
        SentimentNode,
        ProfanityNode,
        HashNode,
        EncryptNode,
        DecryptNode,
        EventNode,
        NotifyNode,
        LogNode,
        EndNode,
    )
}


def local(group: str = "gateway.nodes") -> dict[str, type[Node]]:
    """The node types that other packages bring.  Raises TypeError for what is none."""
    found: dict[str, type[Node]] = {}
    for entry in entry_points(group=group):
        node = entry.load()
        if not (isinstance(node, type) and issubclass(node, Node)) or node.type in OWN:
            raise TypeError(f"{entry.value} in the entry points {group} is no node type of its own")
        found[node.type] = node
    return found


TYPES: Mapping[str, type[Node]] = {**OWN, **local()}
