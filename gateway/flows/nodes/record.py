"""record: say something, beep, and record what the person says.

It ends with silence, after `maximum`, at a key of `terminator`, or when the person hangs up; what was said is
kept then too, and `$(node.file)` names it also behind `hangup`.
"""

from __future__ import annotations

from typing import ClassVar

from gateway.config.model import Seconds
from gateway.flows.call_effects import Record
from gateway.flows.nodes.base import Act, Context, Step
from gateway.flows.nodes.collect import keys
from gateway.flows.nodes.on_call import Prompted
from gateway.values.dialogue import Taping

_LONGEST_SECONDS = 3600.0


class RecordNode(Prompted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "record"
    events: ClassVar[tuple[str, ...]] = ("stored", "hangup", "error")
    outputs: ClassVar[tuple[str, ...]] = ("file", "seconds", "cause", "reason")

    maximum: Seconds = Seconds(60)
    silence: Seconds = Seconds(3)  # without a voice, from the start or from the last word; 0: never
    terminator: str = "#"
    beep: bool = True

    def mistakes(self) -> list[tuple[str, str]]:
        found = keys("terminator", self.terminator)
        if not 0 < self.maximum <= _LONGEST_SECONDS:
            found.append(("maximum", f"must be more than 0 and at most {_LONGEST_SECONDS:g} s"))
        return found

    def enter(self, context: Context) -> Step:
        taping = Taping(
            maximum_seconds=float(self.maximum),
            silence_seconds=float(self.silence),
            terminators=self.terminator,
            beep=self.beep,
        )
        return Act(Record(key=context.key, prompt=self.prompt(context), taping=taping))
