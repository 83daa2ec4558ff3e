"""call: phone the customer.

With `text` or `wav` alone it speaks or plays that and hangs up; the session goes on when the person answers.
Where a node that acts on the call follows, the call stays up for it: the session goes on when the words are
said, and the call ends by a `hangup` node, with the session, or when the person hangs up.

With `detect` an answering machine is told from a person first, which takes some seconds of listening.  A
machine is told nothing and leads to `machine`; who is neither for sure counts as a person.  `answerer` is
human, machine or unsure, `answerer_cause` what told (beep, long-greeting, ...), `answerer_seconds` after how
long.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import field

from gateway.flows.call_effects import Detect, Play
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.base import Act, Context, Kind, Leave, Node, Resumed, Step, outcome
from gateway.flows.nodes.on_call import RESULT_HUNG_UP, dial
from gateway.values.dialogue import Utterance

_ANSWERED = ("answered", "human", "unsure")


class CallNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "call"
    kind: ClassVar[Kind] = Kind.EXTERNAL
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = (
        *("answered", "machine", "busy", "no-answer", "rejected", "unreachable", "hangup", "error"),
    )
    optional: ClassVar[tuple[str, ...]] = (
        *("machine", "busy", "no-answer", "rejected", "unreachable", "hangup"),
    )
    outputs: ClassVar[tuple[str, ...]] = (
        *("transid", "result", "reason", "code", "answerer", "answerer_cause", "answerer_seconds"),
    )

    to: str = ""  # default: the customer
    # default: the number on which the session began if calls can come from it, else the service's first
    sender: str = field(default="", name="from")
    text: str = ""
    wav: str = ""  # relative to the service file
    language: str = "en"
    detect: bool = False  # tell an answering machine from a person

    def edges(self) -> dict[str, str]:
        return super().edges() | {"hangup": self.on.get("hangup", f"end:{RESULT_HUNG_UP}")}

    def mistakes(self) -> list[tuple[str, str]]:
        if self.text and self.wav:
            return [("text", "set either text (to speak) or wav (to play)")]
        if self.detect and "machine" not in self.on:
            return [("on.machine", "missing; say where to go when a machine answers")]
        return []

    def texts(self) -> list[tuple[str, str]]:
        return [("text", self.text), ("to", self.to), ("from", self.sender)]

    def enter(self, context: Context) -> Step:
        effect = dial(
            context,
            to=self.to,
            sender=self.sender,
            text=context.text(self.text),
            wav=self.wav,
            language=self.language,
        )
        return Act(effect)

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)


class KeptCallNode(CallNode, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call that stays up: what there is to do comes one after another, each an effect of its own."""

    def enter(self, context: Context) -> Step:
        context.text(self.text)  # better no call than one without its words
        return Act(dial(context, to=self.to, sender=self.sender, keep="call"))

    def resume(self, context: Context, input: Resumed) -> Step:
        assert isinstance(input, EffectDone)
        if input.event == "answered" and self.detect:
            return Act(Detect(key=context.key))
        if input.event in _ANSWERED and (self.text or self.wav):
            words = Utterance(text=context.text(self.text), wav=self.wav, language=self.language)
            return Act(Play(key=context.key, prompt=(words,)))
        left = outcome(self, input)
        if input.event == "machine" or input.event in (*_ANSWERED, "done"):
            event = "machine" if input.event == "machine" else "answered"
            return Leave(event, left.outputs | {"result": event, "code": "200"})
        return left


def kept(node: CallNode) -> KeptCallNode:
    return KeptCallNode(**msgspec.structs.asdict(node))
