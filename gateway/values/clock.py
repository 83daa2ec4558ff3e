"""Time as the rest of the gateway sees it.  The pure parts are told the time; the shells hold a Clock."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Unix time in seconds, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step back; only differences mean something."""
        ...


def iso(at: float) -> str:
    """Unix seconds as RFC 3339 in UTC with milliseconds: 2026-11-23T14:05:09.120Z."""
    second = int(at)
    microseconds = round((at - second) * 1e6)  # as datetime rounds; then cut, as it cuts
    if not 0 <= microseconds < 1_000_000:  # before 1970, or up to the next second
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{_second(second)}.{microseconds // 1000:03d}Z"


@lru_cache(maxsize=64)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").removesuffix("+00:00")
