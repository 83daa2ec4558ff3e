"""What every node type is: its fields, its events, and a step function from (run, input) to a Step."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, ClassVar

from msgspec import Struct

from gateway.flows.effects import Effect
from gateway.flows.inputs import EffectDone, MessageIn, TimeUp
from gateway.values.errors import BadInput
from gateway.values.variables import nested, render
from gateway.values.work import Run

LIMIT_TEXT = 20_000  # characters: a loop over `$(x)$(x)` would double a variable until memory ends
RESULT_BROKEN = 198  # a text could not be made and the node has no event for that


class Kind(StrEnum):
    """What repeating a node would do: nothing, the same again, or a second act."""

    PURE = "pure"
    IDEMPOTENT = "idempotent"
    EXTERNAL = "external"


class Leave(Struct, frozen=True):
    """Go on by `event`.  `outputs` are kept as NODE.FIELD, `variables` under their own names."""

    event: str
    outputs: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    note: str = ""  # for the transaction log


class Wait(Struct, frozen=True):
    """Stay here until a message comes or, at `due`, the time is up."""

    what: str  # message | delay
    due: float


class Act(Struct, frozen=True):
    """Have the effect carried out and stay here until its outcome is known."""

    effect: Effect


class End(Struct, frozen=True):
    code: int
    reason: str = ""


Step = Leave | Wait | Act | End


class Context(Struct, frozen=True):
    """What a node may know.  `name` is the node's own."""

    run: Run
    name: str
    now: float

    @property
    def key(self) -> str:
        """The key of the effect that is decided on now."""
        return f"{self.run.id}/{self.run.effects + 1}"

    def text(self, template: str, *, escape: Callable[[str], str] | None = None) -> str:
        """Raises UnknownVariable, or BadInput when it comes out too long."""
        text = render(template, self.run.data, escape=escape)
        if len(text) > LIMIT_TEXT:
            raise BadInput(f"a text of {len(text)} characters; {LIMIT_TEXT} is the most", code="too_long")
        return text

    def variables(self) -> dict[str, Any]:
        """Nested, for conditions."""
        return nested(self.run.data)


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node of a flow.  A type is a subclass in a file of its own, listed in nodes/__init__.py."""

    type: ClassVar[str]
    kind: ClassVar[Kind] = Kind.PURE
    waits: ClassVar[bool] = False  # something from outside has to happen before the run goes on
    events: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()  # events that go where `error` goes when not wired
    outputs: ClassVar[tuple[str, ...]] = ()  # what `$(node.field)` may name

    on: dict[str, str] = {}  # event -> "NODE", "end" or "end:CODE"

    def edges(self) -> dict[str, str]:
        """Where each event goes."""
        return {event: self.on["error"] for event in self.optional if "error" in self.on} | self.on

    def mistakes(self) -> list[tuple[str, str]]:
        """(field, what is wrong) beyond what the fields' types say."""
        return []

    def texts(self) -> list[tuple[str, str]]:
        """(field, text with variables)"""
        return []

    def assigns(self) -> list[tuple[str, str]]:
        """(field, session variable that it sets)"""
        return []

    def enter(self, context: Context) -> Step:
        """Raises BadInput when a text cannot be made; the engine then asks `failed`."""
        raise NotImplementedError

    def resume(self, context: Context, input: MessageIn | TimeUp | EffectDone) -> Step:
        """Called only on nodes that wait, with what they wait for."""
        raise NotImplementedError

    def failed(self, reason: str) -> Step:
        """The step out of a node whose texts cannot be made."""
        if "error" not in self.events:
            return End(RESULT_BROKEN, reason)
        return Leave("error", dict.fromkeys(self.outputs, "") | {"reason": reason}, note=reason)
