"""delay: go on after a while."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from gateway.config.model import Seconds
from gateway.flows.inputs import EffectDone, MessageIn, TimeUp
from gateway.flows.nodes.base import Context, Leave, Node, Step, Wait


class DelayNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "delay"
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("done",)

    seconds: Seconds = field(name="for")

    def mistakes(self) -> list[tuple[str, str]]:
        return [] if self.seconds > 0 else [("for", "must be longer than 0")]

    def enter(self, context: Context) -> Step:
        return Wait("delay", context.now + self.seconds)

    def resume(self, context: Context, input: MessageIn | TimeUp | EffectDone) -> Step:
        return Leave("done")
