"""How soon there is room again where too many messages wait: by how fast they have been leaving."""

from __future__ import annotations

SHORTEST, UNKNOWN, LONGEST = 1.0, 2.0, 60.0  # seconds that somebody is asked to wait
_MEASURED = 1.0  # seconds over which a pace is measured, at least
_WINDOW = 10.0  # after that it is measured anew
_FORGOTTEN = 30.0  # it was not asked for so long: what was measured says nothing any more


class Drain:
    """Costs nothing while nobody is refused."""

    def __init__(self) -> None:
        self._from: tuple[float, int] | None = None  # when, and how many had left
        self._asked = 0.0
        self._pace: float | None = None  # messages a second

    def wait_seconds(self, gone: int, wanted: int, now: float) -> float:
        """When `wanted` messages will have left, by the monotonic time `now`; `gone` have since the start."""
        if self._from is None or now - self._asked > _FORGOTTEN:
            self._from, self._pace = (now, gone), None
        self._asked = now
        at, before = self._from
        if now - at >= _MEASURED:
            self._pace = (gone - before) / (now - at)
        if now - at >= _WINDOW:
            self._from = now, gone
        if self._pace is None:
            return UNKNOWN
        return min(LONGEST, max(SHORTEST, wanted / self._pace)) if self._pace else LONGEST
