"""The queue of a bind and its way onto the bind's sessions, one segment at a time.

    enqueue -> queue -> hand_over (the caller commits "begun") -> a lane's segments -> submit_sm -> result

A message is handed over when a session's window and the bind's throughput have room for it, so that little is
begun and not written when the power fails.  All its segments go through one session, in order.  A throttled
segment rests with the whole bind and goes first afterwards.  A message that met a temporary error rests on
its own; when several in a row do, the carrier is ill, and the bind rests as if throttled.  When a session is
lost, its segments without an answer are in doubt and nothing is repeated; what was not yet written moves to
another session.  What has waited in any of these ways is written only if it is still wanted.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable
from heapq import heappop, heappush
from typing import TypeVarTuple

from msgspec.structs import replace

from gateway.config.model import Bind
from gateway.protocol.smpp.constants import ESME_ROK, status_text
from gateway.protocol.smpp.fields import EncodeError
from gateway.protocol.smpp.pacing import Breaker, Throttle, TokenBucket
from gateway.protocol.smpp.pdu import Response, SubmitSmResp
from gateway.transport.smpp_lanes import Lane, Lanes
from gateway.transport.smpp_link import SmppLink
from gateway.transport.smpp_queue import Queue
from gateway.transport.smpp_submission import Begun, Submission, SubmitResult, acts

Ts = TypeVarTuple("Ts")

log = logging.getLogger(__name__)

BATCH_LIMIT = 1000  # messages handed over at once
HAND_OVER_PAUSE_SECONDS = 1.0  # after the caller could not take note
_ILL = 3  # messages in a row with a temporary error: it is not they, it is the carrier


class Dispatcher:
    """`pump` must run as a task.  `answered`, `doubt` and `lost` tell what became of written segments."""

    def __init__(
        self,
        name: str,
        config: Bind,
        *,
        lanes: int,
        hand_over: Callable[[list[Submission]], Awaitable[None]],
        on_result: Callable[[Submission, SubmitResult], None],
        on_late: Callable[[Submission, SubmitResult], None] | None,
        on_rest: Callable[[Submission], None] | None,
        on_put_off: Callable[[str, str], None] | None,
        on_breaker: Callable[[], None] | None,
    ) -> None:
        self.name = name
        self.config = config
        self.lanes = Lanes(lanes)
        self.stopping = False
        self.on_room: Callable[[], None] | None = None
        self.queue = Queue()
        self.wake = asyncio.Event()
        self.idle = asyncio.Event()  # nothing that was begun is without its results
        self.idle.set()
        self._hand_over = hand_over
        self._on_result = on_result
        self._on_late = on_late
        self._on_rest = on_rest
        self._on_put_off = on_put_off
        self._on_breaker = on_breaker
        self.breaker = Breaker(config.breaker, config.breaker_rest)
        self._refused_entry = False
        self._begun: dict[int, Begun] = {}
        self._order = 0
        self._throttle = Throttle(config.throttle_pause)
        self._bucket = TokenBucket(config.throughput, 0.0)
        self._acts = acts(config.status_map)
        self._held: list[tuple[float, int, Begun]] = []  # heap: when their rest ends, order
        self._rested: list[Begun] = []
        self._failing = 0  # messages that met a temporary error since one was accepted

    @property
    def outstanding(self) -> int:
        return self.lanes.outstanding

    def enqueue(self, submission: Submission) -> bool:
        if not submission.pdus:
            raise ValueError("a submission without segments")
        if self.stopping:
            return False
        if len(self.queue) >= self.config.queue:
            self._refused_entry = True
            return False
        self.queue.put(submission)
        self.wake.set()
        return True

    def spare(self, now: float) -> SmppLink | None:
        """A session for a request that is no message; it takes its place in the window and in the throughput.
        None: there is no room at the moment, or the carrier wants to be left alone."""
        if self.stopping or self._throttle.resting(now) or self._throttle.probing:
            return None
        lane = max(self.lanes, key=lambda lane: lane.room)
        return lane.link if lane.room and self._bucket.take(now) else None

    # results

    def answered(self, lane: Lane, begun: Begun, part: int, response: Response) -> None:
        now = asyncio.get_running_loop().time()
        result = _result(part, response)
        act = self._acts.get(result.status, "fail") if result.kind == "rejected" else ""
        match act:
            case "throttle":
                self._count("throttled")
                self._rest_all(now, result.status)
                begun.unwritten.add(part)
                begun.waited = True
                if not begun.held:
                    heappush(lane.ready, (begun.order, part, begun))
            case "retry":
                self._count("retried")
                self._retry(begun, part, result, now)
            case "fail":
                self._settle(begun, result)
                self._give_up(begun, "another segment was rejected")
            case _:
                self._throttle.accepted(now)
                self._failing = 0
                if self.breaker.failures:
                    self.breaker.succeeded()
                self._settle(begun, result)
        if begun.given_up:
            self._give_up(begun, "another segment failed")
        elif begun.held and not begun.outstanding and self._on_rest:
            self.tell(self._on_rest, begun.submission)

    def _count(self, what: str) -> None:
        if self._on_put_off:
            self.tell(self._on_put_off, self.name, what)

    def _rest_all(self, now: float, status: int) -> None:
        if not self._throttle.resting(now):
            self._throttle.refused(now)
            fields = {"bind": self.name, "status": status_text(status), "until": self._throttle.until - now}
            log.warning("smpp.throttled", extra=fields)
            self._failed(now)

    def _failed(self, now: float) -> None:
        if self.breaker.failed(now):
            fields = {"bind": self.name, "failures": self.breaker.failures, "rest": self.config.breaker_rest}
            log.warning("smpp.breaker_open", extra=fields)
            if self._on_breaker:
                self.tell(self._on_breaker)

    def _retry(self, begun: Begun, part: int, result: SubmitResult, now: float) -> None:
        """A temporary error: the message rests, or fails if it has done so for long enough."""
        if self.stopping:
            begun.unwritten.add(part)
            self._give_up(begun, "the bind was stopped")
            return
        fresh = not begun.failing_since
        if not fresh and now >= begun.failing_since + self.config.retry_limit:
            self._settle(begun, replace(result, temporary=True))
            self._give_up(begun, "another segment was rejected")
            return
        begun.unwritten.add(part)
        if not begun.held:
            due = begun.hold(now, self.config.retry_pause, self.config.retry_limit)
            heappush(self._held, (due, begun.order, begun))
            self.lanes.forget(begun)
            fields = {"bind": self.name, "status": result.status_text, "pause_seconds": due - now}
            log.info("submit_sm.retry", extra=fields)
        if fresh:
            self._failed(now)
            self._failing += 1
            if self._failing >= _ILL:
                self._failing = 0
                self._rest_all(now, result.status)

    def release(self, until: float = float("inf")) -> None:
        """End the rests that are over by then: their messages may be handed over again."""
        while self._held and self._held[0][0] <= until:
            _, _, begun = heappop(self._held)
            begun.held = False
            if begun.order not in self._begun:
                continue
            if self.stopping or not self._wanted(begun.submission):
                self._give_up(begun, "the bind was stopped" if self.stopping else "nobody wants it any more")
                continue
            self._rested.append(begun)

    def doubt(self, begun: Begun, part: int, reason: str) -> None:
        """The answer has not come in time."""
        self._failed(asyncio.get_running_loop().time())
        self._doubt(begun, part, reason)

    def _doubt(self, begun: Begun, part: int, reason: str) -> None:
        log.warning("smpp.in_doubt", extra={"bind": self.name, "reason": reason})
        self._settle(begun, SubmitResult(part, "in_doubt", status_text=reason))
        self._give_up(begun, "another segment is in doubt")

    def late(self, begun: Begun, part: int, response: Response) -> None:
        log.info("smpp.late_response", extra={"bind": self.name, "pdu": response.name})
        if self._on_late:
            self.tell(self._on_late, begun.submission, _result(part, response))

    def lost(self, lane: Lane, unanswered: list[tuple[int, object]], reason: str) -> None:
        """The lane's session has ended."""
        for _, context in unanswered:
            match context:
                case (Begun() as begun, int(part)):
                    self._doubt(begun, part, reason)
        self.lanes.lost(lane)

    def give_up(self, reason: str) -> None:
        """Whatever was begun and not written stays unsent."""
        for begun in list(self._begun.values()):
            self._give_up(begun, reason)

    def _give_up(self, begun: Begun, reason: str) -> None:
        """What is not written of the message stays so."""
        begun.given_up = True
        for part in sorted(begun.unwritten):
            self._settle(begun, SubmitResult(part, "unsent", status_text=reason))

    def _settle(self, begun: Begun, result: SubmitResult) -> None:
        submission = begun.submission
        begun.unwritten.discard(result.part)
        begun.left -= 1
        submission.results[result.part] = result
        self.tell(self._on_result, submission, result)
        if begun.left == 0:
            del self._begun[begun.order]
            if not self._begun:
                self.idle.set()
            if submission.done:
                self.tell(submission.done, submission)

    def tell(self, callback: Callable[[*Ts], None], *args: *Ts) -> None:
        """Call the caller back; its fault must not end the session of a carrier."""
        try:
            callback(*args)
        except Exception:
            log.exception("smpp.callback_failed", extra={"bind": self.name})

    # sending

    async def pump(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.wake.clear()
            now = loop.time()
            self.release(now)
            self._write(now)
            rested: list[Begun] = []
            if not self._throttle.resting(now) and any(lane.room for lane in self.lanes):
                rested, self._rested = self._rested, []
            batch = self._admit(now)
            if not batch and not rested:
                await self._rest(now)
                continue
            try:
                await self._hand_over([begun.submission for begun in (*rested, *batch)])
            except Exception:
                fields = {"bind": self.name, "messages": len(rested) + len(batch)}
                log.exception("smpp.hand_over_failed", extra=fields)
                self._take_back(batch)
                self._rested = rested + self._rested
                await asyncio.sleep(HAND_OVER_PAUSE_SECONDS)
                continue
            self.lanes.wait((*rested, *batch))

    def _admit(self, now: float) -> list[Begun]:
        """The messages for which windows and throughput have room now."""
        batch: list[Begun] = []
        if self.stopping or not self.queue or self._throttle.resting(now):
            return batch
        limit = BATCH_LIMIT
        if self._throttle.probing:
            limit = 0 if len(self._begun) > len(self._held) else 1
        limit = min(limit, self.config.queue - len(self._held))
        rooms = [lane.room - len(lane.ready) for lane in self.lanes]
        only = len(rooms) == 1
        budget = self._bucket.available(now) - self.lanes.waiting
        while self.queue and budget >= 1 and len(batch) < limit:
            index = 0 if only else max(range(len(rooms)), key=rooms.__getitem__)
            if rooms[index] <= 0:
                break
            submission = self.queue.take()
            if not self._wanted(submission):
                continue
            if submission.series:
                own = zlib.crc32(submission.series.encode()) % len(rooms)
                index = own if rooms[own] > 0 else index
            self._order += 1
            begun = self._begun[self._order] = Begun(submission, self._order, index)
            self.idle.clear()
            rooms[index] -= begun.left
            budget -= begun.left
            batch.append(begun)
        if self._refused_entry and len(self.queue) <= self.config.queue // 2:
            self._refused_entry = False
            if self.on_room:
                self.tell(self.on_room)
        return batch

    def _wanted(self, submission: Submission) -> bool:
        try:
            return submission.wanted()
        except (
            Exception
        ):  # the caller's fault must not end the bind; a message too many is better than one lost
            log.exception("smpp.callback_failed", extra={"bind": self.name})
            return True

    def _take_back(self, batch: list[Begun]) -> None:
        for begun in reversed(batch):
            del self._begun[begun.order]
            self.queue.put_back(begun.submission)
        if not self._begun:
            self.idle.set()

    def _write(self, now: float) -> None:
        """Write the segments of begun messages that windows, throughput and throttling allow."""
        self.lanes.house()
        touched: dict[int, SmppLink] = {}
        while not self._throttle.resting(now):
            if self._throttle.probing and self.outstanding:
                break
            lane = self.lanes.next()
            if lane is None or not self._bucket.take(now):
                break
            _, part, begun = heappop(lane.ready)
            if begun.waited and not self._wanted(begun.submission):
                self._give_up(begun, "nobody wants it any more")
                continue
            begun.unwritten.discard(part)
            assert lane.link is not None
            pdu, validity = begun.submission.pdus[part], begun.submission.validity
            if validity is not None:
                pdu = replace(pdu, validity_period=validity())
            try:
                lane.link.session.send(pdu, now, (begun, part))
            except EncodeError as error:
                self._settle(begun, SubmitResult(part, "rejected", status_text=str(error)))
                self._give_up(begun, "another segment cannot be encoded")
            else:
                touched[lane.number] = lane.link
        for link in touched.values():
            link.settle()

    async def _rest(self, now: float) -> None:
        """Until something happens, the throttling ends, or there are tokens for a batch worth its commit."""
        at: float | None = None
        if self.queue or self._begun:
            if self._throttle.resting(now):
                at = self._throttle.until
            elif self._bucket.available(now) < 1:
                at = now + self._bucket.wait(now, max(1.0, self._bucket.burst / 4))
        if self._held:
            at = self._held[0][0] if at is None else min(at, self._held[0][0])
        timer = asyncio.get_running_loop().call_at(at, self.wake.set) if at is not None else None
        try:
            await self.wake.wait()
        finally:
            if timer:
                timer.cancel()


def _result(part: int, response: Response) -> SubmitResult:
    status = response.command_status
    if status == ESME_ROK and isinstance(response, SubmitSmResp):
        return SubmitResult(part, "accepted", response.message_id.decode("latin-1"))
    text = status_text(status) if status else f"{response.name} to submit_sm"  # a refusal that names none
    return SubmitResult(part, "rejected", "", status, text)
