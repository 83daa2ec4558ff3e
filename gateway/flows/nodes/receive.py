"""receive: wait for the customer's next message, or for something else that concerns the customer.

type = "receive"
await = ["sms", "call.missed", "custom.paid"]      # default: ["sms"]
timeout = "10m"
on = { message = "thanks", "call.missed" = "ring", "custom.paid" = "send", timeout = "late" }

`sms.*` becomes that message, in a session that began in an app `app.*` the text in it; it stays readable as
`$(node.text)` when another one follows.  Of an event the fields are `$(node.data.FIELD)`, and its group
(`call.*`, `custom.*`) becomes it, too.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from gateway.config.model import Seconds
from gateway.flows.inputs import EventIn, MessageIn
from gateway.flows.nodes.base import Context, Leave, Node, Resumed, Step, Wait
from gateway.values.event import Trigger
from gateway.values.fault import nearest

_SMS = "sms"
_KNOWN = (
    _SMS,
    Trigger.CALL_MISSED,
    Trigger.CALL_ANSWERED,
    Trigger.CALL_ENDED,
    Trigger.LINK_CLICKED,
    Trigger.APP_RECEIVED,
)


class ReceiveNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "receive"
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("message", "timeout")
    outputs: ClassVar[tuple[str, ...]] = ("text", "from", "words", "event", "data")

    timeout: Seconds
    sources: list[str] = field(default_factory=lambda: [_SMS], name="await")
    save: str = ""  # a session variable that gets the text

    def outcomes(self) -> tuple[str, ...]:
        return (*("message" if source == _SMS else source for source in self.sources), "timeout")

    def given(self, event: str) -> tuple[str, ...]:
        if event == "timeout":
            return ()
        return ("text", "from", "words", "event") if event == "message" else ("event", "data")

    def mistakes(self) -> list[tuple[str, str]]:
        found = [] if self.timeout > 0 else [("timeout", "must be longer than 0")]
        if not self.sources or len(set(self.sources)) < len(self.sources):
            found.append(("await", "must name what to wait for, each once"))
        for n, source in enumerate(self.sources):
            if source not in _KNOWN and not source.startswith("custom."):
                what = f'"{source}" is nothing that may be waited for{nearest(source, _KNOWN)}'
                found.append(
                    (f"await[{n}]", f"{what} (sms, call.missed, call.answered, call.ended, custom.NAME)")
                )
        if self.save and _SMS not in self.sources:
            found.append(("save", 'there is no text to save unless await has "sms"'))
        return found

    def assigns(self) -> list[tuple[str, str]]:
        return [("save", self.save)] if self.save else []

    def assigned(self, event: str) -> tuple[str, ...]:
        return (self.save,) if self.save and event == "message" else ()

    def listens_to(self, what: str) -> bool:
        return what in self.outcomes() and what != "timeout"

    def wait_seconds(self) -> float:
        return float(self.timeout)

    def enter(self, context: Context) -> Step:
        return Wait(" ".join(self.outcomes()[:-1]), context.now + self.timeout)

    def resume(self, context: Context, input: Resumed) -> Step:
        match input:
            case MessageIn(data):
                said = {name: value for name, value in data.items() if name not in ("nlp", "group")}
                group = data.get("group", "sms")
                variables = {f"{group}.{name}": value for name, value in said.items()}
                variables |= {f"nlp.{name}": value for name, value in data.get("nlp", {}).items()}
                if self.save:
                    variables[self.save] = data.get("text", "")
                outputs = {name: data.get(name, "") for name in ("text", "from", "words")}
                return Leave("message", outputs | {"event": "message"}, variables)
            case EventIn(type, data):
                group = "click" if type == Trigger.LINK_CLICKED else type.partition(".")[0]
                variables = {f"{group}.{name}": value for name, value in data.items()}
                return Leave(type, {"event": type, "data": data}, variables)
            case _:
                return Leave("timeout")
