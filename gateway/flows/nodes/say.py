"""say: speak a text.  `barge_in` and `early` as in `play`."""

from __future__ import annotations

from typing import ClassVar

from gateway.flows.call_effects import Play
from gateway.flows.nodes.base import Act, Context, Step
from gateway.flows.nodes.on_call import Prompted


class SayNode(Prompted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "say"
    events: ClassVar[tuple[str, ...]] = ("done", "hangup", "error")
    outputs: ClassVar[tuple[str, ...]] = ("digit", "reason")

    barge_in: bool = False
    early: bool = False

    def mistakes(self) -> list[tuple[str, str]]:
        found = [] if self.text else [("text", "is missing: a say node speaks it")]
        return found + ([("wav", "is for a play node; a say node speaks text")] if self.wav else [])

    def enter(self, context: Context) -> Step:
        said = self.prompt(context)
        return Act(Play(key=context.key, prompt=said, barge_in=self.barge_in, early=self.early))
