"""nlp: read something out of a text, by the service's [nlp].

type = "nlp"
find = "datetime"                  # or intent, language, answer, date, time, number, amount, phone, email
text = "$(answer.text)"            # default: the customer's latest text
on = { success = "book", no-match = "again", error = "end:102" }

`$(node.value)` is what was looked for; `$(node.intent)`, `$(node.confidence)`, `$(node.date)` and the others
that text/pipeline.py lists are there as well.  Without `find` anything that is found is a success.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from gateway.flows.nodes.base import Leave
from gateway.flows.nodes.reading import ReadingNode

_FOUND = ("intent", "answer", "datetime", "number", "amount", "phone", "email")


class NlpNode(ReadingNode, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "nlp"
    stages: ClassVar[tuple[str, ...]] = ("normalise", "language", "entities", "intent")
    events: ClassVar[tuple[str, ...]] = ("success", "no-match", "error")
    outputs: ClassVar[tuple[str, ...]] = (
        "value", "text", "language", "intent", "confidence", "because", "answer", "entities", "date", "time",
        "datetime", "number", "amount", "currency", "phone", "email", "reason",
    )  # fmt: skip

    find: Literal[
        "", "intent", "language", "answer", "date", "time", "datetime", "number", "amount", "phone", "email"
    ] = ""
    save: str = ""  # a session variable that gets the value

    def mistakes(self) -> list[tuple[str, str]]:
        return [("save", "needs `find`: which value it is to get")] if self.save and not self.find else []

    def assigns(self) -> list[tuple[str, str]]:
        return [("save", self.save)] if self.save else []

    def assigned(self, event: str) -> tuple[str, ...]:
        return (self.save,) if self.save and event == "success" else ()

    def read(self, outputs: dict[str, Any], data: Mapping[str, Any]) -> Leave:
        value = next(
            (outputs[name] for name in ([self.find] if self.find else _FOUND) if outputs[name] != ""), ""
        )
        outputs["value"] = value
        variables = {self.save: value} if self.save and value != "" else {}
        return Leave("success" if value != "" else "no-match", outputs, variables)
