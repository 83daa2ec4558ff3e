"""The engine: (run, input, time) to (run, effects, events).  Nothing else comes in, so a run can be replayed.

The caller makes run, effects and events durable in one commit, then has the effects carried out and hands
back what became of them.  `run.due`, when not 0, is when to hand in TimeUp.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, assert_never

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.flows import run as runs
from gateway.flows.definition import Flow
from gateway.flows.effects import Effect
from gateway.flows.inputs import EffectDone, EventIn, Input, MessageIn, Start, Stop, TimeUp
from gateway.flows.lint import end_code
from gateway.flows.nodes.base import (
    RESULT_BROKEN,
    Act,
    Context,
    End,
    Leave,
    LogLine,
    Node,
    Resumed,
    Scalar,
    Step,
    Wait,
)
from gateway.values.errors import BadInput
from gateway.values.event import Event, Trigger
from gateway.values.variables import render
from gateway.values.work import LogbookRow, Run

__all__ = [
    "LIMIT_NODES",
    "RESULT_BROKEN",
    "RESULT_FULL",
    "RESULT_LOOP",
    "RESULT_STOPPED",
    "Advance",
    "advance",
    "start",
]

LIMIT_NODES = 100  # entered on one input
RESULT_FULL = 196
RESULT_STOPPED = 197
RESULT_LOOP = 199


class Advance(Struct, frozen=True):
    """What one input did.  Where it did nothing (late, early, a duplicate) the run is the very one given, and
    effects, events and rows are empty; `log` says why."""

    run: Run
    effects: tuple[Effect, ...] = ()
    events: tuple[Event, ...] = ()  # ref = run id: session.*, node.entered, node.left, log
    log: tuple[str, ...] = ()  # the same for people, one sentence each
    rows: tuple[LogbookRow, ...] = ()


def start(flow: Flow, began: Start, now: float) -> Advance:
    """Begin a session.  ValueError when the flow has no node as Start names."""
    first = began.node or flow.start
    if first not in flow.nodes:
        raise ValueError(f"flow {flow.name} has no node {first!r}")
    defaults = {name: variable.default for name, variable in flow.variables.items()}
    run = runs.begin(began, flow=flow.name, version=flow.version, now=now, defaults=defaults)
    walk = _Walk(flow, run, now)
    secrets = {"secrets": list(flow.secrets)} if flow.secrets else {}
    given = msgspec.to_builtins(began)
    walk.record("session.started", flow=flow.name, version=flow.version, input=given, **secrets)
    walk.say(f"Session of flow {flow.name} version {flow.version} with {began.customer or 'nobody'}.")
    if runs.too_large(run.data):
        return walk.on(End(RESULT_FULL, f"it begins with more than {runs.LIMIT_DATA} octets of data"))
    return walk.on(walk.enter(first))


def advance(run: Run, flow: Flow, input: Input, now: float) -> Advance:
    """Hand one input to a run.  `flow` is of the run's version: ValueError otherwise."""
    if flow.version != run.version:
        raise ValueError(f"run {run.id} is on version {run.version} of {run.flow}, not {flow.version}")
    if run.state == "ended":
        return Advance(run, log=("The session has ended.",))
    walk = _Walk(flow, run, now)
    match input:
        case Stop(reason):
            walk.took(input)
            return walk.on(End(RESULT_STOPPED, reason))
        case MessageIn() | EventIn() | TimeUp() | EffectDone():
            unwanted = runs.awaits(run, input, now)
            if not unwanted:
                walk.took(input)
                return walk.on(walk.resume(input))
            if isinstance(input, MessageIn):
                walk.took(input)
                return walk.keep(input)
            return Advance(run, log=(f"Ignored: {unwanted}.",))
        case _:
            assert_never(input)


