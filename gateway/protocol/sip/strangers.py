"""Addresses that send requests though they are nobody's: answered for a while, then muted."""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum, auto

REQUESTS = 20  # within WINDOW_SECONDS until an address is muted
WINDOW_SECONDS = 60.0
MUTED_SECONDS = 600.0  # from its latest request on
_REMEMBERED = 10_000  # addresses; the one that was silent for longest gives way


class Verdict(Enum):
    ANSWER = auto()
    MUTE = auto()  # from now on: worth one line in a log
    IGNORE = auto()


class Strangers:
    """Times are monotonic seconds."""

    def __init__(self) -> None:
        self.requests = 0
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()  # when the first came, how many
        self._muted: OrderedDict[str, float] = OrderedDict()  # until when

    def verdict(self, source: str, now: float) -> Verdict:
        """What a request from this IP address deserves."""
        self.requests += 1
        if self.is_muted(source, now):
            self._mute(source, now)
            return Verdict.IGNORE
        began, count = self._windows.pop(source, (now, 0))
        if now - began > WINDOW_SECONDS:
            began, count = now, 0
        if count >= REQUESTS:
            self._mute(source, now)
            return Verdict.MUTE
        self._windows[source] = began, count + 1
        if len(self._windows) > _REMEMBERED:
            self._windows.popitem(last=False)
        return Verdict.ANSWER

    def is_muted(self, source: str, now: float) -> bool:
        return bool(self._muted) and self._muted.get(source, now) > now

    @property
    def muted(self) -> int:
        """Addresses that are remembered as muted."""
        return len(self._muted)

    def _mute(self, source: str, now: float) -> None:
        self._muted[source] = now + MUTED_SECONDS
        self._muted.move_to_end(source)
        while self._muted and next(iter(self._muted.values())) <= now:
            self._muted.popitem(last=False)
        if len(self._muted) > _REMEMBERED:
            self._muted.popitem(last=False)
