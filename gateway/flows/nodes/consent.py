"""consent: note that the customer has opted in or out of the service's messages, or ask what holds."""

from __future__ import annotations

from typing import ClassVar, Literal

from gateway.flows.effects import UseConsent
from gateway.flows.nodes.base import Act, Context, Kind, Node, Resumed, Step, outcome


class ConsentNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """It is left by what holds then."""

    type: ClassVar[str] = "consent"
    kind: ClassVar[Kind] = Kind.IDEMPOTENT
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("opted-in", "opted-out", "error")
    outputs: ClassVar[tuple[str, ...]] = ("reason",)

    opt: Literal["in", "out", "check"] = "check"
    reason: str = ""  # what is kept of why; default: the flow and the node

    def texts(self) -> list[tuple[str, str]]:
        return [("reason", self.reason)]

    def pauses(self) -> bool:
        return False  # its outcome comes at once

    def enter(self, context: Context) -> Step:
        reason = context.text(self.reason) or f"flow {context.run.flow}, node {context.name}"
        return Act(UseConsent(key=context.key, address=context.run.customer, what=self.opt, reason=reason))

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)
