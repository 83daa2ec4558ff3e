"""call-flow: have another flow of the service do its part, and go on when that has ended.

type = "call-flow"
flow = "verify"                     # or "verify/NODE": enter it at that node
variables = { name = "$(name)" }    # session variables of the other flow
take = ["verified"]                 # those of its variables that become ours when it has ended

It is left by `done` when the other flow ended with 0, by `error` when with another code, which is
`$(node.code)`, or when it could not begin.
"""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field

from gateway.flows.effects import StartFlow
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.base import Act, Context, Kind, Leave, Node, Resumed, Scalar, Step


class CallFlowNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "call-flow"
    kind: ClassVar[Kind] = Kind.EXTERNAL
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("done", "error")
    outputs: ClassVar[tuple[str, ...]] = ("run", "code", "reason")

    flow: str
    variables: dict[str, Scalar] = field(default_factory=dict)
    take: list[str] = field(default_factory=list)

    def texts(self) -> list[tuple[str, str]]:
        values = self.variables.items()
        return [(f"variables.{name}", text) for name, text in values if isinstance(text, str)]

    def refers(self) -> list[tuple[str, str, str]]:
        return [("flow", "flow", self.flow)]

    def assigns(self) -> list[tuple[str, str]]:
        return [(f"take[{n}]", name) for n, name in enumerate(self.take)]

    def assigned(self, event: str) -> tuple[str, ...]:
        return tuple(self.take) if event == "done" else ()

    def enter(self, context: Context) -> Step:
        flow, _, node = self.flow.partition("/")
        given: dict[str, Any] = context.filled(self.variables)
        return Act(StartFlow(key=context.key, flow=flow, node=node, variables=given))

    def resume(self, context: Context, input: Resumed) -> Step:
        assert isinstance(input, EffectDone)
        outputs = {name: input.data.get(name, "") for name in self.outputs}
        if input.event != "done":
            return Leave("error", outputs)
        data = input.data.get("data", {})
        return Leave("done", outputs, {name: data.get(name, "") for name in self.take})
