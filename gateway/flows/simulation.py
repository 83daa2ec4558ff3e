"""A session on a virtual clock: the engine, with a world around it that answers as it is told to.

Nothing is sent and nothing waited for, so that a week passes in a millisecond.  Texts, calls and chains
succeed, chance is the same each time, and what a web server answers must be given.  A person at the phone
hears each prompt to its end, and presses keys or hangs up when told to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gateway.flows import call_effects, effects, engine, word_effects
from gateway.flows.definition import Flow
from gateway.flows.inputs import EffectDone, EventIn, Input, MessageIn, Recorded, Start, TimeUp
from gateway.protocol.sms.segments import count
from gateway.rules import variables
from gateway.rules.variables import GROUPS
from gateway.values.dialogue import Utterance
from gateway.values.work import LogbookRow, Run

LIMIT_DEPTH = 5
LIMIT_INPUTS = 1_000  # that may follow each other without anything from outside


class Answer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of an effect: by default it succeeds.  `status` and `json` or `body` are for http."""

    event: str = ""
    status: int = 0
    body: str = ""
    json: Any = None
    data: dict[str, Any] = {}


class Simulated(Struct):
    """A one-time password; all of them are SIMULATED_CODE, as long as they are."""

    code: str
    until: float
    left: int


# A text, when it came, the stages: the variables of text.pipeline
Reading = Callable[[str, float, tuple[str, ...]], dict[str, Any]]

SIMULATED_CODE = "12345678901234567890123456789012"
_ATTEMPTS = 5


class World(Struct, kw_only=True):
    """What is outside, and what has been heard of it there."""

    answers: dict[str, list[Answer]] = {}  # by node; the last one stays
    opted_out: bool = False
    profile: dict[str, Any] = {}
    texts: list[str] = []
    said: list[str] = []  # words spoken in calls
    notified: list[dict[str, Any]] = []
    events: list[tuple[str, dict[str, Any]]] = []
    rows: list[LogbookRow] = []
    read: Reading | None = None  # how the service reads texts
    otps: dict[tuple[str, str], Simulated] = {}  # by address and reference


class _Asked(Struct):
    """Keys that a run waits for; `until` when it has waited in vain."""

    run: str
    effect: call_effects.Collect
    until: float


