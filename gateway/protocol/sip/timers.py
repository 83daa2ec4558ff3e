"""One heap of timers for everything that waits, instead of a timer of the event loop each.

A SIP server holds several timers per call for half a minute, most of which are cancelled before they are
due: cancelling marks the entry, and the heap is rebuilt when most entries are marked.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

Action = Callable[[float], None]  # called with the time now

# seconds (RFC 3261 section 17.1.1.1)
T1 = 0.5  # estimate of the round-trip time
T2 = 4.0  # longest wait between repetitions, but for an INVITE
T4 = 5.0  # how long a message may wander in the network
LIFETIME = 64 * T1  # timers B, D, F, H, J, L, M

_SMALL = 64  # entries below which rebuilding is not worth it


class Timer:
    """A handle for `Timers.cancel`."""

    __slots__ = ("action", "when")

    def __init__(self, when: float, action: Action) -> None:
        self.when = when
        self.action: Action | None = action


class Timers:
    """Times are monotonic seconds.  Timers of the same time fire in the order they were started."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._started = 0
        self._cancelled = 0

    def __len__(self) -> int:
        """Timers that will still fire."""
        return len(self._heap) - self._cancelled

    def start(self, when: float, action: Action) -> Timer:
        timer = Timer(when, action)
        self._started += 1
        heapq.heappush(self._heap, (when, self._started, timer))
        return timer

    def cancel(self, timer: Timer | None) -> None:
        """None, and a timer that has fired or was cancelled already, are no error."""
        if timer is None or timer.action is None:
            return
        timer.action = None
        self._cancelled += 1
        if self._cancelled > _SMALL and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def fire(self, now: float) -> None:
        """Run every action that is due, those that become due meanwhile included."""
        for action in self._due(now):
            action(now)

    def _due(self, now: float) -> Iterator[Action]:
        while self._heap and self._heap[0][0] <= now:
            timer = heapq.heappop(self._heap)[2]
            if timer.action is None:
                self._cancelled -= 1
                continue
            action, timer.action = timer.action, None
            yield action

    def deadline(self) -> float | None:
        """When the next timer is due; None when nothing waits."""
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
            self._cancelled -= 1
        return self._heap[0][0] if self._heap else None
