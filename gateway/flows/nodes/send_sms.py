"""send-sms: text the customer, and go on once a carrier has taken it or it was delivered."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import field

from gateway.flows.effects import SendSms
from gateway.flows.nodes.base import Act, Context, Kind, Node, Resumed, Step, outcome
from gateway.values.address import canonical, subscriber
from gateway.values.errors import BadInput
from gateway.values.outcome import Result


class SendSmsNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "send-sms"
    kind: ClassVar[Kind] = Kind.EXTERNAL
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("success", "error")
    outputs: ClassVar[tuple[str, ...]] = ("transid", "status", "reason", "code")

    text: str
    to: str = ""  # default: the customer
    # default: the number on which the session began if the customer texted it, else the service's first
    sender: str = field(default="", name="from")
    until: Literal["accepted", "delivered"] = "accepted"
    segments: int = 10  # the lint warns of a text that may take more; 0: it may take any number

    def mistakes(self) -> list[tuple[str, str]]:
        return [] if self.text.strip() else [("text", "is empty; say what the customer is to read")]

    def texts(self) -> list[tuple[str, str]]:
        return [("text", self.text), ("to", self.to), ("from", self.sender)]

    def enter(self, context: Context) -> Step:
        text = context.text(self.text)
        if not text.strip():
            raise BadInput("the text is empty", code="empty")
        sender = context.text(self.sender)
        default = context.run.number if "sms.from" in context.run.data else ""
        return Act(
            SendSms(
                key=context.key,
                sender=canonical(sender) if sender else default,
                recipient=subscriber(context.text(self.to) or context.run.customer),
                text=text,
                until=Result(self.until),
            )
        )

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)
