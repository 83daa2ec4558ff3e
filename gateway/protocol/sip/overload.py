"""Whether requests come faster than they can be worked off: from then on new calls are turned away at once.

A burst is let through, late as its last may be.  Who has been overloaded is watched closely for a while: the
calls that are taken then are taken in time.
"""

from __future__ import annotations

LATE_OCTETS = 64 << 10  # as the kernel counts them, 2,304 for an INVITE: some 15 ms of work
BURST_SECONDS = 1.0
WATCHED_BURST_SECONDS = 0.05
WATCHED_SECONDS = 10.0  # from the last refusal on


class Overload:
    """Times are monotonic seconds."""

    def __init__(self) -> None:
        self.is_on = False
        self._late_since: float | None = None
        self._watched_until = 0.0

    def waiting(self, octets: int, now: float) -> bool:
        """So much waits in the socket now; whether new calls are to be turned away."""
        if octets < LATE_OCTETS:
            self._late_since = None
            self.is_on = False
            return False
        if self._late_since is None:
            self._late_since = now
        patience = WATCHED_BURST_SECONDS if now < self._watched_until else BURST_SECONDS
        self.is_on = now - self._late_since >= patience
        if self.is_on:
            self._watched_until = now + WATCHED_SECONDS
        return self.is_on
