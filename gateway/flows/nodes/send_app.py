"""send-app: show the customer a text in the client's app, and go on once an installation has it.

One that no installation is connected for is `error`: send-sms may follow.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from gateway.flows.effects import SendApp
from gateway.flows.nodes.base import Act, Context, Kind, Node, Resumed, Step, outcome
from gateway.values.address import subscriber
from gateway.values.errors import BadInput
from gateway.values.outcome import Result


class SendAppNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "send-app"
    kind: ClassVar[Kind] = Kind.EXTERNAL
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("success", "error")
    outputs: ClassVar[tuple[str, ...]] = ("transid", "status", "reason", "code")

    text: str
    to: str = ""  # default: the customer
    app: str = ""  # default: the service's first
    until: Literal["accepted", "delivered", "read"] = "accepted"

    def texts(self) -> list[tuple[str, str]]:
        return [("text", self.text), ("to", self.to)]

    def enter(self, context: Context) -> Step:
        text = context.text(self.text)
        if not text.strip():
            raise BadInput("the text is empty", code="empty")
        return Act(
            SendApp(
                key=context.key,
                app=self.app,
                recipient=subscriber(context.text(self.to) or context.run.customer),
                text=text,
                until=Result(self.until),
            )
        )

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)
