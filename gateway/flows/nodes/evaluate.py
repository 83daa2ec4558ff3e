"""evaluate: give session variables the values of CEL expressions, in the order in which they are written.

type = "evaluate"
values = { total = "int(count) * 250", big = "int(count) > 10" }
"""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec.structs import replace

from gateway.flows.nodes.base import Context, Leave, Node, Step, uncompiled
from gateway.rules.conditions import BadCondition, compiled
from gateway.values.errors import BadInput


class EvaluateNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "evaluate"
    events: ClassVar[tuple[str, ...]] = ("done", "error")
    outputs: ClassVar[tuple[str, ...]] = ("reason",)

    values: dict[str, str]

    def mistakes(self) -> list[tuple[str, str]]:
        found = [] if self.values else [("values", "needs at least one variable")]
        return found + uncompiled(dict(self.conditions()))

    def conditions(self) -> list[tuple[str, str]]:
        return [(f"values.{name}", expression) for name, expression in self.values.items()]

    def assigns(self) -> list[tuple[str, str]]:
        return [(f"values.{name}", name) for name in self.values]

    def assigned(self, event: str) -> tuple[str, ...]:
        return tuple(self.values) if event == "done" else ()

    def earlier(self, field: str) -> tuple[str, ...]:
        names = list(self.values)
        return tuple(names[: names.index(field.removeprefix("values."))])

    def enter(self, context: Context) -> Step:
        values: dict[str, Any] = {}
        for name, expression in self.values.items():
            so_far = replace(context, run=replace(context.run, data=context.run.data | values))
            try:
                value = compiled(expression).value(so_far.variables())
            except BadCondition as error:
                raise BadInput(f"{name}: {error.reason}") from None
            if not _keepable(value):
                raise BadInput(f"{name}: the result is a {type(value).__name__}, which cannot be kept")
            values[name] = value
        return Leave("done", {"reason": ""}, values)


def _keepable(value: Any) -> bool:
    match value:
        case None | bool() | int() | float() | str():
            return True
        case list():
            return all(map(_keepable, value))
        case dict():
            return all(isinstance(key, str) and _keepable(inner) for key, inner in value.items())
        case _:
            return False
