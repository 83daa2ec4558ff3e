"""sentiment: go on by how the customer feels."""

from __future__ import annotations

from typing import ClassVar

from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.base import Act, Context, Kind, Leave, Node, Resumed, Step
from gateway.flows.word_effects import ReadText

_STAGES = ("normalise", "language", "sentiment")


class SentimentNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`$(node.score)` is -1 to 1."""

    type: ClassVar[str] = "sentiment"
    kind: ClassVar[Kind] = Kind.IDEMPOTENT
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("positive", "neutral", "negative", "error")
    outputs: ClassVar[tuple[str, ...]] = ("sentiment", "score", "reason")

    text: str = "$(sms.text)"

    def texts(self) -> list[tuple[str, str]]:
        return [("text", self.text)]

    def pauses(self) -> bool:
        return False  # its outcome comes at once

    def enter(self, context: Context) -> Step:
        return Act(ReadText(key=context.key, text=context.text(self.text), stages=_STAGES))

    def resume(self, context: Context, input: Resumed) -> Step:
        assert isinstance(input, EffectDone)
        outputs = {name: input.data.get(name, "") for name in self.outputs}
        label = str(outputs["sentiment"])
        return Leave(label if input.event == "success" and label in self.events else "error", outputs)
