"""Whether requests come faster than they can be worked off: from then on new calls are turned away at once.

A burst is let through, late as its last may be.  Who has been overloaded is watched closely for a while: the
calls that are taken then are taken in time.
"""

from __future__ import annotations

import math

LATE_OCTETS = 64 << 10  # as the kernel counts them, 2,304 for an INVITE: some 15 ms of work
BURST_SECONDS = 1.0
WATCHED_BURST_SECONDS = 0.05
WATCHED_SECONDS = 10.0  # from the last refusal on
LONGEST_RETRY_AFTER = 10  # seconds
CALM_SECONDS = 2.0  # without a refusal: what comes then is new trouble


class Overload:
    """Times are monotonic seconds.  `retry_after` is 0 while calls are taken.  Else it is what those who are
    turned away are told, in whole seconds: a carrier may send nothing at all for so long (section 21.5.4), so
    it is one second, and more only where the trouble lasts.
    """

    def __init__(self) -> None:
        self.retry_after = 0
        self._late_since: float | None = None
        self._refusing_since = 0.0
        self._refused_at = -math.inf
        self._watched_until = 0.0

    def waiting(self, octets: int, now: float) -> int:
        """So much waits in the socket now; gives `retry_after`."""
        if octets < LATE_OCTETS:
            self._late_since = None
            self.retry_after = 0
            return 0
        if self._late_since is None:
            self._late_since = now
        watched = now < self._watched_until
        if now - self._late_since < (WATCHED_BURST_SECONDS if watched else BURST_SECONDS):
            self.retry_after = 0
            return 0
        if now - self._refused_at > CALM_SECONDS:
            self._refusing_since = now
        self._refused_at = now
        self._watched_until = now + WATCHED_SECONDS
        self.retry_after = min(1 + int(now - self._refusing_since), LONGEST_RETRY_AFTER)
        return self.retry_after
