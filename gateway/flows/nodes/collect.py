"""collect: say something and take keys.

Left by `digits` with `min` to `max` of them, which are `$(node.digits)`; by `invalid` when there were fewer
in the last try, by `timeout` when there were none in it.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from gateway.config.model import Seconds
from gateway.flows.call_effects import Collect
from gateway.flows.nodes.base import Act, Context, Leave, Resumed, Step, outcome
from gateway.flows.nodes.on_call import Prompted
from gateway.values.dialogue import DIGITS, Ask

_MOST_KEYS = 64
_MOST_TRIES = 10


class CollectNode(Prompted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "collect"
    events: ClassVar[tuple[str, ...]] = ("digits", "invalid", "timeout", "hangup", "error")
    optional: ClassVar[tuple[str, ...]] = ("invalid", "timeout", "hangup")
    outputs: ClassVar[tuple[str, ...]] = ("digits", "tries", "reason")

    least: int = field(default=1, name="min")
    most: int = field(default=1, name="max")
    terminator: str = "#"  # keys that say "that was all"; they are not among the digits
    first_timeout: Seconds = Seconds(5)  # from the end of the prompt to the first key
    next_timeout: Seconds = Seconds(3)  # from key to key
    tries: int = 1
    invalid_text: str = ""  # said before the prompt is repeated after too few keys
    invalid_wav: str | list[str] = ""
    barge_in: bool = True
    save: str = ""  # a session variable that gets the digits

    def mistakes(self) -> list[tuple[str, str]]:
        found = asking(self.first_timeout, self.next_timeout, self.tries)
        if not 1 <= self.most <= _MOST_KEYS:
            found.append(("max", f"must be 1 to {_MOST_KEYS}"))
        elif not 0 <= self.least <= self.most:
            found.append(("min", "must be 0 to max"))
        return found + keys("terminator", self.terminator)

    def texts(self) -> list[tuple[str, str]]:
        return [*super().texts(), ("invalid_text", self.invalid_text)]

    def assigns(self) -> list[tuple[str, str]]:
        return [("save", self.save)] if self.save else []

    def assigned(self, event: str) -> tuple[str, ...]:
        return (self.save,) if self.save and event == "digits" else ()

    def enter(self, context: Context) -> Step:
        ask = Ask(
            least=self.least,
            most=self.most,
            terminator=self.terminator,
            first_seconds=float(self.first_timeout),
            between_seconds=float(self.next_timeout),
            tries=self.tries,
            barge_in=self.barge_in,
        )
        invalid = self.said(context, self.invalid_text, self.invalid_wav)
        return Act(Collect(key=context.key, prompt=self.prompt(context), invalid=invalid, ask=ask))

    def resume(self, context: Context, input: Resumed) -> Step:
        left = outcome(self, input)
        if self.save and left.event == "digits":
            return Leave(left.event, left.outputs, {self.save: left.outputs["digits"]})
        return left


def asking(first: Seconds, between: Seconds, tries: int) -> list[tuple[str, str]]:
    """What is wrong with the limits of a question."""
    found = [] if 1 <= tries <= _MOST_TRIES else [("tries", f"must be 1 to {_MOST_TRIES}")]
    found += [("first_timeout", "must be longer than 0")] if first <= 0 else []
    return found + ([("next_timeout", "must be longer than 0")] if between <= 0 else [])


def keys(field: str, written: str) -> list[tuple[str, str]]:
    """What is wrong with something that is to consist of keys."""
    wrong = "".join(dict.fromkeys(key for key in written if key not in DIGITS))
    return [(field, f'"{wrong}" is on no telephone; its keys are {DIGITS}')] if wrong else []
