"""hash: a text's digest; with a `secret` of the service's [secrets] its HMAC (RFC 2104)."""

from __future__ import annotations

import hashlib
from typing import ClassVar, Literal

from gateway.flows.nodes.base import Act, Context, Kind, Leave, Node, Resumed, Step, outcome
from gateway.flows.word_effects import Seal


class HashNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`$(node.result)` is in hex digits, of the text's UTF-8 octets."""

    type: ClassVar[str] = "hash"
    kind: ClassVar[Kind] = Kind.IDEMPOTENT
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("success", "error")
    outputs: ClassVar[tuple[str, ...]] = ("result", "reason")

    text: str
    algorithm: Literal["sha256", "sha512", "sha3_256"] = "sha256"
    secret: str = ""  # one of [secrets]

    def texts(self) -> list[tuple[str, str]]:
        return [("text", self.text)]

    def refers(self) -> list[tuple[str, str, str]]:
        return [("secret", "secret", self.secret)] if self.secret else []

    def pauses(self) -> bool:
        return False  # its outcome comes at once

    def enter(self, context: Context) -> Step:
        text = context.text(self.text)
        if not self.secret:
            digest = hashlib.new(self.algorithm, text.encode())
            return Leave("success", {"result": digest.hexdigest(), "reason": ""})
        return Act(Seal(key=context.key, how=self.algorithm, secret=self.secret, text=text))

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)
