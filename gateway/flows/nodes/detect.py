"""detect: tell by what is heard who has answered, a person or an answering machine.

For the first node of a flow whose call somebody else has placed, as that of a call list; a `call` node has
`detect` itself.  It takes some seconds of listening: `$(node.cause)` says what told, `$(node.seconds)` after
how long.  Who is neither for sure counts as a person where `unsure` is not wired.
"""

from __future__ import annotations

from typing import ClassVar

from gateway.flows.call_effects import Detect
from gateway.flows.nodes.base import Act, Context, Step
from gateway.flows.nodes.on_call import OnCallNode


class DetectNode(OnCallNode, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "detect"
    events: ClassVar[tuple[str, ...]] = ("human", "machine", "unsure", "hangup", "error")
    optional: ClassVar[tuple[str, ...]] = ("unsure", "hangup")
    outputs: ClassVar[tuple[str, ...]] = ("answerer", "cause", "seconds", "reason")

    def edges(self) -> dict[str, str]:
        wired = super().edges()
        return wired | {"unsure": self.on.get("unsure") or wired.get("human", "end")}

    def enter(self, context: Context) -> Step:
        return Act(Detect(key=context.key))
