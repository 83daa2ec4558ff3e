"""menu: say the choices and go by the key.

type = "menu"
text = "For sales press 1, for support press 2."
choices = { 1 = "sales", 2 = "support" }
tries = 3
on = { invalid = "operator", timeout = "end:103", error = "end:102" }

A choice may have several keys ("21").  Left by `invalid` when the keys of the last try are no choice, by
`timeout` when none was pressed in it.
"""

from __future__ import annotations

from typing import ClassVar

from gateway.config.model import Seconds
from gateway.flows.call_effects import Collect
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.base import Act, Context, Leave, Resumed, Step
from gateway.flows.nodes.collect import asking, keys
from gateway.flows.nodes.on_call import Prompted
from gateway.values.dialogue import Ask


class MenuNode(Prompted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Its events are "key 1", "key 2", ... besides those of `on`."""

    type: ClassVar[str] = "menu"
    events: ClassVar[tuple[str, ...]] = ("invalid", "timeout", "hangup", "error")
    optional: ClassVar[tuple[str, ...]] = ("invalid", "timeout", "hangup")
    outputs: ClassVar[tuple[str, ...]] = ("digits", "tries", "reason")

    choices: dict[str, str]  # keys -> "NODE", "end" or "end:CODE"
    first_timeout: Seconds = Seconds(5)  # from the end of the prompt to the first key
    next_timeout: Seconds = Seconds(3)  # from key to key, for choices of several keys
    tries: int = 3
    invalid_text: str = ""  # said before the prompt is repeated after a key that is no choice
    invalid_wav: str | list[str] = ""
    barge_in: bool = True

    def edges(self) -> dict[str, str]:
        return {f"key {digits}": edge for digits, edge in self.choices.items()} | super().edges()

    def mistakes(self) -> list[tuple[str, str]]:
        found = asking(self.first_timeout, self.next_timeout, self.tries)
        if not self.choices:
            found.append(("choices", "needs at least one choice"))
        if not (self.text or self.wav):
            found.append(("text", "set text (to speak) or wav (to play): nobody can guess the choices"))
        for digits in self.choices:
            found += keys("choices", digits) if digits else [("choices", "a choice needs a key")]
        return found

    def texts(self) -> list[tuple[str, str]]:
        return [*super().texts(), ("invalid_text", self.invalid_text)]

    def enter(self, context: Context) -> Step:
        ask = Ask(
            most=max(map(len, self.choices)),
            choices=tuple(self.choices),
            terminator="",
            first_seconds=float(self.first_timeout),
            between_seconds=float(self.next_timeout),
            tries=self.tries,
            barge_in=self.barge_in,
        )
        invalid = self.said(context, self.invalid_text, self.invalid_wav)
        return Act(Collect(key=context.key, prompt=self.prompt(context), invalid=invalid, ask=ask))

    def resume(self, context: Context, input: Resumed) -> Step:
        assert isinstance(input, EffectDone)
        if input.event != "digits":
            return super().resume(context, input)
        outputs = {name: input.data.get(name, "") for name in self.outputs}
        chosen = outputs["digits"]
        return Leave(f"key {chosen}" if chosen in self.choices else "invalid", outputs)
