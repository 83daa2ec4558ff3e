"""log: write a line to the transaction log, or a row to a Logbook of the service.

type = "log"
id = "answer"                                  # to the transaction log
value = "$(q1.text)"
book = "answers"                               # or to [logbooks.answers]
row = { customer = "$(customer.address)", score = "$(score)" }
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from gateway.flows.nodes.base import Context, Leave, LogLine, Node, Step


class LogNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "log"
    events: ClassVar[tuple[str, ...]] = ("done",)

    id: str = ""
    value: str = ""
    book: str = ""
    row: dict[str, str] = field(default_factory=dict)

    def mistakes(self) -> list[tuple[str, str]]:
        what = self._line().mistakes()
        return [("id", what)] if what else []

    def lines(self) -> list[tuple[str, LogLine]]:
        return [*super().lines(), ("", self._line())]

    def texts(self) -> list[tuple[str, str]]:
        return [("value", self.value), *((f"row.{column}", text) for column, text in self.row.items())]

    def enter(self, context: Context) -> Step:
        return Leave("done", lines=(self._line(),))

    def _line(self) -> LogLine:
        return LogLine(id=self.id, value=self.value, book=self.book, row=self.row)
