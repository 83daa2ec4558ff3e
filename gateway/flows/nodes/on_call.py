"""What the nodes have in common that act on the call of the session.

The person may hang up at any moment.  The node that is there then, or else the next of them, is left by
`hangup`; where that is not wired the session ends.
"""

from __future__ import annotations

from typing import ClassVar

from gateway.flows.effects import PlaceCall
from gateway.flows.nodes.base import Context, Kind, Node, Resumed, Step, outcome
from gateway.values.address import Kind as AddressKind
from gateway.values.address import kind, subscriber
from gateway.values.dialogue import Utterance
from gateway.values.errors import BadInput

RESULT_HUNG_UP = 196  # the other side hung up in a node that has no edge for that


class OnCallNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: ClassVar[Kind] = Kind.EXTERNAL
    waits: ClassVar[bool] = True
    optional: ClassVar[tuple[str, ...]] = ("hangup",)

    def edges(self) -> dict[str, str]:
        return super().edges() | {"hangup": self.on.get("hangup", f"end:{RESULT_HUNG_UP}")}

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)


class Prompted(OnCallNode, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node that says something first: `text`, then `wav`."""

    text: str = ""
    wav: str | list[str] = ""  # relative to the service file; several are played one after another
    language: str = "en"  # of the text: a voice of espeak-ng

    def texts(self) -> list[tuple[str, str]]:
        return [("text", self.text), ("language", self.language)]

    def said(self, context: Context, text: str, wav: str | list[str]) -> tuple[Utterance, ...]:
        """Raises BadInput when a text comes out empty that was to be spoken."""
        spoken = context.text(text)
        if text and not spoken.strip():
            raise BadInput("the text to speak is empty", code="empty")
        words = (Utterance(text=spoken, language=context.text(self.language)),) if text else ()
        files = [wav] if isinstance(wav, str) else wav
        return words + tuple(Utterance(wav=file) for file in files if file)

    def prompt(self, context: Context) -> tuple[Utterance, ...]:
        return self.said(context, self.text, self.wav)


def dial(
    context: Context,
    *,
    to: str,
    sender: str,
    text: str = "",
    wav: str = "",
    language: str = "en",
    keep: str = "",
) -> PlaceCall:
    """A call to `to`, or else the customer; from `sender`, or else the session's own number if it is one that
    can call.  Raises BadInput."""
    wanted, own = context.text(sender), context.run.number
    default = own if kind(own) is AddressKind.NUMBER else ""
    return PlaceCall(
        key=context.key,
        sender=subscriber(wanted) if wanted else default,
        recipient=subscriber(context.text(to) or context.run.customer),
        text=text,
        wav=wav,
        language=language,
        keep=keep,
    )
