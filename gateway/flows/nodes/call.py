"""call: phone the customer and speak a text or play a file."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from gateway.flows.effects import PlaceCall
from gateway.flows.nodes.base import Act, Context, Kind, Node, Resumed, Step, outcome
from gateway.values.address import Kind as AddressKind
from gateway.values.address import kind, subscriber


class CallNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "call"
    kind: ClassVar[Kind] = Kind.EXTERNAL
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("answered", "busy", "no-answer", "rejected", "unreachable", "error")
    optional: ClassVar[tuple[str, ...]] = ("busy", "no-answer", "rejected", "unreachable")
    outputs: ClassVar[tuple[str, ...]] = ("transid", "result", "reason", "code")

    to: str = ""  # default: the customer
    # default: the number on which the session began if calls can come from it, else the service's first
    sender: str = field(default="", name="from")
    text: str = ""
    wav: str = ""  # relative to the service file
    language: str = "en"

    def mistakes(self) -> list[tuple[str, str]]:
        if bool(self.text) == bool(self.wav):
            return [("text", "set either text (to speak) or wav (to play)")]
        return []

    def texts(self) -> list[tuple[str, str]]:
        return [("text", self.text), ("to", self.to), ("from", self.sender)]

    def enter(self, context: Context) -> Step:
        sender, own = context.text(self.sender), context.run.number
        default = own if kind(own) is AddressKind.NUMBER else ""
        return Act(
            PlaceCall(
                key=context.key,
                sender=subscriber(sender) if sender else default,
                recipient=subscriber(context.text(self.to) or context.run.customer),
                text=context.text(self.text),
                wav=self.wav,
                language=self.language,
            )
        )

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)
