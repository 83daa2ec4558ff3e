"""call: phone the customer.

With `text` or `wav` alone it speaks or plays that and hangs up; the session goes on when the person answers.
Where a node that acts on the call follows, the call stays up for it: the session goes on when the words are
said, and the call ends by a `hangup` node, with the session, or when the person hangs up.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import field

from gateway.flows.call_effects import Play
from gateway.flows.effects import PlaceCall
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.base import Act, Context, Kind, Leave, Node, Resumed, Step, outcome
from gateway.flows.nodes.on_call import RESULT_HUNG_UP
from gateway.values.address import Kind as AddressKind
from gateway.values.address import kind, subscriber
from gateway.values.dialogue import Utterance


class CallNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "call"
    kind: ClassVar[Kind] = Kind.EXTERNAL
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = (
        *("answered", "busy", "no-answer", "rejected", "unreachable", "hangup", "error"),
    )
    optional: ClassVar[tuple[str, ...]] = (*("busy", "no-answer", "rejected", "unreachable", "hangup"),)
    outputs: ClassVar[tuple[str, ...]] = ("transid", "result", "reason", "code")

    to: str = ""  # default: the customer
    # default: the number on which the session began if calls can come from it, else the service's first
    sender: str = field(default="", name="from")
    text: str = ""
    wav: str = ""  # relative to the service file
    language: str = "en"

    def edges(self) -> dict[str, str]:
        return super().edges() | {"hangup": self.on.get("hangup", f"end:{RESULT_HUNG_UP}")}

    def mistakes(self) -> list[tuple[str, str]]:
        if self.text and self.wav:
            return [("text", "set either text (to speak) or wav (to play)")]
        return []

    def texts(self) -> list[tuple[str, str]]:
        return [("text", self.text), ("to", self.to), ("from", self.sender)]

    def enter(self, context: Context) -> Step:
        return Act(self._effect(context, context.text(self.text), self.wav, keep=False))

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)

    def _effect(self, context: Context, text: str, wav: str, *, keep: bool) -> PlaceCall:
        sender, own = context.text(self.sender), context.run.number
        default = own if kind(own) is AddressKind.NUMBER else ""
        return PlaceCall(
            key=context.key,
            sender=subscriber(sender) if sender else default,
            recipient=subscriber(context.text(self.to) or context.run.customer),
            text=text,
            wav=wav,
            language=self.language,
            keep=keep,
        )


class KeptCallNode(CallNode, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call that stays up: what there is to do comes one after another, each an effect of its own."""

    def enter(self, context: Context) -> Step:
        context.text(self.text)  # better no call than one without its words
        return Act(self._effect(context, "", "", keep=True))

    def resume(self, context: Context, input: Resumed) -> Step:
        assert isinstance(input, EffectDone)
        if input.event == "answered" and (self.text or self.wav):
            words = Utterance(text=context.text(self.text), wav=self.wav, language=self.language)
            return Act(Play(key=context.key, prompt=(words,)))
        if input.event in ("answered", "done"):
            transid, reason = input.data.get("transid", ""), input.data.get("reason", "")
            return Leave(
                "answered", {"transid": transid, "result": "answered", "reason": reason, "code": "200"}
            )
        return super().resume(context, input)


def kept(node: CallNode) -> KeptCallNode:
    return KeptCallNode(**msgspec.structs.asdict(node))
