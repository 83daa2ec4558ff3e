"""set: give session variables their values, in the order in which they are written."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec.structs import replace

from gateway.flows.nodes.base import Context, Leave, Node, Step


class SetNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "set"
    events: ClassVar[tuple[str, ...]] = ("done",)

    values: dict[str, str | bool | int | float]  # texts may name variables, those set before them included

    def mistakes(self) -> list[tuple[str, str]]:
        return [] if self.values else [("values", "needs at least one variable")]

    def texts(self) -> list[tuple[str, str]]:
        return [(f"values.{name}", text) for name, text in self.values.items() if isinstance(text, str)]

    def assigns(self) -> list[tuple[str, str]]:
        return [(f"values.{name}", name) for name in self.values]

    def earlier(self, field: str) -> tuple[str, ...]:
        names = list(self.values)
        return tuple(names[: names.index(field.removeprefix("values."))])

    def enter(self, context: Context) -> Step:
        values: dict[str, Any] = {}
        for name, value in self.values.items():
            so_far = replace(context, run=replace(context.run, data=context.run.data | values))
            values[name] = so_far.text(value) if isinstance(value, str) else value
        return Leave("done", variables=values)
