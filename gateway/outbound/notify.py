"""Notifications: POSTs that are owed, kept in the store until the receiver has taken them.

Order is kept within a transaction; receivers do not delay each other.  What fails is tried again on SCHEDULE
and then kept as `dead`.  Each POST is signed with the service's hub secret:

    X-Hub-Timestamp: 1763906709                     Unix seconds
    X-Hub-Id: 0193...                               the same at every attempt: receivers drop repeats by it
    X-Hub-Signature-256: sha256=<hex HMAC-SHA256 of timestamp, ".", body>
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec.structs import replace

from gateway.store.base import Delete, Store, Unit
from gateway.values.clock import Clock
from gateway.values.errors import StoreError, Throttled
from gateway.values.event import Event
from gateway.values.ids import NewId
from gateway.values.work import Notification

log = logging.getLogger(__name__)

SCHEDULE = (1, 5, 15, 60, 300, 900, 3600, 3600, 7200, 14400, 28800)  # seconds between attempts
TIMEOUT_SECONDS = 10.0
_IN_MEMORY = 10_000
_PER_RECEIVER = 8  # in flight at once
_SWEEP_SECONDS = 1.0

# Carries one notification out: "" when it was taken, else why not
Post = Callable[[Notification], Awaitable[str]]


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return "sha256=" + digest.hexdigest()


class HttpPost:
    """POSTs by HTTP.  `secret(service)` is the hub secret, "" = unsigned."""

    def __init__(self, secret: Callable[[str], str], clock: Clock) -> None:
        self._secret = secret
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, notification: Notification) -> str:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=_PER_RECEIVER),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        headers = {"Content-Type": "application/json", "X-Hub-Id": notification.id}
        secret = self._secret(notification.service)
        if secret:
            timestamp = str(int(self._clock.now()))
            headers["X-Hub-Timestamp"] = timestamp
            headers["X-Hub-Signature-256"] = sign(secret, timestamp, notification.body)
        try:
            async with self._session.post(
                notification.url, data=notification.body, headers=headers, allow_redirects=False
            ) as response:
                return "" if 200 <= response.status < 300 else f"HTTP {response.status}"
        except TimeoutError:
            return f"no answer within {TIMEOUT_SECONDS:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"{type(error).__name__}: {error}"

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class Notifier:
    """`posts` carries notifications out, by URL scheme."""

    def __init__(self, *, store: Store, clock: Clock, new_id: NewId, posts: Mapping[str, Post]) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._posts = posts
        self._held: set[str] = set()  # ids in memory
        self._queues: dict[str, deque[Notification]] = {}  # by receiver
        self._flying: dict[str, int] = {}
        self._busy: dict[str, deque[Notification]] = {}  # by transaction: those that wait for their turn
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self.sent = 0
        self.failed = 0
        self.dead = 0

    def owe(self, unit: Unit, *, service: str, ref: str, url: str, body: Mapping[str, Any]) -> None:
        """A notification becomes durable with `unit` and goes out after it."""
        now = self._clock.now()
        notification = Notification(
            id=self._new_id(),
            ref=ref,
            service=service,
            url=url,
            body=msgspec.json.encode(body),
            due=now,
            created_at=now,
        )
        unit.writes.append(notification)
        unit.acts.append(lambda: self._take(notification))

    def start(self) -> None:
        """Take up what the store holds, now and whenever something comes due."""
        self._sweeper = asyncio.create_task(self._sweep_for_ever())

    async def stop(self) -> None:
        tasks = [*self._tasks, *([self._sweeper] if self._sweeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def waiting(self) -> int:
        return len(self._held)

    async def sweep(self) -> None:
        """Bring in what is due and not in memory."""
        room = _IN_MEMORY - len(self._held)
        if room <= 0:
            return
        due = await self._store.notifications(due_before=self._clock.now(), limit=room)
        for notification in due:
            self._take(notification)

    async def _sweep_for_ever(self) -> None:
        while True:
            try:
                await self.sweep()
            except StoreError as error:
                log.warning("notify.sweep_failed", extra={"reason": str(error)})
            await asyncio.sleep(_SWEEP_SECONDS)

    def _take(self, notification: Notification) -> None:
        if notification.id in self._held or len(self._held) >= _IN_MEMORY:
            return
        self._held.add(notification.id)
        turn = self._busy.get(notification.ref)
        if turn is not None:
            turn.append(notification)
            return
        self._busy[notification.ref] = deque()
        self._queue(notification)

    def _queue(self, notification: Notification) -> None:
        parts = urlsplit(notification.url)
        receiver = f"{parts.scheme}:{parts.netloc or parts.path}"
        self._queues.setdefault(receiver, deque()).append(notification)
        self._next(receiver)

    def _next(self, receiver: str) -> None:
        queue = self._queues.get(receiver)
        if queue and self._flying.get(receiver, 0) < _PER_RECEIVER:
            self._flying[receiver] = self._flying.get(receiver, 0) + 1
            task = asyncio.create_task(self._work(receiver, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self, receiver: str, queue: deque[Notification]) -> None:
        """One of a receiver's senders: lives as long as there is something for it."""
        try:
            while queue:
                await self._carry_out(queue.popleft())
        finally:
            self._flying[receiver] -= 1
            if not self._flying[receiver]:
                del self._flying[receiver]
                if not self._queues.get(receiver):
                    self._queues.pop(receiver, None)

    async def _carry_out(self, notification: Notification) -> None:
        post = self._posts.get(urlsplit(notification.url).scheme)
        try:
            reason = await post(notification) if post else f"no way to reach {notification.url!r}"
        except Exception as error:
            log.exception("notify.post_failed", extra={"url": notification.url})
            reason = f"{type(error).__name__}: {error}"
        taken = await self._note(notification, reason)
        self._held.discard(notification.id)
        turn = self._busy.pop(notification.ref, None)
        if turn and taken:
            self._busy[notification.ref] = turn
            self._queue(turn.popleft())
        elif turn:
            # its predecessor waits for another attempt: they come back from the store behind it
            self._held.difference_update(later.id for later in turn)
            await self._postpone(turn, notification)

    async def _note(self, notification: Notification, reason: str) -> bool:
        """Record an attempt.  True: the receiver has it, or never will."""
        unit = Unit()
        attempts = notification.attempts + 1
        now = self._clock.now()
        done = not reason or attempts > len(SCHEDULE)
        data = {"url": notification.url, "attempt": attempts, "reason": reason}
        if not reason:
            self.sent += 1
            unit.writes.append(Delete(Notification, (notification.id,)))
        elif done:
            self.dead += 1
            unit.writes.append(replace(notification, state="dead", attempts=attempts, reason=reason))
        else:
            self.failed += 1
            due = now + SCHEDULE[attempts - 1]
            unit.writes.append(replace(notification, attempts=attempts, due=due, reason=reason))
        what = "notify.sent" if not reason else "notify.dead" if done else "notify.failed"
        unit.writes.append(
            Event(ref=notification.ref, type=what, service=notification.service, at=now, data=data)
        )
        await self._commit(unit)
        return done

    async def _postpone(self, turn: deque[Notification], behind: Notification) -> None:
        """Put the later notifications of a transaction behind the one that failed."""
        unit = Unit()
        due = self._clock.now() + SCHEDULE[min(behind.attempts, len(SCHEDULE) - 1)]
        unit.writes.extend(replace(later, due=due + 0.001 * (i + 1)) for i, later in enumerate(turn))
        await self._commit(unit)

    async def _commit(self, unit: Unit) -> None:
        """Note an attempt if the store can: at worst the receiver sees it again, same X-Hub-Id."""
        try:
            await unit.commit(self._store)
        except (StoreError, Throttled) as error:
            log.warning("notify.unrecorded", extra={"reason": str(error)})