class Simulation:
    """A session of `flow`; `flows` are those that it may call.  `answered` says what an effect comes to where
    that is known, before the world is asked."""

    def __init__(
        self,
        flow: Flow,
        flows: Mapping[str, Flow],
        world: World,
        answered: Callable[[Run, effects.Effect], EffectDone | None] = lambda run, effect: None,
    ) -> None:
        self._flow, self._flows, self.world = flow, flows, world
        self._answered_by = answered
        self.advances: list[engine.Advance] = []  # of the first session
        self._stack: list[tuple[Run, Flow]] = []  # the youngest last
        self.now = 0.0
        self.edges: set[tuple[str, str, str]] = set()  # flow, node, event
        self.inputs: list[Recorded] = []  # of the first session
        self._todo: list[tuple[str, Input]] = []
        self._budget = 0
        self._asked: _Asked | None = None

    @property
    def run(self) -> Run:
        """The session, as it is now."""
        return self._stack[0][0]

    def begin(self, began: Start, now: float) -> None:
        self.now = now
        self._budget = LIMIT_INPUTS
        self.inputs.append(Recorded(now, began))
        self._apply(self._flow, engine.start(self._flow, began, now))
        self._settle()

    def resume(self, run: Run, now: float) -> None:
        """Go on with a session that has been somewhere already."""
        self.now = now
        self._stack = [(run, self._flow)]

    def text(self, text: str) -> None:
        """The customer writes; the youngest session that listens takes it."""
        run = self.run
        seen = variables.sms(sender=run.customer, recipient=run.number, text=text, came=came(text, self.now))
        listening = [r for r, f in self._stack if r.state != "ended" and _listens(f)]
        self._give((listening[-1] if listening else run).id, MessageIn(seen["sms"]))

    def event(self, type: str, data: dict[str, Any]) -> None:
        for run, _ in list(self._stack):
            if type in run.waiting.split():
                self._give(run.id, EventIn(type, data))

    def press(self, digits: str) -> bool:
        """The person presses keys.  False: nobody asks for any."""
        if (asked := self._asked) is None:
            return False
        self._asked = None
        ask, keys = asked.effect.ask, digits
        if ask.terminator and keys.endswith(tuple(ask.terminator)):
            keys = keys[:-1]
        fits = keys in ask.choices if ask.choices else ask.least <= len(keys) <= ask.most
        data = {"digits": keys, "tries": 1, "reason": ""}
        self._give(asked.run, EffectDone(asked.effect.key, "digits" if fits else "invalid", data))
        return True

    def hang_up(self) -> bool:
        """The person hangs up.  False: nothing waits for the person."""
        if (asked := self._asked) is None:
            return False
        self._asked = None
        reason = {"reason": "the other side has hung up"}
        self._give(asked.run, EffectDone(asked.effect.key, "hangup", reason))
        return True

    def forward(self, seconds: float) -> None:
        """Time passes; what becomes due meanwhile happens at its time."""
        until = self.now + seconds
        for _ in range(LIMIT_INPUTS):
            due = [run.due for run, _ in self._stack if run.state != "ended" and 0 < run.due <= until]
            if self._asked is not None and self._asked.until <= until:
                due.append(self._asked.until)
            if not due:
                break
            self.now = max(self.now, min(due))
            if (asked := self._asked) is not None and asked.until <= self.now:
                self._asked = None
                self._give(asked.run, EffectDone(asked.effect.key, "timeout", {"digits": "", "reason": ""}))
            for run, _ in list(self._stack):
                if run.state != "ended" and 0 < run.due <= self.now:
                    self._give(run.id, TimeUp())
        self.now = until

    def give(self, input: Input) -> None:
        """Any input, to the session itself."""
        self._give(self.run.id, input)

    def _give(self, run: str, input: Input) -> None:
        self._budget = LIMIT_INPUTS
        self._todo.append((run, input))
        self._settle()

    def _settle(self) -> None:
        while self._todo and self._budget:
            self._budget -= 1
            id, input = self._todo.pop(0)
            for run, flow in self._stack:
                if run.id == id and run.state != "ended":
                    if run is self.run:
                        self.inputs.append(Recorded(self.now, input))
                    self._apply(flow, engine.advance(run, flow, input, self.now))
                    break
        self._todo.clear()

    def _apply(self, flow: Flow, advance: engine.Advance) -> None:
        run = advance.run
        if not self._stack or run.id == self.run.id:
            self.advances.append(advance)
        for place, (other, _) in enumerate(self._stack):
            if other.id == run.id:
                self._stack[place] = (run, flow)
                break
        else:
            self._stack.append((run, flow))
        for event in advance.events:
            if event.type == "node.left":
                self.edges.add((flow.name, event.data["node"], event.data["event"]))
        self.world.rows += advance.rows
        for effect in advance.effects:
            self._carry_out(run, flow, effect)
        if run.state == "ended" and run.parent:
            own = {name: value for name, value in run.data.items() if "." not in name}
            data = {"run": run.id, "code": run.result, "reason": run.reason, "data": own}
            event_name = "done" if run.result == 0 else "error"
            self._todo.append((run.parent, EffectDone(run.parent_key, event_name, data)))

    def _carry_out(self, run: Run, flow: Flow, effect: effects.Effect) -> None:
        if (told := self._answered_by(run, effect)) is not None:
            self._todo.append((run.id, told))
            return
        event, data = "success", dict[str, Any]()
        match effect:
            case effects.SendSms(text=text):
                self.world.texts.append(text)
                data = {"transid": f"sms-{effect.key}", "status": "sent"}
            case effects.PlaceCall(text=text, wav=wav):
                if text or wav:
                    self.world.said.append(text or wav)
                event, data = "answered", {"transid": f"call-{effect.key}", "result": "answered"}
            case call_effects.Play(prompt=prompt):
                self._say(prompt)
                event = "done"
            case call_effects.Collect(prompt=prompt, ask=ask):
                self._say(prompt)
                if run.node not in self.world.answers:
                    self._asked = _Asked(run.id, effect, self.now + ask.first_seconds * ask.tries)
                    return
                event = "timeout"
            case call_effects.Record(prompt=prompt):
                self._say(prompt)
                event, data = "stored", {"file": "recording.wav", "seconds": 1.0, "cause": "silence"}
            case call_effects.Detect():
                event = "human"
            case call_effects.Patch():
                event = "ended"
            case call_effects.Transfer():
                event, data = "transferred", {"code": "200"}
            case call_effects.HangUp():
                event = "done"
            case effects.StartChain():
                data = {"transid": f"chain-{effect.key}", "status": "delivered"}
            case effects.HttpRequest() if run.node not in self.world.answers:
                event, data = "error", {"status": 0, "reason": f"no answer is given for node {run.node}"}
            case effects.Draw(octets=octets):
                data = {"hex": hashlib.shake_256(effect.key.encode()).hexdigest(octets)}
            case effects.UseProfile(attributes=changes):
                known = {**self.world.profile, **changes}
                self.world.profile = {name: value for name, value in known.items() if value is not None}
                event = "success" if self.world.profile else "missing"
                data = {"attributes": self.world.profile, "customerid": ""}
            case effects.UseConsent(what=what):
                if what != "check":
                    self.world.opted_out = what == "out"
                event = "opted-out" if self.world.opted_out else "opted-in"
            case effects.RaiseEvent(name=name, data=raised):
                self.world.events.append((name, raised))
            case effects.Notify(body=body):
                self.world.notified.append(body)
            case word_effects.IssueOtp():
                data = self._issue(effect)
            case word_effects.CheckOtp():
                event, data = self._check(effect)
            case word_effects.MakeLink(name=name):
                data = {"url": f"https://s.example.org/l/{name}"}
            case word_effects.ReadText(text=text, stages=stages) if self.world.read is not None:
                data = self.world.read(text, self.now, stages)
            case word_effects.Seal(how=how, text=text, context=context):
                event, data = _sealed(how, text, context)
            case effects.StartFlow():
                if run.node not in self.world.answers:
                    self._call(run, effect)
                    return
                event = "done"
            case _:
                event = flow.nodes[run.node].outcomes()[0]
        self._todo.append((run.id, self._answered(run, EffectDone(effect.key, event, data))))

    def _say(self, prompt: tuple[Utterance, ...]) -> None:
        self.world.said += [each.text or each.wav for each in prompt]

    def _issue(self, effect: word_effects.IssueOtp) -> dict[str, Any]:
        code = SIMULATED_CODE[: effect.length or 6]
        before = self.world.otps.get((effect.address, effect.reference))
        resent = before is not None and self.now < before.until
        left = before.left if before is not None and resent else effect.attempts or _ATTEMPTS
        made = Simulated(code, self.now + effect.validity_seconds, left)
        self.world.otps[effect.address, effect.reference] = made
        minutes = max(1, round(effect.validity_seconds / 60))
        return {"id": effect.reference, "code": code, "reference": effect.reference, "minutes": minutes} | {
            "resent": resent
        }

    def _check(self, effect: word_effects.CheckOtp) -> tuple[str, dict[str, Any]]:
        reference = effect.otp or effect.reference
        otp = self.world.otps.get((effect.address, reference))
        if otp is None:
            return "error", {"reason": "no one-time password was sent there for that"}
        if not otp.left:
            return "max-attempts", {"left": 0}
        if self.now >= otp.until:
            return "expired", {"left": otp.left}
        if otp.code in effect.given.split():
            del self.world.otps[effect.address, reference]
            return "success", {"left": 0}
        otp.left -= 1
        return "invalid" if otp.left else "max-attempts", {"left": otp.left}

    def _answered(self, run: Run, done: EffectDone) -> EffectDone:
        """What the test says becomes of it, or else the usual."""
        given = self.world.answers.get(run.node)
        if not given:
            return done
        answer = given[0] if len(given) == 1 else given.pop(0)
        data = {**done.data, **answer.data}
        event = answer.event or done.event
        if answer.status or answer.body or answer.json is not None:
            body = answer.body if answer.json is None else _json(answer.json)
            status = answer.status or 200
            data |= {"status": status, "body": body, "reason": ""}
            event = answer.event or ("success" if 200 <= status < 300 else "error")
        return EffectDone(done.key, event, data)

    def _call(self, run: Run, effect: effects.StartFlow) -> None:
        flow = self._flows.get(effect.flow)
        if flow is None or run.depth >= LIMIT_DEPTH:
            reason = (
                f"no flow {effect.flow}" if flow is None else f"flows have begun flows {LIMIT_DEPTH} deep"
            )
            self._todo.append((run.id, EffectDone(effect.key, "error", {"code": 102, "reason": reason})))
            return
        began = called(run, effect, f"{run.id}.{run.effects}")
        self._apply(flow, engine.start(flow, began, self.now))


