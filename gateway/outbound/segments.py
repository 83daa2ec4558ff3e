"""Which carrier knows which segment by which id, so that a receipt finds its message.

Recent segments are in memory, bounded; older ones are read from the store.  A receipt may come before the
response that tells the id it speaks of: it waits here, bounded too, and its row in the store says so.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec.structs import replace

from gateway.store.base import Store, Unit
from gateway.values.message import Receipt, Segment
from gateway.values.outcome import Outcome, Result

# MessageState of a receipt -> what it says of its segment; others are news without consequence
_RESULTS = {
    "delivered": Result.DELIVERED,
    "expired": Result.EXPIRED,
    "deleted": Result.UNDELIVERED,
    "undeliverable": Result.UNDELIVERED,
    "rejected": Result.UNDELIVERED,
    "skipped": Result.UNDELIVERED,
}
_Between = tuple[str, str, str]  # bind, recipient, sender
_Part = tuple[str, int, int]  # message, step, part
_SEGMENT_FINAL = {"delivered", "failed", "rejected", "expired"}


class SegmentBook:
    def __init__(self, store: Store, *, limit: int = 100_000, early_limit: int = 10_000) -> None:
        self._store = store
        self._limit, self._early_limit = limit, early_limit
        self._by_id: OrderedDict[tuple[str, str], Segment] = OrderedDict()
        self._steps: OrderedDict[tuple[str, int], dict[int, Segment]] = OrderedDict()  # long messages only
        self._early: OrderedDict[tuple[str, str], Receipt] = OrderedDict()
        self._in_doubt: OrderedDict[_Between, dict[_Part, Segment]] = OrderedDict()
        self._between: dict[_Part, _Between] = {}

    def accepted(self, segment: Segment) -> Receipt | None:
        """Remember a segment whose id is now known.  Gives back the receipt that came before it, if any."""
        self.remember(segment)
        self._out_of_doubt(_part(segment))  # addresses must not tie another receipt to it
        return self._early.pop((segment.bind, segment.smsc_id), None)

    def in_doubt(self, segment: Segment, recipient: str, sender: str) -> None:
        """A segment whose response never came: only addresses can tie a receipt to it."""
        between = (segment.bind, recipient, sender)
        self._in_doubt.setdefault(between, {})[_part(segment)] = segment
        self._between[_part(segment)] = between
        if len(self._between) > self._early_limit:
            self._out_of_doubt(next(iter(self._between)))

    def early(self, unit: Unit, receipt: Receipt) -> None:
        """Keep a receipt whose segment is not known yet.

        At once, for the response may come while the receipt is being written.
        """
        key = (receipt.bind, receipt.smsc_id)
        before = self._early.get(key)
        if before is not None and before.final:
            return
        self._early[key] = receipt
        unit.undo.append(lambda: self._forget_early(receipt))
        if len(self._early) > self._early_limit:
            self._early.popitem(last=False)

    async def find(self, bind: str, smsc_id: str, *, recipient: str = "", sender: str = "") -> Segment | None:
        """The segment that a receipt speaks of.

        An unknown id settles an in-doubt segment when its message is the only one between the two addresses
        on this bind: its response, which would have told the id, was lost.  Which of a message's parts it
        speaks of makes no difference: all must arrive.
        """
        segment = self._by_id.get((bind, smsc_id))
        if segment is None:
            stored = await self._store.segment_of(bind, smsc_id)
            segment = self._by_id.get((bind, smsc_id)) or stored  # the response may have come meanwhile
        if segment is None and recipient:
            doubtful = self._in_doubt.get((bind, recipient, sender), {})
            if len({part[:2] for part in doubtful}) == 1:
                part, lost = next(iter(doubtful.items()))
                self._out_of_doubt(part)
                segment = replace(lost, smsc_id=smsc_id)
                self.remember(segment)
        return segment

    async def prepare(self, segment: Segment) -> None:
        """Know the other segments of a long message before one of them is settled.

        Memory may hold only some: the others were sent before a restart.
        """
        step = (segment.message, segment.step)
        if segment.total > 1 and len(self._steps.get(step, {})) < segment.total:
            stored = await self._store.segments(segment.message)
            known = self._steps.setdefault(step, {})
            for other in stored:
                if other.step == segment.step:
                    known.setdefault(other.part, other)

    def settle(self, unit: Unit, segment: Segment, receipt: Receipt) -> Outcome | None:
        """Apply a receipt to its segment, whose row joins `unit`; what the whole step has reached by it.

        None: nothing new (intermediate, duplicate, or other segments are still out).
        """
        segment = self._by_id.get((segment.bind, segment.smsc_id), segment)
        result = _RESULTS.get(receipt.state)
        if result is None or not receipt.final or segment.state in _SEGMENT_FINAL:
            if segment.state == "in-doubt":
                unit.writes.append(segment)  # its id is news
            return None
        state = "delivered" if result is Result.DELIVERED else "failed"
        changed = replace(segment, state=state, code=receipt.code, updated_at=receipt.received_at)
        self.remember(changed)
        unit.writes.append(changed)
        unit.undo.append(lambda: self.remember(segment))
        reason = "" if result is Result.DELIVERED else f"receipt: {receipt.state}"
        outcome = Outcome(result, reason, receipt.code, segment.bind)
        if segment.total == 1 or result is not Result.DELIVERED:
            return outcome
        parts = self._steps[segment.message, segment.step].values()
        delivered = sum(part.state == "delivered" for part in parts if part.part)
        return outcome if delivered == segment.total else None

    def remember(self, segment: Segment) -> None:
        """Hold a segment as it is now."""
        self._by_id[segment.bind, segment.smsc_id] = segment
        if len(self._by_id) > self._limit:
            self._by_id.popitem(last=False)
        if segment.total > 1:
            self._steps.setdefault((segment.message, segment.step), {})[segment.part] = segment
            if len(self._steps) > self._limit:
                self._steps.popitem(last=False)

    def _forget_early(self, receipt: Receipt) -> None:
        if self._early.get((receipt.bind, receipt.smsc_id)) is receipt:
            del self._early[receipt.bind, receipt.smsc_id]

    def _out_of_doubt(self, part: _Part) -> None:
        between = self._between.pop(part, None)
        if between is not None:
            doubtful = self._in_doubt[between]
            del doubtful[part]
            if not doubtful:
                del self._in_doubt[between]


def _part(segment: Segment) -> _Part:
    return segment.message, segment.step, segment.part
