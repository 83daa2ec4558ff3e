"""Time as the rest of the gateway sees it.  The pure parts are told the time; the shells hold a Clock."""

from __future__ import annotations

from datetime import UTC, datetime
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
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
