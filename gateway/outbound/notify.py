"""Notifications: POSTs that are owed, kept in the store until the receiver has taken them.

Order is kept within a transaction at each receiver; receivers do not delay each other.  What fails is tried
again on SCHEDULE and then kept as `dead`.  A receiver that is `Away` is not asked again and again: what is
owed to it waits until it is `back`, or for AWAY_LIMIT_SECONDS.  Each POST is signed with the service's hub
secret:

    X-Hub-Timestamp: 1763906709                     Unix seconds
    X-Hub-Id: 0193...                               the same at every attempt: receivers drop repeats by it
    X-Hub-Signature-256: sha256=<hex HMAC-SHA256 of timestamp, ".", body>
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec.structs import replace

from gateway.store.base import Delete, Store, Unit, Write
from gateway.values.clock import Clock
from gateway.values.errors import GatewayError, StoreError, Throttled
from gateway.values.event import Event
from gateway.values.ids import NewId
from gateway.values.work import Notification

log = logging.getLogger(__name__)

SCHEDULE = (1, 5, 15, 60, 300, 900, 3600, 3600, 7200, 14400, 28800)  # seconds between attempts
TIMEOUT_SECONDS = 10.0
AWAY_SECONDS = 3600.0  # until a receiver that is away is asked all the same
AWAY_LIMIT_SECONDS = 7 * 86400.0  # what has waited so long for a receiver that is away is dead
_IN_MEMORY = 10_000
_PER_RECEIVER = 8  # in flight at once
_PER_RECEIVER_HELD = 1_000  # in memory
_STORED = 100_000  # transactions whose order is watched while they wait in the store
_PAGE = 1_000
_SWEEP_SECONDS = 1.0
_LONGEST_DETOUR = 300.0
_FOR_EVER = 366 * 86400.0


class Away(GatewayError):
    """The receiver is not there to be asked: not a failed attempt."""


# Carries one notification out: "" when it was taken, else why not.  Raises Away
Post = Callable[[Notification], Awaitable[str]]
Key = tuple[str, str]  # transaction, receiver


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
    """`posts` carries notifications out, by URL scheme.

    Memory holds some of what is due, the store all of it.  A transaction with a notification that memory does
    not hold is in `_stored`: what it owes later waits behind that one, in the store too, until a sweep brings
    them in by their order.
    """

    def __init__(self, *, store: Store, clock: Clock, new_id: NewId, posts: Mapping[str, Post]) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._posts = posts
        self._held: set[str] = set()  # ids in memory
        self._receivers: dict[str, _Receiver] = {}
        self._turns: dict[Key, deque[Notification]] = {}  # those that wait for the one under way
        self._stored: dict[Key, float] = {}  # when the first of those in the store only is due
        self._left: set[Key] = set()  # with a new one left to the store while a sweep was reading
        self._released: set[str] = set()  # ids done while a sweep was reading: what it read of them is old
        self._unrecorded: list[Unit] = []  # what became of notifications, which the store has refused so far
        self._away: dict[str, float] = {}  # receivers that are not there, and when to ask them all the same
        self._back: dict[
            str, int
        ] = {}  # receivers that are there again, and how often yet to look for theirs
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._begun = False
        self._stopping = False
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
            due=max(now, self._due((ref, _receiver_of(url)))),
            created_at=now,
        )
        unit.writes.append(notification)
        unit.acts.append(lambda: self._take(notification))

    def back(self, url: str) -> None:
        """The receiver behind a URL is there again: what waits for it goes out now, oldest first."""
        receiver = _receiver_of(url)
        if receiver in self._away or any(key[1] == receiver for key in self._stored) or not self._begun:
            self._away.pop(receiver, None)
            self._back[receiver] = 2  # the second look finds what was put off while the first one read
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
        if self._tasks and grace_seconds > 0:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._record_again()

    @property
    def waiting(self) -> int:
        """Notifications in memory; the store may hold more."""
        return len(self._held)

    async def sweep(self) -> None:
        """Bring in what is due and not in memory."""
        await self._record_again()
        if not self._begun:
            await self.load()
        if self._back:
            await self._call_back()
        while await self._bring():
            pass

    async def _sweep_for_ever(self) -> None:
        while True:
            try:
                await self.sweep()
            except (StoreError, Throttled) as error:
                log.warning("notify.sweep_failed", extra={"reason": str(error)})
            except Exception:
                log.exception("notify.sweep_failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _SWEEP_SECONDS)
            self._wake.clear()

    async def load(self) -> None:
        """Know again which transactions have something waiting, before they owe more: that comes after it."""
        now = self._clock.now()
        for waiting in await self._store.notifications(due_before=now + _FOR_EVER, limit=_STORED):
            self._behind(_key(waiting), waiting.due)
        self._begun = True

    async def _call_back(self) -> None:
        """What waits for receivers that are there again is due now."""
        now = self._clock.now()
        called = set(self._back)
        self._back = {receiver: looks - 1 for receiver, looks in self._back.items() if looks > 1}
        waiting = await self._store.notifications(due_before=now + _FOR_EVER, limit=_STORED)
        theirs = [n for n in waiting if n.due > now and _receiver_of(n.url) in called]
        for begin in range(0, len(theirs), _PAGE):
            page = [n for n in theirs[begin : begin + _PAGE] if n.id not in self._held]
            await self._store.commit([replace(n, due=now) for n in page])
            for notification in page:
                self._stored[_key(notification)] = now

    async def _bring(self) -> bool:
        """Bring in one page.  True: there may be more."""
        self._left.clear()
        self._released.clear()
        now, limit = self._clock.now(), len(self._held) + _PAGE
        page = await self._store.notifications(due_before=now, limit=limit)
        put_off: list[Write] = []
        detours: Counter[str] = Counter()  # by receiver
        brought: set[Key] = set()
        for notification in page:
            key = _key(notification)
            if notification.id in self._held or notification.id in self._released:
                continue
            due = self._due(key)
            if due <= now and self._crowded(key[1]):
                # it would only sit in memory: out of the way of others, until about its turn
                detours[key[1]] += 1
                due = now + self._detour(key[1], detours[key[1]])
                self._behind(key, due)
            if due > now:
                put_off.append(replace(notification, due=due))
            else:
                self._hold(notification, key)
                brought.add(key)
        full = len(page) == limit
        for key in brought:
            if not full and key not in self._left and self._due(key) <= now:
                self._stored.pop(key, None)
        if put_off:
            await self._store.commit(put_off)
        return full and bool(put_off or brought)

    def _take(self, notification: Notification) -> None:
        """A new one has become durable."""
        key = _key(notification)
        if self._stopping or notification.id in self._held:
            return
        away = self._away.get(key[1], 0.0) > self._clock.now()
        if key not in self._stored and self._begun and not away and not self._crowded(key[1]):
            self._hold(notification, key)
            return
        self._left.add(key)
        self._behind(key, max(notification.due, self._due(key)))

    def _due(self, key: Key) -> float:
        """Until when a transaction's notifications have to wait."""
        return max(self._stored.get(key, 0.0), self._away.get(key[1], 0.0))

    def _behind(self, key: Key, due: float) -> None:
        self._stored[key] = max(due, self._stored.get(key, 0.0))
        if len(self._stored) > _STORED:
            del self._stored[next(iter(self._stored))]  # its order is no longer watched over

    def _crowded(self, name: str) -> bool:
        """Whether memory has no room for one more of this receiver: each leaves some to others."""
        receiver, room = self._receivers.get(name), _IN_MEMORY - len(self._held)
        load = receiver.load if receiver else 0
        return room <= 0 or load >= min(_PER_RECEIVER_HELD, max(_PER_RECEIVER, room // 4))

    def _detour(self, name: str, place: int) -> float:
        """Seconds until the receiver may have done what memory holds for it and `place` more."""
        receiver = self._receivers.get(name) or _Receiver()
        return min(receiver.seconds * (receiver.load + place), _LONGEST_DETOUR)

    def _hold(self, notification: Notification, key: Key) -> None:
        self._held.add(notification.id)
        receiver = self._receivers.setdefault(key[1], _Receiver())
        receiver.load += 1
        turn = self._turns.get(key)
        if turn is not None:
            turn.append(notification)
            return
        self._turns[key] = deque()
        self._queue(notification, receiver)

    def _release(self, notifications: Sequence[Notification], key: Key) -> None:
        ids = [notification.id for notification in notifications]
        self._held.difference_update(ids)
        self._released.update(ids)
        receiver = self._receivers[key[1]]
        receiver.load -= len(notifications)
        if not receiver.load:
            del self._receivers[key[1]]

    def _queue(self, notification: Notification, receiver: _Receiver) -> None:
        receiver.queue.append(notification)
        if receiver.flying < _PER_RECEIVER:
            receiver.flying += 1
            task = asyncio.create_task(self._work(receiver))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self, receiver: _Receiver) -> None:
        """One of a receiver's senders: lives as long as there is something for it."""
        try:
            while receiver.queue and not self._stopping:
                await self._carry_out(receiver.queue.popleft(), receiver)
        except Exception:
            log.exception("notify.worker_failed")
        finally:
            receiver.flying -= 1

    async def _carry_out(self, notification: Notification, receiver: _Receiver) -> None:
        began = self._clock.monotonic()
        away, reason = False, ""
        try:
            reason = await self._post(notification)
        except Away as error:
            away, reason = True, str(error)
        took = self._clock.monotonic() - began
        receiver.seconds += 0.2 * (took / _PER_RECEIVER - receiver.seconds)
        key = _key(notification)
        unit, over = self._note(notification, key, reason, away=away)
        try:
            await unit.commit(self._store)
        except (StoreError, Throttled) as error:
            # it stays in memory so that it is not repeated meanwhile; a sweep records it
            log.warning("notify.unrecorded", extra={"reason": str(error)})
            self._unrecorded.append(unit)
        if not over:
            return
        if turn := self._turns[key]:
            self._queue(turn.popleft(), receiver)
        else:
            del self._turns[key]

    async def _post(self, notification: Notification) -> str:
        post = self._posts.get(notification.url.partition(":")[0])
        if post is None:
            return f"no way to reach {notification.url!r}"
        try:
            return await post(notification)
        except Away:
            raise
        except GatewayError as error:
            return str(error)
        except Exception as error:
            log.exception("notify.post_failed", extra={"transid": notification.ref})
            return f"{type(error).__name__}: {error}"

    def _note(self, notification: Notification, key: Key, reason: str, *, away: bool) -> tuple[Unit, bool]:
        """What an attempt has led to, also for those that wait behind it, and whether it was the last."""
        unit = Unit()
        attempts = notification.attempts + (not away)
        now = self._clock.now()
        gone, over = [notification], True
        if not reason:
            what = "notify.sent"
            self.sent += 1
            unit.writes.append(Delete(Notification, (notification.id,)))
        elif now - notification.created_at > AWAY_LIMIT_SECONDS if away else attempts > len(SCHEDULE):
            what = "notify.dead"
            self.dead += 1
            log.warning(what, extra={"transid": key[0], "receiver": key[1], "reason": reason})
            unit.writes.append(replace(notification, state="dead", attempts=attempts, reason=reason))
        else:
            what, over = "notify.away" if away else "notify.failed", False
            if away:
                due = self._away.setdefault(key[1], now + AWAY_SECONDS)
                due = self._away[key[1]] = due if due > now else now + AWAY_SECONDS
            else:
                self.failed += 1
                due = now + SCHEDULE[attempts - 1]
            unit.writes.append(replace(notification, attempts=attempts, due=due, reason=reason))
            # the same moment for all: among equals the store gives the oldest first
            gone += self._turns.get(key, ())
            unit.writes.extend(replace(later, due=due) for later in gone[1:])
            self._turns.pop(key, None)
            self._behind(key, due)
        data = {"url": notification.url, "attempt": attempts, "reason": reason}
        unit.writes.append(
            Event(ref=notification.ref, type=what, service=notification.service, at=now, data=data)
        )
        unit.acts.append(lambda: self._release(gone, key))
        return unit, over

    async def _record_again(self) -> None:
        units, self._unrecorded = self._unrecorded, []
        for unit in units:
            try:
                await unit.commit(self._store)
            except (StoreError, Throttled):
                self._unrecorded.append(unit)


class _Receiver:
    """A host, or an account: what memory holds for it, and how it does."""

    __slots__ = ("flying", "load", "queue", "seconds")

    def __init__(self) -> None:
        self.queue: deque[Notification] = deque()
        self.flying = 0
        self.load = 0  # in memory: queued, under way, waiting for their turn, unrecorded
        self.seconds = 0.01  # from one to the next, on average


def _receiver_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # "http://[": the attempts will say so
        return url
    return f"{parts.scheme}:{parts.netloc.rpartition('@')[2].lower() or parts.path}"


def _key(notification: Notification) -> Key:
    return notification.ref, _receiver_of(notification.url)
