"""A recorded session again on another version of its flow, and what is different then.

The customer does the same at the same times; what effects came to is as recorded where the other version
decides on the same effect at the same node, and a success where it decides on another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from gateway.flows import engine
from gateway.flows.definition import Flow
from gateway.flows.effects import Effect, SendSms
from gateway.flows.inputs import EffectDone, EventIn, MessageIn, Recorded, Start, Stop
from gateway.flows.replay import replay
from gateway.flows.simulation import Simulation, World
from gateway.protocol.sms.segments import count
from gateway.values.work import Run


class Course(Struct, frozen=True):
    """What a session came to."""

    texts: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]  # node, event
    result: int  # -1: it goes on

    @property
    def segments(self) -> int:
        return sum(count(text)[1] for text in self.texts)


class Difference(Struct, frozen=True):
    """`what` in sentences; empty where nothing is different."""

    session: str
    what: tuple[str, ...]
    segments: int  # more than before


def compared(session: str, before: Course, after: Course) -> Difference:
    what = []
    if (n := _first(before.texts, after.texts)) is not None:
        what.append(f"text {n + 1}: {_at(before.texts, n)} is now {_at(after.texts, n)}")
    if (n := _first(before.edges, after.edges)) is not None:
        what.append(f"edge {n + 1}: {_at(before.edges, n)} is now {_at(after.edges, n)}")
    if before.result != after.result:
        what.append(f"its result {_ended(before)} is now {_ended(after)}")
    more = after.segments - before.segments
    if more:
        what.append(f"{before.segments} segments are now {after.segments}")
    return Difference(session, tuple(what), more)


def course(flow: Flow, inputs: Sequence[Recorded]) -> Course:
    """What it came to, as it was recorded.  Raises ValueError."""
    return _course(replay(flow, inputs))


def again(flow: Flow, flows: Mapping[str, Flow], original: Flow, inputs: Sequence[Recorded]) -> Course:
    """The same on another version.  Raises ValueError where the session cannot be replayed at all."""
    first = replay(original, inputs)
    known = {effect.key: (advance.run.node, type(effect)) for advance in first for effect in advance.effects}
    done = {item.input.key: item.input for item in inputs if isinstance(item.input, EffectDone)}

    def answered(run: Run, effect: Effect) -> EffectDone | None:
        same = known.get(effect.key) == (run.node, type(effect))
        return done.get(effect.key) if same else None

    simulation = Simulation(flow, flows, World(), answered=answered)
    began = inputs[0].input
    assert isinstance(began, Start)
    simulation.begin(began, inputs[0].at)
    for item in inputs[1:]:
        if not isinstance(item.input, MessageIn | EventIn | Stop):
            continue
        if item.at > simulation.now:
            simulation.forward(item.at - simulation.now)
        simulation.give(item.input)
    if inputs[-1].at > simulation.now:
        simulation.forward(inputs[-1].at - simulation.now)
    return _course(simulation.advances)


def _course(advances: Sequence[engine.Advance]) -> Course:
    texts = [e.text for advance in advances for e in advance.effects if isinstance(e, SendSms)]
    left = [event for advance in advances for event in advance.events if event.type == "node.left"]
    edges = tuple((event.data["node"], event.data["event"]) for event in left)
    return Course(tuple(texts), edges, advances[-1].run.result)


def _first(before: Sequence[object], after: Sequence[object]) -> int | None:
    for n, (one, other) in enumerate(zip(before, after, strict=False)):
        if one != other:
            return n
    return None if len(before) == len(after) else min(len(before), len(after))


def _ended(course: Course) -> str:
    return str(course.result) if course.result >= 0 else "still open"


def _at(items: Sequence[object], n: int) -> str:
    if n >= len(items):
        return "nothing"
    item = items[n]
    return " ".join(map(str, item)) if isinstance(item, tuple) else f'"{item}"'
