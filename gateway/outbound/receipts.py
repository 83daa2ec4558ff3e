"""Receipts find their segment, and the chain judges what they say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from gateway.outbound.pipeline import OutboundPipeline
from gateway.outbound.segments import SegmentBook
from gateway.store.base import Store, Unit
from gateway.values.errors import StoreError, Throttled
from gateway.values.event import Event
from gateway.values.message import Message, Receipt, Segment

log = logging.getLogger(__name__)


class Receipts:
    """`seen(bind, state)` is told of each receipt, `orphaned(bind)` of each that speaks of nothing known,
    `settled(unit, segment)` of each segment whose final receipt has come, in the same commit.  `about(bind)`
    names the binds whose messages its receipts may be about."""

    def __init__(
        self,
        *,
        store: Store,
        book: SegmentBook,
        pipeline: OutboundPipeline,
        seen: Callable[[str, str], None],
        orphaned: Callable[[str], None],
        settled: Callable[[Unit, Segment], None] = lambda unit, segment: None,
        about: Callable[[str], Sequence[str]] = lambda bind: (bind,),
    ) -> None:
        self._store = store
        self._book = book
        self._pipeline = pipeline
        self._tasks: set[asyncio.Task[None]] = set()
        self._seen = seen
        self._orphaned = orphaned
        self._settled = settled
        self._about = about
        self._details: dict[str, Mapping[str, str]] = {}  # of receipts that wait, by their id
        self.matched = 0
        self.unmatched = 0
        self.duplicates = 0

    async def apply(
        self,
        unit: Unit,
        receipt: Receipt,
        recipient: str,
        sender: str,
        details: Mapping[str, str],
        other_id: str = "",
    ) -> None:
        """Match a receipt; its row, its segment and its message join `unit`.

        `recipient` and `sender` are those of the message it speaks of; `details` join it in the transaction
        log.  `other_id` is the id that its text names where its parameter names another.  Raises StoreError
        while outcomes that are older than the receipt could not be recorded yet.
        """
        if self._pipeline.unrecorded:
            raise StoreError("the store refuses to record; the receipt must come again")
        about = self._about(receipt.bind)
        segment = await self._of_either(receipt.smsc_id, other_id, about) if other_id else None
        for bind in about if segment is None else ():
            segment = await self._book.find(bind, receipt.smsc_id, recipient=recipient, sender=sender)
            if segment is not None:
                break
        if segment is None:
            if about:  # where the response that tells its id will come
                receipt = replace(receipt, bind=about[0])
            self.unmatched += 1
            unit.writes.append(receipt)  # it waits
            self._details[receipt.id] = details
            if (displaced := self._book.early(unit, receipt, recipient, sender, other_id)) is not None:
                self._orphan(displaced)
            log.info("receipt.unmatched", extra={"bind": receipt.bind, "smsc_id": receipt.smsc_id})
            return
        self.matched += 1
        await self._apply(unit, receipt, segment, details, recipient, sender)

    async def told(
        self, unit: Unit, part: tuple[str, int, int], receipt: Receipt, details: Mapping[str, str]
    ) -> None:
        """Apply what a carrier has said, when asked, of segment `part` (message, step, part) as its receipt.

        Raises StoreError as `apply` does.
        """
        if self._pipeline.unrecorded:
            raise StoreError("the store refuses to record; the carrier must be asked again")
        for segment in await self._store.segments(part[0]):
            if (segment.step, segment.part) == part[1:]:
                await self._apply(unit, replace(receipt, smsc_id=segment.smsc_id), segment, details)

    def expire(self, now: float) -> None:
        """Give up receipts that have waited for their segment for too long."""
        for receipt in self._book.overdue(now):
            self._orphan(receipt)

    def _orphan(self, receipt: Receipt) -> None:
        self._details.pop(receipt.id, None)
        self._orphaned(receipt.bind)
        fields = {"bind": receipt.bind, "smsc_id": receipt.smsc_id, "state": receipt.state}
        log.warning("receipt.orphan", extra=fields)

    async def _of_either(self, smsc_id: str, other_id: str, about: Sequence[str]) -> Segment | None:
        """A carrier that contradicts itself has told one of the two before: the parameter's sooner."""
        for id in (smsc_id, other_id):
            for bind in about:
                if (segment := await self._book.find(bind, id)) is not None:
                    return segment
        return None

    async def _of_same_id(self, segment: Segment, recipient: str) -> Segment | None:
        """A segment to this recipient that its carrier has given the very same id."""
        for other in self._book.others(segment):
            message = await self._pipeline.load(other.message)
            if message is not None and message.recipient == recipient:
                return other
        return await self._book.stored_to(recipient, segment)

    def known(self, segment: Segment) -> None:
        """A carrier has told a segment's id: a receipt that came before it can be applied now."""
        receipt = self._book.accepted(segment)
        if receipt is not None:
            self._apply_soon(receipt, segment)

    def doubted(self, segment: Segment, recipient: str, sender: str) -> None:
        """A carrier has not answered, or told no id: a receipt that came before may be about that segment."""
        receipt = self._book.in_doubt(segment, recipient, sender)
        if receipt is not None:
            segment = replace(segment, smsc_id=receipt.smsc_id)
            self._book.remember(segment)
            self._apply_soon(receipt, segment)

    def _apply_soon(self, receipt: Receipt, segment: Segment) -> None:
        task = asyncio.create_task(self._apply_early(receipt, segment))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _apply_early(self, receipt: Receipt, segment: Segment) -> None:
        unit = Unit()
        try:
            unit.writes.append(replace(receipt, message=segment.message))  # it waits no more
            await self._apply(unit, receipt, segment, self._details.pop(receipt.id, {}))
            self._pipeline.record(unit)
        except (StoreError, Throttled) as error:
            log.error("receipt.early_lost", extra={"transid": segment.message, "reason": str(error)})

    async def _apply(
        self,
        unit: Unit,
        receipt: Receipt,
        segment: Segment,
        details: Mapping[str, str],
        recipient: str = "",
        sender: str = "",
    ) -> None:
        """`recipient` and `sender`: those of the message that is meant, where they may tell it from others
        of the same id."""
        await self._book.prepare(segment)
        message = await self._pipeline.load(segment.message)
        if recipient and message is not None and message.recipient not in (recipient, sender):
            other = await self._of_same_id(segment, recipient)
            if other is not None:
                await self._apply(unit, receipt, other, details)
                return
            message = await self._pipeline.load(segment.message)
        # from here on nothing waits: what was read is still so when it is changed
        meant = [segment]
        if receipt.final and segment.total > 1:
            meant = self._book.unsettled_of_id(segment) or meant
        if receipt.final and self._book.settled(meant[0]):
            self.duplicates += 1
            fields = {"bind": receipt.bind, "transid": segment.message, "state": receipt.state}
            log.info("receipt.duplicate", extra=fields)
            return
        self._seen(receipt.bind, receipt.state)
        for part in meant:
            self._settle(unit, receipt, part, message, details)

    def _settle(
        self,
        unit: Unit,
        receipt: Receipt,
        segment: Segment,
        message: Message | None,
        details: Mapping[str, str],
    ) -> None:
        outcome = self._book.settle(unit, segment, receipt, details)
        settled = self._book.settled(segment)
        if settled:
            self._settled(unit, segment)
        if message is None:  # deleted by retention
            return
        if not settled:  # else the segment itself tells of it
            unit.writes.append(_event(message, segment, receipt, details))
        if outcome is not None:
            self._pipeline.apply(unit, message, segment.step, outcome)


def _event(message: Message, segment: Segment, receipt: Receipt, details: Mapping[str, str]) -> Event:
    data = {
        "bind": receipt.bind,
        "smsc_id": receipt.smsc_id,
        "state": receipt.state,
        "final": receipt.final,
        "code": receipt.code,
        "part": segment.part,
        **details,
    }
    return Event(ref=message.id, type="receipt", service=message.service, at=receipt.received_at, data=data)
