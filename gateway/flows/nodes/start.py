"""start: an entrance of the flow: its own start, or one by which another flow enters it (call-flow)."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from gateway.flows.nodes.base import Context, Leave, Node, Step


class StartNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`inputs` are the session variables without which it makes no sense to enter here."""

    type: ClassVar[str] = "start"
    events: ClassVar[tuple[str, ...]] = ("done", "error")
    optional: ClassVar[tuple[str, ...]] = ("error",)
    outputs: ClassVar[tuple[str, ...]] = ("reason",)

    inputs: list[str] = field(default_factory=list)

    def edges(self) -> dict[str, str]:
        return {"error": "end:102"} | self.on

    def assigns(self) -> list[tuple[str, str]]:
        return [(f"inputs[{n}]", name) for n, name in enumerate(self.inputs)]

    def assigned(self, event: str) -> tuple[str, ...]:
        return tuple(self.inputs) if event == "done" else ()

    def enter(self, context: Context) -> Step:
        missing = [name for name in self.inputs if name not in context.run.data]
        if missing:
            return self.failed(f"without a value: {', '.join(missing)}")
        return Leave("done", {"reason": ""})
