"""Which carrier knows which segment by which id, so that a receipt finds its message.

Recent segments are in memory, bounded; older ones are read from the store.  A receipt may come before the
response that tells the id it speaks of: it waits here, bounded too, and its row in the store says so.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec.structs import replace

from gateway.store.base import Store
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
_SEGMENT_FINAL = {"delivered", "failed", "rejected", "expired"}


class SegmentBook:
    def __init__(self, store: Store, *, limit: int = 100_000, early_limit: int = 10_000) -> None:
        self._store = store
        self._limit, self._early_limit = limit, early_limit
        self._by_id: OrderedDict[tuple[str, str], Segment] = OrderedDict()
        self._steps: OrderedDict[tuple[str, int], dict[int, Segment]] = OrderedDict()  # long messages only
        self._early: OrderedDict[tuple[str, str], Receipt] = OrderedDict()
        self._in_doubt: dict[tuple[str, str, str], list[Segment]] = {}

    def accepted(self, segment: Segment) -> Receipt | None:
        """Remember a segment whose id is now known.  Gives back the receipt that came before it, if any."""
        self.remember(segment)
        return self._early.pop((segment.bind, segment.smsc_id), None)

    def in_doubt(self, segment: Segment, recipient: str, sender: str) -> None:
        """A segment whose response never came: only addresses can tie a receipt to it."""
        self._in_doubt.setdefault((segment.bind, recipient, sender), []).append(segment)

    def early(self, receipt: Receipt) -> None:
        """Keep a receipt whose segment is not known yet."""
        self._early[receipt.bind, receipt.smsc_id] = receipt
        if len(self._early) > self._early_limit:
            self._early.popitem(last=False)

    async def find(self, bind: str, smsc_id: str, *, recipient: str = "", sender: str = "") -> Segment | None:
        """The segment that a receipt speaks of.

        An unknown id settles an in-doubt segment when it is the only one between the two addresses on this
        bind: its response, which would have told the id, was lost.
        """
        segment = self._by_id.get((bind, smsc_id)) or await self._store.segment_of(bind, smsc_id)
        if segment is None and recipient:
            doubtful = self._in_doubt.get((bind, recipient, sender), [])
            if len(doubtful) == 1:
                segment = replace(self._in_doubt.pop((bind, recipient, sender))[0], smsc_id=smsc_id)
        return segment

    async def settle(self, segment: Segment, receipt: Receipt) -> tuple[Segment, Outcome | None]:
        """Apply a receipt to its segment: the segment as it is now, and what the whole step has reached.

        None: nothing new (intermediate, duplicate, or other segments are still out).
        """
        result = _RESULTS.get(receipt.state)
        if result is None or not receipt.final or segment.state in _SEGMENT_FINAL:
            return segment, None
        state = "delivered" if result is Result.DELIVERED else "failed"
        changed = replace(segment, state=state, code=receipt.code, updated_at=receipt.received_at)
        self.remember(changed)
        reason = "" if result is Result.DELIVERED else f"receipt: {receipt.state}"
        outcome = Outcome(result, reason, receipt.code, segment.bind)
        if segment.total == 1 or result is not Result.DELIVERED:
            return changed, outcome
        parts = self._steps.get((segment.message, segment.step), {})
        if len(parts) < segment.total:  # memory holds only some: the others were sent before a restart
            stored = await self._store.segments(segment.message)
            parts = {s.part: s for s in stored if s.step == segment.step} | parts
        done = len(parts) == segment.total and all(s.state == "delivered" for s in parts.values())
        return changed, outcome if done else None

    def remember(self, segment: Segment) -> None:
        """Hold a segment as it is now."""
        self._by_id[segment.bind, segment.smsc_id] = segment
        if len(self._by_id) > self._limit:
            self._by_id.popitem(last=False)
        if segment.total > 1:
            self._steps.setdefault((segment.message, segment.step), {})[segment.part] = segment
            if len(self._steps) > self._limit:
                self._steps.popitem(last=False)
