"""otp-validate: whether what the customer has written is their one-time password.

type = "otp-validate"
code = "$(answer.text)"
resend_words = ["resend", "again"]
on = { success = "in", invalid = "again", resend = "code", max-attempts = "end:104", error = "end:102" }

What is not wired of expired, resend and max-attempts goes where `error` goes.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from gateway.flows.nodes.base import Act, Context, Kind, Leave, Node, Resumed, Step, outcome
from gateway.flows.word_effects import CheckOtp
from gateway.text.normalise import normalise
from gateway.values.address import subscriber

_LONGEST = 200  # characters of an answer


class OtpValidateNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A right code is right once.  `resend` is for the words that ask for it again; `$(node.left)` says how
    many tries are left."""

    type: ClassVar[str] = "otp-validate"
    kind: ClassVar[Kind] = Kind.EXTERNAL
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("success", "invalid", "expired", "resend", "max-attempts", "error")
    optional: ClassVar[tuple[str, ...]] = ("expired", "resend", "max-attempts")
    outputs: ClassVar[tuple[str, ...]] = ("left", "reason")

    code: str
    otp: str = ""  # its id; default: that of the customer and the reference
    to: str = ""  # default: the customer
    reference: str = ""  # default: the session's id
    resend_words: list[str] = field(default_factory=lambda: ["resend"])

    def texts(self) -> list[tuple[str, str]]:
        return [("code", self.code), ("otp", self.otp), ("to", self.to), ("reference", self.reference)]

    def pauses(self) -> bool:
        return False  # its outcome comes at once

    def enter(self, context: Context) -> Step:
        given = context.text(self.code)
        if normalise(given) in {normalise(word) for word in self.resend_words}:
            return Leave("resend", {"left": "", "reason": ""})
        return Act(
            CheckOtp(
                key=context.key,
                otp=context.text(self.otp),
                address=subscriber(context.text(self.to) or context.run.customer),
                reference=context.text(self.reference) or context.run.id,
                given=given[:_LONGEST],
            )
        )

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)
