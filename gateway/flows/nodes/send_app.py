"""send-app: show the customer a text in the client's app, and go on once an installation has it.

Where no installation is connected that is `error` at once, and send-sms may follow; or once `within` is over.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from gateway.config.model import Seconds
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
    app: str = ""  # default: the one in which the session began, else the service's first
    until: Literal["accepted", "delivered", "read"] = "accepted"
    within: Seconds = Seconds(0)  # wait for an installation, and for `until`, so long; 0: for none

    def texts(self) -> list[tuple[str, str]]:
        return [("text", self.text), ("to", self.to)]

    def enter(self, context: Context) -> Step:
        text = context.text(self.text)
        if not text.strip():
            raise BadInput("the text is empty", code="empty")
        number = context.run.number
        return Act(
            SendApp(
                key=context.key,
                app=self.app or (number if context.run.data.get("app.to") == number else ""),
                recipient=subscriber(context.text(self.to) or context.run.customer),
                text=text,
                until=Result(self.until),
                within_seconds=float(self.within),
            )
        )

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)
