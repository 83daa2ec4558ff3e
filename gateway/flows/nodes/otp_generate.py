"""otp-generate: a one-time password for the customer, to be sent by a node behind it.

type = "otp-generate"
validity = "5m"
on = { success = "send", refused = "later", error = "end:102" }

`$(node.code)` in a text that is sent or spoken to the customer becomes the code on its way out; everywhere
else it is no more than a token.  A session that comes here again has it sent again, the same or a new one.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from gateway.config.model import Seconds
from gateway.flows.nodes.base import Act, Context, Kind, Node, Resumed, Step, outcome
from gateway.flows.word_effects import IssueOtp
from gateway.values.address import subscriber
from gateway.values.otp import LONGEST

_SHORTEST, _LONGEST_SECONDS = 4, 86_400


class OtpGenerateNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`refused`: one was sent just now or too often, or the range of numbers is held; `$(node.wait)` says for
    how many seconds."""

    type: ClassVar[str] = "otp-generate"
    kind: ClassVar[Kind] = Kind.IDEMPOTENT
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("success", "refused", "error")
    optional: ClassVar[tuple[str, ...]] = ("refused",)
    outputs: ClassVar[tuple[str, ...]] = ("id", "code", "reference", "resent", "minutes", "wait", "reason")

    to: str = ""  # default: the customer
    reference: str = ""  # default: the session's id
    format: Literal["", "numeric", "alphabetic", "alphanumeric"] = ""  # these: the service's, by default
    length: int = 0
    attempts: int = 0
    resend: Literal["", "same", "new"] = ""
    validity: Seconds = Seconds(300)

    def mistakes(self) -> list[tuple[str, str]]:
        found = []
        if self.length and not _SHORTEST <= self.length <= LONGEST:
            found.append(("length", f"is {self.length}; {_SHORTEST} to {LONGEST} characters"))
        if self.attempts < 0:
            found.append(("attempts", "must not be negative"))
        if not 10 <= self.validity <= _LONGEST_SECONDS:
            found.append(("validity", "must be 10 seconds to a day"))
        return found

    def texts(self) -> list[tuple[str, str]]:
        return [("to", self.to), ("reference", self.reference)]

    def given(self, event: str) -> tuple[str, ...]:
        return ("wait", "reason") if event == "refused" else self.outputs

    def pauses(self) -> bool:
        return False  # its outcome comes at once

    def lifetime_seconds(self) -> float:
        return float(self.validity)

    def enter(self, context: Context) -> Step:
        return Act(
            IssueOtp(
                key=context.key,
                address=subscriber(context.text(self.to) or context.run.customer),
                reference=context.text(self.reference) or context.run.id,
                format=self.format,
                length=self.length,
                validity_seconds=float(self.validity),
                attempts=self.attempts,
                resend=self.resend,
            )
        )

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)
