"""What a session has asked and not been answered: by sequence_number, oldest first, and what timed out of it.

A sequence_number is not used again while its request, or what a late response to it would need, is known.
"""

from __future__ import annotations

from msgspec import Struct

from gateway.protocol.smpp.pdu import Bind, EnquireLink, Request, Unbind

LAST_SEQUENCE_NUMBER = 0x7FFFFFFF
LATE_LIMIT = 1000  # timed-out requests of which the context is kept for a late response
LINK_REQUESTS = (Bind, EnquireLink, Unbind)  # the session's own: outside the window


class Slot(Struct, frozen=True, gc=False):
    kind: type[Request]
    sent_at: float
    context: object


class Unanswered:
    """`slots` by sequence_number; one timeout for all keeps their deadlines in order."""

    __slots__ = ("_late", "sequence_number", "slots")

    def __init__(self) -> None:
        self.sequence_number = 0  # the last that was used
        self.slots: dict[int, Slot] = {}
        self._late: dict[int, object] = {}

    def ask(self, request: Request, now: float, context: object) -> bytes:
        """The octets of the request under the next `sequence_number`.  Raises EncodeError."""
        slots, sequence_number = self.slots, self.sequence_number
        while True:
            sequence_number = sequence_number % LAST_SEQUENCE_NUMBER + 1
            if sequence_number not in slots and sequence_number not in self._late:
                break
        octets = request.encode(sequence_number)
        self.sequence_number = sequence_number
        slots[sequence_number] = Slot(type(request), now, context)
        return octets

    def overdue(self, now: float, timeout: float) -> tuple[int, Slot] | None:
        """Take the oldest if it has timed out."""
        for sequence_number, slot in self.slots.items():
            if now < slot.sent_at + timeout:
                break
            del self.slots[sequence_number]
            return sequence_number, slot
        return None

    def keep(self, sequence_number: int, context: object) -> None:
        """Remember what timed out, in case its response still comes."""
        if len(self._late) >= LATE_LIMIT:
            del self._late[next(iter(self._late))]
        self._late[sequence_number] = context

    def late(self, sequence_number: int) -> object:
        """Take the context of what timed out; None = nothing is known of it."""
        return self._late.pop(sequence_number, None)

    def clear(self) -> list[tuple[int, object]]:
        """Take all but the session's own: sequence_number and context, oldest first."""
        slots, self.slots = self.slots, {}
        items = slots.items()
        return [(number, slot.context) for number, slot in items if not issubclass(slot.kind, LINK_REQUESTS)]
