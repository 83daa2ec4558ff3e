"""encrypt: a text sealed with one of the service's [secrets], by AES-256-GCM (NIST SP 800-38D)."""

from __future__ import annotations

from typing import ClassVar, Literal

from gateway.flows.nodes.base import Act, Context, Kind, Node, Resumed, Step, outcome
from gateway.flows.word_effects import Seal


class EncryptNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`$(node.result)` is base64url of nonce, ciphertext and tag (content/seal.py)."""

    type: ClassVar[str] = "encrypt"
    kind: ClassVar[Kind] = Kind.IDEMPOTENT
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("success", "error")
    outputs: ClassVar[tuple[str, ...]] = ("result", "reason")
    how: ClassVar[Literal["encrypt", "decrypt"]] = "encrypt"

    text: str
    secret: str  # one of [secrets]
    context: str = ""  # what it belongs to, such as the customer's number: it opens with the same one only

    def texts(self) -> list[tuple[str, str]]:
        return [("text", self.text), ("context", self.context)]

    def refers(self) -> list[tuple[str, str, str]]:
        return [("secret", "secret", self.secret)]

    def pauses(self) -> bool:
        return False  # its outcome comes at once

    def enter(self, context: Context) -> Step:
        text, around = context.text(self.text), context.text(self.context)
        return Act(Seal(key=context.key, how=self.how, secret=self.secret, text=text, context=around))

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)
