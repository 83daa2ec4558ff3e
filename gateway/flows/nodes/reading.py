"""What nodes have in common that read something out of a text, by the service's [nlp]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.base import Act, Context, Kind, Leave, Node, Resumed, Step
from gateway.flows.word_effects import ReadText


class ReadingNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: ClassVar[Kind] = Kind.IDEMPOTENT
    waits: ClassVar[bool] = True
    stages: ClassVar[tuple[str, ...]] = ()  # of the pipeline, that it needs

    text: str = "$(sms.text)"

    def texts(self) -> list[tuple[str, str]]:
        return [("text", self.text)]

    def pauses(self) -> bool:
        return False  # its outcome comes at once

    def enter(self, context: Context) -> Step:
        return Act(ReadText(key=context.key, text=context.text(self.text), stages=self.stages))

    def resume(self, context: Context, input: Resumed) -> Step:
        assert isinstance(input, EffectDone)
        outputs = {name: input.data.get(name, "") for name in self.outputs}
        return self.read(outputs, input.data) if input.event == "success" else Leave("error", outputs)

    def read(self, outputs: dict[str, Any], data: Mapping[str, Any]) -> Leave:
        """Where what was read leads: `outputs` are the node's own of all the `data`."""
        raise NotImplementedError
