"""play: play a file, or several one after another.

With `barge_in` a key ends it; the key counts for the `collect` or `menu` node that follows.  With `early` a
caller who was not answered yet hears it before the answer, at no cost: an announcement before a refusal.
"""

from __future__ import annotations

from typing import ClassVar

from gateway.flows.call_effects import Play
from gateway.flows.nodes.base import Act, Context, Step
from gateway.flows.nodes.on_call import OnCallNode
from gateway.values.dialogue import Utterance


class PlayNode(OnCallNode, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "play"
    events: ClassVar[tuple[str, ...]] = ("done", "hangup", "error")
    outputs: ClassVar[tuple[str, ...]] = ("digit", "reason")

    wav: str | list[str]  # relative to the service file
    barge_in: bool = False
    early: bool = False  # as early media, where the call is not answered yet

    def mistakes(self) -> list[tuple[str, str]]:
        return [] if self.wav else [("wav", "needs at least one file")]

    def enter(self, context: Context) -> Step:
        files = [self.wav] if isinstance(self.wav, str) else self.wav
        prompt = tuple(Utterance(wav=file) for file in files)
        return Act(Play(key=context.key, prompt=prompt, barge_in=self.barge_in, early=self.early))
