"""Replay: a session again from what was recorded of it, on its own version of the flow or on another one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from gateway.flows import engine
from gateway.flows.definition import Flow
from gateway.flows.inputs import Recorded, Start
from gateway.values.event import Event


def recorded(events: Iterable[Event]) -> list[Recorded]:
    """The inputs of a run, from its transaction log in the order of writing."""
    return [
        msgspec.convert({"at": event.at, "input": event.data["input"]}, Recorded)
        for event in events
        if event.type in ("session.started", "session.input")
    ]


def replay(flow: Flow, inputs: Sequence[Recorded]) -> list[engine.Advance]:
    """What each input does; the first one is a Start.  Raises ValueError when it is not."""
    if not inputs or not isinstance(inputs[0].input, Start):
        raise ValueError("a session begins with a Start")
    advances = [engine.start(flow, inputs[0].input, inputs[0].at)]
    for item in inputs[1:]:
        if isinstance(item.input, Start):
            raise ValueError("a session begins only once")
        advances.append(engine.advance(advances[-1].run, flow, item.input, item.at))
    return advances
