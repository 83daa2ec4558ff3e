"""sentiment: go on by how the customer feels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from gateway.flows.nodes.base import Leave
from gateway.flows.nodes.reading import ReadingNode


class SentimentNode(ReadingNode, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`$(node.score)` is -1 to 1."""

    type: ClassVar[str] = "sentiment"
    stages: ClassVar[tuple[str, ...]] = ("normalise", "language", "sentiment")
    events: ClassVar[tuple[str, ...]] = ("positive", "neutral", "negative", "error")
    outputs: ClassVar[tuple[str, ...]] = ("sentiment", "score", "reason")

    def read(self, outputs: dict[str, Any], data: Mapping[str, Any]) -> Leave:
        label = str(outputs["sentiment"])
        return Leave(label if label in self.events else "error", outputs)