class _Walk:
    """One activation: the run as it changes, and what is to be told about it."""

    def __init__(self, flow: Flow, run: Run, now: float) -> None:
        self._flow, self._run, self._now = flow, run, now
        self._effects: list[Effect] = []
        self._events: list[Event] = []
        self._rows: list[LogbookRow] = []
        self._log: list[str] = []
        self._entered = 0

    def record(self, type: str, /, **data: Any) -> None:
        event = Event(ref=self._run.id, type=type, service=self._run.service, at=self._now, data=data)
        self._events.append(event)

    def say(self, sentence: str) -> None:
        self._log.append(sentence)

    def took(self, input: Input) -> None:
        self.record("session.input", input=msgspec.to_builtins(input))
        self.say(f"Input: {type(input).__name__}.")

    def on(self, step: Step) -> Advance:
        """Follow steps until the run waits or ends."""
        while True:
            match step:
                case Leave():
                    step = self._leave(step)
                case Wait(what, _) if self._run.inbox and "message" in what.split():
                    message, *inbox = self._run.inbox
                    self._change(inbox=tuple(inbox))
                    step = self.resume(MessageIn(message))
                case Wait(what, due):
                    self._change(state="waiting", waiting=what, due=due)
                    self.say(f"Waits for {_spoken(what)}.")
                    return self._done()
                case Act(effect):
                    self._effects.append(effect)
                    waiting = f"effect:{effect.key}"
                    self._change(state="waiting", waiting=waiting, due=0.0, effects=self._run.effects + 1)
                    self.say(f"Decides on {type(effect).__name__} {effect.key} and waits for its outcome.")
                    return self._done()
                case End(code, reason):
                    self._end(code, reason)
                    return self._done()
                case _:
                    assert_never(step)

    def enter(self, name: str) -> Step:
        if self._entered == LIMIT_NODES:
            return End(RESULT_LOOP, f"{LIMIT_NODES} nodes on one input: the flow goes round in circles")
        self._entered += 1
        node = self._flow.nodes[name]
        self._change(state="working", node=name, waiting="", due=0.0)
        self.record("node.entered", node=name, type=node.type)
        self.say(f"Enters {name} ({node.type}).")
        try:
            self._assign(node.entry.set)
        except BadInput as error:
            return node.failed(f"enter.set: {error}")
        self._write("enter", node.entry.log)
        return self._step(node, node.enter)

    def resume(self, input: Resumed) -> Step:
        node = self._flow.nodes[self._run.node]
        self._change(state="working", waiting="", due=0.0)
        return self._step(node, lambda context: node.resume(context, input))

    def keep(self, input: MessageIn) -> Advance:
        kept = runs.keep(self._run, input.data)
        self._run = kept.run
        self._change()
        self.say("No node waits for a message now: it is put by for the next one that does.")
        if kept.dropped is not None:
            self.record("session.message-dropped", limit=runs.LIMIT_INBOX, message=kept.dropped)
            self.say(f"More than {runs.LIMIT_INBOX} messages are waiting: the oldest is dropped.")
        return self._done()

    def _step(self, node: Node, act: Callable[[Context], Step]) -> Step:
        try:
            return act(self._context())
        except BadInput as error:
            return node.failed(str(error))

    def _context(self) -> Context:
        return Context(self._run, self._run.node, self._now)

    def _leave(self, step: Leave) -> Step:
        name = self._run.node
        node = self._flow.nodes[name]
        outputs = {f"{name}.{field}": value for field, value in step.outputs.items()}
        self._change(data={**self._run.data, **outputs, **step.variables})
        try:
            self._assign(node.exit.set)
        except BadInput as error:
            return End(RESULT_BROKEN, f"{name}.leave.set: {error}")
        if runs.too_large(self._run.data):
            # without what was too much: an ended session is kept, too
            kept = {k: v for k, v in self._run.data.items() if k not in outputs and k not in step.variables}
            self._change(data=kept)
            return End(RESULT_FULL, f"{name}: more than {runs.LIMIT_DATA} octets of session data")
        self._write("leave", (*step.lines, *node.exit.log))
        edge = node.edges().get(step.event, "")
        if edge not in self._flow.nodes and end_code(edge) is None:  # a draft need not be whole
            self.record("node.left", node=name, event=step.event, to="")
            return End(RESULT_BROKEN, f"{name}: {step.event} leads nowhere")
        note = {"note": step.note} if step.note else {}
        self.record("node.left", node=name, event=step.event, to=edge, **note)
        self.say(f"Leaves {name} by {step.event} to {edge}{f' ({step.note})' if step.note else ''}.")
        code = end_code(edge) if edge not in self._flow.nodes else None
        return self.enter(edge) if code is None else End(code, f"{name}: {step.event}")

    def _assign(self, values: dict[str, Scalar]) -> None:
        """In their order: each may name those before it.  Raises BadInput."""
        for name, value in values.items():
            made = self._context().text(value) if isinstance(value, str) else value
            self._change(data={**self._run.data, name: made})

    def _write(self, when: str, lines: Iterable[LogLine]) -> None:
        """Variables that have no value are left out: a log must not stop what it tells of."""
        for line in lines:
            if line.id:
                value = render(line.value, self._run.data, missing="")
                self.record("log", node=self._run.node, when=when, id=line.id, value=value)
                self.say(f"Logs {line.id}.")
                continue
            self._change(logged=self._run.logged + 1)
            self._rows.append(
                LogbookRow(
                    id=f"{self._run.id}/{self._run.logged}",
                    service=self._run.service,
                    book=line.book,
                    run=self._run.id,
                    transid=str(self._run.data.get("session.transid", "")),
                    at=self._now,
                    data={name: render(text, self._run.data, missing="") for name, text in line.row.items()},
                )
            )
            self.say(f"Writes to the Logbook {line.book}.")

    def _end(self, code: int, reason: str) -> None:
        unread = {"unread": len(self._run.inbox)} if self._run.inbox else {}
        self._change(state="ended", waiting="", due=0.0, result=code, reason=reason)
        self.record(Trigger.SESSION_ENDED, flow=self._flow.name, result=code, reason=reason, **unread)
        self.say(f"Ends with {code}{f': {reason}' if reason else ''}.")

    def _change(self, **fields: Any) -> None:
        self._run = replace(self._run, updated_at=self._now, **fields)

    def _done(self) -> Advance:
        return Advance(
            self._run, tuple(self._effects), tuple(self._events), tuple(self._log), tuple(self._rows)
        )


def _spoken(waiting: str) -> str:
    if waiting == "delay":
        return "a while"
    return " or ".join("a message" if word == "message" else word for word in waiting.split())
