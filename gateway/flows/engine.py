"""The engine: (run, input, time) to (run, effects, events).  Nothing else comes in, so a run can be replayed.

The caller makes run, effects and events durable in one commit, then has the effects carried out and hands
back what became of them.  `run.due`, when not 0, is when to hand in TimeUp.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_never

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.flows import run as runs
from gateway.flows.definition import Flow
from gateway.flows.effects import Effect
from gateway.flows.inputs import EffectDone, Input, MessageIn, Start, Stop, TimeUp
from gateway.flows.lint import end_code
from gateway.flows.nodes.base import RESULT_BROKEN, Act, Context, End, Leave, Node, Step, Wait
from gateway.values.errors import BadInput
from gateway.values.event import Event, Trigger
from gateway.values.work import Run

__all__ = ["LIMIT_NODES", "RESULT_BROKEN", "RESULT_LOOP", "RESULT_STOPPED", "Advance", "advance", "start"]

LIMIT_NODES = 100  # entered on one input
RESULT_STOPPED = 197
RESULT_LOOP = 199


class Advance(Struct, frozen=True):
    """What one input did.  Where it did nothing (late, early, a duplicate) the run is the very one given, and
    effects and events are empty; `log` says why."""

    run: Run
    effects: tuple[Effect, ...] = ()
    events: tuple[Event, ...] = ()  # ref = run id: session.*, node.entered, node.left
    log: tuple[str, ...] = ()  # the same for people, one sentence each


def start(
    flow: Flow,
    *,
    run_id: str,
    service: str,
    customer: str,
    number: str,
    variables: dict[str, Any],
    now: float,
) -> Advance:
    """Begin a session.  `variables` nested (rules.variables), others become session variables."""
    began = Start(run_id=run_id, service=service, customer=customer, number=number, variables=variables)
    walk = _Walk(flow, runs.begin(began, flow=flow.name, version=flow.version, now=now), now)
    walk.record("session.started", flow=flow.name, version=flow.version, input=msgspec.to_builtins(began))
    walk.say(f"Session of flow {flow.name} version {flow.version} with {customer or 'nobody'}.")
    return walk.on(walk.enter(flow.start))


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
        case MessageIn() | TimeUp() | EffectDone():
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
                case Wait("message", _) if self._run.inbox:
                    message, *inbox = self._run.inbox
                    self._change(inbox=tuple(inbox))
                    step = self.resume(MessageIn(message))
                case Wait(what, due):
                    self._change(state="waiting", waiting=what, due=due)
                    self.say(f"Waits for {'a message' if what == 'message' else 'a while'}.")
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
        return self._step(node, node.enter)

    def resume(self, input: MessageIn | TimeUp | EffectDone) -> Step:
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
            return act(Context(self._run, self._run.node, self._now))
        except BadInput as error:
            return node.failed(str(error))

    def _leave(self, step: Leave) -> Step:
        name = self._run.node
        outputs = {f"{name}.{field}": value for field, value in step.outputs.items()}
        self._change(data={**self._run.data, **outputs, **step.variables})
        edge = self._flow.nodes[name].edges()[step.event]
        note = {"note": step.note} if step.note else {}
        self.record("node.left", node=name, event=step.event, to=edge, **note)
        self.say(f"Leaves {name} by {step.event} to {edge}{f' ({step.note})' if step.note else ''}.")
        code = end_code(edge) if edge not in self._flow.nodes else None
        return self.enter(edge) if code is None else End(code, f"{name}: {step.event}")

    def _end(self, code: int, reason: str) -> None:
        unread = {"unread": len(self._run.inbox)} if self._run.inbox else {}
        self._change(state="ended", waiting="", due=0.0, result=code, reason=reason)
        self.record(Trigger.SESSION_ENDED, flow=self._flow.name, result=code, reason=reason, **unread)
        self.say(f"Ends with {code}{f': {reason}' if reason else ''}.")

    def _change(self, **fields: Any) -> None:
        self._run = replace(self._run, updated_at=self._now, **fields)

    def _done(self) -> Advance:
        return Advance(self._run, tuple(self._effects), tuple(self._events), tuple(self._log))
