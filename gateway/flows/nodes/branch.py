"""branch: go by the first case whose condition holds.

type = "branch"
cases = [{ when = '"m" in sms.words', go = "medium" }]
else = "ask_again"
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct, field

from gateway.flows.nodes.base import Context, Leave, Node, Step, uncompiled
from gateway.rules.conditions import compiled


class Case(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    when: str  # CEL
    go: str  # "NODE", "end" or "end:CODE"


class BranchNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Its events are "case 1", "case 2", ... and "else"; it has no `on`."""

    type: ClassVar[str] = "branch"

    cases: list[Case]
    otherwise: str = field(name="else")

    def edges(self) -> dict[str, str]:
        return {f"case {n}": case.go for n, case in enumerate(self.cases, 1)} | {"else": self.otherwise}

    def mistakes(self) -> list[tuple[str, str]]:
        found = [] if self.cases else [("cases", "needs at least one case")]
        return found + uncompiled(dict(self.conditions()))

    def conditions(self) -> list[tuple[str, str]]:
        return [(f"cases[{n}].when", case.when) for n, case in enumerate(self.cases)]

    def enter(self, context: Context) -> Step:
        variables = context.variables()
        notes: list[str] = []
        for n, case in enumerate(self.cases, 1):
            verdict = compiled(case.when).evaluate(variables)
            if verdict.holds:
                return Leave(f"case {n}", note="; ".join(notes))
            if verdict.error:
                notes.append(f"case {n} could not be evaluated: {verdict.error}")
        return Leave("else", note="; ".join(notes))
