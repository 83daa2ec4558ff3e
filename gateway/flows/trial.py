"""Tests of a flow, as they stand beside it in the service file: what the customer does, what is to follow.

[[flows.order.tests]]
name = "a large one"
given = { text = "ORDER" }
steps = [
  { expect = "Which size" },
  { text = "L", expect = "One large pizza" },
  { end = 0 },
]

A step does one thing at most (`text`, `wait`, `event` with `data`; on a call `press` with keys, or `hangup`)
and then looks: `expect` is contained in the texts that were sent since the step before (a list: in several of
them, in order), `silent` that there were none, `hear` is contained likewise in what was said on the phone;
`node` where the session waits, `end` the code that it has ended with, `variables` what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from gateway.config.model import Seconds
from gateway.flows.definition import Flow
from gateway.flows.inputs import Start
from gateway.flows.simulation import Answer, Reading, Simulation, World, came
from gateway.rules import variables
from gateway.values.duration import seconds
from gateway.values.fault import Fault
from gateway.values.variables import lookup

CUSTOMER = "+447700900123"
_BEGIN = "2026-01-05T10:00:00+00:00"  # a Monday


class Given(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the session begins."""

    customer: str = CUSTOMER
    number: str = "12345"
    text: str = ""  # what the customer has written, keyword and all
    variables: dict[
        str, Any
    ] = {}  # session variables, or groups as rules see them: { call = { from = "…" } }
    at: str = _BEGIN
    opted_out: bool = False
    profile: dict[str, Any] = {}  # what is known of the customer
    answers: dict[str, Answer | list[Answer]] = {}  # by node: what becomes of its effect, each time


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: str | None = None
    wait: Seconds | None = None
    event: str | None = None
    data: dict[str, Any] = {}
    press: str | None = None
    hangup: bool | None = None
    expect: str | list[str] = []
    hear: str | list[str] = []
    silent: bool = False
    node: str | None = None
    end: int | None = None
    variables: dict[str, Any] = {}


class Trial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    given: Given = Given()
    steps: list[Step]


class Verdict(Struct, frozen=True):
    """What came of one test; `failures` are empty when it passed.  `edges` are (flow, node, event)."""

    name: str
    failures: tuple[str, ...]
    edges: frozenset[tuple[str, str, str]]


def read(path: str, written: Any) -> tuple[list[Trial], list[Fault]]:
    """The tests of a definition, and what is wrong with how they are written; `path` is theirs."""
    found: list[Trial] = []
    faults: list[Fault] = []
    for n, table in enumerate(written if isinstance(written, list) else ()):
        try:
            trial = msgspec.convert(table, Trial, dec_hook=_duration)
            _moment(trial.given.at)
        except (msgspec.ValidationError, ValueError) as error:
            faults.append(Fault(f"{path}[{n}]", str(error)))
            continue
        found.append(trial)
        for m, step in enumerate(trial.steps):
            does = (step.text, step.wait, step.event, step.press, step.hangup)
            if sum(thing is not None for thing in does) > 1:
                faults.append(
                    Fault(
                        f"{path}[{n}].steps[{m}]",
                        "does several things; text, wait, event, press and hangup are one step each",
                    )
                )
    return found, faults


def tried(
    flow: Flow,
    flows: Mapping[str, Flow],
    trials: Sequence[Trial],
    service: str,
    read: Reading | None = None,
) -> list[Verdict]:
    """Run the tests.  `flows` are those of the service, which the flow may call; `read` is how it reads
    texts."""
    return [_Tried(flow, flows, trial, service, read).verdict() for trial in trials]


def edges_of(flow: Flow) -> list[tuple[str, str, str]]:
    """Every way that a session may take: (flow, node, event)."""
    return [(flow.name, name, event) for name, node in flow.nodes.items() for event in node.edges()]


class _Tried:
    def __init__(
        self, flow: Flow, flows: Mapping[str, Flow], trial: Trial, service: str, read: Reading | None
    ) -> None:
        self._trial, given = trial, trial.given
        answers = {
            node: list(answer) if isinstance(answer, list) else [answer]
            for node, answer in given.answers.items()
        }
        self._world = World(
            answers=answers,
            opted_out=given.opted_out,
            profile=dict(given.profile),
            texts=[],
            said=[],
            notified=[],
            events=[],
            rows=[],
            read=read,
            otps={},
        )
        self._simulation = Simulation(flow, flows, self._world)
        seen = dict(given.variables)
        if given.text:
            how = came(given.text, _moment(given.at))
            seen = (
                variables.sms(sender=given.customer, recipient=given.number, text=given.text, came=how) | seen
            )
        self._began = Start(
            run_id="test",
            service=service,
            customer=given.customer,
            number=given.number,
            variables=variables.subject(service=service, customer=given.customer, opted_out=given.opted_out)
            | seen,
        )
        self._read = self._heard = 0  # texts, and what was said, up to the step before

    def verdict(self) -> Verdict:
        simulation = self._simulation
        simulation.begin(self._began, _moment(self._trial.given.at))
        failures = [
            f"step {n}: {what}" for n, step in enumerate(self._trial.steps, 1) for what in self._step(step)
        ]
        return Verdict(self._trial.name, tuple(failures), frozenset(simulation.edges))

    def _step(self, step: Step) -> Iterator[str]:
        if step.text is not None:
            self._simulation.text(step.text)
        if step.wait is not None:
            self._simulation.forward(float(step.wait))
        if step.event is not None:
            self._simulation.event(step.event, dict(step.data))
        if step.press is not None and not self._simulation.press(step.press):
            yield f"no node asks for keys; the session is at {self._simulation.run.node}"
        if step.hangup and not self._simulation.hang_up():
            yield f"the person was to hang up, and the session is at {self._simulation.run.node}"
        texts, run = self._world.texts[self._read :], self._simulation.run
        said = self._world.said[self._heard :]
        self._read, self._heard = len(self._world.texts), len(self._world.said)
        for part in _missing(step.expect, texts):
            yield f'no text contains "{part}"; sent were {_listed(texts)}'
        for part in _missing(step.hear, said):
            yield f'nothing that was said contains "{part}"; said were {_listed(said)}'
        if step.silent and texts:
            yield f"nothing was to be sent, but there were {_listed(texts)}"
        if step.node is not None and run.node != step.node:
            yield f"the session is at {run.node}, not at {step.node}"
        if step.end is not None and (run.state != "ended" or run.result != step.end):
            now = (
                f"has ended with {run.result} ({run.reason})" if run.state == "ended" else f"is at {run.node}"
            )
            yield f"the session was to end with {step.end}, and {now}"
        for name, value in step.variables.items():
            try:
                found = lookup(name, run.data)
            except KeyError:
                yield f"$({name}) has no value"
                continue
            if found != value:
                yield f"$({name}) is {found!r}, not {value!r}"


def _missing(wanted: str | list[str], found: Sequence[str]) -> list[str]:
    """What none of those contains that come after the one that contains the part before it."""
    left = iter(found)
    parts = [wanted] if isinstance(wanted, str) else wanted
    return [part for part in parts if not any(part in text for text in left)]


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts) or "none"


def _moment(text: str) -> float:
    """Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _duration(expected: type, value: Any) -> Any:
    if expected is Seconds and isinstance(value, str | int | float) and not isinstance(value, bool):
        return Seconds(seconds(value))
    raise ValueError('must be a duration such as "10m"')
