"""answer: take the call that rings.  One that is up already counts as answered at once.

Any other node that acts on the call answers it too, so that a flow needs this one only to say when: behind an
`http` node that looks the caller up, say, or not at all.
"""

from __future__ import annotations

from typing import ClassVar

from gateway.flows.call_effects import Answer
from gateway.flows.nodes.base import Act, Context, Step
from gateway.flows.nodes.on_call import OnCallNode


class AnswerNode(OnCallNode, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "answer"
    events: ClassVar[tuple[str, ...]] = ("answered", "hangup", "error")
    outputs: ClassVar[tuple[str, ...]] = ("transid", "reason")

    def enter(self, context: Context) -> Step:
        return Act(Answer(key=context.key))
