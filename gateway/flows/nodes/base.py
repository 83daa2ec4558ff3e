"""What every node type is: its fields, its events, and a step function from (run, input) to a Step.

A type declares what it reads (`texts`, `conditions`), what it gives (`outputs`, `assigns`), by which events
it may be left and what kind of effect it has.  Three fields are common to all: `on`, and `enter` and `leave`,
which set variables and write logs beside the node's own act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, ClassVar

from msgspec import Struct, field

from gateway.flows.effects import Effect
from gateway.flows.inputs import EffectDone, EventIn, MessageIn, TimeUp
from gateway.rules.conditions import BadCondition, compiled
from gateway.values.errors import BadInput
from gateway.values.variables import nested, render
from gateway.values.work import Run

LIMIT_TEXT = 20_000  # characters: a loop over `$(x)$(x)` would double a variable until memory ends
RESULT_BROKEN = 198  # a text could not be made and the node has no event for that

Scalar = str | bool | int | float
Resumed = MessageIn | EventIn | TimeUp | EffectDone


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
    lines: tuple[LogLine, ...] = ()  # to be logged


class Wait(Struct, frozen=True):
    """Stay here until something of `what` comes or, at `due`, the time is up.

    `what` are words with blanks between: "delay", "message", names of events such as "custom.paid".
    """

    what: str
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

    def filled(self, value: Any) -> Any:
        """Tables and lists with every text in them made."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {name: self.filled(inner) for name, inner in value.items()}
            case list():
                return [self.filled(inner) for inner in value]
            case _:
                return value

    def variables(self) -> dict[str, Any]:
        """Nested, for conditions."""
        return nested(self.run.data)


class LogLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of the transaction log (`id` and `value`), or a row of a Logbook (`book` and `row`)."""

    id: str = ""
    value: str = ""
    book: str = ""
    row: dict[str, str] = {}

    def mistakes(self) -> str:
        if bool(self.id) == bool(self.book):
            return "set either id and value (to the transaction log) or book and row (to a Logbook)"
        if (self.id and self.row) or (self.book and (self.value or not self.row)):
            return "an id goes with a value, a book with a row"
        return ""

    def texts(self) -> Iterator[tuple[str, str]]:
        yield "value", self.value
        yield from ((f"row.{column}", text) for column, text in self.row.items())


class Aside(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done when a node is entered or left: variables get their values, then lines are logged."""

    set: dict[str, Scalar] = {}
    log: list[LogLine] = []


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node of a flow.  A type is a subclass in a file of its own, listed in nodes/__init__.py."""

    type: ClassVar[str]
    kind: ClassVar[Kind] = Kind.PURE
    waits: ClassVar[bool] = False  # something from outside has to happen before the run goes on
    events: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()  # events that go where `error` goes when not wired
    outputs: ClassVar[tuple[str, ...]] = ()  # what `$(node.field)` may name

    hidden: ClassVar[tuple[str, ...]] = ()  # fields that are not written in the node's table

    on: dict[str, str] = {}  # event -> "NODE", "end" or "end:CODE"
    entry: Aside = field(default_factory=Aside, name="enter")
    exit: Aside = field(default_factory=Aside, name="leave")

    def outcomes(self) -> tuple[str, ...]:
        """Its events; for types whose fields decide on them not those of the type alone."""
        return self.events

    def fields(self) -> tuple[str, ...]:
        """Its outputs, likewise."""
        return self.outputs

    def given(self, event: str) -> tuple[str, ...]:
        """The outputs that have a value once it is left by that event."""
        return self.fields()

    def edges(self) -> dict[str, str]:
        """Where each event goes."""
        return {event: self.on["error"] for event in self.optional if "error" in self.on} | self.on

    def mistakes(self) -> list[tuple[str, str]]:
        """(field, what is wrong) beyond what the fields' types say."""
        return []

    def texts(self) -> list[tuple[str, str]]:
        """(field, text with variables)"""
        return []

    def conditions(self) -> list[tuple[str, str]]:
        """(field, CEL expression)"""
        return []

    def assigns(self) -> list[tuple[str, str]]:
        """(field, session variable that it sets)"""
        return []

    def assigned(self, event: str) -> tuple[str, ...]:
        """The session variables that have a value once it is left by that event."""
        return tuple(name for _, name in self.assigns())

    def earlier(self, field: str) -> tuple[str, ...]:
        """The session variables that the node itself has set before it reads that field."""
        return ()

    def refers(self) -> list[tuple[str, str, str]]:
        """(field, kind, name) of what it needs of its service: "flow", "chain", "logbook", "auth"."""
        return []

    def lines(self) -> list[tuple[str, LogLine]]:
        """(where, what it logs); `where` ends so that a field's name may follow."""
        asides = (("enter", self.entry), ("leave", self.exit))
        return [(f"{when}.log[{n}].", line) for when, aside in asides for n, line in enumerate(aside.log)]

    def pauses(self) -> bool:
        """Whether something from outside has to happen before it is left."""
        return self.waits

    def listens_to(self, what: str) -> bool:
        """Whether it waits for a "message", or for an event of that name."""
        return False

    def wait_seconds(self) -> float:
        """How long it may wait for the customer; 0 where it does not."""
        return 0.0

    def lifetime_seconds(self) -> float:
        """How long what it has given is good for; 0: for ever."""
        return 0.0

    def enter(self, context: Context) -> Step:
        """Raises BadInput when a text cannot be made; the engine then asks `failed`."""
        raise NotImplementedError

    def resume(self, context: Context, input: Resumed) -> Step:
        """Called only on nodes that wait, with what they wait for."""
        raise NotImplementedError

    def failed(self, reason: str) -> Step:
        """The step out of a node whose texts cannot be made."""
        if "error" not in self.outcomes():
            return End(RESULT_BROKEN, reason)
        return Leave("error", dict.fromkeys(self.fields(), "") | {"reason": reason}, note=reason)


def outcome(node: Node, input: Resumed) -> Leave:
    """Leave by what became of an effect, with its outputs; an event that the node has not is an error."""
    assert isinstance(input, EffectDone)
    outputs = {name: input.data.get(name, "") for name in node.fields()}
    return Leave(input.event if input.event in node.outcomes() else "error", outputs)


def uncompiled(conditions: Mapping[str, str]) -> list[tuple[str, str]]:
    """(field, what is wrong) of expressions by field."""
    found = []
    for name, expression in conditions.items():
        try:
            compiled(expression)
        except BadCondition as error:
            found.append((name, error.reason))
    return found


def leaves(value: Any) -> list[str]:
    """Every text in a value of tables and lists."""
    match value:
        case str():
            return [value]
        case dict():
            return [text for inner in value.values() for text in leaves(inner)]
        case list():
            return [text for inner in value for text in leaves(inner)]
        case _:
            return []
