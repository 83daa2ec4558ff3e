"""receive: wait for the customer's next message.

`sms.*` becomes that message; it stays readable as `$(node.text)` when another one follows.
"""

from __future__ import annotations

from typing import ClassVar

from gateway.config.model import Seconds
from gateway.flows.inputs import EffectDone, MessageIn, TimeUp
from gateway.flows.nodes.base import Context, Leave, Node, Step, Wait


class ReceiveNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "receive"
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("message", "timeout")
    outputs: ClassVar[tuple[str, ...]] = ("text", "from", "words")

    timeout: Seconds
    save: str = ""  # a session variable that gets the text

    def mistakes(self) -> list[tuple[str, str]]:
        return [] if self.timeout > 0 else [("timeout", "must be longer than 0")]

    def assigns(self) -> list[tuple[str, str]]:
        return [("save", self.save)] if self.save else []

    def enter(self, context: Context) -> Step:
        return Wait("message", context.now + self.timeout)

    def resume(self, context: Context, input: MessageIn | TimeUp | EffectDone) -> Step:
        if not isinstance(input, MessageIn):
            return Leave("timeout")
        variables = {f"sms.{name}": value for name, value in input.data.items()}
        if self.save:
            variables[self.save] = input.data.get("text", "")
        outputs = {name: input.data.get(name, "") for name in self.outputs}
        return Leave("message", outputs, variables)
