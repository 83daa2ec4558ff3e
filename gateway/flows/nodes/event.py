"""event: raise a custom event about the customer: rules hear it, and sessions that wait for it go on.

type = "event"
name = "paid"                       # custom.paid
data = { amount = "$(amount)" }
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from msgspec import field

from gateway.flows.effects import RaiseEvent
from gateway.flows.nodes.base import Act, Context, Kind, Node, Resumed, Step, leaves, outcome

_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,50}")


class EventNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "event"
    kind: ClassVar[Kind] = Kind.EXTERNAL
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("success", "error")
    outputs: ClassVar[tuple[str, ...]] = ("id", "reason")

    name: str
    data: dict[str, Any] = field(default_factory=dict)

    def mistakes(self) -> list[tuple[str, str]]:
        if _NAME.fullmatch(self.name):
            return []
        return [("name", "must be 1 to 50 letters, digits, underscores, hyphens or dots, without custom.")]

    def texts(self) -> list[tuple[str, str]]:
        return [("data", text) for text in leaves(self.data)]

    def refers(self) -> list[tuple[str, str, str]]:
        return [("name", "event", self.name)]

    def pauses(self) -> bool:
        return False  # its outcome comes at once

    def enter(self, context: Context) -> Step:
        return Act(RaiseEvent(key=context.key, name=self.name, data=context.filled(self.data)))

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)
