"""transfer: have the carrier connect the person with somebody else, without us (a blind transfer).

`text` or `wav` is said before.  The call is over once the other one has answered, and the session goes on by
`transferred`; where nobody did, the person is still there.
"""

from __future__ import annotations

from typing import ClassVar

from gateway.flows.call_effects import Play, Transfer
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.base import Act, Context, Resumed, Step, outcome
from gateway.flows.nodes.on_call import Prompted
from gateway.values.address import subscriber


class TransferNode(Prompted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "transfer"
    events: ClassVar[tuple[str, ...]] = (
        *("transferred", "busy", "no-answer", "rejected", "unreachable", "hangup", "error"),
    )
    optional: ClassVar[tuple[str, ...]] = (*("busy", "no-answer", "rejected", "unreachable", "hangup"),)
    outputs: ClassVar[tuple[str, ...]] = ("code", "reason")

    to: str

    def texts(self) -> list[tuple[str, str]]:
        return [*super().texts(), ("to", self.to)]

    def enter(self, context: Context) -> Step:
        said = self.prompt(context)
        subscriber(context.text(self.to))  # better nothing said than words before no transfer
        return Act(Play(key=context.key, prompt=said))

    def resume(self, context: Context, input: Resumed) -> Step:
        assert isinstance(input, EffectDone)
        if input.event == "done":
            return Act(Transfer(key=context.key, to=subscriber(context.text(self.to))))
        return outcome(self, input)
