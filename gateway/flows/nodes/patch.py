"""patch: call somebody else and connect the two calls, until one of them hangs up.

`text` or `wav` is said to the first one before the second is called; while that one's phone rings the first
hears the ringing tone, or `hold`, a file, again and again.  When the second has hung up the first is still
there, and the node is left by `done`.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from gateway.flows.call_effects import Patch, Play
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.base import Act, Context, Leave, Resumed, Step, outcome
from gateway.flows.nodes.on_call import Prompted, dial
from gateway.values.dialogue import CALLER_GONE, Utterance


class PatchNode(Prompted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "patch"
    events: ClassVar[tuple[str, ...]] = (
        *("done", "busy", "no-answer", "rejected", "unreachable", "hangup", "error"),
    )
    optional: ClassVar[tuple[str, ...]] = (*("busy", "no-answer", "rejected", "unreachable", "hangup"),)
    outputs: ClassVar[tuple[str, ...]] = ("transid", "seconds", "reason", "code")

    to: str
    # default: the number on which the session began if calls can come from it, else the service's first
    sender: str = field(default="", name="from")
    hold: str = ""  # what is heard meanwhile, relative to the service file; default: the ringing tone

    def texts(self) -> list[tuple[str, str]]:
        return [*super().texts(), ("to", self.to), ("from", self.sender)]

    def enter(self, context: Context) -> Step:
        said = self.prompt(context)
        dial(context, to=self.to, sender=self.sender)  # better nothing said than words before no call
        return Act(Play(key=context.key, prompt=said, meanwhile=Utterance(wav=self.hold)))

    def resume(self, context: Context, input: Resumed) -> Step:
        assert isinstance(input, EffectDone)
        left = outcome(self, input)
        match input.event:
            case "done":
                return Act(dial(context, to=self.to, sender=self.sender, keep="patch"))
            case "answered":
                return Act(Patch(key=context.key))
            case "ended":
                return Leave("done", left.outputs)
            case "no-answer" if input.data.get("code") == CALLER_GONE:
                return Leave("hangup", left.outputs)
            case _:
                return left
