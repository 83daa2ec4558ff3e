"""Receipts find their segment, and the chain judges what they say."""

from __future__ import annotations

import asyncio
import logging

from msgspec.structs import replace

from gateway.outbound.pipeline import OutboundPipeline
from gateway.outbound.segments import SegmentBook
from gateway.store.base import Store, Unit
from gateway.values.errors import StoreError, Throttled
from gateway.values.event import Event
from gateway.values.message import Receipt, Segment

log = logging.getLogger(__name__)


class Receipts:
    def __init__(self, *, store: Store, book: SegmentBook, pipeline: OutboundPipeline) -> None:
        self._store = store
        self._book = book
        self._pipeline = pipeline
        self._tasks: set[asyncio.Task[None]] = set()
        self.matched = 0
        self.unmatched = 0

    async def apply(self, unit: Unit, receipt: Receipt, recipient: str, sender: str) -> None:
        """Match a receipt; its row, its segment and its message join `unit`.

        `recipient` and `sender` are those of the message it speaks of.  Raises StoreError while outcomes that
        are older than the receipt could not be recorded yet.
        """
        if self._pipeline.unrecorded:
            raise StoreError("the store refuses to record; the receipt must come again")
        segment = await self._book.find(receipt.bind, receipt.smsc_id, recipient=recipient, sender=sender)
        if segment is None:
            self.unmatched += 1
            unit.writes.append(receipt)
            self._book.early(unit, receipt)
            log.info("receipt.unmatched", extra={"bind": receipt.bind, "smsc_id": receipt.smsc_id})
            return
        self.matched += 1
        await self._apply(unit, receipt, segment)

    def known(self, segment: Segment) -> None:
        """A carrier has told a segment's id: a receipt that came before it can be applied now."""
        receipt = self._book.accepted(segment)
        if receipt is not None:
            task = asyncio.create_task(self._apply_early(receipt, segment))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _apply_early(self, receipt: Receipt, segment: Segment) -> None:
        unit = Unit()
        try:
            await self._apply(unit, receipt, segment)
            self._pipeline.record(unit)
        except (StoreError, Throttled) as error:
            log.error("receipt.early_lost", extra={"transid": segment.message, "reason": str(error)})

    async def _apply(self, unit: Unit, receipt: Receipt, segment: Segment) -> None:
        await self._book.prepare(segment)
        message = await self._pipeline.load(segment.message)
        # from here on nothing waits: what was read is still so when it is changed
        unit.writes.append(replace(receipt, message=segment.message))
        outcome = self._book.settle(unit, segment, receipt)
        if message is None:  # deleted by retention
            return
        data = {
            "bind": receipt.bind,
            "smsc_id": receipt.smsc_id,
            "state": receipt.state,
            "final": receipt.final,
            "code": receipt.code,
            "part": segment.part,
        }
        unit.writes.append(
            Event(ref=message.id, type="receipt", service=message.service, at=receipt.received_at, data=data)
        )
        if outcome is not None:
            self._pipeline.apply(unit, message, segment.step, outcome)
