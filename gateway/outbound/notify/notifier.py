"""Notifications: what is owed goes out, until the receiver has taken it.

Order is kept within a transaction at each receiver; receivers do not delay each other.  What fails is tried
again on SCHEDULE and then, or once it is refused for good, kept as `dead`.  A receiver that is away is not
asked again and again: what is owed to it waits until it is `back`, or for AWAY_LIMIT_SECONDS.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.outbound.notify.backlog import Backlog
from gateway.outbound.notify.outcomes import Outcome, Outcomes
from gateway.outbound.notify.receivers import Receiver, Receivers, receiver_of
from gateway.store.base import Delete, Store, Unit, Write
from gateway.values.clock import Clock
from gateway.values.errors import StoreError, Throttled
from gateway.values.event import Event
from gateway.values.ids import NewId
from gateway.values.work import Done, Notification

log = logging.getLogger(__name__)

SCHEDULE = (1, 5, 15, 60, 300, 900, 3600, 3600, 7200, 14400, 28800)  # seconds between attempts
AWAY_LIMIT_SECONDS = 7 * 86400.0  # what has waited so long for a receiver that is away is dead
_SWEEP_SECONDS = 1.0
_encode = msgspec.json.Encoder().encode
_SET_BACK_SECONDS = 1.0  # by which the wall clock has to be set back to be noticed


class Post(Protocol):
    """Carries notifications out."""

    def together(self, notification: Notification) -> int:
        """How many of its service may go out with it, to the same URL."""
        ...

    def send(self, notifications: Sequence[Notification], done: Done) -> None:
        """`done` is called once, never before this has returned."""
        ...


class Notifier:
    """`posts` carries notifications out, by URL scheme."""

    def __init__(self, *, store: Store, clock: Clock, new_id: NewId, posts: Mapping[str, Post]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._posts = posts
        self._memory = Receivers()
        self._backlog = Backlog(store, clock, self._memory, self._hold)
        self._outcomes = Outcomes(store, self._release)
        self._flying = 0
        self._ahead = clock.now() - clock.monotonic()  # of the wall clock
        self._wake = asyncio.Event()
        self._landed = asyncio.Event()
        self._sweeper: asyncio.Task[None] | None = None
        self._stopping = False
        self._stopped = False
        self.sent = 0
        self.failed = 0
        self.dead = 0

    def owe(self, unit: Unit, *, service: str, ref: str, url: str, body: Mapping[str, Any]) -> None:
        """A notification becomes durable with `unit` and goes out after it."""
        now = self._clock.now()
        receiver = receiver_of(url)
        notification = Notification(
            id=self._new_id(),
            ref=ref,
            service=service,
            url=url,
            receiver=receiver,
            body=_encode(body),
            due=self._backlog.due(receiver, ref) or now,
            created_at=now,
        )
        unit.writes.append(notification)
        unit.acts.append(partial(self._take, notification))

    def back(self, url: str) -> None:
        """The receiver behind a URL is there again: what waits for it goes out now, oldest first."""
        if self._backlog.back(receiver_of(url)):
            self._wake.set()

    def start(self) -> None:
        """Take up what the store holds, now and whenever something comes due."""
        self._sweeper = asyncio.create_task(self._sweep_for_ever())

    async def stop(self, grace_seconds: float = 0.0) -> None:
        """Let those under way finish for so long; what does not goes out again after the next start."""
        self._stopping = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        if self._flying and grace_seconds > 0:
            self._landed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._landed.wait(), grace_seconds)
        self._stopped = True
        await self._outcomes.close()

    async def load(self) -> None:
        """Know again which transactions have something waiting, before they owe more: that comes after it."""
        await self._backlog.load()

    @property
    def waiting(self) -> int:
        """Notifications in memory; the store may hold more."""
        return len(self._memory.held)

    async def sweep(self) -> None:
        """Bring in what is due and not in memory."""
        await self._outcomes.again()
        if not self._backlog.loaded:
            await self._backlog.load()
        ahead = self._clock.now() - self._clock.monotonic()
        if ahead < self._ahead - _SET_BACK_SECONDS:
            self._backlog.all_back()
        self._ahead = ahead
        await self._backlog.bring()

    async def _sweep_for_ever(self) -> None:
        # wait_for loses a cancellation that comes together with what it waits for (Python 3.11)
        while not self._stopping:
            try:
                await self.sweep()
            except (StoreError, Throttled) as error:
                log.warning("notify.sweep_failed", extra={"reason": str(error)})
            except Exception:
                log.exception("notify.sweep_failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _SWEEP_SECONDS)
            self._wake.clear()

    def _take(self, notification: Notification) -> None:
        """A new one has become durable."""
        if not self._stopping and not self._backlog.keeps(notification):
            self._hold(notification)

    def _hold(self, notification: Notification) -> None:
        self._send(self._memory.hold(notification))

    def _send(self, receiver: Receiver) -> None:
        while not self._stopping and (notifications := receiver.next(self._together)):
            receiver.flying += 1
            self._flying += 1
            done = partial(self._done, receiver, notifications, self._clock.monotonic())
            url = notifications[0].url
            post = self._posts.get(url.partition(":")[0])
            if post is None:
                asyncio.get_running_loop().call_soon(done, f"no way to reach {url!r}", False)
                continue
            try:
                post.send(notifications, done)
            except Exception as error:
                log.exception("notify.post_failed", extra=_about(notifications[0]))
                asyncio.get_running_loop().call_soon(done, f"{type(error).__name__}: {error}", False)

    def _together(self, notification: Notification) -> int:
        post = self._posts.get(notification.url.partition(":")[0])
        return post.together(notification) if post else 1

    def _done(
        self,
        receiver: Receiver,
        notifications: Sequence[Notification],
        began: float,
        reason: str,
        away: bool,
        for_good: bool = False,
    ) -> None:
        if self._stopped:
            return
        receiver.flying -= 1
        self._flying -= 1
        receiver.learn(self._clock.monotonic() - began, ok=not reason)
        for notification in notifications:
            if reason:
                outcome = self._failed(receiver, notification, reason, away=away, for_good=for_good)
                self._outcomes.add(outcome)
            else:
                self._outcomes.add(self._taken(receiver, notification))
        self._send(receiver)
        if not self._flying:
            self._landed.set()

    def _taken(self, receiver: Receiver, notification: Notification) -> Outcome:
        self.sent += 1
        receiver.taken(notification)
        event = self._event("notify.sent", notification, notification.attempts + 1, "")
        return Outcome([Delete(Notification, (notification.id,)), event], [notification])

    def _failed(
        self, receiver: Receiver, notification: Notification, reason: str, *, away: bool, for_good: bool
    ) -> Outcome:
        """What an attempt that failed leads to, also for those that wait behind it."""
        now = self._clock.now()
        attempts = notification.attempts + (not away)
        late = now - notification.created_at > AWAY_LIMIT_SECONDS if away else attempts > len(SCHEDULE)
        if late or for_good:
            self.dead += 1
            extra = {**_about(notification), "receiver": receiver.name, "reason": reason}
            log.warning("notify.dead", extra=extra)
            receiver.taken(notification)
            dead = replace(notification, state="dead", attempts=attempts, reason=reason)
            return Outcome([dead, self._event("notify.dead", notification, attempts, reason)], [notification])
        if away:
            what, due = "notify.away", self._backlog.away(receiver.name)
        else:
            what, due = "notify.failed", now + SCHEDULE[attempts - 1]
            self.failed += 1
        # the same moment for all: among equals the store gives the oldest first
        behind = receiver.put_off(notification)
        self._backlog.failed(notification, due)
        writes: list[Write] = [replace(notification, attempts=attempts, due=due, reason=reason)]
        writes += [replace(later, due=due) for later in behind]
        writes.append(self._event(what, notification, attempts, reason))
        return Outcome(writes, [notification, *behind])

    def _event(self, what: str, notification: Notification, attempts: int, reason: str) -> Event:
        data = {"url": notification.url, "attempt": attempts, "reason": reason}
        now = self._clock.now()
        return Event(ref=notification.ref, type=what, service=notification.service, at=now, data=data)

    def _release(self, notifications: Sequence[Notification]) -> None:
        for notification in notifications:
            self._memory.release(notification)
            self._backlog.released(notification)
            if self._backlog.wanted(notification.receiver):
                self._wake.set()


class _Concerning(Struct):
    """Of a notification's body, what it is about."""

    transid: str = ""
    session: str = ""


def _about(notification: Notification) -> dict[str, str]:
    """What a line of the log says of it.  What a session owes has that as its ref."""
    try:
        body = msgspec.json.decode(notification.body, type=_Concerning)
    except msgspec.MsgspecError:
        body = _Concerning()
    transid = body.transid or notification.ref
    session = body.session or (notification.ref if notification.ref != transid else "")
    return {"transid": transid, "session": session} if session else {"transid": transid}
