"""profanity: whether a text has words that offend, and the text with stars for them."""

from __future__ import annotations

from typing import ClassVar

from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.base import Act, Context, Kind, Leave, Node, Resumed, Step
from gateway.flows.word_effects import ReadText

_STAGES = ("language", "profanity")


class ProfanityNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`$(node.masked)` is fit to be sent on; `$(node.offending)` are the words."""

    type: ClassVar[str] = "profanity"
    kind: ClassVar[Kind] = Kind.IDEMPOTENT
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("clean", "profane", "error")
    outputs: ClassVar[tuple[str, ...]] = ("masked", "offending", "reason")

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
        if input.event != "success" or "profanity" in input.data.get("late", ()):
            return Leave("error", outputs)
        return Leave("profane" if input.data.get("profane") else "clean", outputs)
