"""profanity: whether a text has words that offend, and the text with stars for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from gateway.flows.nodes.base import Leave
from gateway.flows.nodes.reading import ReadingNode


class ProfanityNode(ReadingNode, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`$(node.masked)` is fit to be sent on; `$(node.offending)` are the words."""

    type: ClassVar[str] = "profanity"
    stages: ClassVar[tuple[str, ...]] = ("language", "profanity")
    events: ClassVar[tuple[str, ...]] = ("clean", "profane", "error")
    outputs: ClassVar[tuple[str, ...]] = ("masked", "offending", "reason")

    def read(self, outputs: dict[str, Any], data: Mapping[str, Any]) -> Leave:
        if "profanity" in data.get("late", ()):
            return Leave("error", outputs)
        return Leave("profane" if data.get("profane") else "clean", outputs)
