"""The machine's clock and randomness, for the shells that hand them to the pure parts; its memory."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable

from gateway.values.clock import Clock
from gateway.values.ids import NewId, uuid7_head, uuid7_tail

_POOL_OCTETS = 10_000  # one system call for a thousand ids

# New containers that bring about a collection (Python: 700), and how many of one generation's collections
# bring about one of the next
_COLLECT = (20_000, 20, 50)

# While calls are up: a packet that waits for a collection is late.  Few objects at a time, one or two
# milliseconds on a slow machine, and the oldest, which may be many, not at all until the last call has ended
_COLLECT_DURING_CALLS = (1_000, 4, 1_000_000)


class SystemClock:
    """values.clock.Clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def steady(self, at: float) -> float:
        """The monotonic seconds of a moment of the wall clock, as that is set now."""
        return time.monotonic() + at - time.time()


class IdSource:
    """Makes UUIDv7, each greater than the one before: within a millisecond, and when the clock steps back.

    So order by id is order of making, which the store's listings and a carrier's queue rely on.  Within a
    millisecond the random part grows by a random step (RFC 9562 section 6.2, method 2).  For one thread.
    """

    def __init__(self, clock: Clock, randomness: Callable[[int], bytes] = os.urandom) -> None:
        self._clock, self._randomness = clock, randomness
        self._pool, self._used = b"", 0
        self._milliseconds, self._head = -1, ""
        self._tail = 0

    def __call__(self) -> str:
        if self._used == len(self._pool):
            self._pool, self._used = self._randomness(_POOL_OCTETS), 0
        octets = self._pool[self._used : self._used + 10]
        self._used += 10
        milliseconds = int(self._clock.now() * 1000)
        if milliseconds > self._milliseconds:
            self._milliseconds, self._head = milliseconds, uuid7_head(milliseconds)
            # rand_b is the lowest 62 bits; its highest bit stays free for the steps to carry into
            self._tail = int.from_bytes(octets, "big") & ~(1 << 61)
        else:
            self._tail += int.from_bytes(octets[:4], "big") + 1
        return self._head + uuid7_tail(self._tail)


new_id: NewId = IdSource(SystemClock())


def collect_rarely() -> None:
    """Have Python look for garbage in cycles less often; what exists now is never looked at again.

    A message leaves hardly any cycle behind, but what it is made of lives until its carrier has answered and
    was gone through time and again: a tenth of the loop's processor time under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT)


def collect_for_calls(up: bool) -> None:
    """Keep collections short as long as calls are up: none takes 5 ms."""
    if up:
        gc.collect(1)  # what has piled up for a rare collection: now, before anybody hears it
    gc.set_threshold(*(_COLLECT_DURING_CALLS if up else _COLLECT))
