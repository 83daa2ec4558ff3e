"""chain: reach the customer by a fallback chain of the service, and go on when it has come to its end."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field

from gateway.flows.effects import StartChain
from gateway.flows.nodes.base import Act, Context, Kind, Node, Resumed, Step, outcome
from gateway.values.address import subscriber


class ChainNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`variables` are for the templates of the chain, beside those of the session."""

    type: ClassVar[str] = "chain"
    kind: ClassVar[Kind] = Kind.EXTERNAL
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("success", "error")
    outputs: ClassVar[tuple[str, ...]] = ("transid", "status", "channel", "carrier", "reason", "code")

    name: str
    to: str = ""  # default: the customer
    variables: dict[str, str] = field(default_factory=dict)

    def texts(self) -> list[tuple[str, str]]:
        return [("to", self.to), *((f"variables.{name}", text) for name, text in self.variables.items())]

    def refers(self) -> list[tuple[str, str, str]]:
        return [("name", "chain", self.name)]

    def enter(self, context: Context) -> Step:
        given: dict[str, Any] = context.run.data | context.filled(self.variables)
        recipient = subscriber(context.text(self.to) or context.run.customer)
        return Act(StartChain(key=context.key, name=self.name, recipient=recipient, variables=given))

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)
