"""smart-link: a short URL of the customer's own, of one of the service's [links].

In a text `$(link.NAME)` does the same without a node; this one gives the URL to whatever else needs it.
"""

from __future__ import annotations

from typing import ClassVar

from gateway.flows.nodes.base import Act, Context, Kind, Node, Resumed, Step, outcome
from gateway.flows.word_effects import MakeLink
from gateway.values.address import subscriber


class SmartLinkNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "smart-link"
    kind: ClassVar[Kind] = Kind.IDEMPOTENT
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("success", "error")
    outputs: ClassVar[tuple[str, ...]] = ("url", "reason")

    link: str
    to: str = ""  # whose it is; default: the customer

    def texts(self) -> list[tuple[str, str]]:
        return [("to", self.to)]

    def refers(self) -> list[tuple[str, str, str]]:
        return [("link", "link", self.link)]

    def pauses(self) -> bool:
        return False  # its outcome comes at once

    def enter(self, context: Context) -> Step:
        address = subscriber(context.text(self.to) or context.run.customer)
        return Act(MakeLink(key=context.key, name=self.link, address=address))

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)
