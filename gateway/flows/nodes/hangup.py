"""hangup: end the call; a call that was not answered is refused as its number's `reject` says.

The session goes on: there may be a text to send.
"""

from __future__ import annotations

from typing import ClassVar

from gateway.flows.call_effects import HangUp
from gateway.flows.nodes.base import Act, Context, Kind, Step
from gateway.flows.nodes.on_call import OnCallNode


class HangUpNode(OnCallNode, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "hangup"
    kind: ClassVar[Kind] = Kind.IDEMPOTENT
    events: ClassVar[tuple[str, ...]] = ("done", "error")
    optional: ClassVar[tuple[str, ...]] = ("error",)
    outputs: ClassVar[tuple[str, ...]] = ("reason",)

    def edges(self) -> dict[str, str]:
        return {"error": self.on["done"]} | self.on if "done" in self.on else self.on

    def enter(self, context: Context) -> Step:
        return Act(HangUp(key=context.key))
