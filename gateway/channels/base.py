"""The contract of a channel: two different tests, and a send whose outcome is reported later."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from msgspec import Struct

from gateway.values.message import Message, Segment, StepPlan
from gateway.values.outcome import Outcome


class Carrier(Struct, frozen=True, gc=False):
    """The bind or trunk that would take a step.

    `reason` says why it cannot be used at this moment; a step that names a carrier may wait for it.
    No name: nothing can ever take it.  `queue` is what it waits in, "" = one by that name: an app has one for
    each customer, since one who is away must not hold up the others.
    """

    name: str
    reason: str = ""
    queue: str = ""

    @property
    def up(self) -> bool:
        return bool(self.name) and not self.reason


class Standing(Struct, frozen=True):
    """What a carrier says, asked about a segment that it has accepted.

    `state` as in values.message.Receipt; "": it does not say, and `again` whether asking later may help.
    """

    state: str = ""
    final: bool = False
    code: str = ""
    done_date: str = ""
    again: bool = True


# (message id, step index, outcome, segments learned about); called any number of times, in any order.
# No outcome: only the segments are news.
Report = Callable[[str, int, Outcome | None, Sequence[Segment]], None]


class Channel(Protocol):
    def applicable(self, message: Message, step: StepPlan) -> str:
        """ "" if the step makes sense for this customer, else why not (address, consent, capability)."""
        ...

    def available(self, message: Message, step: StepPlan) -> Carrier:
        """The carrier that would take it now."""
        ...

    def send(self, message: Message, index: int, carrier: str, done: Collection[int] = ()) -> bool:
        """Carry out step `index`, whose effect is durable.  False: no room now; it stays in the store.

        `done` are the parts that a carrier had taken before a restart: they are not sent again.
        """
        ...

    def abandon(self, message: str, index: int) -> None:
        """The chain needs the step no longer: do not send it, or hang up."""
        ...

    def parts(self, message: Message, index: int, carrier: str) -> int:
        """How many segments step `index` makes on that carrier; 0: it can make none there any more."""
        ...
