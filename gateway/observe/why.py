"""The story of a message, a call or a session in plain sentences, from what the store recorded of it.

Pure, and complete: an event of a type that has no sentence of its own is told by its name and fields.
Numbers and texts are told as they are; who asks is the operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from gateway.values.call import Call
from gateway.values.clock import iso
from gateway.values.event import CUSTOM, Event, Trigger
from gateway.values.message import Message, Segment
from gateway.values.otp import Otp, OtpState
from gateway.values.variables import as_text
from gateway.values.work import Run

_Data = Mapping[str, Any]


class Line(Struct, frozen=True):
    """`at` in Unix seconds; `setting` is what decided, as a path in the whole configuration, "" = none did:
    "services.NAME.rules.R"."""

    at: float
    text: str
    setting: str = ""


def of_message(message: Message, events: Iterable[Event], segments: Iterable[Segment] = ()) -> list[Line]:
    """From the request, or the arrival, to what has been reached so far; the oldest first."""
    # how a text came in is the opening already
    told = [event for event in events if message.direction == "mt" or event.type != Trigger.SMS_RECEIVED]
    lines = [Line(event.at, sentence(event), _setting(event, message)) for event in told]
    lines += [Line(segment.updated_at or message.updated_at, _segment(segment)) for segment in segments]
    began = Line(message.created_at, _opening(message))
    return [began, *sorted(lines, key=lambda line: line.at), Line(message.updated_at, _reached(message))]


def of_call(call: Call, events: Iterable[Event]) -> list[Line]:
    """`events` are those of the call, or of the message whose voice step it is."""
    caller = call.caller or "a withheld number"
    if call.direction == "in":
        began = f"{caller} rang {call.called} ({call.service}) over {call.trunk}."
    else:
        owner = f", step {call.step + 1} of message {call.message}" if call.message else ""
        began = f"{call.service} called {call.called} from {caller} over {call.trunk}{owner}."
    own = [event for event in events if not call.message or event.data.get("call") == call.id]
    lines = [Line(call.started_at, began)]
    if call.sip_call_id:
        lines.append(Line(call.started_at, f"Its SIP Call-ID is {call.sip_call_id}."))
    if call.flood:
        lines.append(Line(call.started_at, "It was one of a flood of calls from one range of numbers."))
    if call.rung_at:
        waited = f" after {(call.rung_at - call.started_at) * 1000:.0f} ms"
        lines.append(Line(call.rung_at, f"It rang{waited if call.direction == 'out' else ''}."))
    lines += [Line(event.at, sentence(event), _setting(event, call)) for event in own]
    lines.append(Line(call.ended_at or call.answered_at or call.started_at, _call_state(call)))
    if call.codec:
        lines.append(Line(call.ended_at or call.answered_at, _media(call)))
    if call.recording:
        lines.append(Line(call.ended_at or call.answered_at, f"It was recorded: {call.recording}."))
    return sorted(lines, key=lambda line: line.at)  # what it has led to may have come after its end


def of_run(run: Run, events: Iterable[Event]) -> list[Line]:
    began = f"Session of the flow {run.flow} (version {run.version}) of {run.service} with {run.customer}"
    number = f" on {run.number}" if run.number else ""
    lines = [Line(event.at, sentence(event), _setting(event, run)) for event in events]
    return [Line(run.created_at, f"{began}{number}."), *lines, Line(run.updated_at, _run_state(run))]


def _setting(event: Event, what: Message | Call | Run | None = None) -> str:
    """Which setting of a service the event comes from."""
    service, data = f"services.{event.service}", event.data
    match event.type:
        case "rule":
            return f"{service}.rules.{data.get('rule')}"
        case "decided" if data.get("took") == "keyword":
            keyword = data.get("keyword")
            return f"{service}.keywords.{keyword}" if keyword else f"{service}.default"
        case "node.entered" | "node.left" if isinstance(what, Run):
            return f"{service}.flows.{what.flow}.nodes.{data.get('node')}"
        case "call.missed" if isinstance(what, Call):
            return f"{service}.numbers.{what.called}"
        case str(type) if type.startswith("step.") and isinstance(what, Message) and what.chain:
            steps = [step for step in what.plan[: data.get("step", -1) + 1] if not step.again]
            return f"{service}.chains.{what.chain}.steps[{len(steps) - 1}]" if steps else ""
        case _:
            return ""


def of_otp(otp: Otp, sent: Iterable[Message], now: float) -> list[Line]:
    """`sent` are the messages with its code, the oldest first."""
    reference = f", reference {otp.reference}" if otp.reference else ""
    kind = f"{otp.length} characters, {otp.format}"
    began = f"A one-time password of {otp.service} for {otp.address} ({kind}{reference})."
    lines = [
        Line(message.created_at, f"It went out as the message {message.id}, which is {message.status}.")
        for message in sent
    ]
    tries = f"{otp.attempts} of {otp.most_attempts} wrong tries, sent {_times(otp.sends)}"
    over = "has expired" if now >= otp.expires_at else "can still be entered"
    what = {
        OtpState.USED: "It was entered rightly, and holds no more",
        OtpState.LOCKED: "It was tried too often, and holds no more",
    }.get(otp.state, f"It {over}")
    end = Line(max(otp.sent_at, otp.created_at), f"{what}: {tries}; valid until {iso(otp.expires_at)}.")
    return [Line(otp.created_at, began), *lines, end]


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def of_event(events: Iterable[Event]) -> list[Line]:
    """A custom event, and what came of it."""
    return [
        Line(event.at, _raised(event) if event.type.startswith(CUSTOM) else sentence(event), _setting(event))
        for event in events
    ]


def sentence(event: Event) -> str:
    """One sentence for one event."""
    tell = _SENTENCES.get(event.type)
    return tell(event.data) if tell else _plain(event)


# -- messages ------------------------------------------------------------------------------------------


def _opening(message: Message) -> str:
    text = f': "{message.text}"' if message.text else ""
    if message.direction == "mo":
        return f"{message.sender} texted {message.recipient} by {message.carrier}{text}"
    by = f"account {message.account}" if message.account else message.service
    by = f"session {message.run} of {message.service}" if message.run else by
    mark = f" (correlationid {message.correlationid})" if message.correlationid else ""
    return f"A message of {by} from {message.sender} to {message.recipient}{mark}{text}"


def _reached(message: Message) -> str:
    state = "is" if not message.status.final else "has ended as"
    why = _because(message.reason, message.code)
    if message.direction == "mo":
        service = message.service or "no service"
        gaps = ", with parts missing" if message.incomplete else ""
        return f"It is {message.status} by {service}{gaps}{why}."
    return f"It {state} {message.status}{_by(message.carrier)}{why}."


def _segment(segment: Segment) -> str:
    # part 0: all that a restart has left of a submission whose answer was lost
    part = f"Part {segment.part} of {segment.total}" if segment.part else "A part"
    number = f" as {segment.smsc_id}" if segment.smsc_id else ""
    step = f" (step {segment.step + 1})"
    return f"{part} went to {segment.bind}{number}{step}: {segment.state}{_because('', segment.code)}."


def _accepted(data: _Data) -> str:
    steps: Sequence[str] = data.get("steps", ())
    name = f" with the chain {data['chain']}" if data.get("chain") else ""
    return f"Accepted{name}: {', then '.join(steps) or 'no step'}."


def _octets(data: _Data) -> str:
    ports: _Data = data.get("ports", {})
    to = f" to port {ports.get('destination')} from {ports.get('source')}" if ports else ""
    octets = len(data.get("octets", "")) // 2
    return f"More than text: {octets} octets{to}, data_coding {data.get('data_coding')}."


def _step(data: _Data) -> str:
    """Step 2 (sms by south)"""
    carrier = _by(data.get("carrier", ""))
    again = f", repetition {data['again']}" if data.get("again") else ""
    return f"Step {data.get('step', -1) + 1} ({data.get('channel', 'sms')}{carrier}{again})"


def _status(data: _Data) -> str:
    carrier = _by(data.get("carrier", ""))
    return f"The message is now {data.get('status')}{carrier}{_because_of(data)}."


def _receipt(data: _Data) -> str:
    news = "" if data.get("final") else ", not the last word"
    code = f", code {data['code']}" if data.get("code") else ""
    about = f"part {data.get('part')} ({data.get('smsc_id')})"
    said = f"{about}: {data.get('state')}{code}{news}."
    if data.get("by") == "query_sm":
        return f"No receipt had come; {data.get('bind')} was asked about {said}"
    return f"A receipt of {data.get('bind')} about {said}"


def _raised(event: Event) -> str:
    data = event.data
    mark = f" (correlationid {data['correlationid']})" if data.get("correlationid") else ""
    warning = f": {data['warning']}" if data.get("warning") else ""
    return f"{event.type} was raised for {event.service} by {data.get('by')}{mark}{warning}."


# -- what comes in -------------------------------------------------------------------------------------


def _received(data: _Data) -> str:
    gaps = "; parts of it were missing" if data.get("incomplete") else ""
    return f"A text from {data.get('from')} to {data.get('to')} came in{_by(data.get('carrier', ''))}{gaps}."


def _decided(data: _Data) -> str:
    match data.get("took"):
        case "reserved":
            return f'It is the reserved word for "{data.get("word")}".'
        case "session":
            return f"The open session {data.get('run')} took it."
        case "keyword" if data.get("keyword"):
            return f"The keyword {data['keyword']} took it ({data.get('how')})."
        case "keyword":
            return f"No keyword and no rule took it; the default did ({data.get('how')})."
        case "rules":
            return f"Rules took it: {', '.join(data.get('rules', ()))}."
        case "rejected":
            return f"Its service does not answer it{_because_of(data)}."
        case _:
            return f"Nothing took it{_because_of(data)}."


def _rule(data: _Data) -> str:
    did = "acted" if data.get("fired") else "did not act"
    return f"The rule {data.get('rule')} {did}{_because_of(data)}."


def _call(what: str) -> Callable[[_Data], str]:
    def tell(data: _Data) -> str:
        status = f" ({data['status']})" if data.get("status") else ""
        rang = f" after {data['ring_ms'] / 1000:.1f} s" if data.get("ring_ms") else ""
        caller = data.get("from") or "a withheld number"
        return f"The call from {caller} to {data.get('to')} {what}{rang}: {data.get('cause')}{status}."

    return tell


def _call_state(call: Call) -> str:
    if call.state != "ended":
        return f"It is {call.state}."
    spoken = "It was not answered"
    if call.answered_at:
        billed = f"{call.billable_seconds} s to bill"
        spoken = f"It was answered and lasted {call.duration_ms / 1000:.1f} s ({billed})"
    codes = [f"SIP {call.status}"] if call.status else []
    codes += [f"Q.850 {call.q850}"] if call.q850 else []
    said = f", {call.reason}" if call.reason else ""
    shown = f" ({', '.join(codes)})" if codes else ""
    why = f"; {call.cause}{said}{shown}"
    who = {
        "caller": ", ended by the caller",
        "called": ", ended by the called side",
        "gateway": ", ended by us",
    }
    return f"{spoken}{who.get(call.ended_by, '')}{why}{_UNCOUNTED.get(call.uncounted, '')}."


_UNCOUNTED = {
    "duplicate": "; no news, for the caller had just rung before",
    "answered-elsewhere": "; no news, for somebody else has taken the call",
    "caller-limit": "; no news, for the caller has rung too often within the hour",
}


def _media(call: Call) -> str:
    digits = f", {call.dtmf} digits" if call.dtmf else ""
    return (
        f"Media: {call.codec}, {call.packets_sent} packets sent, {call.packets_received} received, "
        f"{call.packets_lost} lost, jitter {call.jitter_ms:.1f} ms{digits}."
    )


# -- sessions ------------------------------------------------------------------------------------------


def _started(data: _Data) -> str:
    session = f"Session {data['run']}" if data.get("run") else "The session"
    return f"{session} of the flow {data.get('flow')} (version {data.get('version')}) begins."


def _input(data: _Data) -> str:
    given = data.get("input") or data  # sealed: what nobody said
    match given.get("kind"):
        case "message":
            said = f' "{given["data"].get("text", "")}"' if "data" in given else ""
            return f"The customer wrote{said}."
        case "time-up":
            return "The time it waited for was up."
        case "effect-done":
            return f"Its act {given.get('key')} came out as {given.get('event')}{_because_of(given)}."
        case "stop":
            return f"It was stopped{_because_of(given)}."
        case _:
            return f"Input: {_fields(given)}."


def _left(data: _Data) -> str:
    note = f" ({data['note']})" if data.get("note") else ""
    return f"Left {data.get('node')} by {data.get('event')} to {data.get('to')}{note}."


def _ended(data: _Data) -> str:
    unread = f"; {data['unread']} texts were left unread" if data.get("unread") else ""
    return f"The session ended with {data.get('result')}{_because_of(data)}{unread}."


def _run_state(run: Run) -> str:
    if run.state == "ended":
        return f"It has ended with {run.result}{_because(run.reason)}."
    known = {"message": "a message", "delay": "its delay to pass"}
    words = (known.get(word, word.replace("effect:", "the outcome of act ")) for word in run.waiting.split())
    return f"It is at {run.node} and waits for {' or '.join(words) or 'its next step'}."


# -- the rest ------------------------------------------------------------------------------------------


def _read_out(data: _Data) -> str:
    found = [f"language {data['language']}"] if data.get("language") else []
    if data.get("intent"):
        found.append(f"intent {data['intent']} ({data.get('confidence'):.2f})")
    found += [f"a {data['answer']}"] if data.get("answer") else []
    found += [f"{data['sentiment']} ({data.get('score')})"] if data.get("sentiment") else []
    found += ["offending words"] if data.get("profane") else []
    late = f"; left out: {', '.join(data['late'])}" if data.get("late") else ""
    return f"It reads as: {', '.join(found) or 'nothing known'}{late}."


_SENTENCES: Mapping[str, Callable[[_Data], str]] = {
    "message.accepted": _accepted,
    "step.started": lambda data: (
        f"{_step(data)} {'waits' if data.get('reason') else 'begins'}{_because_of(data)}."
    ),
    "step.succeeded": lambda data: f"{_step(data)} succeeded: {data.get('result')}.",
    "step.failed": lambda data: f"{_step(data)} failed: {data.get('result')}{_because_of(data)}.",
    "step.skipped": lambda data: f"{_step(data)} was skipped: {data.get('result')}{_because_of(data)}.",
    "step.moved": lambda data: f"{_step(data)} waited for {data.get('from')}, which is down: it moves.",
    "step.resent": lambda data: f"{_step(data)} is sent again: its answer was lost in a restart.",
    "sms.status": _status,
    "receipt": _receipt,
    "sms.received": _received,
    "sms.octets": _octets,
    "decided": _decided,
    "message.held": lambda data: f"It is held{_because_of(data)}.",
    "otp.said": lambda data: (
        f"It says the one-time password {data['otp']}, which is not kept."
        if data.get("otp")
        else "It may say a one-time password: what it says is not kept."
    ),
    "parked": lambda data: "Its service is suspended: it is decided on when that is live again.",
    "rule": _rule,
    "nlp": _read_out,
    "link.clicked": lambda data: (
        f"The customer opened the link {data.get('link')} "
        f"on {data.get('device')} (click {data.get('count')})."
    ),
    "action.failed": lambda data: f"An action could not be done{_because_of(data)}.",
    "consent.opted_out": lambda data: f"The customer is opted out{_of(data)}{_because_of(data)}.",
    "consent.opted_in": lambda data: f"The customer is opted in{_of(data)}{_because_of(data)}.",
    "customer.changed": lambda data: f"The profile was changed: {', '.join(data.get('attributes', ()))}.",
    "custom.raised": lambda data: f"The event {data.get('event')} was raised ({data.get('id')}).",
    "rules.stopped": lambda data: f"No more rules were asked{_because_of(data)}.",
    "notify.sent": lambda data: f"{data.get('url')} was notified (attempt {data.get('attempt')}).",
    "notify.failed": lambda data: f"Notifying {data.get('url')} failed, {_attempt(data)}",
    "notify.dead": lambda data: f"Notifying {data.get('url')} was given up, {_attempt(data)}",
    "call.missed": _call("was missed"),
    "call.answered": _call("was answered"),
    "call.ended": _call("ended"),
    "call.recorded": lambda data: (
        f"{data.get('seconds')} s were recorded, until {data.get('cause')}: {data.get('file')}."
    ),
    "call.recording-removed": lambda data: f"{data.get('file')} was deleted{_because_of(data)}.",
    "session.started": _started,
    "session.input": _input,
    "session.message-dropped": lambda data: f"More than {data.get('limit')} texts waited: one was dropped.",
    "session.ended": _ended,
    "node.entered": lambda data: f"Entered {data.get('node')} ({data.get('type')}).",
    "node.left": _left,
}


def _attempt(data: _Data) -> str:
    return f"attempt {data.get('attempt')}{_because_of(data)}."


def _of(data: _Data) -> str:
    return f" of {data['channel']}" if data.get("channel") else ""


def _by(carrier: str) -> str:
    return f" by {carrier}" if carrier else ""


def _because_of(data: _Data) -> str:
    return _because(str(data.get("reason", "")), str(data.get("code", "")))


def _because(reason: str, code: str = "") -> str:
    """ ", because REASON (CODE)", as far as there is one."""
    shown = f" ({code})" if code and code not in reason else ""
    return f", because {reason}{shown}" if reason else shown


def _plain(event: Event) -> str:
    fields = _fields(event.data)
    return f"{event.type}: {fields}." if fields else f"{event.type}."


def _fields(data: _Data) -> str:
    return ", ".join(f"{name} = {as_text(value)}" for name, value in data.items())
