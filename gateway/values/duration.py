"""Durations as people write them: "250ms", "20s", "10m", "2h", "7d", or a number of seconds."""

from __future__ import annotations

import re

_WRITTEN = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) *(ms|s|m|h|d)", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 366 * 86400.0


def seconds(written: str | float) -> float:
    """Seconds, 0 up to 366 days.  Raises ValueError with the remedy."""
    if isinstance(written, str):
        match = _WRITTEN.fullmatch(written.strip())
        if not match:
            raise ValueError(f'{written!r} is no duration; write "250ms", "20s", "10m", "2h" or "7d"')
        value = float(match[1]) * _UNITS[match[2]]
    else:
        value = float(written)
    if not 0 <= value <= _LONGEST:
        raise ValueError(f"{written!r} is not between 0 and 366 days")
    return value
