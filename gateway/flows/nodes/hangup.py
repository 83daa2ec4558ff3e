"""hangup: end the call; one that was not answered is refused by `status`, or as its number's `reject` says.

The session goes on: there may be a text to send.
"""

from __future__ import annotations

from typing import ClassVar

from gateway.flows.call_effects import HangUp
from gateway.flows.nodes.base import Act, Context, Kind, Step
from gateway.flows.nodes.on_call import OnCallNode

REFUSALS = (403, 404, 410, 480, 484, 486, 488, 503, 600, 603, 604, 607)  # RFC 3261 section 21, RFC 8197


class HangUpNode(OnCallNode, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "hangup"
    kind: ClassVar[Kind] = Kind.IDEMPOTENT
    events: ClassVar[tuple[str, ...]] = ("done", "error")
    optional: ClassVar[tuple[str, ...]] = ("error",)
    outputs: ClassVar[tuple[str, ...]] = ("reason",)

    status: int = 0  # SIP status for a caller who was not answered: 404, 480, 486, 603, ...; 0: the number's

    def edges(self) -> dict[str, str]:
        return {"error": self.on["done"]} | self.on if "done" in self.on else self.on

    def mistakes(self) -> list[tuple[str, str]]:
        if self.status in (0, *REFUSALS):
            return []
        return [("status", f"must be one of {', '.join(map(str, REFUSALS))}")]

    def enter(self, context: Context) -> Step:
        return Act(HangUp(key=context.key, status=self.status))
