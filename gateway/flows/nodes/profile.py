"""profile: look up what is known of the customer, and change it.

type = "profile"
set = { name = "$(name)", language = "de" }    # "" takes an attribute away
save = { first_name = "name" }                 # session variables from attributes; "" where there is none
"""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field

from gateway.flows.effects import UseProfile
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.base import Act, Context, Kind, Leave, Node, Resumed, Scalar, Step


class ProfileNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`$(node.attributes.NAME)` is an attribute; `missing` is for customers of whom nothing is known."""

    type: ClassVar[str] = "profile"
    kind: ClassVar[Kind] = Kind.IDEMPOTENT
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("success", "missing", "error")
    optional: ClassVar[tuple[str, ...]] = ("missing",)
    outputs: ClassVar[tuple[str, ...]] = ("attributes", "customerid", "reason")

    set: dict[str, Scalar] = field(default_factory=dict)
    save: dict[str, str] = field(default_factory=dict)

    def texts(self) -> list[tuple[str, str]]:
        return [(f"set.{name}", text) for name, text in self.set.items() if isinstance(text, str)]

    def assigns(self) -> list[tuple[str, str]]:
        return [(f"save.{name}", name) for name in self.save]

    def pauses(self) -> bool:
        return False  # its outcome comes at once

    def enter(self, context: Context) -> Step:
        values: dict[str, Any] = context.filled(self.set)
        attributes = {name: None if value == "" else value for name, value in values.items()}
        return Act(UseProfile(key=context.key, address=context.run.customer, attributes=attributes))

    def resume(self, context: Context, input: Resumed) -> Step:
        assert isinstance(input, EffectDone)
        outputs = {name: input.data.get(name, "") for name in self.outputs}
        found = input.data.get("attributes") or {}
        variables = {name: found.get(attribute, "") for name, attribute in self.save.items()}
        event = input.event if input.event in self.events else "error"
        return Leave(event, outputs, variables)
