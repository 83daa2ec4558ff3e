"""How fast a bind may send, how long it rests when throttled, how long it waits to connect again.

Pure: told the time in monotonic seconds; `chance` is a number in [0, 1) from the caller's random source.
"""

from __future__ import annotations

BURST_SECONDS = 0.1  # what an idle bucket may save up
THROTTLE_LIMIT_SECONDS = 30.0


class TokenBucket:
    """`rate` segments a second, 0 for no limit.  Saves up a tenth of a second's worth, at least one."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self.burst = max(1.0, rate * BURST_SECONDS)
        self._tokens = self.burst
        self._at = now

    def available(self, now: float) -> float:
        """Segments that may go now; infinite without a limit."""
        if not self.rate:
            return float("inf")
        if now > self._at:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
            self._at = now
        return self._tokens

    def take(self, now: float, count: int = 1) -> bool:
        """Take so many if there is one; the others are owed."""
        if not self.rate:
            return True
        # 60 additions of 1/60 are not quite 1
        if self.available(now) < 1.0 - 1e-9:
            return False
        self._tokens -= count
        return True

    def wait(self, now: float, count: float = 1.0) -> float:
        """Seconds until `count` (at most `burst`) may go."""
        missing = min(count, self.burst) - self.available(now)
        return max(0.0, missing / self.rate) if self.rate else 0.0


class Throttle:
    """The rest after ESME_RTHROTTLED or ESME_RMSGQFUL: `first` seconds, doubled for each rest in a row.

    Refusals of what was already on its way while resting do not count again.  After a rest the bind is
    `probing` (it should send one segment and wait for the answer) until something is accepted.
    """

    __slots__ = ("_first", "_pause", "until")

    def __init__(self, first: float) -> None:
        self._first = first
        self._pause = 0.0
        self.until = 0.0

    def refused(self, now: float) -> None:
        if now >= self.until:
            self._pause = min(max(self._first, self._pause * 2), THROTTLE_LIMIT_SECONDS)
            self.until = now + self._pause

    def accepted(self, now: float) -> None:
        if now >= self.until:
            self._pause = 0.0

    def resting(self, now: float) -> bool:
        return now < self.until

    @property
    def probing(self) -> bool:
        return self._pause > 0.0


class Breaker:
    """Open, for `rest` seconds, after `limit` failures in a row (0: never), and again after each further one.

    It does not stop what is on its way: it tells those who have a choice to choose otherwise.
    """

    __slots__ = ("_limit", "_rest", "failures", "until")

    def __init__(self, limit: int, rest: float) -> None:
        self._limit = limit
        self._rest = rest
        self.failures = 0
        self.until = 0.0

    def failed(self, now: float) -> bool:
        """Whether it opens by that."""
        self.failures += 1
        if not self._limit or self.failures < self._limit or self.open(now):
            return False
        self.until = now + self._rest
        return True

    def succeeded(self) -> None:
        self.failures = 0
        self.until = 0.0

    def open(self, now: float) -> bool:
        return now < self.until


class Backoff:
    """Waits between attempts to connect: `first` seconds, doubling up to `limit`.

    Each is cut by up to half at random, so that the sessions of a fallen SMSC do not return in step.
    """

    __slots__ = ("_first", "_limit", "_next")

    def __init__(self, first: float, limit: float) -> None:
        self._first = first
        self._limit = limit
        self._next = first

    def wait(self, chance: float) -> float:
        """The next wait in seconds."""
        seconds = min(self._next, self._limit)
        self._next = min(self._next * 2, self._limit)
        return seconds * (1.0 - chance / 2)

    def reset(self) -> None:
        self._next = self._first
