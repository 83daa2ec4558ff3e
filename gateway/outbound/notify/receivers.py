"""Who is owed notifications, and what of it memory holds: its order, and how much room each receiver has."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from gateway.values.work import Notification

IN_MEMORY = 10_000
PER_RECEIVER = 2_500  # in memory
FLYING = 8  # under way at once to a receiver that nothing is known of, or that is slow or fails
FLYING_MOST = 64  # to one that answers promptly
_PROMPT_SECONDS = 0.5
_TOGETHER_OCTETS = 1 << 20

# How many of a notification's service and URL may go out as one
Together = Callable[[Notification], int]


def receiver_of(url: str) -> str:
    """Its host, or its account: what is slow or away as one."""
    if url.startswith("http"):
        end = url.find("/", 8)
        return _receiver(url if end < 0 else url[:end])  # not each query by itself
    return _receiver(url)


@lru_cache(maxsize=4096)
def _receiver(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # "http://[": the attempts will say so
        return url
    return f"{parts.scheme}:{parts.netloc.rpartition('@')[2].lower() or parts.path}"


class Receiver:
    """What memory holds for one.  Of each transaction one is queued or under way; the others wait for it."""

    __slots__ = ("_limit", "_queue", "_turns", "flying", "load", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.load = 0  # queued, waiting for their turn, under way, unrecorded
        self.flying = 0  # POSTs under way
        self._limit = FLYING
        self._queue: deque[Notification] = deque()
        self._turns: dict[str, deque[Notification] | None] = {}

    def add(self, notification: Notification) -> None:
        ref = notification.ref
        if ref not in self._turns:
            self._turns[ref] = None
            self._queue.append(notification)
        elif (waiting := self._turns[ref]) is not None:
            waiting.append(notification)
        else:
            self._turns[ref] = deque((notification,))

    def __contains__(self, ref: str) -> bool:
        return ref in self._turns

    def next(self, together: Together) -> list[Notification]:
        """What goes out now, as one: empty when nothing does."""
        if not self._queue or self.flying >= self._limit:
            return []
        most = together(self._queue[0])
        if most == 1:
            return [self._queue.popleft()]
        if self.flying and len(self._queue) < most:
            return []  # more may come until the one under way is back
        return self._alike(most)

    def _alike(self, most: int) -> list[Notification]:
        """The first, and what may go with it."""
        first = self._queue.popleft()
        alike, others, octets = [first], list[Notification](), len(first.body)
        while self._queue and len(alike) < most and len(others) < 4 * most and not _refused(first):
            other = self._queue.popleft()
            octets += len(other.body)
            same = (other.url, other.service) == (first.url, first.service) and not _refused(other)
            (alike if same and octets <= _TOGETHER_OCTETS else others).append(other)
        self._queue.extendleft(reversed(others))
        return alike

    def taken(self, notification: Notification) -> None:
        """It is done with: the next of its transaction has its turn."""
        if waiting := self._turns[notification.ref]:
            self._queue.append(waiting.popleft())
        else:
            del self._turns[notification.ref]

    def put_off(self, notification: Notification) -> Sequence[Notification]:
        """It goes out again later.  Gives those that have waited for it: they are no longer in memory."""
        return self._turns.pop(notification.ref) or ()

    def learn(self, seconds: float, *, ok: bool) -> None:
        """One has come back after so long."""
        if not ok or seconds > _PROMPT_SECONDS:
            self._limit = FLYING
        elif self._limit < FLYING_MOST:
            self._limit += 1


class Receivers:
    def __init__(self) -> None:
        self.held: set[str] = set()  # ids of all that is in memory
        self._by_name: dict[str, Receiver] = {}

    def hold(self, notification: Notification) -> Receiver:
        self.held.add(notification.id)
        receiver = self._by_name.get(notification.receiver)
        if receiver is None:
            receiver = self._by_name[notification.receiver] = Receiver(notification.receiver)
        receiver.load += 1
        receiver.add(notification)
        return receiver

    def release(self, notification: Notification) -> None:
        """Its outcome is recorded."""
        self.held.discard(notification.id)
        receiver = self._by_name[notification.receiver]
        receiver.load -= 1
        if not receiver.load:
            del self._by_name[receiver.name]

    def has(self, name: str, ref: str) -> bool:
        """Whether one of a transaction is under way, and further ones will wait for it."""
        receiver = self._by_name.get(name)
        return receiver is not None and ref in receiver

    def load(self, name: str) -> int:
        receiver = self._by_name.get(name)
        return receiver.load if receiver else 0

    def room(self, name: str) -> int:
        """How many more of a receiver's memory takes: each leaves some to others."""
        free = IN_MEMORY - len(self.held)
        return min(free, min(PER_RECEIVER, max(FLYING, free // 2)) - self.load(name))


def _refused(notification: Notification) -> bool:
    """Whether the receiver has said that the fault is ours: in it, or in what went out with it."""
    reason = notification.reason
    return reason.startswith("HTTP 4") and not reason.startswith(("HTTP 408", "HTTP 429"))
