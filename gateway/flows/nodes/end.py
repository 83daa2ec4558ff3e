"""end: end the session with a result code.  An edge "end:CODE" does the same without a node."""

from __future__ import annotations

from typing import ClassVar

from gateway.flows.nodes.base import Context, End, Node, Step


class EndNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "end"

    code: int = 0
    reason: str = ""

    def mistakes(self) -> list[tuple[str, str]]:
        return [] if 0 <= self.code <= 999 else [("code", "must be 0 to 999")]

    def texts(self) -> list[tuple[str, str]]:
        return [("reason", self.reason)]

    def enter(self, context: Context) -> Step:
        return End(self.code, context.text(self.reason))