def came(text: str, at: float) -> variables.Came:
    """How such a text comes, by no bind."""
    coding, parts = count(text)
    return variables.Came(coding.name.lower(), parts, time=at)


def called(run: Run, effect: effects.StartFlow, id: str) -> Start:
    """How the session begins that a call-flow node asks for: it sees what the event was that began ours."""
    inherited = {
        name: value
        for name, value in run.data.items()
        if name.partition(".")[0] in GROUPS and not name.startswith("session.")
    }
    return Start(
        run_id=id,
        service=run.service,
        customer=run.customer,
        number=run.number,
        variables=inherited | {"session.transid": run.data.get("session.transid", "")} | effect.variables,
        node=effect.node,
        parent=run.id,
        parent_key=effect.key,
        depth=run.depth + 1,
    )


def _sealed(how: str, text: str, context: str) -> tuple[str, dict[str, Any]]:
    """No secret: sealed is what says so."""
    match how:
        case "encrypt":
            return "success", {"result": f"sealed:{context}:{text}"}
        case "decrypt":
            head = f"sealed:{context}:"
            if not text.startswith(head):
                return "error", {"reason": "is not what was sealed with this secret and context"}
            return "success", {"result": text.removeprefix(head)}
    return "success", {"result": hashlib.new(how, text.encode()).hexdigest()}


def _listens(flow: Flow) -> bool:
    return any(node.listens_to("message") for node in flow.nodes.values())


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
