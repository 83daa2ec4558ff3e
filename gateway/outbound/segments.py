"""Which carrier knows which segment by which id, so that a receipt finds its message.

Recent segments are in memory, bounded, those that wait for their receipt longer than those that have it;
older ones are read from the store.  A receipt may come before the
response that tells the id it speaks of: it waits here, bounded in number and time, and its row in the store
says so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

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
_Known = tuple[str, str]  # bind, id
_Between = tuple[str, str, str]  # bind, recipient, sender
_Part = tuple[str, int, int]  # message, step, part
_NONE: Mapping[str, str] = {}
_SEGMENT_FINAL = {"delivered", "failed", "rejected", "expired"}
EARLY_SECONDS = 600.0  # how long a receipt may wait for the response that tells its id
IN_DOUBT_SECONDS = 3 * 86_400.0  # a start looks this far back: carriers try no longer as a rule
_SAME_ID = 32  # segments of one id that are remembered


class SegmentBook:
    def __init__(
        self, store: Store, *, limit: int = 50_000, settled_limit: int = 2_000, early_limit: int = 10_000
    ) -> None:
        self._store = store
        self._limit, self._settled_limit, self._early_limit = limit, settled_limit, early_limit
        self._by_id: OrderedDict[_Known, Segment] = OrderedDict()  # the youngest
        self._same_id: OrderedDict[_Known, dict[_Part, Segment]] = OrderedDict()  # older ones, oldest first
        self._steps: OrderedDict[tuple[str, int], dict[int, Segment]] = OrderedDict()  # long messages only
        self._settled: dict[_Known, None] = {}  # of those by id, the longest settled first
        self._loose: dict[
            tuple[str, str], str
        ] = {}  # bind, id without padding and case -> the id as it was told
        self._early: OrderedDict[_Known, Receipt] = OrderedDict()
        self._early_between: dict[_Between, dict[_Known, None]] = {}  # of those whose addresses are known
        self._early_from: dict[_Known, _Between] = {}  # the other way round
        self._early_names: dict[
            _Known, dict[_Known, None]
        ] = {}  # other forms of their ids, other ids of theirs
        self._early_named: dict[_Known, list[_Known]] = {}
        self._in_doubt: OrderedDict[_Between, dict[_Part, Segment]] = OrderedDict()
        self._between: dict[_Part, _Between] = {}

    def accepted(self, segment: Segment) -> Receipt | None:
        """Remember a segment whose id is now known.  Gives back the receipt that came before it, if any."""
        self.remember(segment)
        self._out_of_doubt(_part(segment))  # addresses must not tie another receipt to it
        if not self._early:
            return None
        for id in (segment.smsc_id, _loosely(segment.smsc_id)):
            named = self._early_names.get((segment.bind, id), {})
            if receipt := self._take_early((segment.bind, id)):
                return receipt
            if len(named) == 1:  # of two that differ in no more than padding and case neither is meant
                return self._take_early(next(iter(named)))
        return None

    def in_doubt(self, segment: Segment, recipient: str, sender: str) -> Receipt | None:
        """A segment whose response never came, or told no id: only addresses can tie a receipt to it.

        Gives back the one that came between them before, where it can mean nothing else; the segment is then
        in doubt no more.
        """
        between = (segment.bind, recipient, sender)
        early = self._early_between.get(between, {})
        if early and len(early) <= segment.total and between not in self._in_doubt:
            return self._take_early(next(iter(early)))
        self._in_doubt.setdefault(between, {})[_part(segment)] = segment
        self._between[_part(segment)] = between
        if len(self._between) > self._early_limit:
            self._out_of_doubt(next(iter(self._between)))
        return None

    def refused(self, message: str, step: int, part: int) -> None:
        """What was in doubt has been refused after all: no receipt is about it."""
        self._out_of_doubt((message, step, part))

    async def load(self, now: float) -> None:
        """After a start: receipts that may still find their segment, and segments still in doubt."""
        for receipt in await self._store.unmatched_since(now - EARLY_SECONDS):
            self.early(Unit(), receipt)
        for segment in await self._store.segments_in_doubt(now - IN_DOUBT_SECONDS):
            message = await self._store.message(segment.message)
            if message is not None:
                self.in_doubt(segment, message.recipient, message.plan[segment.step].sender)

    def early(
        self, unit: Unit, receipt: Receipt, recipient: str = "", sender: str = "", other_id: str = ""
    ) -> Receipt | None:
        """Keep a receipt whose segment is not known yet, `recipient` and `sender` being those of the message
        that it speaks of, `other_id` a second id that it names.  Gives back the one that had to make room, if
        any.

        At once, for the response may come while the receipt is being written.
        """
        key = (receipt.bind, receipt.smsc_id)
        before = self._early.get(key)
        if before is not None and before.final:
            return None
        self._take_early(key)
        self._early[key] = receipt
        names = {_loosely(receipt.smsc_id), other_id, _loosely(other_id)} - {receipt.smsc_id, ""}
        self._early_named[key] = [(receipt.bind, name) for name in names]
        for name in self._early_named[key]:
            self._early_names.setdefault(name, {})[key] = None
        if recipient and receipt.final:
            between = self._early_from[key] = (receipt.bind, recipient, sender)
            self._early_between.setdefault(between, {})[key] = None
        unit.undo.append(lambda: self._forget_early(receipt))
        return self._take_early(next(iter(self._early))) if len(self._early) > self._early_limit else None

    def _take_early(self, key: _Known) -> Receipt | None:
        receipt = self._early.pop(key, None)
        if receipt is None:
            return None
        for name in self._early_named.pop(key, ()):
            del self._early_names[name][key]
            if not self._early_names[name]:
                del self._early_names[name]
        between = self._early_from.pop(key, None)
        if between is not None:
            del self._early_between[between][key]
            if not self._early_between[between]:
                del self._early_between[between]
        return receipt

    def overdue(self, now: float) -> list[Receipt]:
        """Those that have waited for too long for a segment; they are kept here no more."""
        overdue = []
        while self._early:
            key, receipt = next(iter(self._early.items()))
            if receipt.received_at + EARLY_SECONDS > now:
                break
            overdue.append(receipt)
            self._take_early(key)
        return overdue

    async def find(self, bind: str, smsc_id: str, *, recipient: str = "", sender: str = "") -> Segment | None:
        """The segment that a receipt speaks of: of that very id, else of one that differs in padding or case.

        An unknown id settles an in-doubt segment when its message is the only one between the two addresses
        on this bind: its response, which would have told the id, was lost.  Which of a message's parts it
        speaks of makes no difference: all must arrive.
        """
        segment = self._by_id.get((bind, smsc_id))
        if segment is None:
            stored = await self._store.segments_of(bind, smsc_id)
            exact = (self._as_now(other) for other in stored if other.smsc_id == smsc_id)
            # the response may have come meanwhile
            segment = self._by_id.get((bind, smsc_id)) or next(exact, None)
            segment = segment or self._near(bind, smsc_id, stored)
        if segment is None and recipient:
            doubtful = self._in_doubt.get((bind, recipient, sender), {})
            if len({part[:2] for part in doubtful}) == 1:
                part, lost = next(iter(doubtful.items()))
                self._out_of_doubt(part)
                segment = replace(lost, smsc_id=smsc_id)
                self.remember(segment)
        return segment

    def others(self, segment: Segment) -> list[Segment]:
        """Recent ones of other messages that the carrier knows by the very same id, youngest first."""
        key = (segment.bind, segment.smsc_id)
        found = dict(self._same_id.get(key, {}))
        if (youngest := self._by_id.get(key)) is not None:
            found[_part(youngest)] = youngest
        return [found[part] for part in sorted(found, reverse=True) if part[0] != segment.message]

    async def stored_to(self, recipient: str, segment: Segment) -> Segment | None:
        """The youngest to this recipient that the carrier knows by the very same id."""
        found = await self._store.segment_to(recipient, segment.bind, segment.smsc_id)
        return self._as_now(found) if found is not None else None

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

    def settled(self, segment: Segment) -> bool:
        """Whether a final receipt for it has come already."""
        return self._as_now(segment).state in _SEGMENT_FINAL

    def unsettled_of_id(self, segment: Segment) -> list[Segment]:
        """The segments of a long message that a final receipt for this one speaks of and that have none yet:
        all to which the carrier has given its id, since one receipt may be all that comes."""
        parts = self._steps.get((segment.message, segment.step), {}).values()
        known = [part for part in parts if part.smsc_id == segment.smsc_id and part.bind == segment.bind]
        return [part for part in known or [segment] if not self.settled(part)]

    def settle(
        self, unit: Unit, segment: Segment, receipt: Receipt, details: Mapping[str, str] = _NONE
    ) -> Outcome | None:
        """Apply a receipt to its segment, whose row joins `unit`; what the whole step has reached by it.

        None: nothing new (intermediate, duplicate, or other segments are still out).
        """
        segment = self._as_now(segment)
        result = _RESULTS.get(receipt.state)
        if result is None or not receipt.final or segment.state in _SEGMENT_FINAL:
            if segment.state == "in-doubt":
                unit.writes.append(segment)  # its id is news
            return None
        state = "delivered" if result is Result.DELIVERED else "failed"
        changed = replace(
            segment,
            state=state,
            code=receipt.code,
            receipt={"state": receipt.state, **details},
            updated_at=receipt.received_at,
        )
        self.remember(changed)
        unit.writes.append(changed)
        unit.undo.append(lambda: self.remember(segment))
        reason = "" if result is Result.DELIVERED else f"receipt: {receipt.state}"
        outcome = Outcome(result, reason, receipt.code, segment.bind)
        if segment.total == 1 or result is not Result.DELIVERED:
            return outcome
        parts = self._steps[segment.message, segment.step].values()
        delivered = sum(part.state == "delivered" for part in parts if part.part)
        if delivered < segment.total:
            return None
        del self._steps[segment.message, segment.step]
        return outcome

    def remember(self, segment: Segment) -> None:
        """Hold a segment as it is now."""
        id = segment.smsc_id
        before = self._by_id.get((segment.bind, id))
        if before is None or _part(before) == _part(segment):
            self._by_id[segment.bind, id] = segment
        else:
            self._remember_both(before, segment)
        if (loose := _loosely(id)) != id and self._loose.setdefault((segment.bind, loose), id) != id:
            self._loose[segment.bind, loose] = ""  # two that differ in no more than that: neither is meant
        if len(self._by_id) > self._limit:
            self._let_go(next(iter(self._by_id)))
        if segment.state in _SEGMENT_FINAL:
            self._settled[segment.bind, id] = None
            if len(self._settled) > self._settled_limit:
                self._let_go_settled(next(iter(self._settled)))
        if segment.total > 1:
            self._steps.setdefault((segment.message, segment.step), {})[segment.part] = segment
            if len(self._steps) > self._limit:
                self._steps.popitem(last=False)

    def _let_go(self, key: _Known) -> None:
        bind, id = key
        del self._by_id[key]
        self._settled.pop(key, None)
        self._loose.pop((bind, _loosely(id)), None)
        self._same_id.pop(key, None)

    def _let_go_settled(self, key: _Known) -> None:
        """A receipt that comes again finds it in the store."""
        if self._by_id[key].state in _SEGMENT_FINAL:
            self._let_go(key)
        else:  # the store did not take it, or the carrier has given its id to another
            del self._settled[key]

    def _as_now(self, segment: Segment) -> Segment:
        """As memory knows it, which may be news to the store."""
        key = (segment.bind, segment.smsc_id)
        youngest = self._by_id.get(key)
        if youngest is not None and _part(youngest) == _part(segment):
            return youngest
        same = self._same_id.get(key)
        return segment if same is None else same.get(_part(segment), segment)

    def _remember_both(self, before: Segment, segment: Segment) -> None:
        """A carrier has given one id twice, or an older of such segments has changed."""
        key = (segment.bind, segment.smsc_id)
        same = self._same_id.setdefault(key, {})
        if _part(segment) > _part(before):
            self._by_id[key], segment = segment, before
        same[_part(segment)] = segment
        if len(same) > _SAME_ID:
            del same[min(same)]
        if len(self._same_id) > self._early_limit:
            self._same_id.popitem(last=False)

    def _near(self, bind: str, smsc_id: str, stored: Sequence[Segment]) -> Segment | None:
        """The only segment whose id differs from this one in leading zeros and case at most.

        `stored` are those that the store has.
        """
        loose = _loosely(smsc_id)
        told = self._loose.get((bind, loose))
        if told == "":
            return None
        near = {other.smsc_id: self._as_now(other) for other in reversed(stored)}  # the youngest of each
        for id in {loose, told}:
            if id and (recent := self._by_id.get((bind, id))):
                near[id] = recent
        return next(iter(near.values())) if len(near) == 1 else None

    def _forget_early(self, receipt: Receipt) -> None:
        if self._early.get((receipt.bind, receipt.smsc_id)) is receipt:
            self._take_early((receipt.bind, receipt.smsc_id))

    def _out_of_doubt(self, part: _Part) -> None:
        between = self._between.pop(part, None)
        if between is not None:
            doubtful = self._in_doubt[between]
            del doubtful[part]
            if not doubtful:
                del self._in_doubt[between]


def _part(segment: Segment) -> _Part:
    return segment.message, segment.step, segment.part


def _loosely(id: str) -> str:
    return id.lower().lstrip("0")
